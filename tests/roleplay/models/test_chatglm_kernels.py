"""The int4 kernels: each against plain multiplication, their choice, the cache of their forms."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from roleplay import native
from roleplay.errors import ModelError
from roleplay.models.chatglm import ChatGLMForConditionalGeneration, kernels, repacked
from roleplay.models.chatglm.kernels import torch_op, x86
from roleplay.models.chatglm.kernels.base import EXPANDED_ROWS, PLAIN, Kernel, largest_error
from roleplay.models.chatglm.kernels.packing import dequantize, quantize
from roleplay.models.chatglm.quantization import PackedHead, PackedLinear, packed_linear
from roleplay.models.chatglm.shards import read_shard

ROOT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")
SIZES = [(64, 32), (7, 64), (100, 96), (130, 256), (48, 4096)]


def made() -> list[Kernel]:
    """Every kernel that works on this machine."""
    found = [PLAIN[4]]
    for name in kernels.known(CPU):
        kernel, _ = kernels._checked(name, CPU) if name != "plain" else (None, "")
        found += [kernel] if kernel else []
    return found


KERNELS = made()
EXACT = [kernel for kernel in KERNELS if not isinstance(kernel, torch_op.TorchInt4)]
every = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
exact = pytest.mark.parametrize("kernel", EXACT, ids=lambda kernel: kernel.name)


def matrix(o: int, i: int, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Packed weights, scales and the same weights in float64."""
    packed, scale = quantize(
        torch.randn(o, i, generator=torch.Generator().manual_seed(seed)), bits=4
    )
    return packed, scale, dequantize(packed, scale, bits=4, dtype=torch.float64)


def test_this_machine_has_more_than_the_plain_kernel() -> None:
    assert len(KERNELS) > 1


@every
@pytest.mark.parametrize(("o", "i"), SIZES)
def test_a_form_and_back(kernel: Kernel, o: int, i: int) -> None:
    packed, scale, weight = matrix(o, i)
    form = kernel.form(packed)
    assert form.shape == kernel.form_like(o, i).shape and form.dtype == kernel.form_like(o, i).dtype
    assert torch.equal(kernel.restore(form, o), packed)
    ids = torch.tensor([0, o - 1, o // 2, 0])
    assert torch.equal(kernel.picked(form, ids), packed[ids])
    assert torch.equal(kernel.expand(form, scale, torch.float32), weight.float())


@exact
@pytest.mark.parametrize(("o", "i"), SIZES)
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 40])
def test_a_product_is_as_exact_as_float32(kernel: Kernel, o: int, i: int, rows: int) -> None:
    packed, scale, weight = matrix(o, i)
    x, bias = torch.randn(rows, i) * torch.logspace(-3, 3, rows)[:, None], torch.randn(o)
    wanted = x.double() @ weight.T + bias.double()
    found = kernel.product(x, kernel.form(packed), scale, bias).double()
    size = x.double().norm(dim=1, keepdim=True) * weight.norm(dim=1) + bias.abs().double()
    assert ((found - wanted).abs() <= 1e-6 * size).all()


@exact
def test_one_huge_activation_does_not_drown_the_others(kernel: Kernel) -> None:
    packed, scale, weight = matrix(64, 256)
    x = torch.randn(1, 256)
    x[0, 7] = 2000
    wanted = x.double() @ weight.T
    torch.testing.assert_close(
        kernel.product(x, kernel.form(packed), scale, None).double(), wanted, atol=5e-3, rtol=0
    )


@exact
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_hidden(kernel: Kernel, bad: float) -> None:
    packed, scale, _ = matrix(32, 64)
    x = torch.randn(3, 64)
    x[1, 5] = bad
    found = kernel.product(x, kernel.form(packed), scale, None)
    assert not found[1].isfinite().any() and found[[0, 2]].isfinite().all()


@exact
def test_rows_of_zeros(kernel: Kernel) -> None:
    packed, scale, _ = matrix(32, 64)
    assert torch.equal(
        kernel.product(torch.zeros(2, 64), kernel.form(packed), scale, None), torch.zeros(2, 32)
    )
    none = torch.zeros_like(packed), torch.zeros(32)
    assert torch.equal(
        kernel.product(torch.randn(2, 64), kernel.form(none[0]), none[1], None), torch.zeros(2, 32)
    )


