"""What an int4 (or int8) kernel is: a layout of the weights, and the products with it.

    kernel = choose(torch.device("cpu"), bits=4)        # kernels/__init__.py
    form = kernel.form(packed)                          # once, at load
    y = kernel.product(x, form, scale, bias)            # float [..., o]

The plain kernel, in torch alone, is the reference that all others are checked against.

Letters: m rows of x, o rows (output features), i columns (input features).
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from roleplay.models.chatglm.kernels.packing import dequantize

EXPANDED_ROWS = 4096
"""Rows that are expanded at once: 67 MB in float32 for 4096 columns, 268 MB for 16384."""


class Kernel:
    """The plain kernel: weights as they are stored, expanded to the dtype of x in every product.

    ``form`` is the tensor that a layer keeps as its weights; here it is the packed weights.
    """

    name = "plain"
    layout = ""
    """A name of the form where it is not the checkpoint's; those of large models go to a file."""

    def __init__(self, bits: int = 4) -> None:
        """Take 4 or 8 bits."""
        self.bits = bits

    def fits(self, o: int, i: int) -> bool:
        """Whether it can multiply a matrix [o, i]."""
        return True

    def form_like(self, o: int, i: int) -> Tensor:
        """An empty form of a matrix [o, i], on the current default device."""
        return torch.empty(o, i * self.bits // 8, dtype=torch.int8)

    def form(self, packed: Tensor) -> Tensor:
        """The form of packed weights int8 [o, i * bits / 8]."""
        return packed

    def restore(self, form: Tensor, o: int) -> Tensor:
        """The packed weights int8 [o, i * bits / 8] of a form."""
        return form

    def picked(self, form: Tensor, ids: Tensor) -> Tensor:
        """The packed weights int8 [n, i * bits / 8] of some rows, ``ids`` int64 [n]."""
        return form[ids]

    def part(self, form: Tensor, rows: slice) -> Tensor:
        """The form of some rows; ``rows.start`` is a multiple of 64."""
        return form[rows]

    def product(self, x: Tensor, form: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
        """x W^T + bias, of the dtype of ``x``, [..., o].

        Args:
            x: float [..., i].
            form: of W [o, i].
            scale: float [o].
            bias: float [o] or None, added after the product.
        """
        return functional.linear(x, self.expand(form, scale, x.dtype), bias)

    def in_parts(self, x: Tensor, form: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
        """The same for x [m, i], with ``EXPANDED_ROWS`` rows of W expanded at a time."""
        y = x.new_empty(len(x), len(scale))
        for rows, weight in self._parts(form, scale, x.dtype):
            y[:, rows] = functional.linear(x, weight, None if bias is None else bias[rows])
        return y

    def _parts(
        self, form: Tensor, scale: Tensor, dtype: torch.dtype
    ) -> Iterator[tuple[slice, Tensor]]:
        for start in range(0, len(scale), EXPANDED_ROWS):
            rows = slice(start, min(start + EXPANDED_ROWS, len(scale)))
            yield rows, self.expand(self.part(form, rows), scale[rows], dtype)

    def expand(self, form: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
        """W itself, ``dtype`` [o, i]."""
        return dequantize(form, scale, bits=self.bits, dtype=dtype)

    def transposed(self, y: Tensor, form: Tensor, scale: Tensor) -> Tensor:
        """y W [..., i] of y [..., o], in its dtype: the gradient of x. W is expanded in parts."""
        flat, total = y.flatten(0, -2), None
        for rows, weight in self._parts(form, scale, y.dtype):
            total = flat[:, rows] @ weight if total is None else total.addmm_(flat[:, rows], weight)
        assert total is not None, "a matrix without rows"
        return total.view(*y.shape[:-1], -1)


PLAIN = {4: Kernel(4), 8: Kernel(8)}
"""The plain kernel by its bits."""


def largest_error(kernel: Kernel, *, device: torch.device, rows: int, seed: int = 0) -> float:
    """The largest error of a product with random weights, relative to the largest result.

    Args:
        rows: of x; kernels take other paths for few rows than for many.
    """
    generator = torch.Generator().manual_seed(seed)
    # Whole groups of columns for every kernel, and several blocks of rows.
    o, i = 192, 512
    size = (o, i * kernel.bits // 8)
    packed = torch.randint(-128, 128, size, dtype=torch.int8, generator=generator).to(device)
    scale, bias = (torch.rand(o, generator=generator).to(device) for _ in range(2))
    x = torch.randn(rows, i, generator=generator).to(device)
    if device.type == "cuda":
        x, scale, bias = x.half(), scale.half(), bias.half()
    weight = dequantize(packed, scale, bits=kernel.bits, dtype=torch.float64)
    wanted = functional.linear(x.double(), weight, bias.double())
    found = kernel.product(x, kernel.form(packed), scale, bias)
    return float((found.double() - wanted).abs().max() / wanted.abs().max())
