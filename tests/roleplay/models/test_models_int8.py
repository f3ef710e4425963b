"""Int8 weights: the product is that of the rounded weights, a model is nearly itself."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM

from roleplay import native
from roleplay.models import causal, gemma3, int8, quantize

needs_c = pytest.mark.skipif(not int8.available(), reason="no compiler, or another OpenMP")
ROWS = (1, 2, 3, 4, 5, 6, 7, 13)


def model(**changes: Any) -> Any:
    """A tiny Gemma 3 whose widths are multiples of 64, its norms no ones."""
    sizes: dict[str, Any] = {
        "vocab_size": 300,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "sliding_window": 5,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    }
    torch.manual_seed(2)
    made: Any = Gemma3ForCausalLM(Gemma3TextConfig(**sizes | changes)).eval().requires_grad_(False)
    for name, weight in made.named_parameters():
        weight.normal_(std=0.3 if "norm" in name else 0.1)
    return made


def llama() -> Any:
    """A tiny Llama, whose head is its own: the layers of the library with our products."""
    sizes: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 16}
    sizes |= {"num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2}
    torch.manual_seed(3)
    config = LlamaConfig(vocab_size=300, initializer_range=0.2, **sizes)
    return LlamaForCausalLM(config).eval().requires_grad_(False)


class TestWeight:
    """What is rounded, and what a product makes of it."""

    def test_rounding(self) -> None:
        weight = torch.randn(8, 192)
        weight[3] = 0
        found = int8.Int8Weight.of(weight).expanded()
        step = weight.view(8, 3, 64).abs().amax(-1, keepdim=True) / 127
        error = (found - weight).view(8, 3, 64).abs()
        assert (error <= step / 2 + 1e-6).all() and not found[3].any()

    @needs_c
    @pytest.mark.parametrize("level", range(3))
    @pytest.mark.parametrize("m", ROWS)
    def test_product(self, m: int, level: int, monkeypatch: pytest.MonkeyPatch) -> None:
        library, best = int8._library()
        if level > best:
            pytest.skip("the processor has no such instructions")
        monkeypatch.setattr(int8, "_library", lambda: (library, level))
        packed, x = int8.Int8Weight.of(torch.randn(412, 192)), torch.randn(m, 192)
        torch.testing.assert_close(packed.product(x), x @ packed.expanded().T, rtol=1e-4, atol=1e-4)

    @needs_c
    @pytest.mark.parametrize("shape", [(64,), (2, 3, 64), (2, 40, 64)])
    def test_layer(self, shape: tuple[int, ...]) -> None:
        plain = nn.Linear(64, 12)
        layer = int8.Int8Linear(int8.Int8Weight.of(plain.weight), plain.bias)
        x = torch.randn(shape)
        expected = functional.linear(x, layer.matrix.expanded(), plain.bias)
        allowed = 1e-4 if x.numel() < 64 * int8.MANY else 3e-2  # many rows may be bfloat16
        torch.testing.assert_close(layer(x), expected, rtol=allowed, atol=allowed)

    @needs_c
    @pytest.mark.parametrize("level", range(3))
    def test_expanding(self, level: int, monkeypatch: pytest.MonkeyPatch) -> None:
        library, best = int8._library()
        if level > best:
            pytest.skip("the processor has no such instructions")
        monkeypatch.setattr(int8, "_library", lambda: (library, level))
        packed = int8.Int8Weight.of(torch.randn(412, 192))
        whole = packed.rows(torch.arange(412))
        assert torch.equal(packed.expanded(), whole)
        assert torch.equal(packed.expanded(slice(8, 100), torch.bfloat16), whole[8:100].bfloat16())


@needs_c
class TestModel:
    """A quantized model against the same one with its weights rounded in place."""

    @pytest.mark.parametrize("make", [model, llama])
    def test_logits(self, make: Any) -> None:
        rounded, packed = make(), make()
        quantize.to_int8(packed)
        for layer in (*rounded.modules(),):
            if isinstance(layer, nn.Linear | nn.Embedding) and quantize._fits(layer.weight):
                layer.weight.data = int8.Int8Weight.of(layer.weight).expanded()
        ids = torch.randint(3, 40, (2, 14))
        with torch.inference_mode():
            states = []
            for each in (rounded, packed):
                cache = causal.new_cache(each)
                parts = [causal.hidden_states(each, part, cache=cache) for part in ids.split(6, 1)]
                states.append(causal.head(each)(torch.cat(parts, dim=1)))
        torch.testing.assert_close(states[1], states[0], rtol=1e-3, atol=1e-3)

    def test_few_calls(self) -> None:
        packed = model()
        assert gemma3.suits(packed)
        quantize.to_int8(packed)
        assert isinstance(causal.body(packed), gemma3.Body)
        assert packed.device.type == "cpu" and packed.dtype == torch.float32
        assert packed.lm_head.matrix is packed.model.embed_tokens.matrix

    @pytest.mark.parametrize(
        "changes",
        [{"attention_bias": True}, {"hidden_activation": "silu"}, {"intermediate_size": 96}],
    )
    def test_another_family_member(self, changes: dict[str, Any]) -> None:
        made = model(**changes)
        assert not gemma3.suits(made)
        quantize.to_int8(made)
        with torch.inference_mode():
            assert made(torch.tensor([[5, 6, 7]])).logits.isfinite().all()

    def test_padding_and_prefix(self) -> None:
        whole, packed = model(), model()
        quantize.to_int8(packed)
        for layer in (*whole.modules(),):
            if isinstance(layer, nn.Linear | nn.Embedding):
                layer.weight.data = int8.Int8Weight.of(layer.weight).expanded()
        ids, padding = torch.randint(3, 40, (3, 9)), torch.tensor([0, 2, 4])
        with torch.inference_mode():
            found = []
            for each in (whole, packed):
                cache = causal.new_cache(each)
                for number in range(3):
                    torch.manual_seed(number)
                    keys, values = torch.randn(2, 3, 2, 4, 64)
                    cache.update(keys, values, number)
                for part in (ids[:, :8], ids[:, 8:]):
                    more = {"prefix_length": 4, "padding": padding}
                    states = causal.hidden_states(each, part, cache=cache, **more)
                found.append(states)
        torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-3)


def test_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for changed in (int8.available, int8._library):
        changed.cache_clear()
    monkeypatch.setenv("ROLEPLAY_CACHE", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    try:
        assert not int8.available() and not quantize.suits(model())
    finally:
        for changed in (int8.available, int8._library):
            changed.cache_clear()


@needs_c
def test_what_is_compiled_says_nothing(tmp_path: Path) -> None:
    command = ["cc", *native._FLAGS, "-Wall", "-Wextra", "-Wno-psabi", "-o", str(tmp_path / "x.so")]
    ran = subprocess.run([*command, str(int8._SOURCE)], capture_output=True, text=True)
    assert ran.returncode == 0 and not ran.stderr
