"""Mending wikitext: marks without a partner go, and no bomb takes long."""

import time

import pytest

from kb.markup import mend_markup
from kb.wikitext import render_markup


@pytest.mark.parametrize(
    "markup",
    [
        "{{黑幕|[[灯匠|{{{1|灯}}}]]}}",
        "{{甲|\n{|\n! 雨\n|-\n| 晨醒\n|}}}",
        "{{甲|乙|}}",
        "甲<ref name=a />乙<br>丙<nowiki>{{</nowiki><!-- [[ -->",
        "<div class='a'>[http://灯 官网]</div>",
        "* 甲\n** 乙",
    ],
)
def test_sound_markup_stays_as_it_is(markup: str) -> None:
    assert mend_markup(markup) == mend_markup(mend_markup(markup).text)
    assert (mend_markup(markup).text, mend_markup(markup).unclosed) == (markup, 0)


@pytest.mark.parametrize(
    ("markup", "mended", "unclosed"),
    [
        ("{{甲|[[乙]]", "甲|[[乙]]", 1),
        ("[[甲|{{乙]]丙", "[[甲|乙]]丙", 1),
        ("甲}}乙]]", "甲乙", 0),
        ("<div>甲<b>乙</b>", "甲<b>乙</b>", 1),
        ("<!-- 甲", " 甲", 1),
        ("{|\n| 甲", "\n| 甲", 1),
        ("[http://灯 甲", "http://灯 甲", 0),
    ],
)
def test_marks_without_a_partner_go(markup: str, mended: str, unclosed: int) -> None:
    assert (mend_markup(markup).text, mend_markup(markup).unclosed) == (mended, unclosed)


def test_what_nests_too_deep_keeps_only_its_text() -> None:
    mended = mend_markup("{{a|" * 50 + "灯" + "}}" * 50).text
    assert mended.count("{{") == mended.count("}}") == 16
    assert "灯" in mended


BOMBS = {
    "braces": "{" * 100_000,
    "closed braces": "{" * 100_000 + "}" * 100_000,
    "brackets": "[" * 100_000,
    "deep templates": "{{a|" * 20_000 + "x" + "}}" * 20_000,
    "templates never closed": "{{a|b\n沈灯是灯匠。" * 5_000,
    "tags never closed": "<div>" * 20_000 + "<ref>" * 20_000,
    "tables": "{|\n" * 20_000,
    "list marks": "*" * 100_000,
    "addresses": "[http://" * 20_000,
    "comments": "<!--" * 50_000,
    "verbatim": "<nowiki>" * 50_000,
    "variants": "-{" * 100_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_read_in_seconds(name: str) -> None:
    began = time.process_time()
    render_markup(BOMBS[name], title="沈灯")
    assert time.process_time() - began < 5
