"""One forward pass: equal to the model's own, and with a prefix that stays in sight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from roleplay.adapters.prefix import new_prefix, prefix_cache, table
from roleplay.errors import ModelError
from roleplay.models import causal

FAR = 64
"""Tokens: past the reach of four sliding layers of window 8 (4 x 7 positions)."""


def ids(count: int, *, seed: int = 0) -> torch.Tensor:
    return torch.randint(3, 30, (1, count), generator=torch.Generator().manual_seed(seed))


def table_layers(values: torch.Tensor, model: Any) -> torch.Tensor:
    """[layers, everything] of a prefix table or its gradient."""
    layers = model.config.num_hidden_layers
    return values.view(values.shape[0], layers, -1).transpose(0, 1).flatten(1)


def last_state(peft_model: Any, *, prefix_length: int) -> torch.Tensor:
    base = peft_model.get_base_model()
    states = causal.hidden_states(base, ids(FAR), cache=prefix_cache(peft_model), prefix_length=prefix_length)
    return states[0, -1]


@pytest.mark.parametrize("count", [1, 5, 8, 9, 40])
def test_without_prefix_the_states_are_the_models_own(gemma: Any, count: int) -> None:
    own = gemma(ids(count), output_hidden_states=True).hidden_states[-1]
    torch.testing.assert_close(causal.hidden_states(gemma, ids(count)), own, atol=1e-5, rtol=0)


@pytest.mark.parametrize("cut", [3, 8, 20, 39])
def test_two_pieces_with_a_cache_equal_one(gemma: Any, cut: int) -> None:
    whole = causal.hidden_states(gemma, ids(40))
    cache = causal.new_cache(gemma)
    first = causal.hidden_states(gemma, ids(40)[:, :cut], cache=cache)
    second = causal.hidden_states(gemma, ids(40)[:, cut:], cache=cache)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, atol=1e-5, rtol=0)


def test_a_model_without_sliding_layers_keeps_its_own_mask(llama: Any) -> None:
    assert causal.layer_masks(llama.config, past=0, new=5, prefix=0, device=torch.device("cpu")) is None
    own = llama(ids(20), output_hidden_states=True).hidden_states[-1]
    torch.testing.assert_close(causal.hidden_states(llama, ids(20)), own, atol=1e-5, rtol=0)


def test_masks_of_five_tokens_by_hand(gemma: Any) -> None:
    gemma.config.sliding_window = 2
    masks = causal.layer_masks(gemma.config, past=2, new=3, prefix=1, device=torch.device("cpu"))
    assert masks is not None and masks["full_attention"].shape == (1, 1, 3, 5)
    assert masks["full_attention"][0, 0].int().tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    assert masks["sliding_attention"][0, 0].int().tolist() == [[1, 1, 1, 0, 0], [1, 0, 1, 1, 0], [1, 0, 0, 1, 1]]


def test_a_mask_that_hides_nothing_is_left_out(gemma: Any) -> None:
    masks = causal.layer_masks(gemma.config, past=9, new=1, prefix=0, device=torch.device("cpu"))
    assert masks is not None and masks["full_attention"] is None
    assert masks["sliding_attention"].int().flatten().tolist() == [0, 0] + [1] * 8


def test_the_prefix_stays_in_sight_of_sliding_layers(sliding: Any) -> None:
    peft_model = new_prefix(sliding, length=4)
    before, blind = last_state(peft_model, prefix_length=4), last_state(peft_model, prefix_length=0)
    with torch.no_grad():
        table(peft_model).add_(1.0)
    assert (last_state(peft_model, prefix_length=4) - before).abs().max() > 1e-2
    assert torch.equal(last_state(peft_model, prefix_length=0), blind)


def test_the_last_token_teaches_the_prefix_of_every_sliding_layer(gemma: Any) -> None:
    peft_model = new_prefix(gemma, length=4)
    logits = causal.head(peft_model)(last_state(peft_model, prefix_length=4))
    nn.functional.cross_entropy(logits[None], torch.tensor([5])).backward()
    slopes = table_layers(table(peft_model).grad, gemma).norm(dim=1)
    types = gemma.config.layer_types
    assert all(slope > 1e-5 for slope, kind in zip(slopes, types, strict=True) if kind == "sliding_attention")


def test_pefts_own_cache_forgets_the_prefix(sliding: Any) -> None:
    """Why we make the cache ourselves: this is PEFT's forward pass, and it must stay the contrast."""
    peft_model = new_prefix(sliding, length=4)
    with torch.no_grad():
        before = peft_model(input_ids=ids(FAR)).logits
        table(peft_model).add_(1.0)
        after = peft_model(input_ids=ids(FAR)).logits
    assert not torch.equal(after[0, 0], before[0, 0])
    assert torch.equal(after[0, -1], before[0, -1])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 2, 5, 16, 17])
def test_few_rows_linear_is_linear(rows: int, bias: bool) -> None:
    layer = nn.Linear(6, 7, bias=bias)
    states = torch.randn(rows, 1, 6)
    expected = layer(states)
    causal.use_few_rows_linear(nn.Sequential(layer))
    assert type(layer) is causal.FewRowsLinear
    torch.testing.assert_close(layer(states), expected)


def test_a_soft_capped_head_is_refused(gemma: Any) -> None:
    gemma.config.final_logit_softcapping = 30.0
    with pytest.raises(ModelError, match="Gemma3ForCausalLM has a soft-capped or biased head"):
        causal.head(gemma)


@pytest.mark.parametrize("load", [causal.load_causal, causal.load_tokenizer])
def test_an_unknown_model_lists_the_known(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="no model 'nobody/nothing': known are gemma3-270m, a folder, or a Hugging"):
        load("nobody/nothing")


@pytest.mark.parametrize("load", [causal.load_causal, causal.load_tokenizer])
def test_a_folder_without_a_model(load: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"{tmp_path} holds no causal language model that transformers can load"):
        load(str(tmp_path))


def test_truncated_weights_of_a_model(gemma: Any, tmp_path: Path) -> None:
    gemma.save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="holds no causal language model"):
        causal.load_causal(str(tmp_path))


def test_a_loaded_model_is_frozen(gemma: Any) -> None:
    assert not gemma.training
    assert not any(parameter.requires_grad for parameter in gemma.parameters())
