"""One forward pass of any causal LM: its own cache, a prefix that stays visible, and only the logits asked for.

    model, tokenizer = load_causal("gemma3-270m"), load_tokenizer("gemma3-270m")
    hidden = hidden_states(model, ids, cache=cache, prefix_length=64)

Sliding-window layers (15 of the embedded model's 18, window 512) would lose sight of a prefix that stands more than a
window back, and the cache that transformers makes for them would throw it away. Here every layer keeps all keys, and the
mask of a sliding layer shows the newest ``window`` keys *and* the prefix. Without a prefix the result is the model's own.

ChatGLM, a prefix language model, is registered with the Auto classes here. Its body finds positions, masks and its own
prefix by itself and says so (``prefix_language_model``); its tokenizer encodes prompts and reads replies in its own way
(``encode_prompt``, ``reply_text``). All other models are treated alike.

Letters: q new tokens, k keys in all (prefix, past and new), h hidden size.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

import roleplay.models.chatglm  # noqa: F401  registers it before an Auto class is used
from roleplay.errors import ModelError
from roleplay.models import embedded, memory


def resolve(name: str, *, on_progress: embedded.Progress = lambda text: None) -> str:
    """A folder or hub id that transformers can load: the embedded default's name becomes its converted folder."""
    return str(embedded.embedded_folder(on_progress=on_progress)) if name == embedded.NAME else name


def device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_tokenizer(name: str) -> Any:
    """The fast tokenizer of a model.

    Raises:
        ModelError: no such model; the message says what is known.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(resolve(name), local_files_only=_offline())
    except (OSError, ValueError) as error:
        raise _unknown(name, error) from error


def load_causal(name: str, *, dtype: torch.dtype | None = None, quantization_bit: int = 0) -> Any:
    """The model itself on :func:`device`, in evaluation mode, its weights frozen; no remote code is run.

    Args:
        dtype: of the weights; None takes float32 on a CPU, and on a GPU what the model was made in (``gpu_dtype`` of its
            config) or :func:`training_dtype`.
        quantization_bit: 4 or 8 quantizes the layers of a ChatGLM that is stored in full; 0 takes it as it is stored.

    Raises:
        ModelError: as :func:`load_tokenizer`; not enough memory, told before anything is loaded, with the numbers; or
            a model that cannot be quantized.
    """
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForCausalLM

    path, hub = resolve(name), {"local_files_only": _offline()}
    try:
        config = AutoConfig.from_pretrained(path, **hub)
        wanted = dtype or _usual_dtype(config)
        more = _own_options(name, config, quantization_bit)
        need = memory.needed_bytes(
            memory.weight_files(path, hub), config, dtype=wanted, bits=more.get("quantization_bit", 0)
        )
        memory.check_memory(name, need, memory.available_bytes(device()))
        model = AutoModelForCausalLM.from_pretrained(path, dtype=wanted, **hub, **more)
    except (OSError, ValueError, SafetensorError) as error:
        raise _unknown(name, error) from error
    return model.to(device()).eval().requires_grad_(False)


def _usual_dtype(config: Any) -> torch.dtype:
    if device().type == "cpu":
        return torch.float32
    own = getattr(torch, getattr(config, "gpu_dtype", ""), None)
    return own if isinstance(own, torch.dtype) else training_dtype()


def _own_options(name: str, config: Any, bits: int) -> dict[str, Any]:
    """What ChatGLM's own loader is told: how to quantize, and the place, since that decides on its kernel."""
    stored = getattr(config, "quantization_bit", None)
    if stored is None:
        if bits:
            raise ModelError(f"quantization_bit is for ChatGLM, {name} is a {config.model_type}: leave it out")
        return {}
    if stored and bits not in (0, stored):
        raise ModelError(f"{name} is stored in {stored} bits and cannot be had in {bits}: leave quantization_bit out")
    return {"device_map": str(device())} | ({"quantization_bit": bits} if bits else {})


def training_dtype() -> torch.dtype:
    """bfloat16 where the machine multiplies it in hardware (three times as fast as float32 on such a CPU), else float32.

    Only the frozen weights and the activations take it; an adapter's own weights stay float32.
    """
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16", False) else torch.float32


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0")


def _unknown(name: str, error: Exception) -> ModelError:
    if Path(name).is_dir():
        return ModelError(f"{name} holds no causal language model that transformers can load ({_first(error)})")
    return ModelError(
        f"no model {name!r}: known are {embedded.NAME}, a folder, or a Hugging Face id that can be "
        f"reached from here ({_first(error)})"
    )


def _first(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:160]


