"""Whether a model fits the memory, told before anything is loaded.

    need = needed_bytes(weight_files(folder), config, dtype=torch.float32, bits=4)
    check_memory("chatglm-6b", need, available_bytes(device))

Counted are the weights in the form in which they are held, mapped files too (what is mapped must
stay in memory to be fast); the keys and values of the longest text that this program asks for; and
``OVERHEAD``. Only the shapes and types of the stored tensors are read, never their numbers.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import psutil
import torch
from safetensors import safe_open

from roleplay.errors import ModelError
from roleplay.models.chatglm.shards import DAMAGED, find_shards, is_zip

OVERHEAD = 500_000_000
"""Bytes beside weights and cache: activations of a long prompt, one expanded layer, libraries."""

CONTEXT = 2048
"""Tokens of the longest prompt and reply together; some models would hold 131,072."""

_HEAD = "lm_head.weight"
_PACKED = (
    "query_key_value.weight",
    "attention.dense.weight",
    "dense_h_to_4h.weight",
    "dense_4h_to_h.weight",
)
"""The layers that ChatGLM quantizes on load (SPEC 4); embedding and head stay as stored."""


Stored = tuple[str, int, int]
"""Of a tensor in a file: name, how many numbers, bytes of one; 0 bytes if they are floating."""


def weight_files(name: str, hub: Mapping[str, Any] | None = None) -> list[Path]:
    """The weight files of a folder or a hub id; none if they cannot be told: loading says why."""
    try:
        return find_shards(name, hub)
    except ModelError:
        return []


def stored_tensors(path: Path) -> list[Stored]:
    """What a weight file holds; nothing where it is damaged, which loading says."""
    try:
        return list(_in_safetensors(path) if path.suffix == ".safetensors" else _in_pickle(path))
    except (*DAMAGED, UnpicklingError, AttributeError):  # the last: a pickle that is no dict
        return []


def _in_safetensors(path: Path) -> Iterator[Stored]:
    # numpy's reader maps the file read-only; torch's asks for as much memory as it is large.
    with safe_open(path, framework="np") as file:
        for name in file.keys():  # noqa: SIM118  the file is no dict
            part = file.get_slice(name)
            kind = part.get_dtype()  # F32, BF16, F8_E4M3, I64; BOOL has no number and takes a byte
            bits = re.search(r"\d+", kind)
            size = int(bits[0]) // 8 if bits else 1
            yield name, math.prod(part.get_shape()), 0 if kind.startswith(("F", "BF")) else size


def _in_pickle(path: Path) -> Iterator[Stored]:
    """A ``.bin`` file; the old form, which cannot be mapped, is taken for 16-bit numbers."""
    if not is_zip(path):
        yield path.name, path.stat().st_size // 2, 0
        return
    for name, part in torch.load(path, map_location="meta", weights_only=True, mmap=True).items():
        yield name, part.numel(), 0 if part.is_floating_point() else part.element_size()


def needed_bytes(paths: Iterable[Path], config: Any, *, dtype: torch.dtype, bits: int = 0) -> int:
    """The memory that a model takes.

    Args:
        paths: its weight files.
        config: of the model, for the keys and values of ``CONTEXT`` tokens.
        dtype: in which floating weights and the cache are held.
        bits: 4 or 8, where a ChatGLM's linear layers are quantized while they are loaded, or 0.
    """
    # The original's files hold a tied head beside the embedding; in memory the two are one.
    tied = {_HEAD} if getattr(config, "tie_word_embeddings", False) else set()
    total = cache_bytes(config, dtype) + OVERHEAD
    for name, numbers, size in (part for path in paths for part in stored_tensors(path)):
        if name not in tied:
            packed = bits if bits and name.endswith(_PACKED) else 8 * dtype.itemsize
            total += numbers * size if size else numbers * packed // 8
    return total


def cache_bytes(config: Any, dtype: torch.dtype) -> int:
    """Keys and values of the model's whole context, ``CONTEXT`` tokens at most."""
    text = config.get_text_config(decoder=True)
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    tokens = min(int(getattr(text, "max_position_embeddings", CONTEXT)), CONTEXT)
    return int(2 * text.num_hidden_layers * heads * size * tokens * dtype.itemsize)


def available_bytes(device: torch.device) -> int:
    """Free memory of the GPU, or what the system can give without swapping."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min([int(psutil.virtual_memory().available), *control_group_free()])


def control_group_free(
    root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> list[int]:
    """What a container's limit leaves, bytes: a number for every limited control group around us.

    The system's own figure is that of the whole machine, also inside a container. Source: the
    kernel's documentation of cgroup v2 (``memory.max``, ``memory.current``; ``inactive_file`` of
    ``memory.stat`` can be given back) and v1.
    """
    try:
        places = [line.split(":", 2) for line in own.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return []
    found = []
    for _, controllers, path in places:
        if controllers in ("", "memory"):  # v2 has one tree without a name, v1 one a controller
            group = (root / controllers / path.strip("/")).resolve()
            # A limit of any group above holds as well.
            found += [
                _group_free(folder)
                for folder in (group, *group.parents)
                if folder.is_relative_to(root.resolve())
            ]
    return [free for free in found if free is not None]


def _group_free(folder: Path) -> int | None:
    """The limit less what is used and cannot be given back; None where there is no limit."""
    for version in (("max", "current"), ("limit_in_bytes", "usage_in_bytes")):
        try:
            most, now = (int((folder / f"memory.{name}").read_text()) for name in version)
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):  # no such file, or the word "max"
            continue
        kept = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
        return max(most - now + kept, 0)
    return None


def check_memory(name: str, needed: int, available: int) -> None:
    """Refuse a model that does not fit.

    Raises:
        ModelError: with both numbers and what to do.
    """
    if needed > available:
        sizes = {"needed": f"{needed / 1e9:.1f}", "free": f"{available / 1e9:.1f}"}
        raise ModelError("models.memory", name=name, **sizes)
