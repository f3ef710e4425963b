"""Passages: who is learnt, where scenes are cut, and that training text is chat text. One character is one token."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay import prompts
from roleplay.dataset.passages import (
    DatasetSettings,
    build_interviews,
    build_scenes,
    cut_scenes,
    interview_passage,
    line_weight,
    scene_passage,
)
from roleplay.prompts import Budget, question_prompt, scene_prompt
from roleplay.records import Interview, Line, Passage, Scene

SETTINGS = DatasetSettings()
WIDE = Budget(prompt=10_000, background=10_000)


class Piece(NamedTuple):
    text: str
    score: float = 0.5
    source: str = "闻筝"


FOUND = [Piece("闻筝十六岁。", 0.9), Piece("雨有\n十二场。", 0.4)]


def say(text: str, char: str = "闻筝") -> Line:
    return Line(kind="say", char=char, text=text)


SCENE = Scene(
    chapter=3,
    lines=(
        Line(kind="info", text="窗外飘来一股热气"),
        say("小筝，椒盐的出笼咯！", "郝婶"),
        Line(kind="say", char="闻筝", text="焦的那头是我的，没得商量！", expression="兴奋"),
        Line(kind="act", char="闻筝", text="翻窗出去"),
        say("等等我……", "unknown"),
    ),
)


def learnt(passage: Passage | None) -> list[tuple[str, float]]:
    assert passage is not None
    return [(segment.text, segment.weight) for segment in passage.segments if segment.weight]


def text_of(passage: Passage | None) -> str:
    assert passage is not None
    return "".join(segment.text for segment in passage.segments)


@pytest.mark.parametrize(
    ("line", "weight"),
    [
        (say("没得商量。"), 1.0),
        (say("不行不！"), 0.3),
        (say("……啊？！"), 0.3),
        (say("……"), 0.3),
        (say("没得商量。", "陆迟"), 0.0),
        (say("没得商量。", "unknown"), 0.0),
        (Line(kind="act", char="闻筝", text="点头"), 1.0),
        (Line(kind="think", char="闻筝", text="糟"), 1.0),
        (Line(kind="info", text="闻筝走了进来"), 0.0),
    ],
)
def test_what_a_line_counts(line: Line, weight: float) -> None:
    assert line_weight(line, ["闻筝"], 0.3) == weight


def test_a_line_of_nobody_known_is_never_learnt_even_if_wanted() -> None:
    assert line_weight(say("没得商量。", "unknown"), ["unknown"], 0.3) == 0


def test_only_the_bodies_of_wanted_lines_are_learnt() -> None:
    assert learnt(scene_passage(SCENE, ["闻筝"], [], SETTINGS)) == [
        ("焦的那头是我的，没得商量！ \\emoji 兴奋\n", 1.0),
        ("\\me 翻窗出去\n", 1.0),
    ]


def test_a_scene_without_wanted_lines_is_no_passage() -> None:
    assert scene_passage(SCENE, ["陆迟"], [], SETTINGS) is None


LINES = st.builds(
    Line,
    kind=st.sampled_from(["say", "think"]),
    char=st.sampled_from("甲乙"),
    text=st.text("雨（：\\\n", min_size=1, max_size=9).filter(str.strip),
)


@given(st.lists(LINES, max_size=12), st.integers(10, 60))
def test_cutting_loses_no_line_and_holds_the_budget(lines: list[Line], most: int) -> None:
    scenes = list(cut_scenes(lines, chapter=3, count=len, max_tokens=most))
    assert [line for scene in scenes for line in scene.lines] == lines
    sizes = [sum(len(part) for line in scene.lines for part in prompts.line_segments(line)) for scene in scenes]
    assert all(size <= most or len(scene.lines) == 1 for size, scene in zip(sizes, scenes, strict=True))


def test_scenes_are_as_long_as_the_budget_allows() -> None:
    scenes = cut_scenes([say("雨" * 6)] * 5, chapter=0, count=len, max_tokens=20)
    assert [len(scene.lines) for scene in scenes] == [2, 2, 1]


@given(st.lists(LINES, min_size=1, max_size=8), st.booleans())
def test_every_learnt_line_has_the_prompt_of_chat_before_it(lines: list[Line], with_background: bool) -> None:
    found = FOUND if with_background else []
    passage = scene_passage(Scene(chapter=0, lines=tuple(lines)), ["甲", "乙"], found, SETTINGS)
    assert passage is not None
    segments = [segment.text for segment in passage.segments]
    places = [place for place, segment in enumerate(passage.segments) if segment.weight]
    assert len(places) == len(lines)
    for number, (place, line) in enumerate(zip(places, lines, strict=True)):
        chat = scene_prompt(line.char or "", lines[:number], count=len, background=found, budget=WIDE)
        assert tuple(segments[:place]) == chat.segments


def test_every_learnt_answer_has_the_prompt_of_chat_before_it() -> None:
    asked = [("几岁？", "十六。\n问这个干吗？"), ("你最爱\n吃什么？", "豆糕。")]
    rows = [Interview(id=f"i{n}", character="闻筝", question=q, answer=a) for n, (q, a) in enumerate(asked)]
    segments = [segment.text for segment in interview_passage(rows, FOUND).segments]
    chat = question_prompt("闻筝", asked[1][0], count=len, history=asked[:1], background=FOUND, budget=WIDE)
    assert (tuple(segments[:-1]), segments[-1]) == (chat.segments, "豆糕。\n")


def test_interviews_learn_the_answers_on_one_line() -> None:
    row = Interview(id="i1", character="闻筝", question="几岁？", answer="十六。\n怎么？")
    assert learnt(interview_passage([row], [])) == [("十六。 怎么？\n", 1.0)]


def lookup(query: str, k: int, *, character: str | None = None, chapter: int | None = None) -> list[Piece]:
    return FOUND[:k]


@pytest.mark.parametrize(("share", "with_background"), [(0.0, 0), (1.0, 6)])
def test_the_share_of_passages_with_background(share: float, with_background: int) -> None:
    settings = DatasetSettings(background_share=share, scene_tokens=20)
    chapters = {1: [say("雨" * 12)] * 3, 2: [say("钟" * 12)] * 3}
    passages = build_scenes(chapters, ["闻筝"], count=len, lookup=lookup, settings=settings)
    assert [passage.chapter for passage in passages] == [1, 1, 1, 2, 2, 2]
    start = "【雨有 十二场。】\n【闻筝十六岁。】\n闻筝："
    assert sum(text_of(passage).startswith(start) for passage in passages) == with_background


def test_background_has_a_budget_and_keeps_the_best() -> None:
    settings = DatasetSettings(background_share=1, background_tokens=12)
    [passage] = build_scenes({1: [say("没得商量。")]}, ["闻筝"], count=len, lookup=lookup, settings=settings)
    assert text_of(passage) == "【闻筝十六岁。】\n闻筝：没得商量。\n"


def interviews(count: int, character: str = "闻筝") -> list[Interview]:
    return [
        Interview(id=f"{character}{n}", character=character, question=f"{n}？", answer=f"{n}。") for n in range(count)
    ]


def test_every_wanted_interview_is_learnt_once() -> None:
    rows = [*interviews(10), *interviews(5, "陆迟"), *interviews(3, "郝婶")]
    passages = build_interviews(rows, ["闻筝", "陆迟"], count=len, lookup=None, settings=SETTINGS)
    answers = [text for passage in passages for text, _ in learnt(passage)]
    assert sorted(answers) == sorted(f"{row.answer}\n" for row in rows[:15])
    assert {1, 2, 3} >= {len(learnt(passage)) for passage in passages}


def test_a_passage_asks_one_character() -> None:
    rows = [*interviews(6), *interviews(6, "陆迟")]
    for passage in build_interviews(rows, ["闻筝", "陆迟"], count=len, lookup=None, settings=SETTINGS):
        assert ("闻筝：" in text_of(passage)) != ("陆迟：" in text_of(passage))


def test_the_seed_decides_everything() -> None:
    def built(seed: int) -> list[Passage]:
        settings = DatasetSettings(seed=seed)
        return build_interviews(interviews(12), ["闻筝"], count=len, lookup=lookup, settings=settings)

    assert built(1) == built(1) != built(2)
