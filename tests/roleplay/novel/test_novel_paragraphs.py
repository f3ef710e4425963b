"""Paragraphs, and hard-wrapped lines joined to paragraphs."""

import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.novel.paragraphs import paragraph_spans, unwrap
from roleplay.novel.reading import read_novel
from tests.roleplay.novel.books import book
from tests.roleplay.novel.prose import prose

WRAPPED = "    话说天下大势，分久必合，合久必分。周末七国分争，并入于\n"
WRAPPED += "秦。及秦灭之后，楚、汉分争，又并入于汉。汉朝自高祖斩白\n蛇而起义。\n"
JOINED = WRAPPED.replace("于\n", "于").replace("白\n", "白")


def paragraphs(text: str) -> list[str]:
    return [text[slice(*span)] for span in paragraph_spans(text)]


def wrapped(text: str, columns: int) -> str:
    """Every line of ``text`` cut at a column, a wide character counting two; closing marks hang."""
    told, width = "", 0
    for c in text:
        size = 1 if c < "\u1100" else 2
        if c not in "\n，。：；？！”」』、" and width + size > columns:
            told, width = told + "\n", 0
        told, width = told + c, 0 if c == "\n" else width + size
    return told


def test_every_line_is_a_paragraph() -> None:
    assert paragraphs("雨下了。\n\n雨停了。\n　　天晴。") == [
        "雨下了。\n\n",
        "雨停了。\n",
        "　　天晴。",
    ]


@given(st.text(alphabet="雨 \n　。", max_size=200))
def test_spans_tile_any_text(text: str) -> None:
    assert "".join(paragraphs(text)) == text


@pytest.mark.parametrize("between", ["", "\n", "\n\n\n"])
def test_an_indented_line_begins_a_paragraph(between: str) -> None:
    assert unwrap((WRAPPED + between) * 10) == (JOINED + between) * 10


@pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant", "ja"])
@pytest.mark.parametrize("columns", [60, 72, 80])
def test_chinese_and_japanese_lines_are_joined_without_a_blank(language: str, columns: int) -> None:
    text = prose(language, 6000).replace("\n", "\n\n")
    assert unwrap(wrapped(text, columns)) == text


@pytest.mark.parametrize("columns", [55, 72])
def test_english_lines_are_joined_with_a_blank(columns: int) -> None:
    text = "\n\n".join(prose("en", 6000).strip().replace("—", "--").split(" \n"))
    lines = (textwrap.fill(line, columns, break_on_hyphens=False) for line in text.split("\n"))
    assert unwrap("\n".join(lines)) == text


def test_korean_lines_are_joined_with_a_blank() -> None:
    text = "\n\n".join(prose("ko", 6000).split("\n"))
    lines = (textwrap.fill(line, 30, break_long_words=False) for line in text.split("\n"))
    assert unwrap("\n".join(lines)) == text


def test_a_blank_line_behind_every_line_says_nothing() -> None:
    assert unwrap(WRAPPED.replace("\n", "\n\n") * 10) == JOINED * 10


def test_verse_and_headings_stay() -> None:
    verse = "        滚滚长江东逝水，\n        浪花淘尽英雄。\n"
    text = f"第一回　桃园结义\n{WRAPPED}{verse}{WRAPPED}第二回　怒鞭督邮\n" * 5
    assert unwrap(text) == text.replace("于\n", "于").replace("白\n", "白")


@pytest.mark.parametrize(
    ("word", "shown"), [("um-\nbrella", "umbrella"), ("well-\nknown", "well-known")]
)
def test_a_word_that_was_cut_is_whole_again(word: str, shown: str) -> None:
    line = "The rain had not stopped since the morning and she opened her"
    text = f"{line}\n{line}\n{line} {word} to all.\n\n" * 5
    known = "An umbrella is known, and a well is well known to be known.\n"
    assert f"her {shown} to all." in unwrap(text + known)


@pytest.mark.parametrize(
    "text",
    [
        "话说天下大势，分久必合，合久必分，周末七国分争。\n" * 30,
        "第一章　这一个标题写得很长很长很长没有句号\n他走了。\n" * 30,
        "".join(f"{'雨' * (21 + 7 * i % 60)}\n" for i in range(60)),
        prose("zh-Hans", 9000),
        prose("en", 9000),
    ],
)
def test_a_text_that_is_not_wrapped_stays_as_it_is(text: str) -> None:
    assert unwrap(text) == text


@given(st.text(alphabet="雨a- \n　。”“", max_size=300))
def test_no_character_is_lost(text: str) -> None:
    assert "".join(unwrap(text).split()) == "".join(text.split())


def test_a_paragraph_of_a_hundred_thousand_lines_takes_linear_time() -> None:
    start = time.perf_counter()
    text = unwrap("雨下了整整一天一夜也没有停下来的意思，他想着该\n" * 100_000)
    assert text.count("\n") <= 1 and time.perf_counter() - start < 10


def test_a_whole_book_is_joined() -> None:
    text = read_novel(book("sanguo.gb18030.txt")).text
    assert "并入于秦。及秦灭之后，楚、汉分争，又并入于汉。" in text
    assert len(paragraph_spans(text)) < 1700
