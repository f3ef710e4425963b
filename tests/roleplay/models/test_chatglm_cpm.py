"""The CUDA source of the cpm_kernels path: it compiles for every card, and writes what is right."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from roleplay.models.chatglm.kernels import cpm
from roleplay.models.chatglm.kernels.packing import dequantize

with_nvcc = pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc here")
with_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")


@with_nvcc
@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_90"])
def test_the_source_compiles(architecture: str, tmp_path: Path) -> None:
    made = tmp_path / "int4_expand.cubin"
    command = ["nvcc", "-cubin", f"-arch={architecture}", "-o", made, cpm._SOURCE]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert b"int4_expand" in made.read_bytes()


@pytest.fixture(scope="module")
def thread(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The work of one thread, compiled for the CPU from the same source."""
    made = tmp_path_factory.mktemp("cpm") / "int4_expand.so"
    command = [
        "g++",
        "-x",
        "c++",
        "-O1",
        "-Wall",
        "-Werror",
        "-shared",
        "-fPIC",
        "-o",
        made,
        cpm._SOURCE,
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    if "_Float16" in run.stderr:
        pytest.skip("this g++ has no _Float16")
    assert run.returncode == 0, run.stderr
    function = ctypes.CDLL(str(made)).int4_expand_thread
    function.argtypes, function.restype = [ctypes.c_void_p] * 3 + [ctypes.c_int] * 3, None
    return function


def expanded(thread: Any, packed: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Every thread of the grid that :meth:`CpmInt4.expand` launches, into a matrix of NaN."""
    o, words = len(scale), packed.shape[1] // 4
    weight = torch.full((o, words * 8), float("nan"), dtype=torch.float16)
    blocks = -(-words // cpm._THREADS)
    for row in range(o):
        for number in range(blocks * cpm._THREADS):
            thread(packed.data_ptr(), scale.data_ptr(), weight.data_ptr(), words, row, number)
    return weight


@with_compiler
@pytest.mark.parametrize(("o", "i"), [(1, 8), (5, 24), (3, 2064)])
def test_threads_write_every_column_once_and_right(thread: Any, o: int, i: int) -> None:
    packed = torch.randint(
        -128, 128, (o, i // 2), dtype=torch.int8, generator=torch.Generator().manual_seed(i)
    )
    scale = torch.rand(o, generator=torch.Generator().manual_seed(o)).half()
    assert torch.equal(
        expanded(thread, packed, scale), dequantize(packed, scale, bits=4, dtype=torch.float16)
    )


@with_compiler
def test_every_byte(thread: Any) -> None:
    packed, scale = torch.arange(-128, 128).to(torch.int8)[None], torch.tensor([0.37]).half()
    assert torch.equal(
        expanded(thread, packed, scale), dequantize(packed, scale, bits=4, dtype=torch.float16)
    )


def test_sizes() -> None:
    kernel = cpm.CpmInt4.__new__(cpm.CpmInt4)
    assert kernel.fits(7, 4096) and not kernel.fits(7, 12)
