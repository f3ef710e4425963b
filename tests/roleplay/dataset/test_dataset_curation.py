"""Curation: what a line counts, which lines say the same, which questions are left out."""

from __future__ import annotations

import pytest

from roleplay.dataset.curation import Seen, line_weight, line_weights, plain_weights, unique
from roleplay.dataset.interviews import Asked
from roleplay.dataset.settings import BuildContext, DatasetSettings
from roleplay.records import Line

SETTINGS = DatasetSettings()
CONTEXT = BuildContext(("闻筝",), len)


def say(text: str, char: str = "闻筝", confidence: float | None = None) -> Line:
    return Line(kind="say", char=char, text=text, confidence=confidence)


@pytest.mark.parametrize(
    ("line", "weight"),
    [
        (say("没得商量。"), (1.0, "")),
        (say("不行不！"), (0.3, "interjection (counts less)")),
        (say("……啊？！"), (0.3, "interjection (counts less)")),
        (say("……？！"), (0.0, "only punctuation")),
        (say("没得商量。", "陆迟"), (0.0, "")),
        (say("没得商量。", "unknown"), (0.0, "unknown speaker")),
        (say("没得商量。", confidence=0.49), (0.0, "doubtful speaker")),
        (say("没得商量。", confidence=0.5), (1.0, "")),
        (Line(kind="act", char="闻筝", text="点头"), (1.0, "")),
        (Line(kind="think", char="闻筝", text="糟"), (1.0, "")),
        (Line(kind="think", char="闻筝", text="……"), (0.0, "only punctuation")),
        (Line(kind="info", text="闻筝走了进来"), (0.0, "")),
    ],
)
def test_what_a_line_counts(line: Line, weight: tuple[float, str]) -> None:
    assert line_weight(line, ["闻筝"], SETTINGS) == weight


def test_a_line_of_nobody_known_is_never_learnt_even_if_wanted() -> None:
    assert line_weight(say("没得商量。", "unknown"), ["unknown"], SETTINGS)[0] == 0


TWICE = {
    1: [say("可以进来吗？", "陆迟"), say("门没锁，自己推。")],
    2: [say("可以进来吗……", "陆迟"), say("门没锁！自己推……")],
}


def test_a_pair_that_differs_in_marks_is_learnt_once() -> None:
    weights, dropped = line_weights(TWICE, CONTEXT)
    assert (weights, dropped) == ({1: [0.0, 1.0], 2: [0.0, 0.0]}, {"duplicate": 1})


def test_held_out_scenes_keep_their_duplicates() -> None:
    assert plain_weights(TWICE, CONTEXT)[0] == {1: [0.0, 1.0], 2: [0.0, 1.0]}


def test_the_same_answer_to_another_line_is_no_duplicate() -> None:
    lines = {
        1: [
            say("可以进来吗？", "陆迟"),
            say("没得商量。"),
            say("豆糕分我一半嘛！", "郝婶"),
            say("没得商量。"),
        ]
    }
    assert line_weights(lines, CONTEXT)[0][1] == [0.0, 1.0, 0.0, 1.0]


def test_what_others_think_is_no_context_of_a_duplicate() -> None:
    thought = Line(kind="think", char="陆迟", text="她生气了？")
    lines = {
        1: [
            say("可以进来吗？", "陆迟"),
            say("门没锁。推。"),
            *TWICE[1][:1],
            thought,
            say("门没锁，推！"),
        ]
    }
    assert line_weights(lines, CONTEXT)[0][1] == [0.0, 1.0, 0.0, 0.0, 0.0]


LONG = "第七口雨钟坏了以后落下的雨会让人忘记自己的名字"


@pytest.mark.parametrize(
    ("character", "context", "answer", "found"),
    [
        ("闻筝", "忘名雨是怎么来的", LONG, True),
        ("闻筝", "忘名雨是怎么来的？", LONG + "呢", True),
        ("闻筝", "忘名雨是怎么来的？", "第三口雨钟好好的，是守塔人睡过了头", False),
        ("闻筝", "今晚去不去夜市逛一逛？", LONG, False),
        ("陆迟", "忘名雨是怎么来的？", LONG, False),
    ],
)
def test_near_duplicates(character: str, context: str, answer: str, found: bool) -> None:
    seen = Seen()
    assert not seen.add("闻筝", "忘名雨是怎么来的？", LONG)
    assert seen.add(character, context, answer) is found


def test_questions_without_duplicates_empty_answers_and_probes() -> None:
    rows = [
        Asked("闻筝", "几岁？", "十六。"),
        Asked("闻筝", "几岁", "十六！"),
        Asked("闻筝", "在想什么？", "……"),
        Asked("闻筝", "你是哪个？", "闻筝。"),
    ]
    kept, dropped = unique(rows, ["你是哪个"])
    assert kept == rows[:1]
    assert dropped == {"duplicate": 1, "only punctuation": 1, "question held out for a probe": 1}
