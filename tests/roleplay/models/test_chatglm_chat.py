"""ChatGLM's own chat: prompts, defaults and the guard against broken scores, as the original's."""

from typing import Any

import chatglm_data as data
import pytest
import torch
from chatglm_data import needs_ice_text

from roleplay.models.chatglm.chat import DEFAULTS, NanScores, build_prompt, chat

CHAT = data.read("chat")


@pytest.mark.parametrize("row", CHAT["prompts"], ids=lambda row: row["query"])
def test_chat_prompts(row: dict[str, Any]) -> None:
    assert build_prompt(row["query"], row["history"]) == row["prompt"]


@needs_ice_text
@pytest.mark.parametrize("row", CHAT["prompts"], ids=lambda row: row["query"])
def test_chat_prompts_as_ids(ice_text: Any, row: dict[str, Any]) -> None:
    assert ice_text([row["prompt"]]).input_ids == [row["prompt_ids"]]


def test_chat_defaults() -> None:
    wanted = dict(CHAT["default_generate_kwargs"])
    wanted.pop("logits_processor", None)
    assert wanted == DEFAULTS


@pytest.mark.parametrize("row", CHAT["invalid_score_processor"], ids=lambda row: str(row["in"]))
def test_nan_scores_follow_the_original_only_in_broken_rows(row: dict[str, Any]) -> None:
    given = torch.tensor([[float(score) for score in scores] for scores in row["in"]])
    wanted = torch.where(given.isnan().any(dim=1, keepdim=True), torch.tensor(row["out"]), given)
    assert torch.equal(NanScores()(torch.zeros(len(given), 1, dtype=torch.long), given), wanted)


def test_one_round(glm: Any, pieces: Any) -> None:
    history = [("你好", "你好！")]
    short = {"do_sample": False, "max_length": None, "max_new_tokens": 5}
    response, longer = chat(glm, pieces, "灯亮着？", history, **short)
    assert longer == [*history, ("灯亮着？", response)] and history == [("你好", "你好！")]
