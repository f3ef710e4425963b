"""The cache of a model whose weights a kernel wants in a form of its own: made once, then memory-mapped.

    path = cache_path(name, shards, config, kernel, dtype)
    if not is_whole(path, model):
        write(path, {"a.weight": ("U8", (256, 512, 64)), ...}, tensors)     # one tensor at a time, nothing kept
    state = read_shard(path)

An ordinary safetensors file under ``cache_folder()/chatglm``, written beside its name and renamed when whole; the name holds
a digest of the source files (path, size, time), the settings and the kernel's layout, so a changed model makes a new one
and the old one is removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from roleplay.errors import ModelError
from roleplay.models.chatglm.kernels.base import Kernel
from roleplay.models.embedded import cache_folder


class NoRoomError(ModelError):
    """The cache file cannot be written: no room, or no right to."""


_DTYPES = {
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float32: "F32",
}
_VERSION = 2

Shapes = Mapping[str, torch.Tensor]
"""Name -> a tensor of the wanted dtype and shape, on the meta device."""


def cache_path(
    name: str,
    shards: Sequence[Path],
    config: Any,
    kernel: Kernel,
    dtype: torch.dtype,
    *,
    folder: Path | None = None,
) -> Path:
    """Where the cache of this model in this form belongs, whether it is there or not."""
    files = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in shards]
    sizes = [config.num_layers, config.hidden_size, config.vocab_size, config.quantization_bit]
    made_by = [_VERSION, kernel.layout, str(dtype), *sizes, config.quantization_embeddings, files]
    return (folder or cache_folder() / "chatglm") / f"{_stem(name, kernel)}-{_digest(made_by)}.safetensors"


def _stem(name: str, kernel: Kernel) -> str:
    """The same for all states of one model in one form."""
    plain = Path(name).resolve() if Path(name).exists() else Path(name)
    return f"{plain.name}-{kernel.layout}-{_digest(str(plain))[:8]}"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def is_whole(path: Path, wanted: Shapes) -> bool:
    """Whether the file is there and holds what is wanted; a damaged one counts as missing."""
    try:
        with safe_open(path, "pt") as stored:
            return {name: stored.get_slice(name).get_shape() for name in stored.keys()} == {  # noqa: SIM118
                name: list(tensor.shape) for name, tensor in wanted.items()
            }
    except (OSError, SafetensorError):
        return False


def write(path: Path, wanted: Shapes, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Write tensors one after the other, in the order in which they come, and remove older states of the same model.

    Raises:
        NoRoomError: the disk has no room, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _need_room(path.parent, sum(tensor.nbytes for tensor in wanted.values()))
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.")
    except OSError as error:
        raise NoRoomError(f"the repacked weights cannot be kept in {path.parent} ({error.strerror})") from error
    try:
        with os.fdopen(handle, "wb") as stream:
            _write(stream, wanted, tensors)
        Path(temporary).replace(path)
    except OSError as error:
        raise NoRoomError(f"the repacked weights cannot be written to {path.parent} ({error.strerror})") from error
    finally:
        Path(temporary).unlink(missing_ok=True)
    for old in path.parent.glob(f"{path.stem.rsplit('-', 1)[0]}-*.safetensors"):
        if old != path:
            old.unlink(missing_ok=True)


def _need_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < 1.02 * needed:
        raise NoRoomError(
            f"the repacked weights need {needed / 1e9:.1f} GB in {folder}, {free / 1e9:.1f} GB are free: make room or "
            "set ROLEPLAY_CACHE to another disk"
        )


def _write(stream: Any, wanted: Shapes, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    """The safetensors format: the length of the header, the header, the bytes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end, places = 0, {}
    for name, like in wanted.items():
        places[name], end = end, end + like.nbytes
        header[name] = {"dtype": _DTYPES[like.dtype], "shape": list(like.shape), "data_offsets": [places[name], end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    stream.write(len(text).to_bytes(8, "little") + text)
    begin, missing = stream.tell(), set(wanted)
    for name, tensor in tensors:
        assert tensor.dtype == wanted[name].dtype and tensor.shape == wanted[name].shape, name
        stream.seek(begin + places[name])
        stream.write(tensor.contiguous().view(-1).view(torch.uint8).numpy())
        missing.remove(name)
    assert not missing, f"not written: {missing}"
