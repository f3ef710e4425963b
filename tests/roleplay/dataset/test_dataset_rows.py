"""Prompt/response rows: every prompt ends in the cue, and chapters are held out whole. One character is one token."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.dataset.passages import DatasetSettings
from roleplay.dataset.rows import question_rows, scene_rows, split_chapters
from roleplay.errors import DatasetError
from roleplay.prompts import Budget
from roleplay.records import Example, Interview, Line

BUDGET = Budget(prompt=100, background=40)
LINES = [
    Line(kind="info", text="窗外飘来一股热气"),
    Line(kind="say", char="郝婶", text="小筝，椒盐的出笼咯！"),
    Line(kind="say", char="闻筝", text="焦的那头是我的，没得商量！", expression="兴奋"),
    Line(kind="say", char="闻筝", text="哎。"),
]


class Piece(NamedTuple):
    text: str
    score: float
    source: str


def lookup(query: str, k: int, *, character: str | None = None, chapter: int | None = None) -> list[Piece]:
    return [Piece("豆糕分焦糖和椒盐。", 0.9, "豆糕")][:k]


def rows(budget: Budget = BUDGET, background: float = 0) -> list[Example]:
    settings = DatasetSettings(background_share=background)
    found = scene_rows({4: LINES}, ["闻筝"], count=len, budget=budget, settings=settings, lookup=lookup)
    return list(found)


def test_a_row_is_the_scene_so_far_and_the_line() -> None:
    row = rows()[0]
    assert row.prompt == "【窗外飘来一股热气】\n郝婶：小筝，椒盐的出笼咯！\n闻筝："
    assert row.response == "焦的那头是我的，没得商量！ \\emoji 兴奋"
    assert (row.character, row.task, row.chapter, row.weight) == ("闻筝", "scene", 4, 1.0)


def test_a_short_interjection_weighs_less() -> None:
    assert [row.weight for row in rows()] == [1.0, 0.3]


def test_the_oldest_lines_go_and_the_cue_stays() -> None:
    found = scene_rows({1: LINES[:3]}, ["闻筝"], count=len, budget=Budget(20, 0), settings=DatasetSettings())
    assert [row.prompt for row in found] == ["郝婶：小筝，椒盐的出笼咯！\n闻筝："]


def test_background_stands_first() -> None:
    assert [row.prompt.startswith("【豆糕分焦糖和椒盐。】\n【窗外") for row in rows(background=1)] == [True, True]


def test_history_does_not_cross_a_chapter() -> None:
    found = scene_rows({1: LINES, 2: LINES[2:]}, ["闻筝"], count=len, budget=BUDGET, settings=DatasetSettings())
    assert next(row.prompt for row in found if row.chapter == 2) == "闻筝："


@given(st.lists(st.sampled_from(LINES), max_size=20), st.integers(40, 100))
def test_every_prompt_ends_in_the_cue_and_fits(lines: list[Line], tokens: int) -> None:
    budget = Budget(prompt=tokens, background=0)
    found = list(scene_rows({1: lines}, ["闻筝"], count=len, budget=budget, settings=DatasetSettings(scene_tokens=50)))
    assert len(found) == sum(line.char == "闻筝" for line in lines)
    assert all(row.prompt.endswith("闻筝：") and len(row.prompt) <= tokens for row in found)


def test_an_interview_of_a_wanted_character_is_a_row() -> None:
    asked = [
        Interview(id="i1", character="闻筝", question="你最爱\n吃什么？", answer="豆糕。\n没得商量。"),
        Interview(id="i2", character="郝婶", question="卖什么？", answer="豆糕哦。"),
    ]
    settings = DatasetSettings(interview_background_share=1)
    [row] = question_rows(asked, ["闻筝"], count=len, budget=BUDGET, settings=settings, lookup=lookup)
    assert row.prompt == "【豆糕分焦糖和椒盐。】\n问：你最爱 吃什么？\n闻筝："
    assert (row.response, row.task, row.chapter) == ("豆糕。 没得商量。", "question", None)


@given(st.sets(st.integers(0, 40), min_size=2), st.floats(0, 1), st.integers(0, 99))
def test_a_split_is_disjoint_and_both_parts_have_chapters(chapters: set[int], share: float, seed: int) -> None:
    train, test = split_chapters(chapters, share, seed)
    assert sorted([*train, *test]) == sorted(chapters)
    assert train and test


def test_the_share_and_the_seed_choose_the_chapters() -> None:
    assert len(split_chapters(range(10), 0.2, 7)[1]) == 2
    assert split_chapters(range(10), 0.2, 7) == split_chapters(range(10), 0.2, 7)
    assert len({tuple(split_chapters(range(10), 0.2, seed)[1]) for seed in range(9)}) > 1


@pytest.mark.parametrize("chapters", [[], [3]])
def test_a_split_needs_two_chapters(chapters: list[int]) -> None:
    with pytest.raises(DatasetError, match=f"{len(chapters)} chapters have lines to learn, a split needs 2"):
        split_chapters(chapters, 0.2, 7)
