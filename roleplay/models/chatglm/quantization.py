"""Weights of 4 or 8 bits with one scale a row, expanded one layer at a time and never kept expanded.

    packed, scale = quantize(weight, bits=4)      # int8 [o, i / 2], float32 [o]
    y = int4_linear(x, packed, scale, bias)       # differentiable in x

Two columns share a byte: the even one in the high nibble, the odd one in the low, two's complement. The layers keep
the names of the original's state dict: ``weight`` (int8), ``weight_scale``, ``bias``. They are ``nn.Linear`` and
``nn.Embedding`` by class, so that PEFT takes them as such; merging LoRA into them is not possible.

Letters: o rows (output features), i columns (input features), v vocabulary, h hidden size. Source: SPEC 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

HEAD_ROWS = 8192
"""Rows of the head that are multiplied, or quantized, at once: 134 MB in float32 at 6B."""


def quantize(weight: torch.Tensor, *, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Round a matrix to ``bits`` with one scale a row: max|w| / 7 (8 bits: / 127), halves to even, no zero point.

    Args:
        weight: float [o, i]. Of float16 weights the scale is computed in float16, as the original does on a CPU.

    Returns:
        int8 [o, i * bits / 8], float32 [o]; a row of zeros has scale 0 and bytes 0.

    Raises:
        AssertionError: 4 bits and an odd number of columns.
    """
    assert bits == 8 or weight.shape[1] % 2 == 0, f"4 bits need an even number of columns, not {weight.shape[1]}"
    parts = [_quantize_rows(rows, bits) for rows in torch.split(weight, HEAD_ROWS)]
    return torch.cat([packed for packed, _ in parts]), torch.cat([scale for _, scale in parts])


