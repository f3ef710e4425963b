"""Products with int4 weights, chosen by what the machine has.

    kernel = choose(torch.device("cpu"), bits=4)
    kernel.name                                    # "avx512-vnni"

On a CPU: our own C (``int4.c``, compiled on first use, exact to float32), else torch's int4 op
(bfloat16 inside), else plain. On an NVIDIA GPU: our own Triton kernel (``triton_int4.py``, each
weight read once), else the original's way by cpm_kernels, else plain; neither package is imported
elsewhere. A kernel that cannot be made, or whose products are not those of the plain kernel, is
passed over and the reason logged. ``wanted`` asks for one by name instead.
"""

import logging
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module

import torch

from roleplay.errors import ModelError, RoleplayError
from roleplay.messages import Message, message
from roleplay.models.chatglm.kernels.base import PLAIN, Kernel, largest_error
from roleplay.models.chatglm.kernels.torch_op import TorchInt4
from roleplay.models.chatglm.kernels.x86 import X86Int4

logger = logging.getLogger(__name__)

AUTO = "auto"


# Triton and cpm_kernels look for a GPU when they are imported, so these two wait for one.
_on_gpu = partial(import_module, package=__name__)
_KERNELS: dict[str, dict[str, Callable[[], Kernel]]] = {
    "cpu": {
        "avx512-vnni": lambda: X86Int4("avx512-vnni"),
        "avx2": lambda: X86Int4("avx2"),
        "torch-int4pack": TorchInt4,
    },
    "cuda": {
        "triton-int4": lambda: _on_gpu(".triton_int4").TritonInt4(),
        "cpm-kernels": lambda: _on_gpu(".cpm").CpmInt4(),
    },
}
"""By the type of device, best first."""

_TOLERANCE = {"torch-int4pack": 2e-2, "triton-int4": 2e-3, "cpm-kernels": 2e-3}
"""Largest error relative to the largest result, in float16 on a GPU; 1e-5 for the others."""


def known(device: torch.device) -> list[str]:
    """The names of the int4 kernels for a device, best first."""
    return [*_KERNELS.get(device.type, {}), "plain"]


def choose(device: torch.device, *, bits: int, wanted: str = AUTO) -> Kernel:
    """The best kernel that works here, or the one that is wanted.

    Raises:
        ModelError: the wanted one is unknown, or does not work here; the message says why.
    """
    names = known(device)
    if wanted not in (AUTO, *names):
        told = " ".join([AUTO, *names])
        raise ModelError("chatglm.no-kernel", name=wanted, device=device.type, known=told)
    if bits != 4 or wanted == "plain":
        return PLAIN[bits]
    for name in names[:-1] if wanted == AUTO else [wanted]:
        kernel, reason = _checked(name, device)
        if kernel:
            return kernel
        if wanted != AUTO:
            raise ModelError("chatglm.broken-kernel", name=name, reason=reason)
        logger.info("int4 kernel %s passed over: %s", name, reason)
    return PLAIN[4]


@cache
def _checked(name: str, device: torch.device) -> tuple[Kernel | None, Message | None]:
    """The kernel after its products were compared with the plain ones; or None and the reason."""
    try:
        kernel = _KERNELS[device.type][name]()
        # One row, a few and many: each kernel has a path of its own for them.
        errors = {rows: largest_error(kernel, device=device, rows=rows) for rows in (1, 5, 40)}
    except RoleplayError as error:
        return None, error.message
    # Compilers and bindings raise classes of their own, and the next kernel stands in.
    except Exception as error:
        detail = str(error).strip().split("\n")[0][:200] or type(error).__name__
        return None, message("chatglm.kernel-failed", detail=detail)
    allowed = _TOLERANCE.get(name, 1e-5)
    # Not "error > allowed": a product that is no number compares false with everything.
    if wrong := {rows: error for rows, error in errors.items() if not error <= allowed}:
        return None, message("chatglm.kernel-wrong", errors=wrong, allowed=f"{allowed:g}")
    return kernel, None
