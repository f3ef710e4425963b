"""What is no part of the story is taken out; the story stays."""

import time

import pytest

from roleplay.novel.reading import clean, is_banner


@pytest.mark.parametrize(
    "text",
    [
        "TXT之家  https://www.example.com，提供小说手机免费下载",
        "本书由某某网整理制作，更多好书请访问 WWW.EXAMPLE.NET",
        "更多精彩小说请关注公众号",
        "txt全集下载尽在本站",
        "更多小說請訪問本站",
        "（本章完）",
    ],
)
def test_banners(text: str) -> None:
    assert is_banner(text)
    assert clean(f"雨停了。\n{text}\n灯亮了。\n") == ("雨停了。\n\n灯亮了。\n", [2])


@pytest.mark.parametrize(
    "text",
    [
        "雨停了，灯还亮着。",
        "他把信下载到电脑里，反复读了三遍。",
        "她请他访问那座城。",
        "本书没有第二卷。",
        "长" * 400 + "www.a.com",
    ],
)
def test_prose(text: str) -> None:
    assert not is_banner(text)


def test_what_somebody_says_is_no_banner() -> None:
    assert clean("“去 www.example.com 看看。”小满说。")[1] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("雨\u200b停\ufeff了\u00ad。", "雨停了。"),
        ("雨\ue000停\U000f0001了。\x07", "雨停了。"),
        ("\xa0\u2003雨\u2009停", "  雨 停"),
        ("　　雨停了。", "　　雨停了。"),
        ("&nbsp;&ldquo;雨&rdquo;&#8230;&hellip;", " “雨”……"),
        ("<p>雨停了。</p><p class='a'>天晴。<br/>灯亮。</p>", "雨停了。\n\n天晴。\n灯亮。\n"),
        ('<font color="red">雨</font><a href="x">停</a>了', "雨停了"),
        ("雨<rt>あめ</rt>停<script>var a=1;</script><!-- 注 -->了", "雨停了"),
        ("《雨》<3 a < b <雨> AT&T &foo;", "《雨》<3 a < b <雨> AT&T &foo;"),
        ("甲\u2028乙\x85丙", "甲\n乙\n丙"),
        ("港《みなと》の｜小さな町《まち》［＃３字下げ］", "港の小さな町"),
        ("他读《雨钟》和《トトロ》。", "他读《雨钟》和《トトロ》。"),
        ("um\u00ad\nbrella", "umbrella"),
    ],
)
def test_what_a_reader_sees(text: str, shown: str) -> None:
    assert clean(text) == (shown, [])


def test_the_licence_of_a_library_goes_and_lines_keep_their_numbers() -> None:
    head = "The Rain by A. B.\n*** START OF THE PROJECT GUTENBERG EBOOK THE RAIN ***\n"
    tail = "*** END OF THE PROJECT GUTENBERG EBOOK THE RAIN ***\nMost people start here.\n"
    text, lines = clean(f"{head}It rained.\nRead on at www.example.com\nIt stopped.\n{tail}")
    assert (text, lines) == ("It rained.\n\nIt stopped.\n", [4])


def test_the_notes_of_a_japanese_library_go() -> None:
    rule = "-" * 55
    text = f"雨\n作者\n\n{rule}\n【テキスト中に現れる記号について】\n\n《》：ルビ\n{rule}\n\n雨が降る。\n\n底本：「雨」\n入力：誰か\n"
    assert clean(text)[0].split() == ["雨", "作者", "雨が降る。"]


@pytest.mark.parametrize(
    "part", ["<", "<!--", "<p ", "&", "《", "｜", "<script>", "*** START OF ", "["]
)
def test_it_takes_linear_time(part: str) -> None:
    start = time.perf_counter()
    clean(part * (1_000_000 // len(part)))
    assert time.perf_counter() - start < 5
