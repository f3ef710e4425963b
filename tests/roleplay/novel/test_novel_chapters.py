"""Headings of many kinds, and sentences that only look like one."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.dataset.rows import split_chapters
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


def test_the_title_of_a_volume_is_a_chapter_of_its_own() -> None:
    assert titles("第一卷 雨钟\n\n第一章 雨\n下了。\n第二章 晴\n停了。\n") == [
        "第一卷 雨钟",
        "第一章 雨",
        "第二章 晴",
    ]


def test_a_volume_named_above_each_chapter_is_one_chapter() -> None:
    text = "第一卷 雨钟\n第一章 雨\n下了。\n第一卷 雨钟\n第二章 晴\n停了。\n"
    assert titles(text) == ["第一卷 雨钟", "第一章 雨", "第二章 晴"]


def test_volumes_that_count_anew_do_not_restart_the_numbers() -> None:
    text = "".join(
        f"第{part}部\n\n" + "".join(f"第{n}章 雨\n\n下了。\n\n" for n in (1, 2, 3))
        for part in "一二"
    )
    found = find_chapters(text)
    assert [chapter.index for chapter in found] == list(range(1, 9))
    assert [chapter.title for chapter in found][3:6] == ["第3章 雨", "第二部", "第1章 雨"]


BODY = "\n\n林小满把伞收起来，说：“船又晚了。”\n\n周伯没有回答。\n\n"


def book_of(*headings: str) -> str:
    return "".join(f"{heading}{BODY}" for heading in headings)


@pytest.mark.parametrize(
    "headings",
    [
        ["一", "二", "三"],
        ["1", "2", "3"],
        ["１", "２"],
        ["Ⅰ", "Ⅱ", "Ⅲ"],
        ["I", "II", "III", "IV"],
        ["（1）", "（2）", "（3）"],
        ["(一)", "(二)", "(三)"],
        ["【1】", "【2】"],
        ["①", "②", "③"],
        ["1. 雨", "2. 塔", "3. 桥！"],
        ["一、雨", "二、塔"],
        ["一　雨", "二　塔", "三　桥"],
        ["001 雨", "002 塔"],
        ["I. The Rain", "II. The Tower", "III. The Bridge"],
        ["1 The Rain", "2 The Tower"],
        ["ONE", "TWO", "THREE"],
        ["One", "Two", "Twenty-one"][:2],
        ["★ 第一章 ★", "★ 第二章 ★"],
        ["☆、第1章 雨", "☆、第2章 塔"],
        ["==第一回==", "==第二回=="],
        ["【第1章】", "【第2章】"],
        ["《第一章 雨》", "《第二章 塔》"],
        ["## 第1章", "## 第2章"],
        ["—— 第一章 ——", "—— 第二章 ——"],
        ["VIP第1章 雨", "VIP第2章 塔"],
        ["001 第一章 雨", "002 第二章 塔"],
        ["《雨钟》正文 第1章", "《雨钟》正文 第2章"],
        ["第一章：雨", "第二章：塔"],
        ["第一节", "第二节"],
        ["第一夜 雨", "第二夜 塔"],
        ["第壹章 雨", "第贰章 塔"],
        ["第两百章 雨", "第两百零一章 塔"],
        ["CHAPTER ONE", "CHAPTER TWO"],
        ["Chapter 1: Rain", "Chapter 2: Tower"],
        ["CHAPTER THE FIRST", "CHAPTER THE SECOND"],
        [
            "Chapter XXI. The Rain Falls.",
            "Chapter XXII. The Tower Stands.",
            "Chapter XXIII. It Ends.",
        ][:0]
        or ["Chapter I. The Rain Falls.", "Chapter II. The Tower.", "Chapter III. It Ends."],
        ["PART I", "PART II"],
        ["BOOK ONE: RAIN", "BOOK TWO: SUN"],
        ["Chapter.10", "Chap. 11"],
        ["プロローグ", "一章　雨", "二章　塔", "エピローグ"],
        ["第一話　雨", "第二話　塔", "最終話"],
        ["제1장 비", "제 2 장 탑"],
        ["프롤로그", "1화", "2화", "에필로그"],
        ["楔子", "第一章", "第二章", "尾声", "番外 雨", "后记"],
        ["Prologue", "Chapter 1", "Chapter 2", "Epilogue"],
        ["卷一 雨", "卷二 塔"],
        ["上卷", "下卷"],
        ["その一", "その二"],
        ["Chapitre I", "Chapitre II"],
        ["LETTER I.", "LETTER II."],
        ["Глава 1. Дождь", "Глава 2. Башня"],
        ["第12话：这就是命运吗！？", "第13话 雨"],
    ],
    ids=lambda headings: headings[0],
)
def test_headings_of_every_style(headings: list[str]) -> None:
    found = [chapter for chapter in find_chapters("书名\n\n" + book_of(*headings)) if chapter.index]
    marks = " ★☆=【】《》#—"
    assert len(found) == len(headings)
    assert all(one.title.strip(marks) in own for one, own in zip(found, headings, strict=True))


def test_a_heading_that_stands_twice_is_one_chapter() -> None:
    text = "第一章 雨\n\n　　第一章 雨\n下了。\n第二章 塔\n第二章 塔\n到了。\n"
    found = find_chapters(text)
    assert [(chapter.title, chapter.span[0]) for chapter in found] == [
        ("第一章 雨", 0),
        ("第二章 塔", 19),
    ]


def test_a_bracket_that_the_title_opens_stays_closed() -> None:
    assert titles(
        "第1章 漏雨（上）\n下了。\n【第2章 修雨】\n停了。\n★第3章 塔【加更】★\n到了。\n"
    ) == ["第1章 漏雨（上）", "第2章 修雨", "第3章 塔【加更】"]


def test_styles_that_go_on_counting_fill_each_others_gaps() -> None:
    headings = ["第1章", "第2章 雨", "003 灯", "4、伞", "（5）", "第6章", "Chapter 7", "番外 船"]
    assert len(titles(book_of(*headings))) == 8


def test_numbers_inside_chapters_are_sections() -> None:
    inside = book_of("第一章 雨", "1", "2", "3", "第二章 塔", "1", "2", "第三章 桥", "一、", "二、")
    assert titles(inside) == ["第一章 雨", "第二章 塔", "第三章 桥"]


def test_numbers_under_a_part_are_chapters() -> None:
    headings = ["1", "2", "第一部", "一 雨", "二 塔", "第二部", "一 桥", "二 岸"]
    assert titles(book_of(*headings)) == headings


@pytest.mark.parametrize(
    "text",
    [
        "他写道：\n1. 带伞\n2. 带灯\n3. 早点回来\n然后出门了。\n",
        "1986\n\n那年下了很久的雨。\n\n1987\n\n雨停了。\n",
        "一\n\n他走了。\n\n四\n\n他又回来。\n",
        "I\n\nam here.\n\nShe said so.\n",
        "Part of him wanted to go.\nBook one of the rooms for me, he said.\n",
        "第一部电影上映的时候，他还小。\n第二部也没有看。\n",
        "卷起袖子\n",
    ],
)
def test_a_list_or_a_sentence_makes_no_chapters(text: str) -> None:
    assert titles(text) == [WHOLE_BOOK]


def test_a_heading_and_its_text_in_one_line() -> None:
    lines = [
        "第一章　雨　阿岚道：“走。”小满道：“好。”",
        "第二章塔　阿岚道：“来。”",
        "第三章 桥  他说，走吧。",
    ]
    text = "\n\n".join(lines)
    found = find_chapters(text)
    assert [chapter.title for chapter in found] == ["第一章　雨", "第二章塔", "第三章 桥"]
    assert [chapter.span[0] for chapter in found] == [text.index(line) for line in lines]


def test_sentences_that_count_on_are_headings_with_the_text_behind() -> None:
    text = "".join(
        f"第{n}章 那天早上他走了很久，谁也没有看见。\n\n下雨了。\n\n" for n in "一二三四"
    )
    assert titles(text) == ["第一章", "第二章", "第三章", "第四章"]


def test_a_sentence_about_a_chapter_is_not_its_heading() -> None:
    text = book_of("第一章 雨", "第二章写得很好，可惜没有人看。", "第二章 塔", "第三章 桥")
    assert titles(text) == ["第一章 雨", "第二章 塔", "第三章 桥"]


@pytest.mark.parametrize("page", ["", "……12", " 12"])
@pytest.mark.parametrize("preface", ["", "\n这本书写了三年。\n"])
def test_a_printed_table_of_contents_is_none(page: str, preface: str) -> None:
    names = ["第一章 雨", "第二章 塔", "第三章 桥"]
    text = "小说\n\n目录\n" + "".join(f"{name}{page}\n" for name in names) + preface + "\n"
    found = find_chapters(text + book_of(*names))
    assert [(chapter.index, chapter.title) for chapter in found[1:]] == [*enumerate(names, 1)]


def test_contents_in_other_words_than_the_headings() -> None:
    listed = "CONTENTS\n\nPART ONE\nChapter 1. Rain 3\nChapter 2. Tower 9\nPART TWO\nChapter 3. Bridge 20\n\n"
    headings = ["PART ONE", "CHAPTER 1", "CHAPTER 2", "PART TWO", "CHAPTER 3"]
    assert titles(listed + book_of(*headings))[1:] == headings


@pytest.mark.parametrize("end", ["\n", "。", ""])
def test_a_long_book_without_headings_is_cut_by_length(end: str) -> None:
    text = (("雨" * 99 + end) * 450)[:45_000]
    found = find_chapters(text)
    sizes = [chapter.span[1] - chapter.span[0] for chapter in found]
    assert [chapter.title for chapter in found] == [f"{n}/6" for n in range(1, 7)]
    assert all(4000 <= size <= 8500 for size in sizes) and sum(sizes) == len(text)
    assert all(text[: chapter.span[0]].endswith(end) for chapter in found[1:])
    assert len(split_chapters([chapter.index for chapter in found], 0.2, 7)[0]) > 0


@pytest.mark.parametrize("before", ["", "书名\n\n", "前言\n写了三年。\n"])
def test_a_chapter_that_is_the_whole_book_is_cut_too(before: str) -> None:
    told = titles(f"{before}第一章 雨\n" + "雨停了。\n" * 5000)
    assert told[-4:] == ["第一章 雨", "第一章 雨 (2)", "第一章 雨 (3)", "第一章 雨 (4)"]


def test_titles_of_the_file_come_first() -> None:
    text = "雨\n下了。\n塔\n到了。\n"
    found = find_chapters(text, [(0, "雨"), (6, "塔")])
    assert [(chapter.title, chapter.span) for chapter in found] == [("雨", (0, 6)), ("塔", (6, 12))]


@pytest.mark.parametrize(
    "line", ["1", "第1章", "第1章，雨", "I", "一 雨", "第一卷", "☆" * 50, "《雨"]
)
def test_headings_take_linear_time(line: str) -> None:
    start = time.perf_counter()
    find_chapters(f"{line}\n" * 50_000)
    find_chapters(f"{line}\n\n雨。\n" * 20_000)
    assert time.perf_counter() - start < 10


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
