"""The rules-only distiller: every kind of cue, literal text, nothing lost."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.distill.checks import verify_verbatim
from roleplay.distill.rules.script import distil_rules
from roleplay.novel.chapters import find_chapters
from roleplay.novel.chunking import chunk_chapters
from roleplay.novel.paragraphs import unwrap
from roleplay.novel.reading import read_novel
from roleplay.records import UNKNOWN, Line
from tests.roleplay.novel.books import book

CAST = {"闻筝": ("小筝",), "陆迟": (), "铜婆": (), "咕噜九号": ("咕噜",), "行者": (), "八戒": ()}


SURE: dict[str, Any] = {"source": "rules", "confidence": 0.96}


def distil(text: str, cast: dict[str, tuple[str, ...]] = CAST) -> list[Line]:
    chapters = find_chapters(text)
    return distil_rules(text, chapters, chunk_chapters(text, chapters), cast)


def short(text: str) -> list[tuple[str, str | None, str, str | None]]:
    """(kind, speaker, text, cue) of each line."""
    return [(line.kind, line.char, line.text, line.cue) for line in distil(text)]


def speakers(text: str) -> list[tuple[str | None, str | None]]:
    return [(line.char, line.cue) for line in distil(text) if line.kind != "info"]


def test_a_line_has_its_place_in_the_novel() -> None:
    assert distil("雨下了。\n闻筝说：“漏了。”\n") == [
        Line(kind="info", text="雨下了。", src_id=0, span=(0, 4)),
        Line(kind="say", char="闻筝", text="漏了。", src_id=0, span=(10, 13), cue="before", **SURE),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("闻筝没好气地说：“漏了。”", ("闻筝", "before")),
        ("闻筝头也不抬：“漏了。”", ("闻筝", "before")),
        ("小筝大叫：\n“漏了。”", ("闻筝", "before")),
        ("“漏了。”铜婆慢悠悠地说。", ("铜婆", "after")),
        ("“漏了。”片刻后，铜婆笑着说。", ("铜婆", "after")),
        ("闻筝把扳手一拍。“漏了。”", ("闻筝", "action")),
        ("“漏了。”陆迟把脸埋得更低。", ("陆迟", "action")),
        ("“漏了。”陆迟的声音直打颤。", ("陆迟", "action")),
        ("闻筝笑了。过了一会儿她说：“漏了。”", ("闻筝", "pronoun")),
        ("“漏了。”", (UNKNOWN, None)),
        ("她说：“漏了。”", (UNKNOWN, None)),
        ("老者对闻筝说：“漏了。”", (UNKNOWN, None)),
        ("闻筝看了看陆迟。铜婆笑了。“漏了。”", ("铜婆", "action")),
        ("闻筝的师父说：“漏了。”", (UNKNOWN, None)),
    ],
)
def test_speaker(text: str, found: tuple[str, str | None]) -> None:
    assert speakers(text) == [found]


def test_nobody_is_named_without_a_reason() -> None:
    (line,) = distil("那老者说：“漏了。”")
    assert (line.char, line.cue, line.reason) == (UNKNOWN, None, "the cue names nobody of the cast")


def test_two_parts_of_one_utterance() -> None:
    text = "“近。”闻筝说，“十几口井摞起来而已。”"
    assert speakers(text) == [("闻筝", "inside"), ("闻筝", "inside")]


def test_an_act_between_two_parts_stays_as_narration() -> None:
    assert short("“那、那个……”陆迟缩了缩脖子，“这封信……可以吗？”") == [
        ("say", "陆迟", "那、那个……", "action"),
        ("info", None, "陆迟缩了缩脖子", None),
        ("say", "陆迟", "这封信……可以吗？", "action"),
    ]


def test_in_a_classical_paragraph_each_colon_names_the_next_speaker() -> None:
    text = "八戒道：“散火。”行者道：“胡说！”八戒听说，笑道：“正是。”" * 3
    assert speakers(text)[:3] == [("八戒", "before"), ("行者", "before"), ("八戒", "before")]


def test_an_unclosed_quote_goes_on_with_its_speaker() -> None:
    assert speakers("闻筝说：“漏了。\n“全漏了。”\n") == [("闻筝", "before"), ("闻筝", "continued")]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("‘千万别往下看。’陆迟想。", "think"),
        ("陆迟心想：“千万别往下看。”", "think"),
        ("“千万别往下看。”陆迟暗想。", "think"),
        ("‘千万别往下看。’", "think"),
        ("陆迟说：‘千万别往下看。’", "say"),
    ],
)
def test_thoughts(text: str, kind: str) -> None:
    assert [line.kind for line in distil(text)] == [kind]


def test_a_pure_cue_is_no_narration_but_an_act_is() -> None:
    assert [
        line.text
        for line in distil("雨停了。闻筝说：“漏了。”铜婆放下烟斗：“哟。”")
        if line.kind == "info"
    ] == ["雨停了。", "铜婆放下烟斗"]


def test_a_term_stays_in_its_sentence() -> None:
    assert short("人们管它叫“雨舌”。") == [("info", None, "人们管它叫“雨舌”。", None)]


def test_a_heading_is_no_narration() -> None:
    assert [line.text for line in distil("第一章　漏雨的早晨\n雨下了。\n")] == ["雨下了。"]


def test_a_name_over_a_wrapped_line_is_found() -> None:
    filler = "    却说那人在山中行走，每日里只是看花看水，并不曾见得有一\n个行人，心中纳闷，不知如何是好。\n\n"
    line = "    雨下了好几日也不曾停下，那山中的路都断了，只见行\n者道：“好雨。”\n"
    assert speakers(unwrap(filler * 12 + line)) == [("行者", "before")]


def test_without_a_cast_names_are_discovered() -> None:
    lines = distil("悟净道：“好。”\n" * 5 + "悟能道：“不好。”\n", {})
    assert [line.char for line in lines] == ["悟净"] * 5 + [UNKNOWN]


@given(st.text(alphabet='闻筝说道想。：，\n　“”‘’「」"第一章', max_size=120))
def test_every_line_of_any_text_is_verbatim(text: str) -> None:
    lines = distil(text)
    assert verify_verbatim(text, lines) == len(lines)
    assert [line.span for line in lines] == sorted(line.span for line in lines if line.span)


@pytest.mark.parametrize("name", ["xiyouji.utf8.txt", "sanguo.gb18030.txt"])
def test_a_real_book_fast_verbatim_and_complete(name: str) -> None:
    text = read_novel(book(name)).text
    start = time.perf_counter()
    lines = distil(text, {})
    assert len(text) / (time.perf_counter() - start) * 60 > 200_000
    verify_verbatim(text, lines)
    assert _share_of_speech(text, lines) >= 0.98
    spoken = [line for line in lines if line.kind != "info"]
    assert sum(line.char != UNKNOWN for line in spoken) > 0.7 * len(spoken)


def _share_of_speech(text: str, lines: list[Line]) -> float:
    """Share of the whole sentences between “ and ” that lie in a spoken line."""
    spans = iter(line.span for line in lines if line.kind != "info" and line.span)
    start, end, inside, total = -1, -1, 0, 0
    for match in re.finditer("“([^“”]*[。！？][^“”]*)”", text):
        middle = (match.start(1) + match.end(1)) // 2
        while end <= middle and (span := next(spans, None)):
            start, end = span
        total += 1
        inside += start <= middle < end
    return inside / total
