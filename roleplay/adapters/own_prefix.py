"""The P-Tuning v2 prefix of a model that brings its own prefix encoder (ChatGLM): made, stored and read without PEFT.

    new_own_prefix(model, length=128, start=ids)           # keys and values of real text
    new_own_prefix(model, length=128, projection=True)     # random, through two linear layers
    write_own_prefix(model, folder, original=True)         # and pytorch_model.bin, as the original's script reads it
    read_own_prefix(model, folder / "prefix.safetensors")

The prefix is a part of the model, so nothing wraps it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from roleplay.adapters.prefix import text_rows
from roleplay.models import causal
from roleplay.models.chatglm.prefix import check_prefix, read_prefix, write_prefix

PREFIX_FILE = "prefix.safetensors"
"""The weights in a checkpoint folder of ours."""

ORIGINAL_FILE = "pytorch_model.bin"
"""The weights in a checkpoint folder of the original's script."""


def new_own_prefix(
    model: Any, *, length: int, projection: bool = False, start: torch.Tensor | None = None
) -> torch.nn.Module:
    """Put a new prefix into ``model`` and let it be the only thing trained.

    Args:
        length: virtual positions P.
        projection: make the table of P rows of the hidden size, and two linear layers behind it; ``start`` has no effect.
        start: int64 [1, at least P], a whole prompt with its special tokens: the prefix begins as the keys and values
            that the model computes for its first P tokens. None begins with random numbers.

    Returns:
        The prefix encoder.
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


def write_own_prefix(model: Any, folder: Path, *, original: bool = False) -> None:
    """Write ``prefix.safetensors``, and with ``original`` also ``pytorch_model.bin``."""
    encoder = causal.body(model).prefix_encoder
    write_prefix(encoder, folder)
    if original:
        write_prefix(encoder, folder, original=True)


def read_own_prefix(model: Any, path: Path) -> int:
    """Put the prefix of a file or a folder, ours or the original's, into ``model``; its length.

    Raises:
        AdapterError: no prefix there, or one of another model; every differing size is named.
    """
    model.config.pre_seq_len = None  # the length that the file has
    model.load_prefix(path)
    return int(model.config.pre_seq_len)


def restore_own_prefix(model: Any, folder: Path) -> None:
    """Copy the numbers of ``prefix.safetensors`` into the prefix that ``model`` has; its parameters stay the same objects.

    Raises:
        AdapterError: no prefix there, or of other sizes.
    """
    state = read_prefix(folder / PREFIX_FILE)
    check_prefix(state, model.config)
    causal.body(model).prefix_encoder.load_state_dict(state)
