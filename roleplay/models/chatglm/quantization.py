"""Layers of 4 or 8 bits with one scale a row, multiplied by a kernel and never kept expanded.

    layer = PackedLinear(4096, 12288, bits=4)
    layer.use(kernel)                             # kernels.choose(...); plain until then
    y = layer(x)                                  # differentiable in x and the bias

The layers keep the names of the original's state dict: ``weight`` (int8), ``weight_scale``,
``bias``; a state dict always has the checkpoint's form, whatever form the kernel works on. They are
``nn.Linear`` and ``nn.Embedding`` by class, so that PEFT takes them; LoRA cannot be merged into
them.

Letters: o rows (outputs), i columns (inputs), v vocabulary, h hidden size. Source: SPEC 4.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from roleplay.models.chatglm.kernels import choose
from roleplay.models.chatglm.kernels.base import PLAIN, Kernel
from roleplay.models.chatglm.kernels.packing import dequantize

HEAD_ROWS = 8192
"""Rows of the head that are multiplied at once where it is expanded: 134 MB in float32 at 6B."""


class _PackedProduct(torch.autograd.Function):
    """A kernel's product; nothing expanded is kept for the way back, weights get no gradient."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, form: Tensor, scale: Tensor, bias: Tensor | None, kernel: Kernel
    ) -> Tensor:
        ctx.save_for_backward(form, scale)
        ctx.kernel = kernel
        return kernel.product(x, form, scale, bias)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor | None, ...]:
        (slope,) = grad_outputs
        for_x = for_bias = None
        if ctx.needs_input_grad[0]:
            for_x = ctx.kernel.transposed(slope, *ctx.saved_tensors)
        if ctx.needs_input_grad[3]:
            for_bias = slope.flatten(0, -2).sum(dim=0)
        return for_x, None, None, for_bias, None


def packed_linear(
    x: Tensor, form: Tensor, scale: Tensor, bias: Tensor | None = None, *, kernel: Kernel
) -> Tensor:
    """x W^T + bias for weights in the kernel's form, of the dtype of ``x``, [..., o].

    Args:
        x: float [..., i]; it and the bias get a gradient.
        form: of W [o, i]; for the plain kernel int8 [o, i * bits / 8].
        scale: float [o].
        bias: float [o], added after the product.
    """
    product: Tensor = _PackedProduct.apply(x, form, scale, bias, kernel)  # type: ignore[no-untyped-call]
    return product


