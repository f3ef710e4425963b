"""Reading txt files: every encoding that Chinese novels come in, and clear refusals."""

import codecs
import time
from pathlib import Path

import pytest

from roleplay.errors import NovelError
from roleplay.novel.chapters import find_chapters
from roleplay.novel.reading import language_of, read_novel
from tests.roleplay.novel.prose import prose


def written(folder: Path, data: bytes) -> Path:
    path = folder / "novel.txt"
    path.write_bytes(data)
    return path


def test_line_ends_become_newlines(tmp_path: Path) -> None:
    assert read_novel(written(tmp_path, "甲\r\n乙\r丙\n".encode())).text == "甲\n乙\n丙\n"


def test_blanks_and_rare_characters_stay(tmp_path: Path) -> None:
    text = "　　䶮～说：“呀。”\n\n \n尾"
    assert read_novel(written(tmp_path, text.encode())).text == text


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NovelError, match=r"no novel at .*none.txt: give the path"):
        read_novel(tmp_path / "none.txt")


@pytest.mark.parametrize("data", [b"", " \n　\n".encode(), codecs.BOM_UTF8])
def test_empty_or_blank_file_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(NovelError, match=r"has no text \(\d+ bytes\)"):
        read_novel(written(tmp_path, data))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n\xd0\xd4", "PDF"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"x" * 60 + b"BOOKMOBI", "MOBI"),
    ],
)
def test_binary_file_is_named_by_its_magic(tmp_path: Path, data: bytes, kind: str) -> None:
    with pytest.raises(
        NovelError, match=f"is no text but looks like {kind}: convert it to txt or epub"
    ):
        read_novel(written(tmp_path, data))


def test_a_novel_saved_as_a_web_page_is_read(tmp_path: Path) -> None:
    page = "<!DOCTYPE html><html><body><h1>雨</h1><p>雨停了。</p><h1>塔</h1><p>到了。</p></body></html>"
    novel = read_novel(written(tmp_path, page.encode()))
    assert (novel.text, novel.titles) == ("雨\n雨停了。\n塔\n到了。", ((0, "雨"), (7, "塔")))


@pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant", "ja", "ko", "en"])
@pytest.mark.parametrize("length", [60, 5000])
def test_the_language_is_told(tmp_path: Path, language: str, length: int) -> None:
    assert read_novel(written(tmp_path, prose(language, length).encode())).language == language


@pytest.mark.parametrize(
    "text", [prose("fr", 900), "Старый капитан не ответил. " * 9, "1234 …… 5678"]
)
def test_any_other_language_is_another(text: str) -> None:
    assert language_of(text) == "other"


def test_offsets_count_in_the_cleaned_and_joined_text(tmp_path: Path) -> None:
    text = (
        "第一章 雨\n"
        + "&nbsp;雨停了，\u200b灯还亮着。<br>\n本书由某某网整理制作\n第二章 塔\n到了。\n"
    )
    novel = read_novel(written(tmp_path, text.encode()))
    assert "灯还亮着。\n" in novel.text and "整理" not in novel.text
    assert [str(note) for note in novel.notes] == [
        "1 lines of a site's advertising were left out: lines 3"
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_million_characters_take_three_seconds(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, prose("zh-Hans", 1_000_000).encode(encoding))
    start = time.perf_counter()
    find_chapters(read_novel(path).text)
    assert time.perf_counter() - start < 3


def test_control_characters_take_linear_time(tmp_path: Path) -> None:
    path = written(tmp_path, ("雨停了。\x01\n" * 100_000).encode())
    start = time.perf_counter()
    assert str(read_novel(path).notes[0]).startswith("100000 bytes could not be read: lines 1, 2")
    assert time.perf_counter() - start < 5
