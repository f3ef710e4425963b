"""Our own int4 product for NVIDIA GPUs, in Triton: every packed byte is read once, nothing expanded is stored for few rows.

    TritonInt4().product(x, packed, scale, bias)       # x float16 or bfloat16 [..., i] -> [..., o]

It works on the checkpoint's bytes and needs no instruction newer than a T4's (sm_75). Up to ``MANY`` rows of x take a kernel
that is bound by the memory that the weights come from: plain multiply-and-add for few, tensor cores for some more where
Triton has them (from sm_80 on). For more rows the weights are expanded, a few thousand rows of them at once, for cuBLAS.
Sums are float32.

Only ``kernels`` imports this module, and only where there is a GPU: Triton comes with torch for CUDA. Its interpreter
(``TRITON_INTERPRET=1``) runs the same kernels on the CPU, for the tests.

Letters: m rows of x, o rows (output features), i columns (input features).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import triton
import triton.language as tl

from roleplay.models.chatglm.kernels.base import Kernel

FEW, MANY = 8, 16
"""Rows of x in one pass of the kernel that multiplies and adds; rows up to which nothing is expanded."""

_DOTS_FROM = 5
"""Rows from which tensor cores are faster."""

_BYTES = {1: 512, 2: 256, 4: 128, 8: 128}
"""Bytes of a row of W that are taken at once for so many rows of x; more would not stay in registers."""

_ROWS, _DOT_ROWS, _DOT_BYTES, _EXPANDED_BYTES = 8, 32, 64, 1024


class TritonInt4(Kernel):
    """``form`` is the checkpoint's, int8 [o, i / 2]."""

    name = "triton-int4"

    def __init__(self, *, dots: bool | None = None) -> None:
        """Kernels are compiled at their first call, a second or two each, and kept in Triton's cache.

        Args:
            dots: use tensor cores; None does where Triton has them for the card.
        """
        super().__init__(4)
        self._dots = torch.cuda.get_device_capability() >= (8, 0) if dots is None else dots

    def product(
        self, x: torch.Tensor, form: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        flat = x.flatten(0, -2).contiguous()
        many = len(flat) > MANY or x.dtype == torch.float32
        y = self.in_parts(flat, form, scale, bias) if many else self._fused(flat, form, scale, bias)
        product: torch.Tensor = y.view(*x.shape[:-1], -1)
        return product

    def _fused(
        self, x: torch.Tensor, form: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """x [m, i] times W without expanding it."""
        y = x.new_empty(len(x), len(scale))
        with _device_of(x):
            if self._dots and len(x) >= _DOTS_FROM and x.dtype == torch.float16:
                _several(x, form, scale, bias, y)
            else:
                for part, of_y in zip(torch.split(x, FEW), torch.split(y, FEW), strict=True):
                    _few(part, form, scale, bias, of_y)
        return y

    def expand(self, form: torch.Tensor, scale: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        o, half = form.shape
        weight = torch.empty(o, 2 * half, dtype=dtype, device=form.device)
        with _device_of(form):
            grid = (o, triton.cdiv(half, _EXPANDED_BYTES))
            _expand_rows[grid](form, scale, weight, half, BYTES=_EXPANDED_BYTES)
        return weight


def _few(x: torch.Tensor, form: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None, y: torch.Tensor) -> None:
    """1 to ``FEW`` rows, filled up to a power of two."""
    (m, o), half = y.shape, form.shape[1]
    filled = triton.next_power_of_2(m)
    sizes = {"M": filled, "ROWS": _ROWS, "BYTES": _BYTES[filled], "BIAS": bias is not None}
    # Triton 3.10 no longer fuses a product and a sum unless asked to.
    _sum_products[(triton.cdiv(o, _ROWS),)](x, form, scale, bias, y, m, o, half, enable_fp_fusion=True, **sizes)


def _several(
    x: torch.Tensor, form: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None, y: torch.Tensor
) -> None:
    """Up to ``MANY`` rows, filled up to the 16 that tensor cores take."""
    (m, o), half = y.shape, form.shape[1]
    sizes = {"M": MANY, "ROWS": _DOT_ROWS, "BYTES": _DOT_BYTES, "BIAS": bias is not None}
    _dot_products[(triton.cdiv(o, _DOT_ROWS),)](x, form, scale, bias, y, m, o, half, **sizes)


def _device_of(tensor: torch.Tensor) -> AbstractContextManager[Any]:
    """Triton launches on the current device, whatever its arguments lie on."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


@triton.jit
def _sixteenths(packed, SHIFT: tl.constexpr):
    """1.5 + v / 16, float32, of the nibble v that SHIFT (15 high, 19 low) brings to the mantissa's top; int32 bytes.

    Conversions from integers are slow on a GPU; these bits are a float32 between 1 and 2 already.
    """
    return (((packed << SHIFT) & 0x780000) ^ 0x3FC00000).to(tl.float32, bitcast=True)


@triton.jit
def _sum_products(
    x_ptr,
    w_ptr,
    scale_ptr,
    bias_ptr,
    y_ptr,
    m,
    o,
    half,
    M: tl.constexpr,
    ROWS: tl.constexpr,
    BYTES: tl.constexpr,
    BIAS: tl.constexpr,
):
    """y [m, o] = scale * (x_even high + x_odd low) + bias; the 1.5 of every weight is taken off again at the end."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    ms = tl.arange(0, M)
    of_rows, of_x = w_ptr + rows.to(tl.int64)[:, None] * half, x_ptr + ms[:, None] * (2 * half)
    sums = tl.zeros([M, ROWS, BYTES], dtype=tl.float32)
    x_sums = tl.zeros([M, BYTES], dtype=tl.float32)
    for start in range(0, half, BYTES):
        at = start + tl.arange(0, BYTES)
        x_mask = (ms[:, None] < m) & (at[None, :] < half)
        even = tl.load(of_x + 2 * at[None, :], mask=x_mask, other=0.0).to(tl.float32)
        odd = tl.load(of_x + 2 * at[None, :] + 1, mask=x_mask, other=0.0).to(tl.float32)
        w_mask = (rows[:, None] < o) & (at[None, :] < half)
        packed = tl.load(of_rows + at[None, :], mask=w_mask, other=0).to(tl.int32)
        sums += even[:, None, :] * _sixteenths(packed, 15)[None, :, :]
        sums += odd[:, None, :] * _sixteenths(packed, 19)[None, :, :]
        x_sums += even + odd
    y = tl.sum(sums - 1.5 * x_sums[:, None, :], axis=2) * 16.0
    y = y * tl.load(scale_ptr + rows, mask=rows < o, other=0.0).to(tl.float32)[None, :]
    if BIAS:
        y += tl.load(bias_ptr + rows, mask=rows < o, other=0.0).to(tl.float32)[None, :]
    y_mask = (ms[:, None] < m) & (rows[None, :] < o)
    tl.store(y_ptr + ms[:, None] * o + rows[None, :], y.to(y_ptr.dtype.element_ty), mask=y_mask)


@triton.jit
def _values(packed, SHIFT: tl.constexpr):
    """The nibbles -8 to 7, float16, at bit SHIFT of int16 bytes: 1024 + (v + 8) has v in its last bits."""
    return (((packed >> SHIFT) & 15) ^ 0x6408).to(tl.float16, bitcast=True) - 1032.0


@triton.jit
def _dot_products(
    x_ptr,
    w_ptr,
    scale_ptr,
    bias_ptr,
    y_ptr,
    m,
    o,
    half,
    M: tl.constexpr,
    ROWS: tl.constexpr,
    BYTES: tl.constexpr,
    BIAS: tl.constexpr,
):
    """The same on tensor cores; nibbles are exact in the dtype of x, and the scale follows the sum."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    ms = tl.arange(0, M)
    of_rows, of_x = w_ptr + rows.to(tl.int64)[None, :] * half, x_ptr + ms[:, None] * (2 * half)
    sums = tl.zeros([M, ROWS], dtype=tl.float32)
    for start in range(0, half, BYTES):
        at = start + tl.arange(0, BYTES)
        x_mask = (ms[:, None] < m) & (at[None, :] < half)
        even = tl.load(of_x + 2 * at[None, :], mask=x_mask, other=0.0)
        odd = tl.load(of_x + 2 * at[None, :] + 1, mask=x_mask, other=0.0)
        packed = tl.load(of_rows + at[:, None], mask=(rows[None, :] < o) & (at[:, None] < half), other=0).to(tl.int16)
        sums = tl.dot(even, _values(packed, 4).to(even.dtype), sums)
        sums = tl.dot(odd, _values(packed, 0).to(odd.dtype), sums)
    y = sums * tl.load(scale_ptr + rows, mask=rows < o, other=0.0).to(tl.float32)[None, :]
    if BIAS:
        y += tl.load(bias_ptr + rows, mask=rows < o, other=0.0).to(tl.float32)[None, :]
    y_mask = (ms[:, None] < m) & (rows[None, :] < o)
    tl.store(y_ptr + ms[:, None] * o + rows[None, :], y.to(y_ptr.dtype.element_ty), mask=y_mask)


@triton.jit
def _expand_rows(w_ptr, scale_ptr, y_ptr, half, BYTES: tl.constexpr):
    """W [o, i] itself: a program expands BYTES bytes of one row."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BYTES + tl.arange(0, BYTES)
    packed = tl.load(w_ptr + row * half + at, mask=at < half, other=0).to(tl.int32)
    scale = tl.load(scale_ptr + row).to(tl.float32)
    both = tl.interleave((packed >> 4).to(tl.float32) * scale, ((packed << 28) >> 28).to(tl.float32) * scale)
    columns = tl.program_id(1) * 2 * BYTES + tl.arange(0, 2 * BYTES)
    tl.store(y_ptr + row * 2 * half + columns, both.to(y_ptr.dtype.element_ty), mask=columns < 2 * half)
