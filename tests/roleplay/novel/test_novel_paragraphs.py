"""Paragraphs of plain and of hard-wrapped texts."""

from hypothesis import given
from hypothesis import strategies as st

from roleplay.novel.paragraphs import is_wrapped, paragraph_spans

WRAPPED = "    话说天下大势，分久必合，合久必分。周末七国分争，并入于\n"
WRAPPED += "秦。及秦灭之后，楚、汉分争，又并入于汉。汉朝自高祖斩白\n蛇而起义。\n\n\n"


def paragraphs(text: str) -> list[str]:
    return [text[slice(*span)] for span in paragraph_spans(text)]


def test_every_line_is_a_paragraph() -> None:
    assert paragraphs("雨下了。\n\n雨停了。\n　　天晴。") == [
        "雨下了。\n\n",
        "雨停了。\n",
        "　　天晴。",
    ]


def test_wrapped_lines_are_told_by_sentences_that_go_on() -> None:
    assert is_wrapped(WRAPPED * 10)
    assert not is_wrapped("话说天下大势，分久必合，合久必分，周末七国分争。\n" * 30)


def test_a_wrapped_paragraph_ends_at_a_blank_line() -> None:
    assert paragraphs(WRAPPED * 10) == [WRAPPED] * 10


def test_a_wrapped_paragraph_ends_before_an_indented_line() -> None:
    assert len(paragraphs(WRAPPED.replace("\n\n\n", "\n") * 10)) == 10


@given(st.text(alphabet="雨 \n　。", max_size=200))
def test_spans_tile_any_text(text: str) -> None:
    assert "".join(paragraphs(text)) == text
