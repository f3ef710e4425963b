"""Products as the original made them: a kernel expands the matrix, cuBLAS multiplies.

    CpmInt4().product(x, packed, scale, bias)

For compatibility, and the baseline of the fused kernel: a matrix is expanded to float16 in every
call. The CUDA source (``int4_expand.cu``) is our own; NVRTC compiles it for the card at first use,
by cpm_kernels' bindings. The package looks for a GPU when it is imported.

Letters: o rows (output features), i columns (input features).
"""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from roleplay.models.chatglm.kernels.base import Kernel

_SOURCE = Path(__file__).with_name("int4_expand.cu")
_COLUMNS, _THREADS = 8, 256
"""Columns that a thread expands; threads of a block."""


class CpmInt4(Kernel):
    """``form`` is the checkpoint's, int8 [o, i / 2]; W goes through float16 whatever x is."""

    name = "cpm-kernels"

    def __init__(self) -> None:
        """Compile for the current card.

        Raises:
            RuntimeError: NVRTC is missing or failed.
            ImportError: cpm_kernels is not installed, or lacks what it imports.
        """
        super().__init__()
        _function(torch.cuda.current_device())

    def fits(self, o: int, i: int) -> bool:
        """Columns in eights."""
        return i % _COLUMNS == 0

    def expand(self, form: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
        o, words = len(scale), form.shape[1] * 2 // _COLUMNS
        weight = torch.empty(o, words * _COLUMNS, dtype=torch.float16, device=form.device)
        parts = form.contiguous(), scale.half().contiguous(), weight
        values = [*(ctypes.c_void_p(part.data_ptr()) for part in parts), ctypes.c_int(words)]
        grid = (o, -(-words // _THREADS), 1)
        with torch.cuda.device(form.device):
            # torch's own stream: cuBLAS reads the weights there, and nothing has to be waited for.
            stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
            _function(form.device.index)(grid, (_THREADS, 1, 1), 0, stream, values)
        return weight.to(dtype)


@cache
def _function(device: int) -> Any:
    """The kernel on one card, compiled for it; cpm_kernels loads it there at its first launch."""
    from cpm_kernels.kernels.base import KernelFunction, LazyKernelCModule

    major, minor = torch.cuda.get_device_capability(device)
    return KernelFunction(LazyKernelCModule(_compiled(f"sm_{major}{minor}")), "int4_expand")


def _compiled(architecture: str) -> bytes:
    """The machine code of the source; code for the card itself needs no driver as new as NVRTC."""
    from cpm_kernels.library import nvrtc

    program = nvrtc.nvrtcProgram()
    nvrtc.nvrtcCreateProgram(program, _SOURCE.read_text(encoding="utf-8"), _SOURCE.name, 0, [], [])
    try:
        options = [f"--gpu-architecture={architecture}"]
        nvrtc.nvrtcCompileProgram(program, len(options), options)
        code = ctypes.create_string_buffer(nvrtc.nvrtcGetCUBINSize(program))
        nvrtc.nvrtcGetCUBIN(program, code)
    finally:
        nvrtc.nvrtcDestroyProgram(program)
    return code.raw
