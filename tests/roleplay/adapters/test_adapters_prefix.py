"""Prefixes and LoRA: what is trained, and that a prefix made from text is that text."""

from typing import Any

import pytest
import torch

from roleplay.adapters.lora import new_lora
from roleplay.adapters.prefix import length_of, new_prefix, prefix_cache, start_from_text, table
from roleplay.models.causal import hidden_states


def ids(count: int, *, seed: int = 0) -> torch.Tensor:
    return torch.randint(3, 30, (1, count), generator=torch.Generator().manual_seed(seed))


def trained(model: Any) -> dict[str, int]:
    return {name: value.numel() for name, value in model.named_parameters() if value.requires_grad}


def test_only_the_prefix_is_trained(gemma: Any) -> None:
    peft_model = new_prefix(gemma, length=5)
    layers, kv_heads, head_dim = 4, 2, 8
    assert trained(peft_model) == {
        "prompt_encoder.default.embedding.weight": 5 * layers * 2 * kv_heads * head_dim
    }
    assert table(peft_model).dtype == torch.float32
    assert (length_of(peft_model), length_of(gemma)) == (5, 0)


def test_the_prefix_of_a_bfloat16_model_stays_float32(gemma: Any) -> None:
    peft_model = new_prefix(gemma.to(torch.bfloat16), length=5)
    assert table(peft_model).dtype == torch.float32
    assert prefix_cache(peft_model).layers[0].keys.dtype == torch.bfloat16


def test_only_lora_is_trained(gemma: Any) -> None:
    names = trained(new_lora(gemma, rank=2))
    linear = [name for name, layer in gemma.named_modules() if name.endswith("_proj.base_layer")]
    assert len(linear) == 4 * 7
    assert len(names) == 2 * len(linear) and all(
        ".lora_A." in name or ".lora_B." in name for name in names
    )


@pytest.mark.parametrize(("start", "count"), [(3, 5), (30, 20)])
def test_a_prefix_from_text_is_that_text(llama: Any, start: int, count: int) -> None:
    context, text = ids(start), ids(count, seed=1)
    expected = hidden_states(llama, torch.cat([context, text], dim=1))[:, start:]
    peft_model = new_prefix(llama, length=start)
    start_from_text(peft_model, context)
    states = hidden_states(llama, text, cache=prefix_cache(peft_model), prefix_length=start)
    torch.testing.assert_close(states, expected, atol=1e-5, rtol=0)


def test_a_prefix_from_text_is_that_text_within_the_window(gemma: Any) -> None:
    context, text = ids(3), ids(5, seed=1)
    expected = hidden_states(gemma, torch.cat([context, text], dim=1))[:, 3:]
    peft_model = new_prefix(gemma, length=3)
    start_from_text(peft_model, context)
    states = hidden_states(gemma, text, cache=prefix_cache(peft_model), prefix_length=3)
    torch.testing.assert_close(states, expected, atol=1e-5, rtol=0)


def test_text_of_another_length_is_refused(gemma: Any) -> None:
    with pytest.raises(AssertionError, match="a prefix starts from as many tokens"):
        start_from_text(new_prefix(gemma, length=5), ids(4))


def test_the_cache_holds_the_table_layer_by_layer_keys_first(gemma: Any) -> None:
    peft_model = new_prefix(gemma, length=5)
    cache = prefix_cache(peft_model)
    parts = [part for layer in cache.layers for part in (layer.keys, layer.values)]
    assert {tuple(part.shape) for part in parts} == {(1, 2, 5, 8)}
    rows = torch.stack([part[0].transpose(0, 1) for part in parts], dim=1)
    assert torch.equal(rows.reshape(5, -1), table(peft_model))


def test_the_layout_is_pefts_own(llama: Any) -> None:
    peft_model = new_prefix(llama, length=5)
    for ours, theirs in zip(
        prefix_cache(peft_model).layers, peft_model.get_prompt(1).layers, strict=True
    ):
        assert torch.equal(ours.keys, theirs.keys)
        assert torch.equal(ours.values, theirs.values)
