"""Prompts: the budget is spent from the end, the cue is never cut. A character is one token."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay import prompts
from roleplay.errors import PromptError
from roleplay.prompts import Budget, question_prompt, scene_prompt
from roleplay.records import Line

SCENE = [
    Line(kind="info", text="铜壶响了"),
    Line(kind="say", char="陆迟", text="可以进来吗？"),
    Line(kind="act", char="陆迟", text="缩回手", expression="害羞"),
]
ROWS = ["【铜壶响了】\n", "陆迟：可以进来吗？\n", "陆迟：\\me 缩回手 \\emoji 害羞\n"]


class Piece(NamedTuple):
    text: str
    score: float = 0.5
    source: str = "闻筝"


def budget(prompt: int, background: int = 0) -> Budget:
    return Budget(prompt=prompt, background=background)


def test_a_scene_ends_in_the_cue() -> None:
    prompt = scene_prompt("闻筝", SCENE, count=len)
    assert prompt.text == "".join(ROWS) + "闻筝："
    assert (prompt.dropped, prompt.background) == (0, ())


def test_a_question_stands_before_the_cue_on_one_line() -> None:
    prompt = question_prompt(
        "闻筝", " 你最爱\n吃什么？ ", count=len, history=[("几岁？", "十六。\n")]
    )
    assert prompt.text == "问：几岁？\n闻筝：十六。\n问：你最爱 吃什么？\n闻筝："


def test_an_empty_scene_is_the_cue_alone() -> None:
    assert scene_prompt("闻筝", [], count=len).segments == ("闻筝：",)


def test_a_name_with_a_colon_is_protected_in_the_cue() -> None:
    assert scene_prompt("沈：大人", [], count=len).text == "沈\\：大人："


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_the_oldest_lines_are_dropped(kept: int) -> None:
    size = len("".join(ROWS[-kept:]) + "闻筝：")
    prompt = scene_prompt("闻筝", SCENE, count=len, budget=budget(size))
    assert (prompt.text, prompt.dropped) == ("".join(ROWS[-kept:]) + "闻筝：", 3 - kept)


def test_one_token_too_few_drops_a_line() -> None:
    size = len("".join(ROWS) + "闻筝：") - 1
    assert (
        scene_prompt("闻筝", SCENE, count=len, budget=budget(size)).text
        == "".join(ROWS[1:]) + "闻筝："
    )


def test_no_older_line_slips_in_behind_one_that_does_not_fit() -> None:
    lines = [SCENE[0], Line(kind="info", text="雨" * 90), SCENE[1]]
    assert scene_prompt("闻筝", lines, count=len, budget=budget(60)).text == ROWS[1] + "闻筝："


def test_a_newest_line_that_does_not_fit_is_refused_with_both_numbers() -> None:
    with pytest.raises(
        PromptError,
        match="the newest line and the cue take 24 tokens, the prompt may have 23: shorten",
    ):
        scene_prompt("闻筝", SCENE, count=len, budget=budget(23))


def test_a_question_that_is_too_long_is_refused_with_both_numbers() -> None:
    with pytest.raises(
        PromptError, match="take 106 tokens, the prompt may have 50: shorten the line"
    ):
        question_prompt("闻筝", "雨" * 100, count=len, budget=budget(50))


def test_an_empty_question_is_refused() -> None:
    with pytest.raises(PromptError, match="the question is empty: write what"):
        question_prompt("闻筝", " 　\n", count=len)


def test_background_stands_first_and_its_best_nearest_to_the_scene() -> None:
    found = [Piece("闻筝十六岁。", 0.9), Piece("雨有\n十二场。", 0.4)]
    prompt = question_prompt("闻筝", "几岁？", count=len, background=found)
    assert prompt.text == "【雨有 十二场。】\n【闻筝十六岁。】\n问：几岁？\n闻筝："
    assert prompt.background == tuple(found)


def test_the_lowest_scored_snippet_is_dropped_first() -> None:
    found = [Piece("甲甲甲", 0.2), Piece("乙乙乙", 0.9), Piece("丙丙丙", 0.5)]
    prompt = question_prompt("闻筝", "几岁？", count=len, background=found, budget=budget(99, 12))
    assert [piece.text for piece in prompt.background] == ["乙乙乙", "丙丙丙"]
    assert prompt.text.startswith("【丙丙丙】\n【乙乙乙】\n问：")


def test_background_never_pushes_out_the_newest_line() -> None:
    prompt = scene_prompt("闻筝", SCENE, count=len, background=[Piece("雨")], budget=budget(25, 25))
    assert (prompt.text, prompt.background) == (ROWS[2] + "闻筝：", ())


LINES = st.builds(
    Line,
    kind=st.just("say"),
    char=st.sampled_from("甲乙"),
    text=st.text("雨钟（：\\", min_size=1, max_size=9),
)
PIECES = st.builds(Piece, st.text("雨钟\n", min_size=1, max_size=9), st.floats(0, 1))


@given(
    st.lists(LINES, min_size=1, max_size=6),
    st.lists(PIECES, max_size=4),
    st.integers(50, 90),
    st.integers(0, 40),
)
def test_every_prompt_is_within_budget_and_keeps_its_end(
    lines: list[Line], found: list[Piece], tokens: int, background: int
) -> None:
    prompt = scene_prompt(
        "甲", lines, count=len, background=found, budget=budget(tokens, background)
    )
    kept = [part for line in lines[prompt.dropped :] for part in prompts.line_segments(line)]
    assert prompt.text == "".join(prompt.segments) and len(prompt.text) <= tokens
    assert prompt.dropped < len(lines)
    assert list(prompt.segments[len(prompt.background) :]) == [*kept, "甲："]
    assert sum(len(prompts.background_segment(piece)) for piece in prompt.background) <= background


def test_queries_hold_who_and_what() -> None:
    assert prompts.question_query("几岁？", "闻筝") == "闻筝 几岁？"
    assert prompts.scene_query(SCENE, "闻筝", newest=2) == "闻筝\n可以进来吗？\n缩回手"


def test_a_profile_stands_first_even_before_background() -> None:
    prompt = scene_prompt(
        "闻筝", SCENE[:1], count=len, background=[Piece("雨有十二场。")], profile="修雨匠，\n急性子"
    )
    assert prompt.segments == (
        "【闻筝：修雨匠， 急性子】\n",
        "【雨有十二场。】\n",
        "【铜壶响了】\n",
        "闻筝：",
    )


def test_a_question_prompt_has_the_profile_too() -> None:
    assert (
        question_prompt("闻筝", "几岁？", count=len, profile="修雨匠").text
        == "【闻筝：修雨匠】\n问：几岁？\n闻筝："
    )


def test_the_profile_is_kept_whole_and_costs_history() -> None:
    profile = "修" * 5
    size = len("【闻筝：修修修修修】\n" + "".join(ROWS[1:]) + "闻筝：")
    prompt = scene_prompt("闻筝", SCENE, count=len, budget=budget(size), profile=profile)
    assert (prompt.text[:10], prompt.dropped) == ("【闻筝：修修修修修】", 1)


def test_a_profile_that_leaves_no_room_is_named() -> None:
    with pytest.raises(
        PromptError, match="the newest line, the profile and the cue take 43 tokens"
    ):
        scene_prompt("闻筝", SCENE, count=len, budget=budget(42), profile="修" * 13)


THOUGHTS = [
    Line(kind="think", char="陆迟", text="她生气了？"),
    Line(kind="think", char="闻筝", text="真吵。"),
]


def test_what_others_think_is_hidden() -> None:
    assert scene_prompt("闻筝", THOUGHTS, count=len).text == "闻筝：(真吵。)\n闻筝："


def test_background_is_not_searched_with_what_others_think() -> None:
    assert prompts.scene_query(THOUGHTS, "陆迟") == "陆迟\n她生气了？"
