"""Training on several processes (``accelerate launch``, ``torchrun``); on one, this does nothing.

    begin()                          # once, before a model is loaded
    if is_first(): write(...)
    wait()

On CPUs too ``accelerate launch`` wants ``--multi_gpu``: with ``--cpu`` it starts one process. Each
runs its share of a step's rows; gradients and losses are sums over the targets of all processes, so
the curve is that of one process with the same ``batch``. Only the first process writes.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import distributed


def begin() -> None:
    """Join the other processes that the launcher started, if there are any."""
    from accelerate import PartialState

    PartialState(cpu=not torch.cuda.is_available())


def count() -> int:
    """Processes of this run."""
    return distributed.get_world_size() if _running() else 1


def rank() -> int:
    """This process's number from 0."""
    return distributed.get_rank() if _running() else 0


def is_first() -> bool:
    """Whether this process writes files and reports."""
    return rank() == 0


def wait() -> None:
    """Until all processes are here."""
    if _running():
        distributed.barrier()


def sums(values: Sequence[float]) -> list[float]:
    """Each number summed over all processes."""
    if not _running():
        return list(values)
    # NCCL takes nothing but tensors on a GPU.
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    total = torch.tensor(values, dtype=torch.float64, device=device)  # float32 would lose digits
    distributed.all_reduce(total)
    return [float(value) for value in total]


def average_gradients(parameters: Iterable[Any]) -> None:
    """Replace each gradient by its mean over all processes."""
    for parameter in parameters if _running() else ():
        if parameter.grad is not None:
            distributed.all_reduce(parameter.grad)
            parameter.grad /= count()


def _running() -> bool:
    return distributed.is_available() and distributed.is_initialized()
