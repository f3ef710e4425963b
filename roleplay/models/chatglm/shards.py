"""Finding and reading weight files: a folder or a hub id, one file or shards, safetensors or .bin.

    paths = find_shards("THUDM/chatglm-6b-int4-qe")
    tensors = read_shard(paths[0])       # name -> tensor, memory-mapped

No code is run: a ``.bin`` with more than tensors in it is refused.
"""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from roleplay.errors import ModelError

WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""The names that are looked for, in this order."""

DAMAGED = (SafetensorError, RuntimeError, EOFError, OSError, ValueError)
"""What the libraries raise for a file that is cut off, or is something else."""


def find_shards(name: str, hub: Mapping[str, Any] | None = None) -> list[Path]:
    """The weight files of a folder or a hub id.

    Args:
        hub: options of transformers' ``cached_file`` (revision, token, local_files_only).

    Raises:
        ModelError: no weights, a broken index, or shards that are not there (all named).
    """
    for file in WEIGHT_FILES:
        if path := _locate(name, file, hub or {}):
            return _listed(name, path, hub or {}) if path.suffix == ".json" else [path]
    raise ModelError("chatglm.no-weights", name=name, known=", ".join(WEIGHT_FILES))


def _listed(name: str, index: Path, hub: Mapping[str, Any]) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError) as error:
        raise ModelError("chatglm.no-index", path=index, detail=error) from error
    paths = {shard: _locate(name, shard, hub) for shard in names}
    if lacking := [shard for shard, path in paths.items() if path is None]:
        raise ModelError(
            "chatglm.no-shard", name=name, lacking=", ".join(lacking), index=index.name
        )
    return [path for path in paths.values() if path is not None]


def _locate(name: str, file: str, hub: Mapping[str, Any]) -> Path | None:
    if Path(name).is_dir():
        path = Path(name) / file
        return path if path.is_file() else None
    from transformers.utils import cached_file

    try:
        found = cached_file(name, file, _raise_exceptions_for_missing_entries=False, **hub)
    except OSError as error:
        raise ModelError("chatglm.no-model", name=name, detail=first_line(error)) from error
    return Path(found) if found else None


def read_shard(path: Path) -> dict[str, Tensor]:
    """All tensors of one file, memory-mapped where its format allows.

    Raises:
        ModelError: damaged or cut off, a git-lfs pointer, or a pickle of more than tensors.
    """
    with path.open("rb") as stream:
        if stream.read(40).startswith(b"version https://git-lfs"):
            raise ModelError("chatglm.lfs-pointer", path=path)
    try:
        if path.suffix == ".safetensors":
            stored: Any = load_file(path)
        else:  # the old form, which is no zip archive, cannot be mapped and is read as a whole
            stored = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip(path))
    except pickle.UnpicklingError as error:
        raise ModelError("chatglm.unsafe", path=path, detail=first_line(error)) from error
    except DAMAGED as error:
        size = path.stat().st_size
        raise ModelError(
            "chatglm.damaged", path=path, size=size, detail=first_line(error)
        ) from error
    if isinstance(stored, dict) and all(isinstance(part, Tensor) for part in stored.values()):
        return stored
    raise ModelError("chatglm.no-tensors", path=path)


def is_zip(path: Path) -> bool:
    """Whether a ``.bin`` file has torch's newer form, a zip archive; it may be cut off."""
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def first_line(error: Exception) -> str:
    """The first words of a library's message, for the slot ``detail``; some of them fill pages."""
    return str(error).strip().split("\n")[0][:160] or type(error).__name__