class _Packed(nn.Module):
    """What packed layers share: a kernel's form, a scale a row, the checkpoint's state dict."""

    bits: int
    columns: int
    kernel: Kernel
    weight: Tensor
    weight_scale: Tensor

    def _make_room(self, rows: int, columns: int, bits: int) -> None:
        self.bits, self.columns, self.kernel = bits, columns, PLAIN[bits]
        packed = torch.zeros(rows, columns * bits // 8, dtype=torch.int8)
        self.weight = nn.Parameter(packed, requires_grad=False)
        self.weight_scale = nn.Parameter(torch.zeros(rows), requires_grad=False)

    def use(self, kernel: Kernel, form: Tensor | None = None) -> None:
        """Work with ``kernel`` from now on, where it fits.

        Args:
            form: the weights in the kernel's form; None makes it of what the layer has.
        """
        if kernel is self.kernel or not kernel.fits(len(self.weight_scale), self.columns):
            return
        if form is None:
            form = kernel.form(self._packed())
        self.kernel, self.weight = kernel, nn.Parameter(form, requires_grad=False)

    def _packed(self) -> Tensor:
        return self.kernel.restore(self.weight.detach(), len(self.weight_scale))

    def picked(self, ids: Tensor) -> Tensor:
        """The expanded rows float [n, i] of ``ids``, int64 [n], in the dtype of the scales."""
        packed, scale = self.kernel.picked(self.weight, ids), self.weight_scale[ids]
        return dequantize(packed, scale, bits=self.bits, dtype=scale.dtype)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Move or convert the layer; a form that another device cannot read is restored before."""
        if self.kernel.layout and fn(self.weight_scale.detach()).device != self.weight.device:
            self.use(PLAIN[self.bits])
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.kernel is not PLAIN[self.bits]:
            destination[f"{prefix}weight"] = self._packed()


class PackedLinear(_Packed, nn.Linear):
    """A linear layer of 4 or 8 bits; empty until weights are loaded."""

    def __init__(
        self, in_features: int, out_features: int, *, bias: bool = True, bits: int
    ) -> None:
        # On the meta device nothing is drawn for a float weight that is replaced at once.
        nn.Linear.__init__(self, in_features, out_features, bias=False, device="meta")
        self._make_room(out_features, in_features, bits)
        if bias:
            self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, input: Tensor) -> Tensor:
        """float [..., i] -> [..., o]."""
        return packed_linear(input, self.weight, self.weight_scale, self.bias, kernel=self.kernel)

    def rows(self, input: Tensor, rows: slice) -> Tensor:
        """The product with some rows only, without the bias; ``rows.start`` is a multiple of 64."""
        form = self.kernel.part(self.weight, rows)
        return packed_linear(input, form, self.weight_scale[rows], kernel=self.kernel)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Move or convert the layer; on another device the kernel of that device takes over."""
        before = self.weight.device
        super()._apply(fn, recurse)
        if self.weight.device != before and self.weight.device.type != "meta":
            self.use(choose(self.weight.device, bits=self.bits))
        return self

    def extra_repr(self) -> str:
        """The sizes, the bits and the kernel."""
        return f"{super().extra_repr()}, bits={self.bits}, kernel={self.kernel.name}"


class PackedHead(PackedLinear):
    """The output embedding; the plain kernel expands it in chunks of rows, never as a whole."""

    def forward(self, input: Tensor) -> Tensor:
        """float [..., h] -> [..., v]."""
        if self.kernel is not PLAIN[self.bits]:
            return super().forward(input)
        return torch.cat([self.rows(input, part) for part in chunks(self.out_features)], dim=-1)


class PackedEmbedding(_Packed, nn.Embedding):
    """An embedding of 4 or 8 bits; only rows that are looked up are expanded."""

    def __init__(self, num_embeddings: int, embedding_dim: int, *, bits: int) -> None:
        nn.Embedding.__init__(self, num_embeddings, embedding_dim, device="meta")
        self._make_room(num_embeddings, embedding_dim, bits)

    def share(self, head: nn.Module) -> bool:
        """Look rows up in the head's weights if one of the two has a kernel's form; whether so."""
        if not isinstance(head, PackedLinear) or not (head.kernel.layout or self.kernel.layout):
            return False
        self.kernel, self.weight = head.kernel, head.weight
        return True

    def forward(self, input: Tensor) -> Tensor:
        """int64 [...] -> float [..., h]."""
        return self.picked(input.flatten()).view(*input.shape, -1)


PACKED = (PackedLinear, PackedEmbedding)
"""The classes of layers that hold packed weights."""


def make_linear(in_features: int, out_features: int, *, bits: int) -> nn.Linear:
    """A linear layer with bias: packed where ``bits`` is 4 or 8, plain where it is 0."""
    if bits:
        return PackedLinear(in_features, out_features, bits=bits)
    return nn.Linear(in_features, out_features)


def make_embedding(rows: int, size: int, *, bits: int) -> nn.Embedding:
    """An embedding [rows, size], packed or plain."""
    return PackedEmbedding(rows, size, bits=bits) if bits else nn.Embedding(rows, size)


def packed_layers(model: nn.Module) -> list[PackedLinear]:
    """The layers of a model that a kernel multiplies."""
    return [layer for layer in model.modules() if isinstance(layer, PackedLinear)]


def chunks(rows: int) -> Iterator[slice]:
    """Slices of at most ``HEAD_ROWS`` rows."""
    return (slice(start, min(start + HEAD_ROWS, rows)) for start in range(0, rows, HEAD_ROWS))
