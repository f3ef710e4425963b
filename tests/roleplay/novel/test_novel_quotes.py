"""Quotes of every style, and what is no speech."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.novel.paragraphs import unwrap
from roleplay.novel.quotes import find_quotes

FILLER = "    却说那人在山中行走，每日里只是看花看水，并不曾见得有一\n"
FILLER += "个行人从此处经过，心中十分纳闷，不知如何是好。\n\n"


def quotes(text: str) -> list[tuple[str, str]]:
    return [(text[slice(*quote.span)], quote.kind) for quote in find_quotes(text)]


@pytest.mark.parametrize("marks", ["“”", "「」", "『』", '""'])
def test_every_style_of_speech(marks: str) -> None:
    text = f"闻筝说：{marks[0]}漏了。{marks[1]}铜婆不答。{marks[0]}漏了！{marks[1]}"
    assert quotes(text) == [("漏了。", "speech"), ("漏了！", "speech")]


def test_single_quotes_are_thoughts() -> None:
    assert quotes("‘千万别往下看。’陆迟想。") == [("千万别往下看。", "thought")]


def test_a_nested_quote_belongs_to_the_outer_one() -> None:
    assert quotes("她说：“人们喊‘雨来了！’就跑。”") == [("人们喊‘雨来了！’就跑。", "speech")]


def test_the_outer_quote_includes_its_marks() -> None:
    (quote,) = find_quotes("她：「漏了。」")
    assert (quote.span, quote.outer, quote.mark) == ((3, 6), (2, 7), "「")


def test_an_apostrophe_is_no_quote() -> None:
    assert quotes("它叫 Don’t Stop，是一首歌。") == []


def test_an_unclosed_quote_ends_with_its_paragraph() -> None:
    assert quotes("她说：“漏了。\n雨停了。\n") == [("漏了。", "speech")]


def test_a_paragraph_that_opens_anew_goes_on_with_an_unclosed_quote() -> None:
    found = find_quotes("她说：“漏了。\n“全漏了。”\n“谁？”\n")
    assert [quote.continues for quote in found] == [False, True, False]


def test_a_speech_goes_over_a_poem_to_the_mark_that_closes_it() -> None:
    assert quotes("行者道：“有诗为证：\n山高水长，\n路远难行。”八戒笑了。") == [
        ("有诗为证：\n山高水长，\n路远难行。", "speech")
    ]


def test_a_quote_goes_over_wrapped_lines() -> None:
    cue = "    却说那人在山中行走，每日里只是看花，玄德曰：“吾与汝无仇，何\n故欲相害？”瑁不答。\n"
    assert quotes(unwrap(FILLER * 12 + cue)) == [("吾与汝无仇，何故欲相害？", "speech")]


def test_a_new_cue_ends_a_quote_that_was_not_closed() -> None:
    assert quotes("“师父走着。”行者道：“胡说！八戒道：“没有。”") == [
        ("师父走着。", "speech"),
        ("胡说！", "speech"),
        ("没有。", "speech"),
    ]


def test_an_opening_mark_typed_for_a_closing_one() -> None:
    assert quotes("玄德曰：“恐难轻动。“孔融曰：“善。”") == [
        ("恐难轻动。", "speech"),
        ("善。", "speech"),
    ]


def test_a_lost_opening_mark_is_found_after_the_colon() -> None:
    assert quotes("那和尚便问：老爷，你有多少年纪了？”行者不答。") == [
        ("老爷，你有多少年纪了？", "speech")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "人们管它叫“雨舌”。",
        "陆迟把笔尖点在“铁”字上。",
        "两个小字：“十三”。",
        "号为“十常侍”。",
        "“不好意思”的声音",
        "一路“劳驾”着撞过来。",
    ],
)
def test_a_word_built_into_a_sentence_is_a_term(text: str) -> None:
    assert [kind for _, kind in quotes(text)] == ["term"]


@pytest.mark.parametrize(
    "text",
    [
        "闻筝说：“走”。",
        "“走”",
        "他喊“救命”，跑了。",
        "他“哼”了一声。",
        "她叫“走！”。",
        "叫声“师父”就拜。",
    ],
)
def test_a_short_utterance_is_speech(text: str) -> None:
    assert [kind for _, kind in quotes(text)] == ["speech"]


@given(st.text(alphabet='雨。：，\n“”‘’「」『』"a', max_size=80))
def test_quotes_of_any_text_are_in_order_and_apart(text: str) -> None:
    edges = [
        edge
        for quote in find_quotes(text)
        for edge in (quote.outer[0], *quote.span, quote.outer[1])
    ]
    assert edges == sorted(edges)
    assert all(0 <= edge <= len(text) for edge in edges)


DASHED = "".join(
    f"——漏了第{n}处，快来！——闻筝喊道。\n　　—来了。\n雨还在下——一直下。\n" for n in range(4)
)


def test_a_book_that_marks_speech_with_dashes() -> None:
    quotes = find_quotes(DASHED)
    assert [DASHED[slice(*quote.span)] for quote in quotes[:2]] == ["漏了第0处，快来！", "来了。"]
    assert len(quotes) == 8 and {quote.kind for quote in quotes} == {"speech"}


def test_a_dash_is_no_speech_in_a_book_with_quotes() -> None:
    text = DASHED + "“漏了。”闻筝说。\n" * 20
    assert {quote.mark for quote in find_quotes(text)} == {"“"}
    assert find_quotes("——这就是结局。\n") == []


def test_a_title_alone_is_no_speech() -> None:
    assert [quote.kind for quote in find_quotes("“《雨钟》”")] == ["term"]
    assert [quote.kind for quote in find_quotes("“《雨钟》好看吗？”")] == ["speech"]
