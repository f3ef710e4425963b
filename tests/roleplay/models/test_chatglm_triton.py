"""The Triton kernel: its arithmetic by Triton's interpreter on the CPU; it compiles for its cards.

Triton is no requirement (torch for CUDA brings it); without it this module is skipped. The
interpreter has to be asked for before Triton is first imported, so the arithmetic runs in a child
process, whose tests these functions are.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from roleplay.models.chatglm.kernels.base import PLAIN
from roleplay.models.chatglm.kernels.packing import dequantize, pack, unpack

triton = pytest.importorskip("triton")

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
interpreted = pytest.mark.skipif(
    not INTERPRETED, reason="runs in the child process of test_the_arithmetic"
)
compiled = pytest.mark.skipif(INTERPRETED, reason="the interpreter compiles nothing")

SIZES = [(7, 6), (33, 64), (50, 1100), (8, 2)]
CARDS = {"T4": 75, "A100": 80, "RTX 4090": 89, "H100": 90}


@compiled
def test_the_arithmetic() -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__]
    root = Path(__file__).resolve().parents[3]
    run = subprocess.run(
        command,
        env=os.environ | {"TRITON_INTERPRET": "1"},
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0 and " passed" in run.stdout, run.stdout[-3000:]


def kernel(*, dots: bool) -> Any:
    from roleplay.models.chatglm.kernels.triton_int4 import TritonInt4

    return TritonInt4(dots=dots)


def matrix(o: int, i: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """All bytes, -8 included, with scales and bias."""
    generator = torch.Generator().manual_seed(o * i)
    packed = torch.randint(-128, 128, (o, i // 2), dtype=torch.int8, generator=generator)
    return (
        packed,
        torch.rand(o, generator=generator).to(dtype),
        torch.randn(o, generator=generator).to(dtype),
    )


def assert_product(
    own: Any, x: torch.Tensor, packed: torch.Tensor, scale: torch.Tensor, bias: Any
) -> None:
    """As exact as the dtype of the result."""
    weight = dequantize(packed, scale, bits=4, dtype=torch.float64)
    wanted = x.double() @ weight.T + (0 if bias is None else bias.double())
    found = own.product(x, packed, scale, bias)
    assert found.dtype == x.dtype and found.shape == wanted.shape
    assert (found.double() - wanted).abs().max() <= 2 * torch.finfo(
        x.dtype
    ).eps * wanted.abs().max()


@interpreted
@pytest.mark.parametrize("dots", [False, True])
@pytest.mark.parametrize(("o", "i"), SIZES)
def test_one_to_forty_rows(o: int, i: int, dots: bool) -> None:
    packed, scale, bias = matrix(o, i, torch.float16)
    for rows in (*range(1, 18), 40) if i < 100 else (1, 3, 5, 8, 9, 16, 40):
        assert_product(kernel(dots=dots), torch.randn(rows, i).half() + 0.3, packed, scale, bias)


@interpreted
@pytest.mark.parametrize("rows", [1, 5, 40])
def test_bfloat16_and_no_bias(rows: int) -> None:
    packed, scale, _ = matrix(33, 64, torch.bfloat16)
    assert_product(kernel(dots=True), torch.randn(rows, 64).bfloat16(), packed, scale, None)


@interpreted
@pytest.mark.parametrize("rows", [1, 8])
def test_a_large_mean_does_not_cost_digits(rows: int) -> None:
    packed, scale, bias = matrix(16, 2048, torch.float16)
    assert_product(kernel(dots=False), torch.rand(rows, 2048).half() + 2, packed, scale / 64, bias)


@interpreted
@pytest.mark.parametrize("rows", [1, 5, 40])
def test_every_nibble_in_both_places(rows: int) -> None:
    values = torch.arange(-8, 8, dtype=torch.int8)
    packed = pack(torch.stack([values.repeat(16), values.repeat_interleave(16)], dim=-1))
    own, x = kernel(dots=True), torch.eye(2).repeat(20, 1)[:rows].half()
    assert torch.equal(
        own.product(x, packed, torch.ones(256).half(), None), x @ unpack(packed).half().T
    )
    assert torch.equal(own.expand(packed, torch.ones(256), torch.float32), unpack(packed).float())


@interpreted
@pytest.mark.parametrize("rows", [1, 5, 40])
def test_rows_of_zeros(rows: int) -> None:
    packed, scale, bias = matrix(33, 64, torch.float16)
    own = kernel(dots=True)
    assert torch.equal(
        own.product(torch.zeros(rows, 64).half(), packed, scale, bias), bias.expand(rows, -1)
    )
    scale[5], packed[5] = 0, 0
    assert torch.equal(
        own.product(torch.randn(rows, 64).half(), packed, scale, bias)[:, 5], bias[5].expand(rows)
    )


@interpreted
def test_leading_dimensions_strides_and_the_gradient() -> None:
    packed, scale, bias = matrix(12, 32, torch.float16)
    own, x = kernel(dots=True), torch.randn(32, 6).half().T.view(2, 3, 32)
    assert_product(own, x, packed, scale, bias)
    slope = torch.randn(2, 3, 12)
    wanted = PLAIN[4].transposed(slope, packed, scale)
    torch.testing.assert_close(own.transposed(slope, packed, scale), wanted)


@compiled
@pytest.mark.parametrize("card", CARDS)
def test_it_compiles_for(card: str, tmp_path: Path) -> None:
    from roleplay.models.chatglm.kernels import triton_int4 as own

    pointers = {
        "x_ptr": "*fp16",
        "w_ptr": "*i8",
        "scale_ptr": "*fp16",
        "bias_ptr": "*fp16",
        "y_ptr": "*fp16",
    }
    types = pointers | {"m": "i32", "o": "i32", "half": "i32"}
    for m, size in own._BYTES.items():
        cubin(
            own._sum_products,
            types,
            {"M": m, "ROWS": own._ROWS, "BYTES": size, "BIAS": True},
            CARDS[card],
            tmp_path,
        )
    if CARDS[card] >= 80:
        sizes = {"M": own.MANY, "ROWS": own._DOT_ROWS, "BYTES": own._DOT_BYTES, "BIAS": True}
        assert (
            "mma.sync" in cubin(own._dot_products, types, sizes, CARDS[card], tmp_path).asm["ptx"]
        )
    own_types = {name: types[name] for name in ("w_ptr", "scale_ptr", "y_ptr", "half")}
    cubin(own._expand_rows, own_types, {"BYTES": own._EXPANDED_BYTES}, CARDS[card], tmp_path)


def cubin(
    function: Any, types: dict[str, str], constants: dict[str, Any], capability: int, folder: Path
) -> Any:
    """A kernel compiled for a card, by Triton's own assembler; none of its registers is spilled."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = function.arg_names
    aligned = {(names.index(name),): [["tt.divisibility", 16]] for name in types if name != "m"}
    source = ASTSource(
        fn=function,
        signature=types | dict.fromkeys(constants, "constexpr"),
        constexprs={(names.index(name),): value for name, value in constants.items()},
        attrs=aligned,
    )
    made = triton.compile(
        source, target=GPUTarget("cuda", capability, 32), options={"enable_fp_fusion": True}
    )
    file = folder / "kernel.cubin"
    file.write_bytes(made.asm["cubin"])
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    usage = subprocess.run(
        [tool, "--dump-resource-usage", file], capture_output=True, text=True, check=True
    ).stdout
    assert "STACK:0" in usage, usage
    return made
