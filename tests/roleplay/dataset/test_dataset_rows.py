"""Prompt/response rows: every prompt ends in the cue, and chapters are held out whole.

One character is one token.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.background import Snippet
from roleplay.dataset.curation import plain_weights
from roleplay.dataset.interviews import Asked, group_queries, singles, with_background
from roleplay.dataset.rows import question_rows, scene_rows, split_chapters
from roleplay.dataset.scenes import cut_pieces, scene_queries
from roleplay.dataset.settings import BuildContext, DatasetSettings
from roleplay.errors import DatasetError
from roleplay.prompts import Budget
from roleplay.records import Example, Line

BUDGET = Budget(prompt=100, background=40)
LINES = [
    Line(kind="info", text="窗外飘来一股热气"),
    Line(kind="say", char="郝婶", text="小筝，椒盐的出笼咯！"),
    Line(kind="say", char="闻筝", text="焦的那头是我的，没得商量！", expression="兴奋"),
    Line(kind="say", char="闻筝", text="哎。"),
]


def retriever(
    query: str, k: int, *, character: str | None = None, chapter: int | None = None
) -> list[Snippet]:
    return [Snippet("豆糕分焦糖和椒盐。", 0.9, "豆糕")][:k]


def rows(
    lines: dict[int, list[Line]] | None = None,
    budget: Budget = BUDGET,
    profiles: dict[str, str] | None = None,
    **settings: Any,
) -> list[Example]:
    chosen = DatasetSettings(**{"background_share": 0.0, "profile_drop": 0.0, **settings})
    context = BuildContext(("闻筝",), len, chosen, retriever, profiles or {})
    chapters = lines or {4: LINES}
    pieces = cut_pieces(chapters, plain_weights(chapters, context)[0], context)
    queries = [query for one in pieces for query in scene_queries(one, one.learners, context)]
    return list(scene_rows(chapters, pieces, context.searched(queries), budget=budget))


def test_a_row_is_the_scene_so_far_and_the_line() -> None:
    row = rows()[0]
    assert row.prompt == "【窗外飘来一股热气】\n郝婶：小筝，椒盐的出笼咯！\n闻筝："
    assert row.response == "焦的那头是我的，没得商量！ \\emoji 兴奋"
    assert (row.character, row.task, row.chapter, row.weight) == ("闻筝", "scene", 4, 1.0)


def test_a_short_interjection_weighs_less() -> None:
    assert [row.weight for row in rows()] == [1.0, 0.3]


def test_the_oldest_lines_go_and_the_cue_stays() -> None:
    assert [row.prompt for row in rows({1: LINES[:3]}, Budget(20, 0))] == [
        "郝婶：小筝，椒盐的出笼咯！\n闻筝："
    ]


def test_background_stands_first() -> None:
    found = [
        row.prompt.startswith("【豆糕分焦糖和椒盐。】\n【窗外")
        for row in rows(background_share=1.0)
    ]
    assert found == [True, True]


def test_the_profile_stands_before_all_as_in_chat() -> None:
    prompt = rows(background_share=1.0, profiles={"闻筝": "修雨匠"})[0].prompt
    assert prompt.startswith("【闻筝：修雨匠】\n【豆糕分焦糖和椒盐。】\n【窗外")


def test_the_profile_is_dropped_where_chance_says_so() -> None:
    assert "修雨匠" not in rows(profiles={"闻筝": "修雨匠"}, profile_drop=1.0)[0].prompt


def test_a_character_does_not_read_what_others_think() -> None:
    thought = Line(kind="think", char="郝婶", text="又翻窗。")
    assert [row.prompt for row in rows({1: [thought, LINES[2]]})] == ["闻筝："]


def test_a_form_asks_for_what_follows() -> None:
    lines = [
        LINES[2],
        Line(kind="act", char="闻筝", text="翻窗"),
        Line(kind="think", char="闻筝", text="真香。"),
    ]
    asked = [row.prompt.splitlines()[-2] for row in rows({1: lines}, forms=True)]
    assert asked == ["【请发言】", "【请行动】", "【请思考】"]


def test_a_form_takes_its_tokens_from_the_history() -> None:
    found = rows({1: LINES[:3]}, Budget(30, 0), forms=True)
    assert [row.prompt for row in found] == ["郝婶：小筝，椒盐的出笼咯！\n【请发言】\n闻筝："]


def test_history_does_not_cross_a_chapter() -> None:
    found = rows({1: LINES, 2: LINES[2:]})
    assert next(row.prompt for row in found if row.chapter == 2) == "闻筝："


@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=20), st.integers(40, 100))
def test_every_prompt_ends_in_the_cue_and_fits(lines: list[Line], tokens: int) -> None:
    found = rows({1: lines}, Budget(prompt=tokens, background=0), scene_tokens=50)
    assert len(found) == sum(line.char == "闻筝" for line in lines)
    assert all(row.prompt.endswith("闻筝：") and len(row.prompt) <= tokens for row in found)


def test_a_question_is_a_row() -> None:
    asked = [Asked("闻筝", "你最爱\n吃什么？", "豆糕。\n没得商量。", "fact")]
    context = BuildContext(("闻筝",), len, DatasetSettings(interview_background_share=1), retriever)
    [group] = singles(asked, context)
    searched = context.searched(query for query, _ in group_queries(group, context))
    [row] = question_rows([with_background(group, searched)], context, budget=BUDGET)
    assert row.prompt == "【豆糕分焦糖和椒盐。】\n问：你最爱 吃什么？\n闻筝："
    assert (row.response, row.task, row.chapter) == ("豆糕。 没得商量。", "fact", None)


@given(st.sets(st.integers(0, 40), min_size=2), st.floats(0, 1), st.integers(0, 99))
def test_a_split_is_disjoint_and_both_parts_have_chapters(
    chapters: set[int], share: float, seed: int
) -> None:
    train, test = split_chapters(chapters, share, seed)
    assert sorted([*train, *test]) == sorted(chapters)
    assert train and test


def test_the_share_and_the_seed_choose_the_chapters() -> None:
    assert len(split_chapters(range(10), 0.2, 7)[1]) == 2
    assert split_chapters(range(10), 0.2, 7) == split_chapters(range(10), 0.2, 7)
    assert len({tuple(split_chapters(range(10), 0.2, seed)[1]) for seed in range(9)}) > 1


@pytest.mark.parametrize("chapters", [[], [3]])
def test_a_split_needs_two_chapters(chapters: list[int]) -> None:
    with pytest.raises(
        DatasetError, match=f"{len(chapters)} chapters have lines to learn, a split needs 2"
    ):
        split_chapters(chapters, 0.2, 7)
