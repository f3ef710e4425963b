"""P-Tuning v2 inside the model: the prefix encoder, and its checkpoint, ours and the original's.

    encoder = PrefixEncoder(config)                  # config.pre_seq_len, config.prefix_projection
    write_prefix(encoder, Path("checkpoints/mine"))  # prefix.safetensors
    write_prefix(encoder, folder, original=True)     # pytorch_model.bin, as the original reads it
    state = read_prefix(folder)                      # either form

A row of the table is (2L, n, d): slot 2i holds the keys of layer i, slot 2i + 1 the values.

Letters: b batch, P positions, L layers, n heads, d head size, h = n d. Source: SPEC 3.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from roleplay.errors import AdapterError, ModelError
from roleplay.messages import message
from roleplay.models.chatglm.shards import read_shard

PREFIX_NAME = "transformer.prefix_encoder."
"""How the encoder's parameters are called in a whole model."""

_FILES = ("prefix.safetensors", "pytorch_model.bin", "model.safetensors")


class PrefixEncoder(nn.Module):
    """Keys and values of P virtual positions: a table [P, 2Lh], or [P, h] and two linear layers."""

    def __init__(self, config: Any) -> None:
        """Make a random prefix (standard normal, as the original)."""
        super().__init__()
        size, width = config.hidden_size, 2 * config.num_layers * config.hidden_size
        self.shape = (2 * config.num_layers, config.num_attention_heads, config.head_dim)
        columns = size if config.prefix_projection else width
        self.embedding = nn.Embedding(config.pre_seq_len, columns)
        if config.prefix_projection:
            self.trans = nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, width))
        for module in self.modules():
            # Else transformers draws it anew, a fiftieth as large.
            module.__dict__["_is_hf_initialized"] = True

    def forward(self) -> Tensor:
        """[P, 2Lh] in the encoder's own dtype."""
        table = self.embedding.weight
        encoded: Tensor = self.trans(table) if hasattr(self, "trans") else table
        return encoded

    def slots(self, batch: int, dtype: torch.dtype) -> Tensor:
        """[2L, b, n, P, d]: keys and values of the layers in turn."""
        encoded: Tensor = self().to(dtype)
        parts = encoded.view(len(encoded), *self.shape).permute(1, 2, 0, 3)
        return parts[:, None].expand(-1, batch, -1, -1, -1)


def read_prefix(path: Path) -> dict[str, Tensor]:
    """The encoder's parameters (``embedding.weight``, perhaps ``trans.*``) of a file or folder.

    Raises:
        AdapterError: no such file, unreadable, or no prefix in it.
    """
    places = [path, *(path / name for name in _FILES)]
    found = next(filter(Path.is_file, places), None)
    if found is None:
        raise AdapterError("chatglm.no-prefix", path=path, known=", ".join(_FILES))
    try:
        stored = read_shard(found)
    except ModelError as error:
        raise AdapterError(error.message.key, **error.message.values) from error
    state = {
        name.removeprefix(PREFIX_NAME): part
        for name, part in stored.items()
        if name.startswith(PREFIX_NAME)
    }
    if "embedding.weight" not in state:
        raise AdapterError("chatglm.other-file", path=found, name=f"{PREFIX_NAME}embedding.weight")
    return state


def prefix_sizes(state: Mapping[str, Tensor]) -> tuple[int, bool]:
    """(pre_seq_len, prefix_projection) of what :func:`read_prefix` gave."""
    return int(state["embedding.weight"].shape[0]), "trans.0.weight" in state


def check_prefix(state: Mapping[str, Tensor], config: Any) -> None:
    """Refuse a prefix of another model, or of another length than the config names.

    Raises:
        AdapterError: names every parameter that differs, with both shapes.
    """
    fitting = copy.copy(config)
    fitting.pre_seq_len, fitting.prefix_projection = length, _ = prefix_sizes(state)
    if config.pre_seq_len not in (None, length):
        raise AdapterError("chatglm.prefix-length", length=length, wanted=config.pre_seq_len)
    with torch.device("meta"):
        encoder = PrefixEncoder(fitting).state_dict()
    found, wanted = (
        {name: str(tuple(part.shape)) for name, part in parts.items()} for parts in (state, encoder)
    )
    absent, nothing = message("chatglm.absent"), message("chatglm.nothing")
    pairs = {
        name: (found.get(name, absent), wanted.get(name, nothing))
        for name in sorted(found.keys() | wanted.keys())
    }
    differing = [
        message("chatglm.differs", name=name, found=one, wanted=other)
        for name, (one, other) in pairs.items()
        if one != other
    ]
    if differing:
        raise AdapterError("chatglm.other-prefix", differing=differing)


def write_prefix(encoder: PrefixEncoder, folder: Path, *, original: bool = False) -> Path:
    """Write the encoder in float32 and return the file.

    Args:
        original: write the original's ``pytorch_model.bin`` instead of ``prefix.safetensors``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        PREFIX_NAME + name: part.detach().float().cpu().contiguous()
        for name, part in encoder.state_dict().items()
    }
    path = folder / ("pytorch_model.bin" if original else "prefix.safetensors")
    # Under the real name there is never a half-written file.
    temporary = path.with_name(f".{path.name}.part")
    if original:
        torch.save(state, temporary)
    else:
        save_file(state, temporary, metadata={"format": "pt"})
    return temporary.replace(path)