@every
@pytest.mark.parametrize("rows", [1, 5, 16, 17])
def test_the_op_of_torch_is_as_good_as_its_bfloat16(kernel: Kernel, rows: int) -> None:
    assert largest_error(kernel, device=CPU, rows=rows) < 2e-2


@every
def test_shapes_and_dtypes(kernel: Kernel) -> None:
    packed, scale, weight = matrix(48, 64)
    x = torch.randn(2, 3, 64, dtype=torch.bfloat16)
    found = kernel.product(
        x, kernel.form(packed), scale.bfloat16(), torch.zeros(48, dtype=torch.bfloat16)
    )
    assert found.shape == (2, 3, 48) and found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), (x.double() @ weight.T).float(), atol=0.1, rtol=0.05)
    strided = torch.randn(64, 5).T
    assert kernel.product(strided, kernel.form(packed), scale, None).shape == (5, 48)


@every
def test_gradients(kernel: Kernel) -> None:
    packed, scale, weight = matrix(EXPANDED_ROWS + 64, 32)
    x, bias = (
        torch.randn(2, 20, 32, requires_grad=True),
        torch.randn(len(scale), requires_grad=True),
    )
    y = packed_linear(x, kernel.form(packed), scale, bias, kernel=kernel)
    slope = torch.randn(y.shape)
    found = torch.autograd.grad(y, [x, bias], slope)
    torch.testing.assert_close(found[0], (slope.double() @ weight).float(), atol=2e-3, rtol=1e-4)
    torch.testing.assert_close(found[1], slope.sum(dim=(0, 1)))


@exact
def test_more_threads_change_nothing(kernel: Kernel) -> None:
    packed, scale, _ = matrix(1000, 512)
    x, form = torch.randn(19, 512), kernel.form(packed)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(kernel.product(x, form, scale, None))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[1], found[2])
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=1e-5)


@every
def test_a_layer_takes_a_kernel_and_keeps_its_state_dict(kernel: Kernel) -> None:
    packed, scale, weight = matrix(100, 64)
    layer = PackedLinear(64, 100, bits=4)
    layer.load_state_dict(
        {"weight": packed, "weight_scale": scale, "bias": torch.ones(100)}, assign=True
    )
    layer.use(kernel)
    x = torch.randn(20, 64)
    torch.testing.assert_close(layer(x), (x.double() @ weight.T + 1).float(), atol=1e-4, rtol=1e-4)
    assert layer.state_dict()["weight"].equal(packed)
    assert f"kernel={kernel.name}" in repr(layer)
    torch.testing.assert_close(layer.picked(torch.tensor([3])).double(), weight[3:4])
    layer.use(PLAIN[4])
    assert layer.weight.equal(packed)


def test_a_kernel_that_does_not_fit_is_not_taken() -> None:
    for kernel in KERNELS[1:]:
        layer = PackedLinear(12, 16, bits=4)
        layer.use(kernel)
        assert layer.kernel is PLAIN[4]


@every
def test_the_head_whole_and_in_parts(kernel: Kernel) -> None:
    packed, scale, weight = matrix(8192 + 90, 32)
    head = PackedHead(32, len(packed), bias=False, bits=4)
    head.load_state_dict({"weight": packed, "weight_scale": scale}, assign=True)
    head.use(kernel)
    x = torch.randn(20, 32)
    wanted = (x.double() @ weight.T).float()
    torch.testing.assert_close(head(x), wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        head.rows(x, slice(8192, 8282)), wanted[:, 8192:], atol=1e-4, rtol=1e-4
    )


def test_eight_bits_stay_plain() -> None:
    assert kernels.choose(CPU, bits=8) is PLAIN[8]


def test_the_best_comes_first_and_any_can_be_asked_for() -> None:
    assert kernels.choose(CPU, bits=4).name == KERNELS[1].name
    assert kernels.choose(CPU, bits=4, wanted="plain") is PLAIN[4]


