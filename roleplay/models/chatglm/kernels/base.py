"""What an int4 (or int8) kernel is: a layout of the weights, and the products with it.

    kernel = choose(torch.device("cpu"), bits=4)        # kernels/__init__.py
    form = kernel.form(packed)                          # once, at load
    y = kernel.product(x, form, scale, bias)            # float [..., o]

The plain kernel, in torch alone, is the reference that all others are checked against.

Letters: m rows of x, o rows (output features), i columns (input features).
"""

from __future__ import annotations

import torch
from torch.nn import functional

from roleplay.models.chatglm.packing import dequantize

EXPANDED_ROWS = 4096
"""Rows of a matrix that are expanded at once: 67 MB in float32 for 4096 columns, 268 MB for 16384."""


class Kernel:
    """The plain kernel: weights in the checkpoint's form, expanded to the dtype of ``x`` in every product.

    ``form`` is the tensor that a layer keeps instead of its packed weights; here it is the packed weights themselves.
    """

    name = "plain"
    layout = ""
    """A name of the form, where it is another than the checkpoint's; such forms of large models are kept in a file."""

    def __init__(self, bits: int) -> None:
        """Take 4 or 8 bits."""
        self.bits = bits

    def fits(self, o: int, i: int) -> bool:
        """Whether it can multiply a matrix [o, i]."""
        return True

    def form_like(self, o: int, i: int) -> torch.Tensor:
        """An empty form of a matrix [o, i], on the current default device."""
        return torch.empty(o, i * self.bits // 8, dtype=torch.int8)

    def form(self, packed: torch.Tensor) -> torch.Tensor:
        """The form of packed weights int8 [o, i * bits / 8]."""
        return packed

    def restore(self, form: torch.Tensor, o: int) -> torch.Tensor:
        """The packed weights int8 [o, i * bits / 8] of a form."""
        return form

    def picked(self, form: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """The packed weights int8 [n, i * bits / 8] of some rows, ``ids`` int64 [n]."""
        return form[ids]

    def part(self, form: torch.Tensor, rows: slice) -> torch.Tensor:
        """The form of some rows; ``rows.start`` is a multiple of 64."""
        return form[rows]

    def product(
        self, x: torch.Tensor, form: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """x W^T + bias.

        Args:
            x: float [..., i].
            form: of W [o, i].
            scale: float [o].
            bias: float [o] or None, added after the product.

        Returns:
            Of the dtype of ``x``, [..., o].
        """
        return functional.linear(x, self.expand(form, scale, x.dtype), bias)

    def in_parts(
        self, x: torch.Tensor, form: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """The same for x [m, i], with ``EXPANDED_ROWS`` rows of W expanded at a time."""
        y = x.new_empty(len(x), len(scale))
        for start in range(0, len(scale), EXPANDED_ROWS):
            rows = slice(start, min(start + EXPANDED_ROWS, len(scale)))
            weight = self.expand(self.part(form, rows), scale[rows], x.dtype)
            y[:, rows] = functional.linear(x, weight, None if bias is None else bias[rows])
        return y

    def expand(self, form: torch.Tensor, scale: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """W itself, ``dtype`` [o, i]."""
        return dequantize(form, scale, bits=self.bits, dtype=dtype)

    def transposed(self, y: torch.Tensor, form: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """y W, of the dtype of ``y``, [..., i]: the gradient with respect to x. W is expanded in parts.

        Args:
            y: float [..., o].
        """
        flat, total = y.flatten(0, -2), None
        for start in range(0, len(scale), EXPANDED_ROWS):
            rows = slice(start, min(start + EXPANDED_ROWS, len(scale)))
            weight = self.expand(self.part(form, rows), scale[rows], y.dtype)
            total = flat[:, rows] @ weight if total is None else total.addmm_(flat[:, rows], weight)
        assert total is not None, "a matrix without rows"
        return total.view(*y.shape[:-1], -1)


PLAIN = {4: Kernel(4), 8: Kernel(8)}
"""The plain kernel by its bits."""


def largest_error(kernel: Kernel, *, device: torch.device, rows: int, seed: int = 0) -> float:
    """The largest error of a product with random weights, relative to the largest result of the plain product.

    Args:
        rows: of x; kernels take other paths for few rows than for many.
    """
    generator = torch.Generator().manual_seed(seed)
    o, i = 192, 512
    packed = torch.randint(-128, 128, (o, i * kernel.bits // 8), dtype=torch.int8, generator=generator).to(device)
    scale, bias = (torch.rand(o, generator=generator).to(device) for _ in range(2))
    x = torch.randn(rows, i, generator=generator).to(device)
    if device.type == "cuda":
        x, scale, bias = x.half(), scale.half(), bias.half()
    wanted = functional.linear(
        x.double(), dequantize(packed, scale, bits=kernel.bits, dtype=torch.float64), bias.double()
    )
    found = kernel.product(x, kernel.form(packed), scale, bias)
    return float((found.double() - wanted).abs().max() / wanted.abs().max())
