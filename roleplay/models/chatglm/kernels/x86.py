"""Our own int4 product for x86: ``int4.c``, compiled on first use and kept in the cache.

    X86Int4("avx512-vnni").product(x, form, scale, bias)

Exact to float32: activations are taken as 24-bit integers, see ``int4.c`` for the layout and the
arithmetic. The threads are those of torch's own OpenMP.
"""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from roleplay import native
from roleplay.errors import ModelError
from roleplay.models.chatglm.kernels.base import Kernel
from roleplay.models.chatglm.kernels.packing import pack

LEVELS = {"avx2": 1, "avx512-vnni": 2}
"""The instructions by their number in ``int4_level``."""

_SOURCE = Path(__file__).with_name("int4.c")
_ROWS, _COLUMNS, _LINE, _LIMBS = 16, 8, 64, 3
"""As in ``int4.c``: a line of 64 bytes holds 8 columns of 16 rows; bytes of an activation."""


class X86Int4(Kernel):
    """``form`` is uint8 [ceil(o / 16), i / 8, 64], the tiles of ``int4.c``."""

    layout = "x86-16x8"

    def __init__(self, name: str) -> None:
        """Load the library, compiled now if need be.

        Raises:
            ModelError: no C compiler, the compiler failed, torch was built with another OpenMP than
                GNU's, or the processor lacks the instructions.
        """
        super().__init__()
        self.name, self._level = name, LEVELS[name]
        self._library, self._parallel = _library(), native.parallel()
        if self._library.int4_level() < self._level:
            raise ModelError("chatglm.no-instructions", name=name)

    def fits(self, o: int, i: int) -> bool:
        """Columns in eights."""
        return i % _COLUMNS == 0

    def form_like(self, o: int, i: int) -> Tensor:
        return torch.empty(-(-o // _ROWS), i // _COLUMNS, _LINE, dtype=torch.uint8)

    def form(self, packed: Tensor) -> Tensor:
        o, i = packed.shape[0], packed.shape[1] * 2
        tiles = self.form_like(o, i)
        self._call("int4_repack", packed.contiguous(), tiles, o, i)
        return tiles

    def restore(self, form: Tensor, o: int) -> Tensor:
        return _packed(_lines(form).transpose(1, 2)).flatten(0, 1)[:o]

    def picked(self, form: Tensor, ids: Tensor) -> Tensor:
        return _packed(_lines(form)[ids // _ROWS, :, ids % _ROWS])

    def part(self, form: Tensor, rows: slice) -> Tensor:
        start, stop, _ = rows.indices(len(form) * _ROWS)
        return form[start // _ROWS : -(-stop // _ROWS)]

    def product(self, x: Tensor, form: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
        flat = x.detach().float().flatten(0, -2).contiguous()
        (m, i), o = flat.shape, len(scale)
        y = flat.new_empty(m, o)
        # The C code allocates nothing; this is what it works in.
        limbs = torch.empty(m * i * _LIMBS, dtype=torch.int8)
        x_scale, x_sums = flat.new_empty(m), torch.empty(m * _LIMBS, dtype=torch.int32)
        added = None if bias is None else bias.detach().float().contiguous()
        matrix = (form, scale.float().contiguous(), added, o, i)
        self._call("int4_product", self._level, flat, m, *matrix, y, limbs, x_scale, x_sums)
        return y.view(*x.shape[:-1], o).to(x.dtype)

    def expand(self, form: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
        o, i = len(scale), form.shape[1] * _COLUMNS
        y = torch.empty(o, i)
        self._call("int4_expand", form, scale.float().contiguous(), o, i, y)
        return y.to(dtype)

    def _call(self, name: str, *given: Any) -> None:
        values = [part.data_ptr() if isinstance(part, Tensor) else part for part in given]
        getattr(self._library, name)(*values, self._parallel, torch.get_num_threads())


def _lines(form: Tensor) -> Tensor:
    """uint8 [blocks, i / 8, 16, 4]: the four bytes of each row in each line."""
    return form.view(len(form), -1, _ROWS, 4)


def _packed(lines: Tensor) -> Tensor:
    """uint8 [..., i / 8, 4] of tiles -> int8 [..., i / 2] of the checkpoint."""
    # Low nibbles hold columns 0 to 3 of the eight, high ones 4 to 7, both plus 8.
    values = torch.cat([lines & 15, lines >> 4], dim=-1).view(torch.int8) - 8
    return pack(values.flatten(0, -3).flatten(1)).view(*lines.shape[:-2], -1)


@cache
def _library() -> Any:
    library = ctypes.CDLL(str(native.compiled(_SOURCE)))
    pointer, long, number = ctypes.c_void_p, ctypes.c_long, ctypes.c_int
    matrix: tuple[Any, ...] = (pointer, pointer, pointer, long, long)
    threads: tuple[Any, ...] = (pointer, number)
    library.int4_repack.argtypes = [pointer, pointer, long, long, *threads]
    library.int4_expand.argtypes = [pointer, pointer, long, long, pointer, *threads]
    library.int4_product.argtypes = [number, pointer, long, *matrix, *[pointer] * 4, *threads]
    return library
