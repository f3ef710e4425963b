"""Layers with int8 weights for a CPU: a quarter of the memory, and of what a step reads.

    layer = Int8Linear(Int8Weight.of(linear.weight), linear.bias)

Each 64 neighbours of a weight's row share a float32 scale, their largest value over 127. The
activations stay float32, so that only the weights are rounded (``int8.c``, compiled on first use).
Many rows, as of a prompt, are multiplied by torch, in bfloat16 where the processor can.
"""

import ctypes
import logging
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from roleplay import native
from roleplay.errors import ModelError
from roleplay.models.loading import training_dtype

logger = logging.getLogger(__name__)

GROUP = 64
"""Columns that share a scale, as in ``int8.c``."""
MANY = 32
"""Rows from which on torch multiplies."""
_PART = 8192
"""Rows of a matrix that are floats at once."""

_SOURCE = Path(__file__).with_name("int8.c")


@cache
def available() -> bool:
    """Whether ``int8.c`` can be compiled here, is quicker than float32 and multiplies as torch."""
    try:
        if not _library()[1]:  # neither AVX2 nor AVX-512: widening takes longer than reading floats
            return False
        weight, x = torch.randn(72, 2 * GROUP), torch.randn(9, 2 * GROUP)
        packed = Int8Weight.of(weight)
        error = (packed.product(x) - x @ packed.rows(torch.arange(72)).T).abs().max()
    except (ModelError, OSError, AttributeError) as reason:
        logger.info("int8 weights passed over: %s", reason)
        return False
    return bool(error < 1e-3)


class Int8Weight(nn.Module):
    """A matrix [o, i] as ``values`` int8 [o, i] and ``scale`` float32 [o, i / 64]."""

    def __init__(self, values: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("values", values)
        self.register_buffer("scale", scale)

    values: Tensor
    scale: Tensor

    @classmethod
    def of(cls, weight: Tensor) -> "Int8Weight":
        """Of a float matrix [o, i]; ``o`` is a multiple of 4, ``i`` of 64."""
        groups = weight.detach().float().view(len(weight), -1, GROUP)
        scale = groups.abs().amax(dim=-1, keepdim=True) / 127
        values = (groups / scale.clamp(min=1e-30)).round_().to(torch.int8)
        return cls(values.view_as(weight).contiguous(), scale[..., 0].contiguous())

    def rows(self, ids: Tensor) -> Tensor:
        """float32 [..., i], the rows of those numbers int64 [...]."""
        values, scale = self.values[ids], self.scale[ids]
        groups = values.view(*scale.shape, GROUP).float().mul_(scale[..., None])
        return groups.view(values.shape)

    def expanded(self, part: slice = slice(None), dtype: torch.dtype = torch.float32) -> Tensor:
        """[o, i] of a part of the rows, as float32 or bfloat16."""
        values, scale = self.values[part], self.scale[part]
        made = torch.empty(values.shape, dtype=dtype)
        places = (made, None) if dtype == torch.float32 else (None, made)
        _call("int8_expand", values, scale, *values.shape, *places)
        return made

    def product(self, x: Tensor) -> Tensor:
        """float32 [m, i] -> float32 [m, o]."""
        x = x.contiguous()
        (m, i), o = x.shape, len(self.values)
        y = x.new_empty(m, o)
        _call("int8_product", x, m, self.values, self.scale, o, i, y)
        return y

    def product_of_many(self, x: Tensor) -> Tensor:
        """The same by torch's product, in bfloat16 where the processor can, a part at a time."""
        dtype, o = training_dtype(), len(self.values)
        x, y = x.to(dtype), x.new_empty(len(x), o)
        for start in range(0, o, _PART):
            part = slice(start, start + _PART)
            y[:, part] = functional.linear(x, self.expanded(part, dtype))
        return y


class Int8Linear(nn.Module):
    """A linear layer with such a weight."""

    def __init__(self, weight: Int8Weight, bias: Tensor | None) -> None:
        super().__init__()
        self.matrix, self.bias = weight, bias
        self.out_features, self.in_features = weight.values.shape

    def forward(self, x: Tensor) -> Tensor:
        """[..., in_features] -> [..., out_features], of the same dtype."""
        flat = x.reshape(-1, self.in_features).float()
        y = self.matrix.product(flat) if len(flat) < MANY else self.matrix.product_of_many(flat)
        y = y.to(x.dtype).view(*x.shape[:-1], self.out_features)
        return y if self.bias is None else y + self.bias


class Int8Embedding(nn.Module):
    """The rows of such a weight, times what the model multiplies its embeddings by."""

    def __init__(self, weight: Int8Weight, factor: float) -> None:
        super().__init__()
        self.matrix, self.factor = weight, factor

    def forward(self, ids: Tensor) -> Tensor:
        """int64 [...] -> float32 [..., i]."""
        found = self.matrix.rows(ids)
        return found if self.factor == 1 else found * self.factor


def _call(name: str, *given: Any) -> None:
    library, level = _library()
    values = [part.data_ptr() if isinstance(part, Tensor) else part for part in given]
    getattr(library, name)(level, *values, native.parallel(), torch.get_num_threads())


@cache
def _library() -> tuple[Any, int]:
    """The library, and the best instructions of this processor as it counts them."""
    library = ctypes.CDLL(str(native.compiled(_SOURCE)))
    pointer, long, number = ctypes.c_void_p, ctypes.c_long, ctypes.c_int
    matrix: tuple[Any, ...] = (pointer, long, pointer, pointer, long, long, pointer)
    library.int8_product.argtypes = [number, *matrix, pointer, number]
    library.int8_expand.argtypes = [number, *matrix[2:], pointer, pointer, number]
    return library, library.int8_level()
