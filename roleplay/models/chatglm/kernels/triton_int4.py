"""Our own int4 product for NVIDIA GPUs, in Triton: every packed byte is read once.

    TritonInt4().product(x, packed, scale, bias)       # x float16 or bfloat16 [..., i] -> [..., o]

It works on the checkpoint's bytes and needs no instruction newer than a T4's (sm_75). Up to
``MANY`` rows of x take a kernel that is bound by the memory that the weights come from: plain
multiply-and-add for few, tensor cores for some more where Triton has them (from sm_80 on); nothing
expanded is stored. For more rows the weights are expanded, a few thousand rows of them at once, for
cuBLAS. Sums are float32.

Only ``kernels`` imports this module, and only where there is a GPU: Triton comes with torch for
CUDA. Its interpreter (``TRITON_INTERPRET=1``) runs the same kernels on the CPU, for the tests.

Letters: m rows of x, o rows (output features), i columns (input features).
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from roleplay.models.chatglm.kernels.base import Kernel

FEW, MANY = 8, 16
"""Rows of x in one pass that multiplies and adds; rows up to which nothing is expanded."""

_DOTS_FROM = 5
"""Rows from which tensor cores are faster."""

_BYTES = {1: 512, 2: 256, 4: 128, 8: 128}
"""Bytes of a row of W taken at once for so many rows of x; more would not stay in registers."""

_ROWS, _DOT_ROWS, _DOT_BYTES, _EXPANDED_BYTES = 8, 32, 64, 1024
"""Rows of W in a program, on tensor cores; bytes of a row at once there, in an expansion."""


class TritonInt4(Kernel):
    """``form`` is the checkpoint's, int8 [o, i / 2]."""

    name = "triton-int4"

    def __init__(self, *, dots: bool | None = None) -> None:
        """Kernels are compiled at their first call, a second or two each; Triton keeps them.

        Args:
            dots: use tensor cores; None does where Triton has them for the card.
        """
        super().__init__()
        self._dots = torch.cuda.get_device_capability() >= (8, 0) if dots is None else dots

    def product(self, x: Tensor, form: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
        flat = x.flatten(0, -2).contiguous()
        # The fused kernels are sized for x of two bytes.
        many = len(flat) > MANY or x.dtype == torch.float32
        y = self.in_parts(flat, form, scale, bias) if many else self._fused(flat, form, scale, bias)
        product: Tensor = y.view(*x.shape[:-1], -1)
        return product

    def _fused(self, x: Tensor, form: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
        """x [m, i] times W without expanding it."""
        y = x.new_empty(len(x), len(scale))
        weights = (form, scale, bias)
        # Triton launches on the current device, whatever its arguments lie on.
        with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
            if self._dots and len(x) >= _DOTS_FROM and x.dtype == torch.float16:
                # Filled up to the 16 rows that tensor cores take.
                _launch(_dot_products, x, *weights, y, M=MANY, ROWS=_DOT_ROWS, BYTES=_DOT_BYTES)
                return y
            for part, of_y in zip(torch.split(x, FEW), torch.split(y, FEW), strict=True):
                filled = triton.next_power_of_2(len(part))
                sizes = {"M": filled, "ROWS": _ROWS, "BYTES": _BYTES[filled]}
                # Triton 3.10 no longer fuses a product and a sum unless asked to.
                _launch(_sum_products, part, *weights, of_y, **sizes, enable_fp_fusion=True)
        return y

    def expand(self, form: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
        o, half = form.shape
        weight = torch.empty(o, 2 * half, dtype=dtype, device=form.device)
        with torch.cuda.device_of(form):  # type: ignore[no-untyped-call]
            grid = (o, triton.cdiv(half, _EXPANDED_BYTES))
            _expand_rows[grid](form, scale, weight, half, BYTES=_EXPANDED_BYTES)
        return weight


def _launch(
    kernel: Any,
    x: Tensor,
    form: Tensor,
    scale: Tensor,
    bias: Tensor | None,
    y: Tensor,
    **sizes: Any,
) -> None:
    """One program of ``kernel`` for every ROWS rows of W."""
    (m, o), half = y.shape, form.shape[1]
    grid = (triton.cdiv(o, sizes["ROWS"]),)
    kernel[grid](x, form, scale, bias, y, m, o, half, BIAS=bias is not None, **sizes)


@triton.jit
def _store(y, scale_ptr, bias_ptr, y_ptr, rows, ms, m, o, BIAS: tl.constexpr):
    """The sums y [M, ROWS] with scale and bias, where there are such rows."""
    y = y * tl.load(scale_ptr + rows, mask=rows < o, other=0.0).to(tl.float32)[None, :]
    if BIAS:
        y += tl.load(bias_ptr + rows, mask=rows < o, other=0.0).to(tl.float32)[None, :]
    y_mask = (ms[:, None] < m) & (rows[None, :] < o)
    tl.store(y_ptr + ms[:, None] * o + rows[None, :], y.to(y_ptr.dtype.element_ty), mask=y_mask)


@triton.jit
def _sixteenths(packed, SHIFT: tl.constexpr):
    """1.5 + v / 16, float32, of the nibble v that SHIFT brings up (15 the high one, 19 the low).

    Conversions from integers are slow on a GPU; these bits are a float32 from 1 to 2 already.
    """
    # 0x3FC00000 is 1.5; the top of its mantissa turns the nibble's sign: -8 to 7 come in order.
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
    """y [m, o] = scale * (x_even high + x_odd low) + bias, with 1.5 too much in every weight."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    ms = tl.arange(0, M)
    # int64, or the places in a matrix of more than 2 GB would wrap around.
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
    # Taken off before the sum over the bytes: two large totals would cancel and cost digits.
    y = tl.sum(sums - 1.5 * x_sums[:, None, :], axis=2) * 16.0
    _store(y, scale_ptr, bias_ptr, y_ptr, rows, ms, m, o, BIAS)


@triton.jit
def _values(packed, SHIFT: tl.constexpr):
    """Nibbles v at bit SHIFT of int16 bytes, float16: 1024 + (v + 8) has v + 8 as its last bits."""
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
    """The same on tensor cores; nibbles are exact in the dtype of x, the scale follows the sum."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    ms = tl.arange(0, M)
    of_rows, of_x = w_ptr + rows.to(tl.int64)[None, :] * half, x_ptr + ms[:, None] * (2 * half)
    sums = tl.zeros([M, ROWS], dtype=tl.float32)
    for start in range(0, half, BYTES):
        at = start + tl.arange(0, BYTES)
        x_mask = (ms[:, None] < m) & (at[None, :] < half)
        even = tl.load(of_x + 2 * at[None, :], mask=x_mask, other=0.0)
        odd = tl.load(of_x + 2 * at[None, :] + 1, mask=x_mask, other=0.0)
        w_mask = (rows[None, :] < o) & (at[:, None] < half)
        packed = tl.load(of_rows + at[:, None], mask=w_mask, other=0).to(tl.int16)
        sums = tl.dot(even, _values(packed, 4).to(even.dtype), sums)
        sums = tl.dot(odd, _values(packed, 0).to(odd.dtype), sums)
    _store(sums, scale_ptr, bias_ptr, y_ptr, rows, ms, m, o, BIAS)


@triton.jit
def _expand_rows(w_ptr, scale_ptr, y_ptr, half, BYTES: tl.constexpr):
    """W [o, i] itself: a program expands BYTES bytes of one row."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BYTES + tl.arange(0, BYTES)
    packed = tl.load(w_ptr + row * half + at, mask=at < half, other=0).to(tl.int32)
    scale = tl.load(scale_ptr + row).to(tl.float32)
    high, low = (packed >> 4).to(tl.float32) * scale, ((packed << 28) >> 28).to(tl.float32) * scale
    columns = tl.program_id(1) * 2 * BYTES + tl.arange(0, 2 * BYTES)
    to = y_ptr + row * 2 * half + columns
    tl.store(to, tl.interleave(high, low).to(y_ptr.dtype.element_ty), mask=columns < 2 * half)
