"""torch's own int4 product for the CPU, where our C cannot be compiled: bfloat16 inside.

    TorchInt4().product(x, form, scale, bias)

The op wants its own layout beside the checkpoint's, so a layer keeps both and takes twice the
memory; the checkpoint's stays mapped from its file and is touched only where there are more than
``FEW`` rows, which are expanded and multiplied in the dtype of ``x``.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from roleplay.models.chatglm.kernels.base import Kernel
from roleplay.models.chatglm.kernels.packing import dequantize, unpack

FEW = 16
"""Up to so many rows take the op."""

_BLOCK, _GROUP = 64, 32
"""Rows that the op's layout puts together; columns that share a scale in it."""


class TorchInt4(Kernel):
    """``form`` is uint8 [2, o', i / 2]: the checkpoint's bytes and the op's; o' is o up to 64."""

    name = "torch-int4pack"

    def __init__(self) -> None:
        super().__init__()
        # The op's layout depends on the processor's instructions.
        self.layout = f"{self.name}-{torch.backends.cpu.get_cpu_capability()}"

    def fits(self, o: int, i: int) -> bool:
        """Columns in whole groups."""
        return i % _GROUP == 0

    def form_like(self, o: int, i: int) -> Tensor:
        return torch.empty(2, -(-o // _BLOCK) * _BLOCK, i // 2, dtype=torch.uint8)

    def form(self, packed: Tensor) -> Tensor:
        padded = functional.pad(packed, (0, 0, 0, -len(packed) % _BLOCK))
        values = unpack(padded).int() + 8  # the op counts its nibbles from 0 to 15
        own = torch.ops.aten._convert_weight_to_int4pack_for_cpu(values, 1)
        return torch.stack([padded.view(torch.uint8), own])

    def restore(self, form: Tensor, o: int) -> Tensor:
        return form[0, :o].view(torch.int8)

    def picked(self, form: Tensor, ids: Tensor) -> Tensor:
        return form[0, ids].view(torch.int8)

    def part(self, form: Tensor, rows: slice) -> Tensor:
        start, stop, _ = rows.indices(form.shape[1])
        return form[:, start : -(-stop // _BLOCK) * _BLOCK]

    def product(self, x: Tensor, form: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
        flat = x.flatten(0, -2)
        if len(flat) <= FEW:
            # The op's own scales are bfloat16: they are 1, and the row's follow in full precision.
            ones = _ones(x.shape[-1] // _GROUP, form.shape[1])
            short = flat.bfloat16().contiguous()
            whole = torch.ops.aten._weight_int4pack_mm_for_cpu(short, form[1], _GROUP, ones)
            y = whole[:, : len(scale)].to(x.dtype) * scale.to(x.dtype)
            y = y if bias is None else y + bias
        else:
            y = self.in_parts(flat, form, scale, bias)
        product: Tensor = y.view(*x.shape[:-1], -1)
        return product

    def expand(self, form: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
        return dequantize(self.restore(form, len(scale)), scale, bits=4, dtype=dtype)


@lru_cache(maxsize=8)
def _ones(groups: int, rows: int) -> Tensor:
    """Scale 1 and zero point 0 for every group, bfloat16 [groups, rows, 2]."""
    made = torch.zeros(groups, rows, 2, dtype=torch.bfloat16)
    made[..., 0] = 1
    return made
