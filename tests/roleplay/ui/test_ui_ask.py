"""The callbacks of the tab for questions as plain functions, over a scripted backend."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest
from conftest import Event

from roleplay.background import Snippet
from roleplay.dialogue import NO_PINS, Pins
from roleplay.errors import DialogueError, ModelError
from roleplay.ui import answers
from roleplay.ui.answers import Answers, as_table
from roleplay.ui.ask_tab import AskTab, _exporter
from roleplay.ui.common import paced, params_of, shown
from roleplay.ui.portraits import NOBODY_KNOWN

SAMPLING = (0.8, 0.9, 96, "")
Build = Callable[..., Any]


def ask(
    tab: AskTab,
    question: str,
    count: float = 1,
    *,
    who: Any = "闻筝",
    background: bool = True,
    pins: Pins = NO_PINS,
    chapter: int | None = None,
    request: Any = None,
) -> list[Any]:
    controls = (count, background, pins, chapter, *SAMPLING)
    return list(shown(tab.answer)(request, who, question, *controls))


def drawn(tab: AskTab, steps: list[Any]) -> str:
    return [step[tab.answers] for step in steps if tab.answers in step][-1]


def table(tab: AskTab, steps: list[Any]) -> Any:
    return [step[tab.asked] for step in steps if tab.asked in step][-1]


def used(tab: AskTab, steps: list[Any]) -> list[str]:
    return [snippet.text for step in steps if tab.used in step for snippet in step[tab.used]]


def test_answers_stream_and_end_with_buttons(build: Build) -> None:
    tab = build(AskTab, "豆糕。", "没得商量。")
    steps = ask(tab, "你最爱吃什么？", count=2.0)
    assert 'data-done="false"' in steps[0][tab.answers]
    assert not steps[0][tab.run].interactive and steps[0][tab.stop].interactive
    assert 'data-done="true"' in drawn(tab, steps) and 'data-do="keep"' in drawn(tab, steps)
    assert "豆糕。" in drawn(tab, steps) and "没得商量。" in drawn(tab, steps)
    assert steps[-1][tab.run].interactive and not steps[-1][tab.stop].interactive


def test_everybody_answers_every_question(build: Build) -> None:
    tab = build(AskTab, "一", "二", "三", "四")
    rows = table(tab, ask(tab, "几岁？\n\n饿吗？", who=["闻筝", "陆迟"]))
    assert [(row.question, row.character, row.texts) for row in rows] == [
        ("几岁？", "闻筝", ("一",)),
        ("几岁？", "陆迟", ("二",)),
        ("饿吗？", "闻筝", ("三",)),
        ("饿吗？", "陆迟", ("四",)),
    ]


def test_the_background_that_was_used_is_shown(build: Build) -> None:
    tab = build(AskTab, "豆糕。")
    assert used(tab, ask(tab, "你最爱吃什么？")) == ["闻筝最爱吃椒盐豆糕。"]
    assert used(tab, ask(tab, "你最爱吃什么？", background=False)) == []


def test_pinned_background_is_used_and_removed_is_not(build: Build) -> None:
    tab = build(AskTab, "豆糕。")
    pins = Pins().pin(Snippet("雨停要敲钟。", 0.1, "雨钟"))
    pins = pins.remove(Snippet("闻筝最爱吃椒盐豆糕。", 0.9, "闻筝"))
    assert used(tab, ask(tab, "你最爱吃什么？", pins=pins)) == ["雨停要敲钟。"]


def test_what_later_chapters_tell_is_not_found(build: Build) -> None:
    tab = build(AskTab, "豆糕。")
    assert "钟裂了。" in used(tab, ask(tab, "钟怎么了？", chapter=9))
    assert "钟裂了。" not in used(tab, ask(tab, "钟怎么了？", chapter=8))


@pytest.mark.parametrize(
    ("question", "more", "message"),
    [
        (" \n ", {}, "the question is empty"),
        ("几岁？", {"count": 21}, "the number of samples must be 1 to 20, not 21"),
        ("几岁？", {"who": []}, "nobody was chosen"),
        ("几岁？\n" * 61, {}, "more than 60 answers at once"),
        ("几岁？", {"who": "夏娜"}, "no character '夏娜': known are 闻筝 陆迟"),
    ],
)
def test_a_mistake_is_one_line_in_the_page(
    build: Build, english: Any, question: str, more: Any, message: str
) -> None:
    with pytest.raises(gr.Error, match=message):
        ask(build(AskTab, "豆糕。"), question, request=english, **more)


def test_a_mistake_is_told_in_the_language_of_the_browser(build: Build, chinese: Any) -> None:
    with pytest.raises(gr.Error) as caught:
        ask(build(AskTab, "豆糕。"), " ", request=chinese)
    assert re.search("[一-鿿]{4}", caught.value.message)
    assert not re.search("[a-z]{3}", caught.value.message)


def test_buttons_come_back_before_an_error_is_told(build: Build, english: Any) -> None:
    tab = build(AskTab, failure=ModelError("plain", text="no model 'gpt'"))
    steps: list[Any] = []
    with pytest.raises(gr.Error, match="no model 'gpt'"):
        for step in shown(tab.answer)(english, "闻筝", "几岁？", 1, True, NO_PINS, None, *SAMPLING):
            steps.append(step)
    assert steps[-1][tab.run].interactive


def test_what_was_written_before_a_stop_stays(build: Build) -> None:
    tab = build(AskTab, "豆糕。")
    rows = (Answers("几岁？", "闻筝", ("十", "二")), Answers("几岁？", "陆迟"))
    stopped = tab.stopped(rows, None)
    assert [row.texts for row in stopped[tab.asked]] == [("十", "二")]
    assert 'data-done="true"' in stopped[tab.answers] and stopped[tab.run].interactive


def test_an_answer_is_kept_and_no_longer(build: Build) -> None:
    tab = build(AskTab, "豆糕。")
    rows = (Answers("几岁？", "闻筝", ("十", "二"), is_done=True),)
    event = Event({"do": "keep", "row": "0", "to": "1"})
    kept = tab.keep(None, event, rows)[tab.asked]
    assert kept[0].kept == {1} and tab.keep(None, event, kept)[tab.asked][0].kept == set()
    for wrong in ({"row": "9", "to": "0"}, {"row": "0", "to": "-1"}, {}):
        assert tab.keep(None, Event(wrong), rows) == {tab.asked: rows}


ROWS = (Answers("几岁？|", "闻筝", ("十*六*\n岁", "=1+1"), kept=frozenset({0}), is_done=True),)


def test_answers_are_exported_as_markdown_and_csv(english: Any) -> None:
    assert "## 几岁？\\|" in answers.as_markdown(ROWS)
    assert "| 闻筝 | 1★ | 十\\*六\\* 岁 |" in answers.as_markdown(ROWS)
    head, first, second = csv.reader(io.StringIO(answers.as_csv(ROWS).lstrip("\ufeff")))
    assert head == ["question", "character", "number", "answer", "kept"]
    assert first == ["几岁？|", "闻筝", "1", "十*六*\n岁", "1"]
    assert second[3] == "'=1+1"  # else a spreadsheet would calculate
    assert _exporter("as_csv")(ROWS, english)["name"].endswith(".csv")
    with pytest.raises(gr.Error, match="nothing was asked yet"):
        _exporter("as_csv")((), english)


def test_the_seed_may_be_empty_or_a_number() -> None:
    assert params_of(0, 1, 96.0, " ").seed is None
    assert params_of(0.5, 0.9, 64, " 0 ").seed == 0


def test_a_paced_stream_ends_with_its_last_step() -> None:
    assert list(paced(iter(range(100)), seconds=60)) == [0, 99]
    assert list(paced(iter(range(3)), seconds=0)) == [0, 1, 2]
    assert list(paced(iter([]))) == []


def test_a_callback_keeps_errors_of_the_program_itself() -> None:
    @shown
    def broken(request: Any) -> None:
        raise TypeError("bug")

    with pytest.raises(TypeError, match="bug"):
        broken(None)


def test_a_callback_that_gives_one_answer_tells_its_errors_as_well(english: Any) -> None:
    @shown
    def refuse(request: Any) -> None:
        raise DialogueError("dialogue.no-move")

    with pytest.raises(gr.Error, match="nothing to undo"):
        refuse(english)


def test_why_an_answer_stands_first_is_there_to_unfold() -> None:
    why = ((("fit", 0.42), ("recalled", 2.0), ("faults", 0.0)), (("fit", -1.0),))
    row = Answers("你好", "闻筝", ("站左边。", "在。"), why=why, is_done=True)
    told = as_table([row], NOBODY_KNOWN, "zh")
    assert told.count("<details") == 2 and "切题 +0.4" in told and "切题 -1.0" in told
    assert "写过的话，问得相近 +2.0" in told and "照抄" not in told
    assert "<details" not in as_table([replace(row, is_done=False)], NOBODY_KNOWN, "zh")