def test_on_a_gpu_the_fused_kernel_comes_first() -> None:
    assert kernels.known(torch.device("cuda")) == ["triton-int4", "cpm-kernels", "plain"]
    assert kernels.known(torch.device("meta")) == ["plain"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_its_kernels_are_passed_over_with_a_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    assert kernels.choose(torch.device("cuda"), bits=4) is PLAIN[4]
    assert all(
        f"int4 kernel {name} passed over: " in caplog.text
        for name in ("triton-int4", "cpm-kernels")
    )
    with pytest.raises(
        ModelError, match="the int4 kernel cpm-kernels does not work here: .+; let it be chosen"
    ):
        kernels.choose(torch.device("cuda"), bits=4, wanted="cpm-kernels")


def test_importing_the_model_imports_neither_triton_nor_cpm_kernels() -> None:
    code = (
        "import sys, roleplay.models.chatglm.kernels as k, torch\n"
        "k.choose(torch.device('cpu'), bits=4)\n"
        "print([name for name in sys.modules if 'cpm_kernels' in name or 'triton_int4' in name])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("name", ["triton-int4", "cpm-kernels"])
def test_on_a_gpu(name: str) -> None:
    cuda = torch.device("cuda")
    kernel, reason = kernels._checked(name, cuda)
    if kernel is None:
        pytest.skip(reason)
    for rows in (1, 2, 5, 8, 16, 17, 200):
        assert largest_error(kernel, device=cuda, rows=rows) < 2e-3


def test_an_unknown_kernel_names_the_known() -> None:
    with pytest.raises(
        ModelError,
        match="no int4 kernel 'magic' for cpu: known are auto avx512-vnni avx2 torch-int4pack",
    ):
        kernels.choose(CPU, bits=4, wanted="magic")


class Wrong(Kernel):
    """Off by one in a thousand."""

    def product(self, x: Any, form: Any, scale: Any, bias: Any) -> torch.Tensor:
        return super().product(x, form, scale, bias) * 1.001


def test_a_wrong_product_is_seen() -> None:
    assert largest_error(Wrong(4), device=CPU, rows=5) == pytest.approx(1e-3, rel=0.1)
    assert largest_error(PLAIN[4], device=CPU, rows=5) < 1e-6


@pytest.mark.skipif(
    not isinstance(KERNELS[1], x86.X86Int4), reason="no compiler, or another processor"
)
class TestCompiling:
    """The C file becomes a library in the cache."""

    def test_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ROLEPLAY_CACHE", str(tmp_path))
        made = native.compiled(x86._SOURCE)
        stamp = made.stat().st_mtime_ns
        assert native.compiled(x86._SOURCE) == made and made.stat().st_mtime_ns == stamp
        assert list(made.parent.iterdir()) == [made]

    def test_without_a_compiler(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CC", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ModelError, match=r"no C compiler \(cc, gcc or clang\) is installed"):
            native.compiled(x86._SOURCE)

    def test_a_compiler_that_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ROLEPLAY_CACHE", str(tmp_path))
        source = tmp_path / "broken.c"
        source.write_text("int f(void) { return nothing; }")
        with pytest.raises(ModelError, match="failed on broken.c: .*error"):
            native.compiled(source)
        assert list((tmp_path / "kernels").iterdir()) == []


FORM = {"quantization_bit": 4, "quantization_embeddings": True}


def load(folder: Path, **kwargs: Any) -> Any:
    return ChatGLMForConditionalGeneration.from_pretrained(folder, **kwargs)


def logits(model: Any) -> torch.Tensor:
    config = model.config
    ids = torch.tensor([[5, 60, 70, config.gmask_token_id, config.bos_token_id]])
    with torch.no_grad():
        return model(input_ids=ids).logits  # type: ignore[no-any-return]


with_layout = pytest.mark.parametrize(
    "kernel", [kernel for kernel in KERNELS if kernel.layout], ids=lambda k: k.name
)


@with_layout
@pytest.mark.parametrize(
    "settings", [FORM, {"quantization_bit": 4}, FORM | {"pre_seq_len": 4}], ids=str
)
def test_the_cache_gives_the_same_model(
    kernel: Kernel, settings: dict[str, Any], glm_folder: Path, tmp_path: Path
) -> None:
    load(glm_folder, **settings).save_pretrained(tmp_path / "packed")
    wanted = load(tmp_path / "packed", kernel=kernel.name)
    first = load(tmp_path / "packed", kernel=kernel.name, kernel_cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    stamp = kept.stat().st_mtime_ns
    again = load(tmp_path / "packed", kernel=kernel.name, kernel_cache=tmp_path / "cache")
    assert kept.stat().st_mtime_ns == stamp
    for model in (first, again):
        assert model.kernel == kernel.name
        assert torch.equal(logits(model), logits(wanted))
        stored = wanted.state_dict()
        assert all(torch.equal(part, stored[name]) for name, part in model.state_dict().items())


@every
def test_head_and_embedding_are_stored_once(
    kernel: Kernel, glm_folder: Path, tmp_path: Path
) -> None:
    model = load(glm_folder, **FORM, kernel=kernel.name, kernel_cache=tmp_path)
    embedding, head = model.transformer.word_embeddings, model.lm_head
    assert embedding.weight.data_ptr() == head.weight.data_ptr() and embedding.kernel is head.kernel
    ids = torch.tensor([[3, 5], [3, 0]])
    assert torch.equal(embedding(ids), head.picked(ids.flatten()).view(2, 2, -1))
    for path in tmp_path.glob("*.safetensors"):
        assert (
            sum(
                "lm_head.weight" in name or "word_embeddings.weight" in name
                for name in read_shard(path)
            )
            == 3
        )  # one form, two scales


@with_layout
def test_quantizing_on_load_through_the_cache(
    kernel: Kernel, glm_folder: Path, tmp_path: Path
) -> None:
    model = load(glm_folder, **FORM, kernel=kernel.name, kernel_cache=tmp_path)
    assert torch.equal(logits(model), logits(load(glm_folder, **FORM, kernel=kernel.name)))


@with_layout
def test_another_state_of_the_model_makes_a_new_cache_and_removes_the_old(
    kernel: Kernel, glm_folder: Path, tmp_path: Path
) -> None:
    load(glm_folder, **FORM, kernel=kernel.name, kernel_cache=tmp_path / "cache")
    before = list((tmp_path / "cache").iterdir())
    weights = glm_folder / "model.safetensors"
    os.utime(weights, ns=(time.time_ns(), weights.stat().st_mtime_ns + 1))
    load(glm_folder, **FORM, kernel=kernel.name, kernel_cache=tmp_path / "cache")
    after = list((tmp_path / "cache").iterdir())
    assert len(before) == len(after) == 1 and before != after


@with_layout
@pytest.mark.parametrize("length", [0, 5, 3000])
def test_a_damaged_cache_is_made_again(
    kernel: Kernel, length: int, glm_folder: Path, tmp_path: Path
) -> None:
    wanted = logits(load(glm_folder, **FORM, kernel=kernel.name, kernel_cache=tmp_path / "cache"))
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[:length])
    assert torch.equal(
        logits(load(glm_folder, **FORM, kernel=kernel.name, kernel_cache=tmp_path / "cache")),
        wanted,
    )


@with_layout
def test_where_the_cache_cannot_be_written_it_works_without(
    kernel: Kernel, glm_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    model = load(glm_folder, **FORM, kernel=kernel.name, kernel_cache=tmp_path / "file")
    assert "the repacked weights cannot be kept in" in caplog.text
    assert model.kernel == kernel.name and logits(model).isfinite().all()


def test_a_small_model_leaves_nothing_in_the_usual_place(
    glm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(glm_folder, **FORM)
    monkeypatch.setenv("ROLEPLAY_CACHE", str(tmp_path / "cache"))
    load(glm_folder, **FORM)
    assert not (tmp_path / "cache" / "chatglm").exists()


def test_a_wrong_key_is_told_before_anything_is_cached(glm_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match="missing: transformer.prefix_encoder|the weights are not those|misshapen"
    ):
        load(glm_folder, **FORM, vocab_size=99, kernel_cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_an_interrupted_write_leaves_no_file(tmp_path: Path) -> None:
    def tensors() -> Any:
        yield "a", torch.ones(3)
        raise KeyboardInterrupt

    wanted = {"a": torch.empty(3), "b": torch.empty(2)}
    with pytest.raises(KeyboardInterrupt):
        repacked.write(tmp_path / "x-1.safetensors", wanted, tensors())
    assert list(tmp_path.iterdir()) == []


def test_the_product_of_torch_alone_for_comparison() -> None:
    packed, scale, weight = matrix(16, 32)
    x = torch.randn(2, 32)
    torch.testing.assert_close(
        PLAIN[4].product(x, packed, scale, None),
        functional.linear(x, weight.float()),
        atol=1e-5,
        rtol=1e-5,
    )
