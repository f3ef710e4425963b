"""Whether a model fits the memory, told before anything is loaded.

    need = needed_bytes(weight_files(folder), config, dtype=torch.float32, bits=4)
    check_memory("chatglm-6b", need, available_bytes(device))

Counted are the weights in the form in which they are held, mapped files too (what is mapped must stay in memory to be fast);
the keys and values of the longest text that this program asks for; and ``OVERHEAD``. Only the shapes and types of the
stored tensors are read, never their numbers.
"""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors import SafetensorError, safe_open

from roleplay.errors import ModelError
from roleplay.models.chatglm.shards import find_shards

OVERHEAD = 500_000_000
"""Bytes beside weights and cache: activations of a long prompt, one expanded layer, libraries."""

CONTEXT = 2048
"""Tokens of the longest prompt and reply together; a model of 131,072 positions is never asked for all of them."""

_HEAD = "lm_head.weight"
_PACKED = ("query_key_value.weight", "attention.dense.weight", "dense_h_to_4h.weight", "dense_4h_to_h.weight")


@dataclass(frozen=True)
class Stored:
    """One tensor of a file: its name, how many numbers it has, their bytes, and whether they are floating."""

    name: str
    numbers: int
    size: int
    floating: bool


def weight_files(name: str, hub: Mapping[str, Any] | None = None) -> list[Path]:
    """The weight files of a folder or a hub id; none where they cannot be told (loading will say why)."""
    try:
        return find_shards(name, hub)
    except ModelError:
        return []


def stored_tensors(path: Path) -> list[Stored]:
    """What a weight file holds; nothing where it is damaged, which loading says."""
    try:
        return list(_in_safetensors(path) if path.suffix == ".safetensors" else _in_pickle(path))
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError, AttributeError, pickle.UnpicklingError):
        return []


def _in_safetensors(path: Path) -> Iterator[Stored]:
    # numpy's reader maps the file read-only; torch's asks the system for as much memory as the file is large.
    with safe_open(path, framework="np") as file:
        for name in file.keys():  # noqa: SIM118  the file is no dict
            part = file.get_slice(name)
            bits = re.search(r"\d+", part.get_dtype())
            floating = part.get_dtype().startswith(("F", "BF"))
            yield Stored(name, math.prod(part.get_shape()), int(bits[0]) // 8 if bits else 1, floating)


def _in_pickle(path: Path) -> Iterator[Stored]:
    """A ``.bin`` file; of the old form, which is no zip archive, only the size is known: taken for 16-bit numbers."""
    with path.open("rb") as stream:
        zipped = stream.read(4) == b"PK\x03\x04"
    if not zipped:
        yield Stored(path.name, path.stat().st_size // 2, 2, floating=True)
        return
    for name, part in torch.load(path, map_location="meta", weights_only=True, mmap=True).items():
        yield Stored(name, part.numel(), part.element_size(), part.is_floating_point())


def needed_bytes(paths: Iterable[Path], config: Any, *, dtype: torch.dtype, bits: int = 0) -> int:
    """The memory that a model takes.

    Args:
        paths: its weight files.
        config: of the model, for the keys and values of ``CONTEXT`` tokens.
        dtype: in which floating weights and the cache are held.
        bits: 4 or 8, where a ChatGLM's linear layers are quantized while they are loaded; 0 keeps them.
    """
    stored = [part for path in paths for part in stored_tensors(path)]
    if getattr(config, "tie_word_embeddings", False):
        stored = [part for part in stored if part.name != _HEAD]  # the embedding once more
    weights = sum(_held(part, dtype, bits) for part in stored)
    return weights + cache_bytes(config, dtype) + OVERHEAD


def _held(part: Stored, dtype: torch.dtype, bits: int) -> int:
    if not part.floating:
        return part.numbers * part.size
    if bits and part.name.endswith(_PACKED):
        return part.numbers * bits // 8
    return part.numbers * dtype.itemsize


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


def control_group_free(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> list[int]:
    """What a container's limit leaves, bytes: one number for every control group around this process that has a limit.

    The system's own figure is that of the whole machine, also inside a container. Source: the kernel's documentation of
    cgroup v2 (``memory.max``, ``memory.current``; ``inactive_file`` of ``memory.stat`` can be given back) and v1.
    """
    try:
        places = [line.split(":", 2) for line in own.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return []
    found = []
    for _, controllers, path in places:
        if controllers in ("", "memory"):
            group = (root / controllers / path.strip("/")).resolve()
            inside = [folder for folder in (group, *group.parents) if folder.is_relative_to(root.resolve())]
            found += [free for folder in inside if (free := _group_free(folder)) is not None]
    return found


def _group_free(folder: Path) -> int | None:
    """The limit less what is used and cannot be given back; None where there is no limit."""
    for limit, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
        try:
            most, now = int((folder / limit).read_text()), int((folder / used).read_text())
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):  # no such file, or the word "max"
            continue
        return max(most - now + int(stat.get("total_inactive_file", stat.get("inactive_file", 0))), 0)
    return None


def check_memory(name: str, needed: int, available: int) -> None:
    """Refuse a model that does not fit.

    Raises:
        ModelError: with both numbers and what to do.
    """
    if needed > available:
        raise ModelError(
            f"{name} needs about {needed / 1e9:.1f} GB, {available / 1e9:.1f} GB are free: choose an int4 model, "
            "--quantization_bit 4 (ChatGLM), or close programs"
        )
