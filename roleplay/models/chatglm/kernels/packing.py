"""The checkpoint's form of quantized weights: rounding, packing, and the way back.

    packed, scale = quantize(weight, bits=4)             # int8 [o, i / 2], float32 [o]
    weight = dequantize(packed, scale, bits=4, dtype=torch.float32)

Two columns share a byte, two's complement, the even one in the high nibble; one scale a row.

Letters: o rows (output features), i columns (input features). Source: SPEC 4.
"""

import torch
from torch import Tensor

_ROWS = 8192
"""Rows that are rounded at once; all 130,528 of the embedding would be 2 GB of float32."""


def quantize(weight: Tensor, *, bits: int) -> tuple[Tensor, Tensor]:
    """Round a matrix to ``bits`` with one scale a row: max|w| / 7 (8 bits: / 127), no zero point.

    Args:
        weight: float [o, i]; of float16 the scale is computed in float16, as the original does.

    Returns:
        int8 [o, i * bits / 8], float32 [o]; a row of zeros has scale 0 and bytes 0.

    Raises:
        AssertionError: 4 bits and an odd number of columns.
    """
    columns = weight.shape[1]
    assert bits == 8 or columns % 2 == 0, f"4 bits need an even number of columns, not {columns}"
    parts = [_quantize_rows(rows, bits) for rows in torch.split(weight, _ROWS)]
    return torch.cat([packed for packed, _ in parts]), torch.cat([scale for _, scale in parts])


def _quantize_rows(weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    top = 2 ** (bits - 1) - 1
    scale = (weight.abs().amax(dim=1) / top).float()
    divisor = torch.where(scale == 0, 1.0, scale)  # else a row of zeros is 0 / 0
    # A division, halves to even: a product with 1 / scale would miss the original's bytes.
    rounded = (weight.float() / divisor[:, None]).round().clamp(-top, top).to(torch.int8)
    return (pack(rounded) if bits == 4 else rounded), scale


def pack(values: Tensor) -> Tensor:
    """int8 [o, i] of values -8 to 7 -> int8 [o, i / 2], the even column in the high nibble."""
    return (values[:, 0::2] << 4) | (values[:, 1::2] & 0x0F)


def unpack(packed: Tensor) -> Tensor:
    """int8 [..., i / 2] -> int8 [..., i] of values -8 to 7."""
    # A right shift keeps the sign; the low nibble goes up first, to bring its sign to the top.
    return torch.stack([packed >> 4, (packed << 4) >> 4], dim=-1).flatten(-2)


def dequantize(packed: Tensor, scale: Tensor, *, bits: int, dtype: torch.dtype) -> Tensor:
    """The weights ``dtype`` [..., i] of packed rows [..., i * bits / 8] with their scales [...]."""
    values = unpack(packed) if bits == 4 else packed
    return values.to(dtype) * scale[..., None].to(dtype)
