"""Finding and reading weight files: a folder or a hub id, one file or shards, safetensors or .bin, never any code.

    paths = find_shards("THUDM/chatglm-6b-int4-qe")
    tensors = read_shard(paths[0])       # name -> tensor, memory-mapped

A ``.bin`` is unpickled with ``weights_only=True``; what holds more than tensors is refused.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from roleplay.errors import ModelError

WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""The names that are looked for, in this order."""


def find_shards(name: str, hub: Mapping[str, Any] | None = None) -> list[Path]:
    """The weight files of a folder or a hub id.

    Args:
        hub: options of transformers' ``cached_file`` (revision, token, local_files_only).

    Raises:
        ModelError: no weights, an index that cannot be read, or shards that are not there (all of them named).
    """
    for file in WEIGHT_FILES:
        path = _locate(name, file, hub or {})
        if path is not None:
            return _listed(name, path, hub or {}) if path.suffix == ".json" else [path]
    raise ModelError(f"{name} has no weights: expected one of {', '.join(WEIGHT_FILES)}")


def _listed(name: str, index: Path, hub: Mapping[str, Any]) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"{index} is no index of shards ({error}): download it again") from error
    paths = {shard: _locate(name, shard, hub) for shard in names}
    if lacking := [shard for shard, path in paths.items() if path is None]:
        raise ModelError(f"{name} lacks {', '.join(lacking)}, which {index.name} names: download them")
    return [path for path in paths.values() if path is not None]


def _locate(name: str, file: str, hub: Mapping[str, Any]) -> Path | None:
    if Path(name).is_dir():
        path = Path(name) / file
        return path if path.is_file() else None
    from transformers.utils import cached_file

    try:
        found = cached_file(name, file, _raise_exceptions_for_missing_entries=False, **hub)
    except OSError as error:
        reason = str(error).strip().split("\n")[0][:160]
        raise ModelError(f"no model {name!r}: give a folder or a hub id that can be reached ({reason})") from error
    return Path(found) if found else None


def read_shard(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of one file, memory-mapped where its format allows.

    Raises:
        ModelError: damaged or cut off, a git-lfs pointer, or a pickle with anything but tensors in it.
    """
    _refuse_pointer(path)
    try:
        stored: Any = load_file(path) if path.suffix == ".safetensors" else _unpickle(path)
    except pickle.UnpicklingError as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{path} holds more than tensors and is not loaded, since a pickle can run code ({reason}): "
            "take a safetensors file, or one that you know"
        ) from error
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise ModelError(
            f"{path} is damaged or cut off at {path.stat().st_size} bytes ({str(error).splitlines()[0][:120]}): "
            "download it again"
        ) from error
    if not isinstance(stored, dict) or not all(isinstance(part, torch.Tensor) for part in stored.values()):
        raise ModelError(f"{path} is no state dict of tensors: take the model's own weight file")
    return stored


def _unpickle(path: Path) -> Any:
    """A ``.bin`` file; the old form, which is no zip archive, cannot be mapped and is read as a whole."""
    with path.open("rb") as stream:
        zipped = stream.read(4) == b"PK\x03\x04"
    return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)


def _refuse_pointer(path: Path) -> None:
    with path.open("rb") as stream:
        if stream.read(40).startswith(b"version https://git-lfs"):
            raise ModelError(f"{path} is a git-lfs pointer, not the weights: run `git lfs pull` in its folder")
