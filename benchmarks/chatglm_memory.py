"""What a training step allocates above the weights, counted tensor by tensor without a GPU.

    with Allocations(model) as count:
        train_step(...)
    count.peak                                        # bytes that lived at once

Every operation's new storages are counted when they are made and taken off when they are freed,
also in the backward pass. That is what a GPU's allocator is asked for; its rounding, cuBLAS's
workspace and the insides of the attention are not in it. Sizes do not depend on numbers, so
products and attention may be left out (``computed=False``): 28 layers then take a minute. Weights
are expanded a few thousand rows at a time, as the GPU's kernel does.
"""

import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.chatglm_random import int4_config, random_chatglm, training_batch
from roleplay.models.chatglm.kernels.base import Kernel
from roleplay.models.chatglm.quantization import packed_layers

_aten = torch.ops.aten


class Allocations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of storages that operations inside make, and the most that lived at once."""

    def __init__(self, model: nn.Module, *, computed: bool = True) -> None:
        """What the model holds before is not counted.

        Args:
            computed: compute products and attention; else their results are what lay in memory.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self._computed = computed
        self._sizes = {part.untyped_storage()._cdata: 0 for part in model.parameters()}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run or skip one operation, and count what it made."""
        result = None if self._computed else _skipped(func, args)
        if result is None:
            result = func(*args, **(kwargs or {}))
        for found in tree_leaves(result):
            if isinstance(found, torch.Tensor):
                self._count(found.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._sizes:
            self._sizes[key] = size
            self.live += size
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._free, key)

    def _free(self, key: int) -> None:
        self.live -= self._sizes.pop(key)


def _skipped(func: Any, args: Any) -> Any:
    """Uncomputed results of a product or of attention [b, n, q, d]; None for other operations."""
    if func is _aten.mm.default:
        return args[0].new_empty(args[0].shape[0], args[1].shape[1])
    if func is _aten.addmm.default:
        return args[1].new_empty(args[1].shape[0], args[2].shape[1])
    if func is _aten._scaled_dot_product_flash_attention_for_cpu.default:
        query = args[0]
        sums = query.new_empty(query.shape[:-1], dtype=torch.float32)
        return torch.empty_like(
            query.transpose(1, 2), memory_format=torch.contiguous_format
        ).transpose(1, 2), sums
    if func is _aten._scaled_dot_product_flash_attention_for_cpu_backward.default:
        return tuple(torch.empty_like(part) for part in args[1:4])
    return args[0] if func is _aten.addmm_.default else None


class InParts(Kernel):
    """Allocates what :class:`TritonInt4` allocates for many rows."""

    name = "in parts"

    def __init__(self, *, computed: bool) -> None:
        """Take 4 bits; without ``computed``, expanded weights are whatever lay in the memory."""
        super().__init__(4)
        self._computed = computed

    def product(
        self, x: torch.Tensor, form: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """In parts, whatever the number of rows."""
        y: torch.Tensor = self.in_parts(x.flatten(0, -2).contiguous(), form, scale, bias).view(
            *x.shape[:-1], -1
        )
        return y

    def expand(self, form: torch.Tensor, scale: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """One tensor, as a fused kernel makes it, without the plain one's intermediate ones."""
        weight = torch.empty(len(scale), form.shape[1] * 2, dtype=dtype, device=form.device)
        if self._computed:
            for row, packed in enumerate(form):
                weight[row] = super().expand(packed[None], scale[row : row + 1], dtype)[0]
        return weight


def prepare_training(model: Any) -> torch.optim.Optimizer:
    """Put the model into training with checkpointed blocks; the optimizer of its prefix."""
    model.train()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return torch.optim.AdamW([part for part in model.parameters() if part.requires_grad], lr=1e-3)


def train_step(
    model: Any, optimizer: torch.optim.Optimizer, ids: torch.Tensor, labels: torch.Tensor
) -> None:
    """Forward, backward, update."""
    optimizer.zero_grad(set_to_none=True)
    model(input_ids=ids, labels=labels).loss.backward()
    optimizer.step()


def step_peaks(
    sizes: dict[str, Any], *, layers: int, lengths: list[int], prefix: int, computed: bool = False
) -> Iterator[tuple[int, int, int]]:
    """(length, bytes of the model, peak bytes of a float16 step above it), counted on the CPU.

    The gradient and the optimizer's state of the prefix are among the latter.
    """
    device = torch.device("cpu")
    config = int4_config(sizes, layers=layers, prefix=prefix)
    model = random_chatglm(config, device=device, dtype=torch.float16)
    for layer in packed_layers(model):
        layer.use(InParts(computed=computed))
    held = sum({part.data_ptr(): part.nbytes for part in model.parameters()}.values())
    for length in lengths:
        optimizer = prepare_training(model)
        with Allocations(model, computed=computed) as count:
            for tokens in (32, length):  # the first step makes the optimizer's state
                train_step(model, optimizer, *training_batch(config, tokens, device=device))
        yield length, held, count.peak
        optimizer.zero_grad(set_to_none=True)
