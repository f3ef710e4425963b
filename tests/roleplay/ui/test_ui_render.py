"""HTML: what people and models write is text and stays text."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.background import Snippet
from roleplay.messages import message
from roleplay.records import EXPRESSIONS, Line
from roleplay.script import Problem, parse_script
from roleplay.ui import render

EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">\'"&'
OURS = {"div", "span", "button", "ul", "li", "b", "i", "code", "meter", "br"}


class Page(HTMLParser):
    """Tags, attributes and visible text, as a browser reads them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers += [(name, value or "") for name, value in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def evil_pages() -> list[str]:
    lines = [Line(kind=kind, char=EVIL, text=EVIL) for kind in ("say", "act", "think")]
    return [
        render.candidate_cards(
            EVIL,
            [EVIL, f"\\me {EVIL}", f"({EVIL})", f"{EVIL} \\emoji 没有"],
            done=True,
            language="zh",
        ),
        render.candidate_cards(EVIL, [EVIL], done=False, language="en"),
        render.background_item(Snippet(EVIL, 0.5, EVIL)),
        render.scene_view([Line(kind="info", text=EVIL), *lines], "zh"),
        render.problem_list([Problem(1, EVIL, message("plain", text=EVIL))], "zh"),
        render.status_line("failed", EVIL, "zh"),
    ]


@pytest.mark.parametrize(
    "html", evil_pages(), ids=["cards", "growing", "background", "scene", "problems", "status"]
)
def test_no_markup_of_a_text_gets_into_the_page(html: str) -> None:
    page = Page(html)
    assert page.tags <= OURS
    assert EVIL in page.text
    assert all(
        name == "onclick" and value.startswith("navigator.") for name, value in page.handlers
    )


@given(st.text(max_size=30))
def test_a_candidate_is_shown_and_copied_but_never_run(text: str) -> None:
    page = Page(render.candidate_cards("闻筝", [text], done=True, language="zh"))
    assert page.tags <= OURS
    [(name, action)] = page.handlers
    call = "navigator.clipboard.writeText("
    copied, end = json.JSONDecoder().raw_decode(action, len(call))
    assert (name, action[: len(call)], copied) == ("onclick", call, text)
    assert action[end:] == f");this.textContent={json.dumps('已复制')}"


def test_every_candidate_has_a_card_with_its_number() -> None:
    html = render.candidate_cards("闻筝", ["甲。", "乙。"], done=True, language="zh")
    assert Page(html).text == "1甲。复制2乙。复制"
    assert 'data-done="true"' in html


def test_a_growing_candidate_cannot_be_copied_yet() -> None:
    html = render.candidate_cards("闻筝", ["甲", ""], done=False, language="zh")
    assert Page(html).text == "1甲2…"
    assert 'data-done="false"' in html and "rp-caret" in html


def test_no_candidates_say_where_they_will_be() -> None:
    assert (
        Page(render.candidate_cards("闻筝", [], done=True, language="zh")).text
        == "回答会并排出现在这里"
    )


def test_action_thought_and_expression_are_told_apart() -> None:
    html = render.candidate_cards(
        "闻筝", ["等等！\\me 转身 \\emoji 微怒", "(糟了)"], done=True, language="zh"
    )
    assert '<span class="rp-act">*转身*</span> <span class="rp-face" title="微怒">😠</span>' in html
    assert '<span class="rp-think">（糟了）</span>' in html


@pytest.mark.parametrize("word", EXPRESSIONS)
def test_every_expression_has_a_face(word: str) -> None:
    html = render.scene_view([Line(kind="say", char="闻筝", text="哼。", expression=word)], "zh")
    assert f'title="{word}">' in html and Page(html).text.startswith("闻筝哼。 ")


def test_background_shows_score_and_source() -> None:
    html = render.background_item(Snippet("闻筝十六岁。", 0.876, "闻筝 / 生平"))
    assert Page(html).text == "闻筝 / 生平0.88闻筝十六岁。"
    assert 'value="0.88"' in html


def test_a_pinned_snippet_shows_no_score() -> None:
    assert (
        Page(render.background_item(Snippet("闻筝十六岁。", 1, "闻筝"), scored=False)).text
        == "闻筝闻筝十六岁。"
    )


def test_a_scene_lists_the_newest_line_first_for_the_reversed_column() -> None:
    lines = [
        Line(kind="info", text="雨停了"),
        Line(kind="say", char="闻筝", text="漏了。\n全漏了。"),
    ]
    html = render.scene_view(lines, "zh")
    assert Page(html).text == "闻筝漏了。全漏了。雨停了"
    assert "漏了。<br>全漏了。" in html


def test_a_name_has_one_colour() -> None:
    lines = [Line(kind="say", char=name, text="哼") for name in ("闻筝", "闻筝", "陆迟")]
    hues = [part.split('"')[0] for part in render.scene_view(lines, "zh").split("--hue:")[1:]]
    assert hues[1] == hues[2] != hues[0]


def test_problems_show_their_numbers() -> None:
    problems = [*parse_script("【钟响】\n没有冒号\n\n\n闻筝：").problems]
    text = Page(render.problem_list(problems, "zh")).text
    assert (
        "第 2 行 没有冒号 — 要写成 【旁白】" in text and "第 5 行 闻筝： — 冒号后面没有内容" in text
    )
    assert "line 5" in Page(render.problem_list(problems, "en")).text


def test_an_unknown_expression_lists_the_known() -> None:
    [problem] = parse_script("闻筝：哼。 \\emoji 生气").problems
    text = Page(render.problem_list([problem], "zh")).text
    assert "没有“生气”这个表情" in text and all(word in text for word in EXPRESSIONS)


def test_no_problems_show_nothing() -> None:
    assert render.problem_list([], "zh") == ""
