"""Our own int4 product for x86: ``int4.c``, compiled on first use with the machine's C compiler and kept in the cache.

    X86Int4("avx512-vnni").product(x, form, scale, bias)

Exact to float32: activations are taken as 24-bit integers, see ``int4.c`` for the layout and the arithmetic. The threads
are those of torch's own OpenMP.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch

from roleplay.models.chatglm.kernels.base import Kernel
from roleplay.models.chatglm.packing import pack
from roleplay.models.embedded import cache_folder

LEVELS = {"avx2": 1, "avx512-vnni": 2}

_SOURCE = Path(__file__).with_name("int4.c")
_FLAGS = ("-O3", "-fPIC", "-shared", "-std=gnu11")
_ROWS, _COLUMNS, _LINE, _LIMBS = 16, 8, 64, 3


class X86Int4(Kernel):
    """``form`` is uint8 [ceil(o / 16), i / 8, 64], the tiles of ``int4.c``."""

    layout = "x86-16x8"

    def __init__(self, name: str) -> None:
        """Load the library, compiled now if need be.

        Raises:
            OSError: no C compiler, the compiler failed, or torch was built with another OpenMP than GNU's.
            RuntimeError: the processor lacks the instructions.
        """
        super().__init__(4)
        self.name, self._level = name, LEVELS[name]
        self._library, self._parallel = _library(), _parallel()
        if self._library.int4_level() < self._level:
            raise RuntimeError(f"this processor has no {name}")

    def fits(self, o: int, i: int) -> bool:
        """Columns in eights."""
        return i % _COLUMNS == 0

    def form_like(self, o: int, i: int) -> torch.Tensor:
        return torch.empty(-(-o // _ROWS), i // _COLUMNS, _LINE, dtype=torch.uint8)

    def form(self, packed: torch.Tensor) -> torch.Tensor:
        o, i = packed.shape[0], packed.shape[1] * 2
        tiles = self.form_like(o, i)
        self._call("int4_repack", packed.contiguous(), tiles, o, i)
        return tiles

    def restore(self, form: torch.Tensor, o: int) -> torch.Tensor:
        lines = form.view(len(form), -1, _ROWS, 4).transpose(1, 2)
        return _packed(lines).flatten(0, 1)[:o]

    def picked(self, form: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        lines = form.view(len(form), -1, _ROWS, 4)
        return _packed(lines[ids // _ROWS, :, ids % _ROWS])

    def part(self, form: torch.Tensor, rows: slice) -> torch.Tensor:
        start, stop, _ = rows.indices(len(form) * _ROWS)
        return form[start // _ROWS : -(-stop // _ROWS)]

    def product(
        self, x: torch.Tensor, form: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        flat = x.detach().float().flatten(0, -2).contiguous()
        (m, i), o = flat.shape, len(scale)
        y = flat.new_empty(m, o)
        limbs = torch.empty(m * i * _LIMBS, dtype=torch.int8)
        x_scale, x_sums = flat.new_empty(m), torch.empty(m * _LIMBS, dtype=torch.int32)
        of_rows = (scale.float().contiguous(), None if bias is None else bias.detach().float().contiguous())
        self._call("int4_product", self._level, flat, m, form, *of_rows, o, i, y, limbs, x_scale, x_sums)
        return y.view(*x.shape[:-1], o).to(x.dtype)

    def expand(self, form: torch.Tensor, scale: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        o, i = len(scale), form.shape[1] * _COLUMNS
        y = torch.empty(o, i)
        self._call("int4_expand", form, scale.float().contiguous(), o, i, y)
        return y.to(dtype)

    def _call(self, name: str, *arguments: Any) -> None:
        values = [argument.data_ptr() if isinstance(argument, torch.Tensor) else argument for argument in arguments]
        getattr(self._library, name)(*values, self._parallel, torch.get_num_threads())


def _packed(lines: torch.Tensor) -> torch.Tensor:
    """uint8 [..., i / 8, 4] of tiles -> int8 [..., i / 2] of the checkpoint."""
    values = torch.cat([lines & 15, lines >> 4], dim=-1).view(torch.int8) - 8
    return pack(values.flatten(0, -3).flatten(1)).view(*lines.shape[:-2], -1)


@cache
def _parallel() -> int:
    """The address of GOMP_parallel of the OpenMP that torch runs on.

    Raises:
        OSError: torch has no GNU OpenMP.
    """
    try:
        found = ctypes.CDLL(None).GOMP_parallel
    except AttributeError as error:
        raise OSError("torch does not run on GNU OpenMP here") from error
    address = ctypes.cast(found, ctypes.c_void_p).value
    assert address is not None
    return address


@cache
def _library() -> Any:
    library = ctypes.CDLL(str(compiled(_SOURCE)))
    pointer, long, number = ctypes.c_void_p, ctypes.c_long, ctypes.c_int
    threads: list[Any] = [pointer, number]
    library.int4_repack.argtypes = [pointer, pointer, long, long, *threads]
    library.int4_expand.argtypes = [pointer, pointer, long, long, pointer, *threads]
    matrix: list[Any] = [pointer, pointer, pointer, long, long]
    library.int4_product.argtypes = [number, pointer, long, *matrix, pointer, pointer, pointer, pointer, *threads]
    for function in (library.int4_repack, library.int4_expand, library.int4_product):
        function.restype = None
    return library


def compiled(source: Path) -> Path:
    """The shared library of a C file, compiled if the cache has none of the same source, compiler and flags.

    Raises:
        OSError: no compiler, or it failed; the message has its first words.
    """
    compiler = os.environ.get("CC") or next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if not compiler:
        raise OSError("no C compiler (cc, gcc or clang) is installed")
    key = hashlib.sha256(source.read_bytes() + " ".join([compiler, *_FLAGS]).encode()).hexdigest()[:16]
    target = cache_folder() / "kernels" / f"{source.stem}-{key}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            made = Path(work) / target.name
            run = subprocess.run([compiler, *_FLAGS, "-o", made, source], capture_output=True, text=True)
            if run.returncode:
                told = next((line for line in run.stderr.splitlines() if "error" in line), run.stderr)
                raise OSError(f"{compiler} failed on {source.name}: {told.strip()[:160]}")
            made.replace(target)
    return target
