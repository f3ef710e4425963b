"""Cached steps without positions: the cache knows where its tokens stand, in every way in which it is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from roleplay.models import causal

FORMS: list[dict[str, Any]] = [{}, {"pre_seq_len": 5}, {"quantization_bit": 4, "quantization_embeddings": True}]


@pytest.fixture(params=FORMS, ids=["bare", "prefix", "int4"])
def model(request: pytest.FixtureRequest, glm_home: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(glm_home, **request.param)


def prompt(pieces: Any, text: str = "问：灯还亮着？阿灯：") -> torch.Tensor:
    return torch.tensor([pieces.encode_prompt([text])])


def answer(pieces: Any) -> torch.Tensor:
    return torch.tensor([pieces.encode_answer("灯还亮着。")])


def test_steps_without_positions_equal_one_pass(model: Any, pieces: Any) -> None:
    whole = torch.cat([prompt(pieces), answer(pieces)], dim=1)
    cache = causal.new_cache(model)
    with torch.inference_mode():
        wanted = causal.hidden_states(model, whole)
        parts = [causal.hidden_states(model, prompt(pieces), cache=cache)]
        parts += [causal.hidden_states(model, token, cache=cache) for token in answer(pieces).split(1, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), wanted, atol=1e-5, rtol=1e-4)


def test_several_tokens_at_once(model: Any, pieces: Any) -> None:
    cache = causal.new_cache(model)
    with torch.inference_mode():
        causal.hidden_states(model, prompt(pieces), cache=cache)
        found = causal.hidden_states(model, answer(pieces), cache=cache)
        wanted = causal.hidden_states(model, torch.cat([prompt(pieces), answer(pieces)], dim=1))
    torch.testing.assert_close(found, wanted[:, -found.shape[1] :], atol=1e-5, rtol=1e-4)


def test_the_prefix_takes_no_place(glm_home: Path, pieces: Any) -> None:
    from transformers import AutoModelForCausalLM

    caches = []
    for length in (None, 5):
        model = AutoModelForCausalLM.from_pretrained(glm_home, pre_seq_len=length)
        caches.append(causal.new_cache(model))
        causal.hidden_states(model, prompt(pieces), cache=caches[-1])
    assert torch.equal(caches[0].places, caches[1].places)
    assert caches[1].get_seq_length() == caches[0].get_seq_length() + 5


def test_mask_in_the_middle_keeps_its_place(glm: Any, pieces: Any) -> None:
    ids = torch.tensor([pieces("灯[MASK]亮着").input_ids])
    place = int((ids[0] == pieces.mask_token_id).nonzero()[0, 0])
    cache = causal.new_cache(glm)
    causal.hidden_states(glm, ids, cache=cache)
    causal.hidden_states(glm, torch.tensor([[20]]), cache=cache)
    assert cache.places[0, :, -2:].tolist() == [[place, place], [1, 2]]


def test_places_follow_the_rows(glm: Any, pieces: Any) -> None:
    rows = [prompt(pieces), prompt(pieces, "灯")]
    caches = []
    for row in rows:
        caches.append(causal.new_cache(glm))
        causal.hidden_states(glm, row, cache=caches[-1])
        caches[-1].batch_repeat_interleave(3)
    cache = caches[0]
    assert cache.places.shape[0] == 3 and torch.equal(cache.places[0], cache.places[2])
    cache.places[1] += 7
    cache.reorder_cache(torch.tensor([1, 0, 2]))
    cache.batch_select_indices(torch.tensor([0, 2]))
    assert torch.equal(cache.places[0], cache.places[1] + 7) and len(cache.layers[0].keys) == 2


def test_a_cropped_cache_goes_on_from_what_is_left(glm: Any, pieces: Any) -> None:
    cache = causal.new_cache(glm)
    with torch.inference_mode():
        causal.hidden_states(glm, prompt(pieces), cache=cache)
        first = causal.hidden_states(glm, answer(pieces), cache=cache)
        cache.crop(-answer(pieces).shape[1])
        torch.testing.assert_close(causal.hidden_states(glm, answer(pieces), cache=cache), first)
    cache.reset()
    assert cache.places is None and cache.get_seq_length() == 0


def test_the_model_makes_such_a_cache_by_itself(glm: Any, pieces: Any) -> None:
    output = glm(input_ids=prompt(pieces))
    glm(input_ids=torch.tensor([[20]]), past_key_values=output.past_key_values)
    assert output.past_key_values.places[0, 1, -2:].tolist() == [1, 2]


def test_other_models_keep_their_own_cache(llama: Any) -> None:
    from transformers import DynamicCache

    assert type(causal.new_cache(llama)) is DynamicCache
    assert not causal.is_prefix_lm(llama)
