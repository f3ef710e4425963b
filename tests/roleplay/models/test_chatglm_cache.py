"""Cached steps without positions: the cache knows where its tokens stand, however it is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from roleplay.models import causal

FORMS: list[dict[str, Any]] = [
    {},
    {"pre_seq_len": 5},
    {"quantization_bit": 4, "quantization_embeddings": True},
]


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
        parts += [
            causal.hidden_states(model, token, cache=cache)
            for token in answer(pieces).split(1, dim=1)
        ]
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


def test_candidates_share_what_stands_before_them(model: Any, pieces: Any) -> None:
    cache, tokens = causal.new_cache(model), torch.tensor([[20], [21], [22]])
    with torch.inference_mode():
        causal.hidden_states(model, prompt(pieces), cache=cache)
        before = [layer.own[0].data_ptr() for layer in cache.layers]
        cache.batch_repeat_interleave(3)
        steps = [causal.hidden_states(model, tokens + step, cache=cache) for step in range(3)]
        assert [layer._shared[0].data_ptr() for layer in cache.layers] == before
        for row in range(3):
            ids = torch.cat(
                [prompt(pieces), tokens[row : row + 1], tokens[row : row + 1] + 1], dim=1
            )
            alone = causal.hidden_states(model, ids)
            found = torch.cat([step[row : row + 1] for step in steps[:2]], dim=1)
            torch.testing.assert_close(found, alone[:, -2:], atol=1e-5, rtol=1e-4)


def test_rows_that_leave_do_not_change_the_others(model: Any, pieces: Any) -> None:
    cache, tokens = causal.new_cache(model), torch.tensor([[20], [21], [22]])
    with torch.inference_mode():
        causal.hidden_states(model, prompt(pieces), cache=cache)
        cache.batch_repeat_interleave(3)
        causal.hidden_states(model, tokens, cache=cache)
        cache.batch_select_indices(torch.tensor([0, 2]))
        found = causal.hidden_states(model, torch.tensor([[30], [31]]), cache=cache)
        alone = causal.hidden_states(
            model, torch.cat([prompt(pieces), torch.tensor([[22, 31]])], dim=1)
        )
    torch.testing.assert_close(found[1], alone[0, -1:], atol=1e-5, rtol=1e-4)


def test_room_is_made_for_more_tokens(glm: Any, pieces: Any) -> None:
    from roleplay.models.chatglm.cache import ROOM, SharedLayer

    layer, parts = SharedLayer(), [torch.randn(2, 3, 1, 4) for _ in range(2 * ROOM + 3)]
    for part in parts:
        layer.append(part, -part)
    assert torch.equal(layer.keys, torch.cat(parts, dim=2)) and torch.equal(
        layer.values, -layer.keys
    )
    layer.batch_repeat_interleave(2)
    assert torch.equal(layer.keys[0], layer.keys[1]) and layer.get_seq_length() == len(parts)


def test_shared_tokens_cannot_be_cropped(glm: Any, pieces: Any) -> None:
    cache = causal.new_cache(glm)
    causal.hidden_states(glm, prompt(pieces), cache=cache)
    cache.batch_repeat_interleave(2)
    with pytest.raises(
        ValueError, match="1 tokens cannot be removed: 0 are not shared by the rows"
    ):
        cache.crop(-1)


def test_more_tokens_after_shared_ones(model: Any, pieces: Any) -> None:
    cache, more = causal.new_cache(model), answer(pieces)
    with torch.inference_mode():
        causal.hidden_states(model, prompt(pieces), cache=cache)
        cache.batch_repeat_interleave(2)
        found = causal.hidden_states(model, more.expand(2, -1), cache=cache)
        wanted = causal.hidden_states(model, torch.cat([prompt(pieces), more], dim=1))[
            :, -more.shape[1] :
        ]
    torch.testing.assert_close(found, wanted.expand(2, -1, -1), atol=1e-5, rtol=1e-4)