def hidden_states(
    model: Any,
    ids: torch.Tensor,
    *,
    cache: Any = None,
    prefix_length: int = 0,
    padding: torch.Tensor | None = None,
) -> torch.Tensor:
    """The final hidden states, ready for the head.

    Args:
        model: a causal LM of transformers.
        ids: int64 [b, q]; all rows have the same past.
        cache: of :func:`new_cache`; the new keys are appended to it.
        prefix_length: how many of the cached keys are a prefix that every layer must see.
        padding: int64 [b], tokens at the start of each row, after the prefix, that are nothing; not for a prefix
            language model.

    Returns:
        [b, q, h].
    """
    if is_prefix_lm(model):
        own: torch.Tensor = body(model)(
            input_ids=ids, past_key_values=cache, use_cache=cache is not None
        ).last_hidden_state
        return own
    past = cache.get_seq_length() if cache is not None else 0
    positions = torch.arange(past, past + ids.shape[1], device=ids.device)[None]
    if padding is not None:
        positions = (positions - padding[:, None]).clamp(min=prefix_length)
    masks = layer_masks(
        model.config, past=past, new=ids.shape[1], prefix=prefix_length, device=ids.device, padding=padding
    )
    hidden: torch.Tensor = body(model)(
        input_ids=ids,
        position_ids=positions,
        past_key_values=cache,
        use_cache=cache is not None,
        attention_mask=masks,
    ).last_hidden_state
    return hidden


def layer_masks(
    config: Any,
    *,
    past: int,
    new: int,
    prefix: int,
    device: torch.device,
    padding: torch.Tensor | None = None,
) -> Any:
    """Attention masks, bool [1 or b, 1, q, k], True = visible: by layer type where the model has sliding layers, else one.

    None where transformers' own causal mask is right. ``padding`` as for :func:`hidden_states`.
    """
    sliding = "sliding_attention" in set(getattr(config, "layer_types", None) or ())
    if not sliding and padding is None:
        return None
    query = torch.arange(past, past + new, device=device)[:, None]
    key = torch.arange(past + new, device=device)[None]
    causal = (key <= query)[None, None]
    if padding is not None:
        real = (key < prefix) | (key >= prefix + padding[:, None])
        causal = causal & (real[:, None, None] | (key == query))  # padding sees itself: a row of nothing is no number
    if not sliding:
        return causal
    near = causal & ((query - key < config.sliding_window) | (key < prefix))
    masks = {"full_attention": causal, "sliding_attention": near}
    return {name: None if bool(mask.all()) else mask for name, mask in masks.items()}


def body(model: Any) -> Any:
    """The decoder below the head, also where PEFT's LoRA wraps the model."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return base.get_decoder()


def head(model: Any) -> Any:
    """The output embedding, [vocabulary, h] without bias.

    Raises:
        ModelError: the model changes its logits after the head (soft-capping) or its head has a bias.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    layer = base.get_output_embeddings()
    if getattr(base.config, "final_logit_softcapping", None) or layer.bias is not None:
        raise ModelError(f"{type(base).__name__} has a soft-capped or biased head, which is not supported")
    return layer


def new_cache(model: Any) -> Any:
    """An empty cache in which every layer keeps all keys: the model's own kind where it has one."""
    from transformers import DynamicCache

    make = getattr(body(model), "new_cache", DynamicCache)
    return make()


def is_prefix_lm(part: Any) -> bool:
    """Whether a model or a tokenizer is that of a prefix language model: prompt read both ways, answer one way."""
    if hasattr(part, "get_decoder"):
        part = body(part)
    return bool(getattr(part, "prefix_language_model", False))


def encode_prompt(tokenizer: Any, segments: Sequence[str]) -> list[int]:
    """The ids of a prompt: the tokenizer's own way, else its segments one by one after the beginning-of-text token."""
    if own := getattr(tokenizer, "encode_prompt", None):
        return list(own(segments))
    start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    parts = tokenizer(list(segments), add_special_tokens=False).input_ids if segments else []
    return [*start, *(token for part in parts for token in part)]


def count_tokens(tokenizer: Any, text: str) -> int:
    """Tokens of ``text`` as a prompt holds it, special tokens not counted."""
    if own := getattr(tokenizer, "text_ids", None):
        return len(own(text))
    return len(tokenizer.encode(text, add_special_tokens=False))


def reply_text(tokenizer: Any, ids: list[int]) -> str:
    """The first line of a reply; a character whose last bytes are still to come is left out."""
    own = getattr(tokenizer, "reply_text", None)
    text: str = own(ids) if own else tokenizer.decode(ids, skip_special_tokens=True)
    return text.split("\n")[0].strip().rstrip("\ufffd")


def vocabulary_size(tokenizer: Any) -> int:
    """One more than the highest id that has a piece; a head may have rows beyond, which must never be sampled."""
    return 1 + max(int(number) for number in tokenizer.get_vocab().values())


class FewRowsLinear(nn.Linear):
    """A linear layer that multiplies weight by input where there are 2 to 16 rows.

    The usual order (input by transposed weight) falls back to a slow path for such narrow inputs: measured on two
    cores, the embedded head takes 132 ms for 5 rows one way and 60 ms the other, one row taking 63 ms.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        rows = input.numel() // self.in_features
        if not 1 < rows <= 16:
            return super().forward(input)
        product = (self.weight @ input.reshape(rows, -1).T).T
        if self.bias is not None:
            product = product + self.bias
        return product.reshape(*input.shape[:-1], self.out_features)


def use_few_rows_linear(model: nn.Module) -> None:
    """Let every plain linear layer of a model on the CPU take the faster order for a handful of rows."""
    for layer in model.modules():
        if type(layer) is nn.Linear and layer.weight.device.type == "cpu":
            layer.__class__ = FewRowsLinear
