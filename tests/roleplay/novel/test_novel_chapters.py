"""Headings of many kinds, and sentences that only look like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.novel.chapters import FRONT_MATTER, WHOLE_BOOK, find_chapters
from roleplay.novel.reading import read_novel
from tests.roleplay.novel.books import book


def titles(text: str) -> list[str]:
    return [chapter.title for chapter in find_chapters(text)]


@pytest.mark.parametrize(
    "heading",
    [
        "第一章　漏雨的早晨", "第12章 雨", "第１２话：这就是命运吗！？",
        "第一百二十回　荐杜预老将献新谋　降孙皓三分归一统",
        "第三卷", "第四幕", "第十節 雨鐘", "第五集", "第一章漏雨的早晨", "序章",
        "楔子", "终章　晴", "尾声", "后记",
        "番外 花三更的账本", "番外一", "外传", "间章", "Chapter 7",
        "CHAPTER IV: The Bell", "【第一章 雨】", "正文 第一章 雨",
    ],
)  # fmt: skip
def test_heading(heading: str) -> None:
    found = find_chapters(f"{heading}\n雨下了。\n{heading}\n雨停了。\n")
    assert len(found) == 2
    assert found[0].title in heading


@pytest.mark.parametrize(
    "sentence",
    [
        "第一回见面的时候，他什么也没说。", "第二话没说完他就走了。",
        "第三章写得很好，可惜没有人看。",
        "“第一章”三个字写得歪歪扭扭",
        "第一章 他看了很久，也没看懂，", "后记里写着他的名字", "番外的故事以后再说",
        "Chapter 1 was a long one. It rained.",
        "第二天", "第一次", "第一回" + "雨" * 50,
    ],
)  # fmt: skip
def test_a_sentence_is_no_heading(sentence: str) -> None:
    assert titles(f"雨下了。\n{sentence}\n雨停了。\n") == [WHOLE_BOOK]


def test_a_wrapped_line_of_prose_is_no_heading() -> None:
    assert titles("他把那本旧书翻来覆去地看到了\n第三章漏雨的早晨\n才放下。\n") == [WHOLE_BOOK]


def test_heading_behind_the_table_of_contents_link() -> None:
    text = "《》目录 第一回　灵根育孕源流出　心性修持大道生\n\n    诗曰：\n"
    assert titles(text) == ["第一回　灵根育孕源流出　心性修持大道生"]


def test_text_before_the_first_heading_is_chapter_zero() -> None:
    found = find_chapters("书名\n第一章 雨\n雨下了。\n")
    assert [(c.index, c.title, c.span) for c in found] == [
        (0, FRONT_MATTER, (0, 3)),
        (1, "第一章 雨", (3, 14)),
    ]


def test_blank_before_the_first_heading_belongs_to_it() -> None:
    (chapter,) = find_chapters("\n　\n第一章 雨\n雨下了。\n")
    assert (chapter.index, chapter.span) == (1, (0, 14))


def test_a_book_without_headings_is_one_chapter() -> None:
    (chapter,) = find_chapters("雨下了。\n雨停了。\n")
    assert (chapter.index, chapter.title, chapter.span) == (1, WHOLE_BOOK, (0, 10))


def test_an_empty_text_has_no_chapters() -> None:
    assert find_chapters("") == []


def test_the_title_of_a_volume_opens_its_first_chapter() -> None:
    assert titles("第一卷 雨钟\n\n第一章 雨\n下了。\n第二章 晴\n停了。\n") == [
        "第一卷 雨钟 第一章 雨",
        "第二章 晴",
    ]


def test_lines_of_a_table_of_contents_open_nothing() -> None:
    text = "目录\n第一章 雨……1\n第二章 晴……9\n第一章 雨\n下了。\n第二章 晴\n停了。\n"
    assert titles(text) == [FRONT_MATTER, "第一章 雨", "第二章 晴"]


@given(
    st.lists(
        st.sampled_from(["第一章 雨", "序章", "\n", "雨下了。", "　", "第二回", "“漏了。”"]),
        max_size=12,
    )
)
def test_spans_tile_any_text(parts: list[str]) -> None:
    text = "\n".join(parts)
    assert "".join(text[slice(*chapter.span)] for chapter in find_chapters(text)) == text


def test_xiyouji_has_a_hundred_chapters() -> None:
    found = find_chapters(read_novel(book("xiyouji.utf8.txt")).text)
    assert [chapter.index for chapter in found] == list(range(101))
    assert found[100].title == "第一百回　径回东土　五圣成真"


def test_sanguo_has_a_hundred_and_twenty_chapters_one_of_them_twice_in_the_file() -> None:
    found = find_chapters(read_novel(book("sanguo.gb18030.txt")).text)
    assert len(found) == 121
    assert len({chapter.title for chapter in found}) == 120