def _quantize_rows(weight: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    top = 2 ** (bits - 1) - 1
    scale = (weight.abs().amax(dim=1) / top).float()
    divisor = torch.where(scale == 0, 1.0, scale)
    rounded = (weight.float() / divisor[:, None]).round().clamp(-top, top).to(torch.int8)
    return (pack(rounded) if bits == 4 else rounded), scale


def pack(values: torch.Tensor) -> torch.Tensor:
    """int8 [o, i] of values -8 to 7 -> int8 [o, i / 2], the even column in the high nibble."""
    return (values[:, 0::2] << 4) | (values[:, 1::2] & 0x0F)


def unpack(packed: torch.Tensor) -> torch.Tensor:
    """int8 [..., i / 2] -> int8 [..., i] of values -8 to 7."""
    return torch.stack([packed >> 4, (packed << 4) >> 4], dim=-1).flatten(-2)


def dequantize(packed: torch.Tensor, scale: torch.Tensor, *, bits: int, dtype: torch.dtype) -> torch.Tensor:
    """The weights ``dtype`` [..., i] of packed rows [..., i * bits / 8] with their scales [...]."""
    values = unpack(packed) if bits == 4 else packed
    return values.to(dtype) * scale[..., None].to(dtype)


class _PackedProduct(torch.autograd.Function):
    """x @ W^T with W expanded in the forward pass and once more in the backward pass; only x gets a gradient."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, packed: torch.Tensor, scale: torch.Tensor, bits: int) -> torch.Tensor:
        ctx.save_for_backward(packed, scale)
        ctx.bits = bits
        return functional.linear(x, dequantize(packed, scale, bits=bits, dtype=x.dtype))

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[torch.Tensor | None, ...]:
        packed, scale = ctx.saved_tensors
        (slope,) = grad_outputs
        return slope @ dequantize(packed, scale, bits=ctx.bits, dtype=slope.dtype), None, None, None


def int4_linear(
    x: torch.Tensor, packed: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """The product with a 4-bit layer: the one place where a faster kernel goes in.

    Args:
        x: float [..., i].
        packed: int8 [o, i / 2].
        scale: float [o].
        bias: float [o], added after the product.

    Returns:
        Of the dtype of ``x``, [..., o]; the gradient goes to ``x`` (and the bias) only: grad_y @ W.
    """
    return _product(x, packed, scale, bias, 4)


def int8_linear(
    x: torch.Tensor, packed: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """As :func:`int4_linear`, with ``packed`` int8 [o, i]."""
    return _product(x, packed, scale, bias, 8)


def _product(
    x: torch.Tensor, packed: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None, bits: int
) -> torch.Tensor:
    product: torch.Tensor = _PackedProduct.apply(x, packed, scale, bits)  # type: ignore[no-untyped-call]
    return product if bias is None else product + bias


class PackedLinear(nn.Linear):
    """A linear layer of 4 or 8 bits; empty until weights are loaded."""

    def __init__(self, in_features: int, out_features: int, *, bias: bool = True, bits: int) -> None:
        """Make room for packed weights."""
        super().__init__(in_features, out_features, bias=False, device="meta")
        self.bits = bits
        self.weight, self.weight_scale = _empty(out_features, in_features, bits)
        if bias:
            self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """float [..., i] -> [..., o]."""
        return self.rows(input, slice(None), self.bias)

    def rows(self, input: torch.Tensor, rows: slice, bias: torch.Tensor | None = None) -> torch.Tensor:
        """The product with some rows only."""
        linear = int4_linear if self.bits == 4 else int8_linear
        return linear(input, self.weight[rows], self.weight_scale[rows], bias)

    def extra_repr(self) -> str:
        """The sizes and the bits."""
        return f"{super().extra_repr()}, bits={self.bits}"


class PackedHead(PackedLinear):
    """The output embedding: multiplied in chunks of rows, so that it is never expanded as a whole."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """float [..., h] -> [..., v]."""
        return torch.cat([self.rows(input, part) for part in chunks(self.out_features)], dim=-1)


class PackedEmbedding(nn.Embedding):
    """An embedding of 4 or 8 bits; only the looked-up rows are expanded, in the dtype of the scales."""

    def __init__(self, num_embeddings: int, embedding_dim: int, *, bits: int) -> None:
        """Make room for packed weights."""
        super().__init__(num_embeddings, embedding_dim, device="meta")
        self.bits = bits
        self.weight, self.weight_scale = _empty(num_embeddings, embedding_dim, bits)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """int64 [...] -> float [..., h]."""
        scale = self.weight_scale[input]
        return dequantize(self.weight[input], scale, bits=self.bits, dtype=scale.dtype)


PACKED = (PackedLinear, PackedEmbedding)
"""The classes of layers that hold packed weights."""


def _empty(rows: int, columns: int, bits: int) -> tuple[nn.Parameter, nn.Parameter]:
    packed = torch.zeros(rows, columns * bits // 8, dtype=torch.int8)
    return nn.Parameter(packed, requires_grad=False), nn.Parameter(torch.zeros(rows), requires_grad=False)


def make_linear(in_features: int, out_features: int, *, bits: int) -> nn.Linear:
    """A linear layer with bias: packed where ``bits`` is 4 or 8, plain where it is 0."""
    return PackedLinear(in_features, out_features, bits=bits) if bits else nn.Linear(in_features, out_features)


def make_embedding(rows: int, size: int, *, bits: int) -> nn.Embedding:
    """An embedding [rows, size], packed or plain."""
    return PackedEmbedding(rows, size, bits=bits) if bits else nn.Embedding(rows, size)


def make_head(size: int, rows: int, *, bits: int) -> nn.Linear:
    """The head [rows, size] without bias, packed or plain."""
    return PackedHead(size, rows, bias=False, bits=bits) if bits else nn.Linear(size, rows, bias=False)


def chunks(rows: int) -> Iterator[slice]:
    """Slices of at most ``HEAD_ROWS`` rows."""
    return (slice(start, min(start + HEAD_ROWS, rows)) for start in range(0, rows, HEAD_ROWS))


def head_rows(head: nn.Linear, hidden: torch.Tensor, rows: slice) -> torch.Tensor:
    """Logits [n, rows] of some rows of a head, packed or plain."""
    if isinstance(head, PackedLinear):
        return head.rows(hidden, rows)
    return functional.linear(hidden, head.weight[rows])


def head_weights(head: nn.Linear, ids: torch.Tensor) -> torch.Tensor:
    """The expanded rows float [n, h] of ``ids``, int64 [n]."""
    if isinstance(head, PackedLinear):
        scale = head.weight_scale[ids]
        return dequantize(head.weight[ids], scale, bits=head.bits, dtype=scale.dtype)
    return head.weight[ids]
