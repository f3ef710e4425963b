"""P-Tuning v2 prefixes on any causal LM, through PEFT (Liu et al. 2021, arXiv:2110.07602).

    peft_model = new_prefix(model, length=64)
    start_from_text(peft_model, ids)            # far better than random: NUMBERS, Gemma rows
    cache = prefix_cache(peft_model)            # the past to run the base model with

A prefix is P virtual positions of keys and values in every layer, which PEFT stores as an embedding
table [P, layers * 2 * kv_heads * head_dim]: layer by layer, keys before values. The base model runs
unchanged with these as its past, so the prefix costs nothing but its attention.
"""

from typing import Any

import torch
from torch import Tensor

from roleplay.models.causal import hidden_states, new_cache


def new_prefix(model: Any, *, length: int) -> Any:
    """A PEFT model whose only trainable parameter is a prefix of ``length`` positions."""
    from peft import PrefixTuningConfig, TaskType, get_peft_model

    heads, size = _kv_shape(model.config)
    config = PrefixTuningConfig(
        task_type=TaskType.CAUSAL_LM,
        num_virtual_tokens=length,
        num_layers=model.config.num_hidden_layers,
        num_attention_heads=heads,
        token_dim=heads * size,
    )
    return get_peft_model(model, config)


def _kv_shape(config: Any) -> tuple[int, int]:
    """(key/value heads, head size); a config without them has as many as query heads."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(heads), int(size)


def length_of(model: Any) -> int:
    """Positions of the prefix of a PEFT model; 0 for a model without one."""
    return len(table(model)) if hasattr(model, "prompt_encoder") else 0


def table(peft_model: Any) -> torch.nn.Parameter:
    """The prefix's own parameter, float32 [P, layers * 2 * kv_heads * head_dim]."""
    encoder = peft_model.prompt_encoder[peft_model.active_adapter]
    return encoder.embedding.weight  # type: ignore[no-any-return]


def prefix_cache(peft_model: Any, *, rows: int = 1) -> Any:
    """The prefix as a cache of so many rows with every layer whole, differentiable in training.

    PEFT's own ``get_prompt`` puts sliding-window layers into the cache, which forget the prefix
    after a window of tokens; here the same numbers go into plain layers.
    """
    weight, base = table(peft_model), peft_model.get_base_model()
    heads, size = _kv_shape(base.config)
    layers = weight.shape[1] // (2 * heads * size)
    # The table stays float32, whose small steps bfloat16 would round away.
    slots = weight.view(1, -1, layers * 2, heads, size).permute(2, 0, 3, 1, 4).to(base.dtype)
    cache = new_cache(base)
    for layer in range(layers):
        keys, values = (slots[2 * layer + part].expand(rows, -1, -1, -1) for part in (0, 1))
        cache.update(keys, values, layer)
    return cache


def start_from_text(peft_model: Any, ids: Tensor) -> None:
    """Set the prefix to the keys and values that the model itself computes for ids [1, P]."""
    weight = table(peft_model)
    assert ids.shape[1] == len(weight), "a prefix starts from as many tokens as it has positions"
    with torch.no_grad():
        weight.copy_(text_rows(peft_model.get_base_model(), ids, length=len(weight)))


def text_rows(model: Any, ids: Tensor, *, length: int) -> Tensor:
    """Keys and values of the first ``length`` of ids [1, at least that] as rows of a table."""
    cache = new_cache(model)
    hidden_states(model, ids, cache=cache)
    columns = [part for layer in cache.layers for part in (layer.keys, layer.values)]
    return torch.stack([part[0, :, :length].transpose(0, 1) for part in columns], dim=1).flatten(1)
