"""Candidates in order, with a tiny model: faults last, reasons add up, recalled ones are no copies."""

from __future__ import annotations

import pytest
import tiny

from roleplay.backends.local import LocalBackend
from roleplay.dialogue import CharacterAgent, last_reply
from roleplay.prompts import question_prompt
from roleplay.ranking import Ranker
from roleplay.recall import Exchange, Recall
from roleplay.sampling import SamplingParams
from roleplay.sense import Sense
from tests.roleplay.test_recall import embed

LINES = {"阿灯": ["灯亮着，一直亮到天亮，谁也别吹。"], "小舟": ["船来了。"]}


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Ranker:
    folder = tiny.save(tiny.llama(), tmp_path_factory.mktemp("ranking") / "model")
    return Ranker(LocalBackend.load(str(folder)), Sense.of(LINES))


def test_a_fault_sends_a_candidate_to_the_end(ranker: Ranker) -> None:
    prompt = question_prompt("阿灯", "灯呢？", count=len)
    ranked = ranker.rank("阿灯", "灯呢？", prompt, ["我是阿灯。", "灯在船上。", "灯在船上。"])
    assert [one.text for one in ranked] == ["灯在船上。", "灯在船上。", "我是阿灯。"] or {
        one.text for one in ranked[1:]
    } == {"灯在船上。", "我是阿灯。"}
    assert not ranked[0].faults and ranked[0].text == "灯在船上。"
    assert {fault for one in ranked for fault in one.faults} == {"template", "duplicate"}
    assert ranked[0].score == pytest.approx(sum(value for _, value in ranked[0].reasons))


def test_what_is_recalled_is_no_copy_and_counts_as_far_as_it_is_near(ranker: Ranker) -> None:
    prompt, own = question_prompt("阿灯", "灯呢？", count=len), LINES["阿灯"][0]
    [plain] = ranker.rank("阿灯", "灯呢？", prompt, [own])
    [near] = ranker.rank("阿灯", "灯呢？", prompt, [own], {own: 0.9})
    assert plain.faults == ("copy",) and near.faults == ()
    assert dict(near.reasons)["recalled"] > 0


def test_a_written_answer_may_not_know(ranker: Ranker) -> None:
    prompt, own = question_prompt("阿灯", "灯呢？", count=len), "不知道谁拿走了。"
    [drawn] = ranker.rank("阿灯", "灯呢？", prompt, [own])
    [written] = ranker.rank("阿灯", "灯呢？", prompt, [own], {own: 0.9})
    assert drawn.faults == ("template",) and written.faults == ()


def test_an_agent_shows_the_best_first_and_all_that_was_asked_for(ranker: Ranker) -> None:
    said = [Exchange("阿灯", "灯呢？", "在船上。")]
    recall = Recall(said, embed(["灯呢？"]), embed)
    agent = CharacterAgent(ranker.backend, characters=["阿灯"], ranker=ranker, recall=recall)
    params = SamplingParams(seed=1, max_new_tokens=6)
    reply = last_reply(agent.ask("阿灯", "灯呢？", n=3, params=params))
    assert len(reply.candidates) == 3 and "在船上。" in reply.candidates
    assert [one.text for one in reply.ranked] == [*reply.candidates]
    alone = last_reply(agent.ask("阿灯", "灯呢？", n=1, params=params))
    assert len(alone.candidates) == 1 and alone.ranked == ()


def test_what_is_streamed_in_its_place_is_recalled_as_well(ranker: Ranker) -> None:
    recall = Recall([Exchange("阿灯", "灯呢？", "在船上。")], embed(["灯呢？"]), embed)
    agent = CharacterAgent(ranker.backend, characters=["阿灯"], recall=recall)
    params = SamplingParams(seed=1, max_new_tokens=6)
    replies = [*agent.ask("阿灯", "灯呢？", n=2, params=params)]
    assert replies[0].candidates == ("在船上。",)
    assert {one.candidates[0] for one in replies} == {"在船上。"}
    assert len(replies[-1].candidates) == 2
