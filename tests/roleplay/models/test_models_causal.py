"""One forward pass: equal to the model's own, and with a prefix that stays in sight."""

from __future__ import annotations

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
    states = causal.hidden_states(
        base, ids(FAR), cache=prefix_cache(peft_model), prefix_length=prefix_length
    )
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
    assert causal.layer_masks(llama.config, ids(5), past=0, prefix=0) is None
    own = llama(ids(20), output_hidden_states=True).hidden_states[-1]
    torch.testing.assert_close(causal.hidden_states(llama, ids(20)), own, atol=1e-5, rtol=0)


def test_masks_of_five_tokens_by_hand(gemma: Any) -> None:
    gemma.config.sliding_window = 2
    masks = causal.layer_masks(gemma.config, ids(3), past=2, prefix=1)
    assert masks is not None and masks["full_attention"].shape == (1, 1, 3, 5)
    assert masks["full_attention"][0, 0].int().tolist() == [
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
    ]
    assert masks["sliding_attention"][0, 0].int().tolist() == [
        [1, 1, 1, 0, 0],
        [1, 0, 1, 1, 0],
        [1, 0, 0, 1, 1],
    ]


def test_a_mask_that_hides_nothing_is_left_out(gemma: Any) -> None:
    masks = causal.layer_masks(gemma.config, ids(1), past=9, prefix=0)
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
    assert all(
        slope > 1e-5
        for slope, kind in zip(slopes, types, strict=True)
        if kind == "sliding_attention"
    )


def test_pefts_own_cache_forgets_the_prefix(sliding: Any) -> None:
    """Why we make the cache ourselves: this is PEFT's forward pass, and must stay the contrast."""
    peft_model = new_prefix(sliding, length=4)
    with torch.no_grad():
        before = peft_model(input_ids=ids(FAR)).logits
        table(peft_model).add_(1.0)
        after = peft_model(input_ids=ids(FAR)).logits
    assert not torch.equal(after[0, 0], before[0, 0])
    assert torch.equal(after[0, -1], before[0, -1])


def test_a_soft_capped_head_is_refused(gemma: Any) -> None:
    gemma.config.final_logit_softcapping = 30.0
    with pytest.raises(ModelError, match="Gemma3ForCausalLM has a soft-capped or biased head"):
        causal.head(gemma)
