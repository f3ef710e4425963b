"""The P-Tuning v2 prefix of a model with its own encoder (ChatGLM): made and stored without PEFT.

    new_native_prefix(model, length=128, start=ids)         # keys and values of real text
    new_native_prefix(model, length=128, projection=True)   # random, through two linear layers
    write_native_prefix(model, folder, original=True)       # and pytorch_model.bin
    read_native_prefix(model, folder / "prefix.safetensors")

The prefix is a part of the model, so nothing wraps it.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from roleplay.adapters.prefix import text_rows
from roleplay.models import causal
from roleplay.models.chatglm.prefix import check_prefix, read_prefix, write_prefix

PREFIX_FILE = "prefix.safetensors"
"""The weights in a checkpoint folder of ours."""

ORIGINAL_FILE = "pytorch_model.bin"
"""The weights in a checkpoint folder of the original's script."""


def new_native_prefix(
    model: Any, *, length: int, projection: bool = False, start: Tensor | None = None
) -> torch.nn.Module:
    """Put a new prefix into ``model`` and let it be the only thing trained; the prefix encoder.

    Args:
        length: virtual positions P.
        projection: P rows of the hidden size and two linear layers; ``start`` has no effect.
        start: int64 [1, at least P], a whole prompt with its special tokens: the prefix begins as
            the keys and values of its first P tokens. None begins with random numbers.
    """
    decoder = causal.body(model)
    decoder.config.pre_seq_len = None  # a prefix stored with the model makes way
    with torch.no_grad():
        rows = None if start is None or projection else text_rows(model, start, length=length)
        causal.head(model).requires_grad_(False)
        decoder.attach_prefix(length, projection=projection)
        encoder: torch.nn.Module = decoder.prefix_encoder
        if rows is not None:
            encoder.get_parameter("embedding.weight").copy_(rows)
    return encoder


def write_native_prefix(model: Any, folder: Path, *, original: bool = False) -> None:
    """Write ``prefix.safetensors``, and with ``original`` also ``pytorch_model.bin``."""
    for form in (False, True) if original else (False,):
        write_prefix(causal.body(model).prefix_encoder, folder, original=form)


def read_native_prefix(model: Any, path: Path) -> int:
    """Put the prefix of a file or a folder, ours or the original's, into ``model``; its length.

    Raises:
        AdapterError: no prefix there, or one of another model; every differing size is named.
    """
    model.config.pre_seq_len = None  # the length that the file has
    model.load_prefix(path)
    return int(model.config.pre_seq_len)


def restore_native_prefix(model: Any, folder: Path) -> None:
    """Copy ``prefix.safetensors`` into the prefix of ``model``, whose parameters stay the same.

    Raises:
        AdapterError: no prefix there, or of other sizes.
    """
    state = read_prefix(folder / PREFIX_FILE)
    check_prefix(state, model.config)
    causal.body(model).prefix_encoder.load_state_dict(state)
