"""P-Tuning v2 inside the model: the prefix encoder, and its checkpoint in our form and in the original's.

    encoder = PrefixEncoder(config)                      # config.pre_seq_len, config.prefix_projection
    write_prefix(encoder, Path("checkpoints/mine"))      # prefix.safetensors
    write_prefix(encoder, folder, original=True)         # pytorch_model.bin, as the original's script reads it
    state = read_prefix(folder)                          # either form

A row of the table is (2L, n, d): slot 2i holds the keys of layer i, slot 2i + 1 the values.
Letters: b batch, P positions, L layers, n heads, d head size, h = n d. Source: SPEC 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from roleplay.errors import AdapterError, ModelError
from roleplay.models.chatglm.shards import read_shard

PREFIX_NAME = "transformer.prefix_encoder."
"""How the encoder's parameters are called in a whole model."""

_FILES = ("prefix.safetensors", "pytorch_model.bin", "model.safetensors")


class PrefixEncoder(nn.Module):
    """Keys and values of P virtual positions: a table [P, 2Lh], or [P, h] through two linear layers."""

    def __init__(self, config: Any) -> None:
        """Make a random prefix (standard normal, as the original)."""
        super().__init__()
        size, width = config.hidden_size, 2 * config.num_layers * config.hidden_size
        self.shape = (2 * config.num_layers, config.num_attention_heads, config.head_dim)
        self.embedding = nn.Embedding(config.pre_seq_len, size if config.prefix_projection else width)
        if config.prefix_projection:
            self.trans = nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, width))
        for module in self.modules():
            module.__dict__["_is_hf_initialized"] = True  # else transformers draws it anew, a fiftieth as large

    def forward(self) -> torch.Tensor:
        """[P, 2Lh] in the encoder's own dtype."""
        table = self.embedding.weight
        encoded: torch.Tensor = self.trans(table) if hasattr(self, "trans") else table
        return encoded

    def slots(self, batch: int, dtype: torch.dtype) -> torch.Tensor:
        """[2L, b, n, P, d]: keys and values of the layers in turn."""
        encoded: torch.Tensor = self().to(dtype)
        parts = encoded.view(len(encoded), *self.shape).permute(1, 2, 0, 3)
        return parts[:, None].expand(-1, batch, -1, -1, -1)


def read_prefix(path: Path) -> dict[str, torch.Tensor]:
    """The encoder's parameters (``embedding.weight``, and ``trans.*`` with a projection) from a file or a folder.

    Raises:
        AdapterError: no such file, unreadable, or no prefix in it.
    """
    found = [path] if path.is_file() else [path / name for name in _FILES if (path / name).is_file()]
    if not found:
        raise AdapterError(f"{path} has no prefix checkpoint: expected one of {', '.join(_FILES)}")
    try:
        stored = read_shard(found[0])
    except ModelError as error:
        raise AdapterError(str(error)) from error
    state = {name.removeprefix(PREFIX_NAME): part for name, part in stored.items() if name.startswith(PREFIX_NAME)}
    if "embedding.weight" not in state:
        raise AdapterError(f"{found[0]} has no {PREFIX_NAME}embedding.weight: it is not a P-Tuning checkpoint")
    return state


def prefix_sizes(state: Mapping[str, torch.Tensor]) -> tuple[int, bool]:
    """(pre_seq_len, prefix_projection) of what :func:`read_prefix` gave."""
    return int(state["embedding.weight"].shape[0]), "trans.0.weight" in state


def check_prefix(state: Mapping[str, torch.Tensor], config: Any) -> None:
    """Refuse a prefix of another model, or of another length than the config names.

    Raises:
        AdapterError: names every parameter that differs, with both shapes.
    """
    length, projection = prefix_sizes(state)
    if config.pre_seq_len not in (None, length):
        raise AdapterError(f"the prefix has {length} positions, pre_seq_len says {config.pre_seq_len}: give {length}")
    size, width = config.hidden_size, 2 * config.num_layers * config.hidden_size
    wanted: dict[str, tuple[int, ...]] = {"embedding.weight": (length, size if projection else width)}
    if projection:
        wanted |= {"trans.0.weight": (size, size), "trans.0.bias": (size,)}
        wanted |= {"trans.2.weight": (width, size), "trans.2.bias": (width,)}
    given = {name: tuple(part.shape) for name, part in state.items()}
    differing = [
        f"{name} {given.get(name, 'missing')} instead of {wanted.get(name, 'nothing')}"
        for name in sorted(given.keys() | wanted.keys())
        if given.get(name) != wanted.get(name)
    ]
    if differing:
        raise AdapterError(
            f"the prefix is not for this model: {'; '.join(differing)}: choose the model it was made for"
        )


def write_prefix(encoder: PrefixEncoder, folder: Path, *, original: bool = False) -> Path:
    """Write the encoder in float32 and return the file.

    Args:
        original: write the original's ``pytorch_model.bin`` instead of ``prefix.safetensors``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        PREFIX_NAME + name: part.detach().float().cpu().contiguous() for name, part in encoder.state_dict().items()
    }
    path = folder / ("pytorch_model.bin" if original else "prefix.safetensors")
    temporary = path.with_name(f".{path.name}.part")
    if original:
        torch.save(state, temporary)
    else:
        save_file(state, temporary, metadata={"format": "pt"})
    return temporary.replace(path)
