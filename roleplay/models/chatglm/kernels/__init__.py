"""Products with int4 weights, chosen by what the machine has.

    kernel = choose(torch.device("cpu"), bits=4)
    kernel.name                                    # "avx512-vnni"

On a CPU: our own C (``int4.c``, compiled on first use, exact to float32), else torch's int4 op (bfloat16 inside), else
plain. On an NVIDIA GPU: our own Triton kernel (``triton_int4.py``, each weight read once), else the original's way by
cpm_kernels, else plain; neither package is imported elsewhere. A kernel that cannot be made, or whose products are not those of the plain kernel, is passed over and the reason
logged. ``wanted`` asks for one by name instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

import torch

from roleplay.errors import ModelError
from roleplay.models.chatglm.kernels.base import PLAIN, Kernel, largest_error
from roleplay.models.chatglm.kernels.torch_op import TorchInt4
from roleplay.models.chatglm.kernels.x86 import X86Int4

logger = logging.getLogger(__name__)

AUTO = "auto"

_CPU: dict[str, Callable[[], Kernel]] = {
    "avx512-vnni": lambda: X86Int4("avx512-vnni"),
    "avx2": lambda: X86Int4("avx2"),
    "torch-int4pack": TorchInt4,
}
"""Best first."""


def _triton() -> Kernel:
    from roleplay.models.chatglm.kernels.triton_int4 import TritonInt4

    return TritonInt4()


def _cpm() -> Kernel:
    from roleplay.models.chatglm.kernels.cpm import CpmInt4

    return CpmInt4()


_CUDA: dict[str, Callable[[], Kernel]] = {"triton-int4": _triton, "cpm-kernels": _cpm}
"""Best first; made only where there is a GPU."""

_TOLERANCE = {"torch-int4pack": 2e-2, "triton-int4": 2e-3, "cpm-kernels": 2e-3}
"""Largest error of a product relative to its largest result, in float16 on a GPU; 1e-5 where nothing is named."""


def known(device: torch.device) -> list[str]:
    """The names of the int4 kernels for a device, best first."""
    return [*_table(device), "plain"]


def _table(device: torch.device) -> dict[str, Callable[[], Kernel]]:
    return {"cpu": _CPU, "cuda": _CUDA}.get(device.type, {})


def choose(device: torch.device, *, bits: int, wanted: str = AUTO) -> Kernel:
    """The best kernel that works here, or the one that is wanted.

    Raises:
        ModelError: the wanted one is unknown, or does not work here; the message says why.
    """
    if wanted not in (AUTO, *known(device)):
        raise ModelError(f"no int4 kernel {wanted!r} for {device.type}: known are {AUTO} {' '.join(known(device))}")
    if bits != 4 or wanted == "plain":
        return PLAIN[bits]
    for name in _table(device) if wanted == AUTO else [wanted]:
        kernel, reason = _checked(name, device)
        if kernel:
            return kernel
        if wanted != AUTO:
            raise ModelError(f"the int4 kernel {name} does not work here: {reason}; let it be chosen, or take plain")
        logger.info("int4 kernel %s passed over: %s", name, reason)
    return PLAIN[4]


@cache
def _checked(name: str, device: torch.device) -> tuple[Kernel | None, str]:
    """The kernel after its products were compared with the plain ones; or None and the reason."""
    try:
        kernel = _table(device)[name]()
        errors = {rows: largest_error(kernel, device=device, rows=rows) for rows in (1, 5, 40)}
    except Exception as error:  # compilers and bindings raise classes of their own, and the next kernel stands in
        told = str(error).strip().split("\n")[0]
        return None, (told or type(error).__name__)[:200]
    allowed = _TOLERANCE.get(name, 1e-5)
    if wrong := {rows: error for rows, error in errors.items() if not error <= allowed}:
        return None, f"its products are off by {wrong} (rows: relative error), {allowed:g} is allowed"
    return kernel, ""
