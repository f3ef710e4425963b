"""One forward pass of any causal LM: its own cache, and a prefix that stays visible.

    hidden = hidden_states(model, ids, cache=cache, prefix_length=64)
    logits = head(model)(hidden[:, -1])

Sliding-window layers (15 of the bundled model's 18, window 512) would lose sight of a prefix that
stands more than a window back, and the cache that transformers makes for them would throw it away.
Here every layer keeps all keys, and the mask of a sliding layer shows the newest ``window`` keys
*and* the prefix. Without a prefix the result is the model's own.

The body of a prefix language model (ChatGLM) finds positions, masks and its own prefix by itself
and says so (``prefix_language_model``); its tokenizer encodes prompts and reads replies in its own
way (``encode_prompt``, ``reply_text``). All other models are treated alike.

Letters: b rows, q new tokens, k keys in all (prefix, past and new), h hidden size.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from roleplay.errors import ModelError
from roleplay.models import chat_template


def hidden_states(
    model: Any,
    ids: Tensor,
    *,
    cache: Any = None,
    prefix_length: int = 0,
    padding: Tensor | None = None,
) -> Tensor:
    """The final hidden states [b, q, h], ready for the head.

    Args:
        model: a causal LM of transformers.
        ids: int64 [b, q]; all rows have the same past.
        cache: of :func:`new_cache`; the new keys are appended to it.
        prefix_length: how many of the cached keys are a prefix that every layer must see.
        padding: int64 [b], tokens at the start of each row, after the prefix, that are nothing; not
            for a prefix language model.
    """
    inputs = {"input_ids": ids, "past_key_values": cache, "use_cache": cache is not None}
    if not is_prefix_lm(model):
        past = cache.get_seq_length() if cache is not None else 0
        positions = torch.arange(past, past + ids.shape[1], device=ids.device)[None]
        if padding is not None:
            # After the prefix a padded row counts from its first real token, as it would alone.
            positions = (positions - padding[:, None]).clamp(min=prefix_length)
        masks = layer_masks(model.config, ids, past=past, prefix=prefix_length, padding=padding)
        inputs |= {"position_ids": positions, "attention_mask": masks}
    hidden: Tensor = body(model)(**inputs).last_hidden_state
    return hidden


def layer_masks(
    config: Any, ids: Tensor, *, past: int, prefix: int, padding: Tensor | None = None
) -> Any:
    """Attention masks [1 or b, 1, q, k], True = visible, of ``ids`` [b, q] after ``past`` keys.

    By layer type where the model has sliding layers, else one; None where transformers' own causal
    mask is right. ``prefix`` and ``padding`` as for :func:`hidden_states`.
    """
    sliding = "sliding_attention" in set(getattr(config, "layer_types", None) or ())
    if not sliding and padding is None:
        return None
    key = torch.arange(past + ids.shape[1], device=ids.device)[None]
    query = key[0, past:, None]
    causal = (key <= query)[None, None]
    if padding is not None:
        real = (key < prefix) | (key >= prefix + padding[:, None])
        # Padding sees itself: the softmax of a row that sees nothing is no number.
        causal = causal & (real[:, None, None] | (key == query))
    if not sliding:
        return causal
    near = causal & ((query - key < config.sliding_window) | (key < prefix))
    masks = {"full_attention": causal, "sliding_attention": near}
    # A mask that hides nothing (that of most steps of one token) would be work and no more.
    return {name: None if bool(mask.all()) else mask for name, mask in masks.items()}


def _unwrapped(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def body(model: Any) -> Any:
    """The decoder below the head, also where PEFT's LoRA wraps the model."""
    return _unwrapped(model).get_decoder()


def head(model: Any) -> Any:
    """The output embedding, [vocabulary, h] without bias.

    Raises:
        ModelError: the model soft-caps its logits after the head, or the head has a bias.
    """
    base = _unwrapped(model)
    layer = base.get_output_embeddings()
    if getattr(base.config, "final_logit_softcapping", None) or layer.bias is not None:
        raise ModelError("models.head", kind=type(base).__name__)
    return layer


def new_cache(model: Any) -> Any:
    """An empty cache in which every layer keeps all keys: the model's own kind where it has one."""
    from roleplay.models import growing_cache  # and transformers with it

    return getattr(body(model), "new_cache", growing_cache.new)()


def keeps_keys(model: Any) -> bool:
    """Whether all that a model knows of a past is a key and a value a token in each layer."""
    config = _unwrapped(model).config
    kinds = set(getattr(config, "layer_types", None) or ("full_attention",))
    return kinds <= {"full_attention", "sliding_attention"} and not hasattr(
        body(model), "new_cache"
    )


def is_prefix_lm(part: Any) -> bool:
    """Whether a model or a tokenizer is of a prefix language model: it reads a prompt both ways."""
    if hasattr(part, "get_decoder"):
        part = body(part)
    return bool(getattr(part, "prefix_language_model", False))


def encode_prompt(tokenizer: Any, segments: Sequence[str]) -> list[int]:
    """The ids of a prompt: the tokenizer's own way, else its opening and each segment alone.

    One at a time, so that a segment has the same ids whatever stands before it.
    """
    if own := getattr(tokenizer, "encode_prompt", None):
        return list(own(segments))
    start = chat_template.opening_ids(tokenizer)
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
    """One more than the highest id that has a piece; a head's rows beyond must never be sampled."""
    return 1 + max(int(number) for number in tokenizer.get_vocab().values())
