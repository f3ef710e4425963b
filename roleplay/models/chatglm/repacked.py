"""The file of weights that a kernel wants in a form of its own: made once, then memory-mapped.

    path = cache_path(name, shards, config, kernel, dtype)
    if not is_whole(path, wanted):       # {"a.weight": an empty tensor on the meta device, ...}
        write(path, wanted, tensors)     # one tensor at a time, nothing kept
    state = read_shard(path)

An ordinary safetensors file under ``cache_folder()/chatglm``, written beside its name and renamed
when whole; the name holds a digest of the source files (path, size, time), the settings and the
kernel's layout, so a changed model makes a new one and the old one is removed.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shutil import disk_usage
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from roleplay.errors import ModelError, reason
from roleplay.files import cache_folder
from roleplay.models.chatglm.kernels.base import Kernel


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

Shapes = Mapping[str, Tensor]
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
    plain = Path(name).resolve() if Path(name).exists() else Path(name)
    # Up to the last dash alike for all states of a model in one form: write removes the others.
    stem = f"{plain.name}-{kernel.layout}-{_digest(str(plain))[:8]}-{_digest(made_by)}"
    return (folder or cache_folder() / "chatglm") / f"{stem}.safetensors"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def is_whole(path: Path, wanted: Shapes) -> bool:
    """Whether the file is there and holds what is wanted; a damaged one counts as missing."""
    try:
        with safe_open(path, "pt") as stored:
            shapes = {name: stored.get_slice(name).get_shape() for name in stored.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return False
    return shapes == {name: list(tensor.shape) for name, tensor in wanted.items()}


def write(path: Path, wanted: Shapes, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Write tensors in the order in which they come, and remove older states of the same model.

    Raises:
        NoRoomError: the disk has no room, or the folder cannot be written.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        needed, free = sum(part.nbytes for part in wanted.values()), disk_usage(path.parent).free
        if free < 1.02 * needed:  # the header, and what the file system takes for itself
            sizes = {"needed": f"{needed / 1e9:.1f}", "free": f"{free / 1e9:.1f}"}
            raise NoRoomError("chatglm.no-room", folder=path.parent, **sizes)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.")
        with os.fdopen(handle, "wb") as stream:
            _write(stream, wanted, tensors)
        Path(temporary).replace(path)
    except OSError as error:
        raise NoRoomError("chatglm.unkept", folder=path.parent, reason=reason(error)) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
    for old in path.parent.glob(f"{path.stem.rpartition('-')[0]}-*.safetensors"):
        if old != path:
            old.unlink(missing_ok=True)


def _write(stream: Any, wanted: Shapes, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """The safetensors format: the length of the header, the header, the bytes.

    The package's own writer wants all tensors at once.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end, places = 0, {}
    for name, like in wanted.items():
        places[name], end = end, end + like.nbytes
        place, kind = [places[name], end], _DTYPES[like.dtype]
        header[name] = {"dtype": kind, "shape": list(like.shape), "data_offsets": place}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the data to eight bytes with blanks
    stream.write(len(text).to_bytes(8, "little") + text)
    begin, missing = stream.tell(), set(wanted)
    for name, tensor in tensors:
        assert tensor.dtype == wanted[name].dtype and tensor.shape == wanted[name].shape, name
        stream.seek(begin + places[name])
        stream.write(tensor.contiguous().view(-1).view(torch.uint8).numpy())
        missing.remove(name)
    assert not missing, f"not written: {missing}"
