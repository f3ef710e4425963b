"""Reading txt files: every encoding that Chinese novels come in, and clear refusals."""

import codecs
from pathlib import Path

import pytest

from roleplay.errors import NovelError
from roleplay.novel.encoding import decode
from roleplay.novel.reading import read_novel

SIMPLIFIED = (
    "第一章　漏雨的早晨\n闻筝头也不抬：“修不好不收钱，没得商量。”她说着把梯子搬了过来。\n" * 3
)
TRADITIONAL = (
    "第一章　漏雨的早晨\n聞箏頭也不抬：「修不好不收錢，沒得商量。」她說著把梯子搬了過來。\n" * 3
)


def written(folder: Path, data: bytes) -> Path:
    path = folder / "novel.txt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16-le", "utf-16-be"])
def test_encoding_is_told_without_a_mark(encoding: str) -> None:
    assert decode(SIMPLIFIED.encode(encoding), "x") == (SIMPLIFIED, encoding)


def test_big5_is_told_from_gb18030() -> None:
    assert decode(TRADITIONAL.encode("big5"), "x") == (TRADITIONAL, "big5")


def test_traditional_text_in_gbk_is_not_big5() -> None:
    assert decode(TRADITIONAL.encode("gbk"), "x") == (TRADITIONAL, "gb18030")


@pytest.mark.parametrize(
    ("bom", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
def test_byte_order_mark_decides_and_goes(tmp_path: Path, bom: bytes, encoding: str) -> None:
    novel = read_novel(written(tmp_path, bom + SIMPLIFIED.encode(encoding)))
    assert (novel.text, novel.encoding) == (SIMPLIFIED, encoding)


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
    with pytest.raises(NovelError, match=f"is no text but {kind}: convert it to txt or epub"):
        read_novel(written(tmp_path, data))


def test_a_bad_byte_is_given_with_its_place(tmp_path: Path) -> None:
    data = SIMPLIFIED.encode()
    with pytest.raises(NovelError, match="utf-8 text with a bad byte at 27"):
        read_novel(written(tmp_path, data[:27] + b"\xff" + data[28:]))


def test_control_characters_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(
        NovelError, match=r"no known encoding .* control characters, the first at byte 9"
    ):
        read_novel(written(tmp_path, "雨，。".encode() + bytes(range(32)) * 20))


def test_text_in_a_foreign_encoding_is_refused(tmp_path: Path) -> None:
    data = ("Это роман о дожде и людях, которые его чинят. " * 20).encode("koi8-r")
    with pytest.raises(NovelError, match="save it as UTF-8"):
        read_novel(written(tmp_path, data))
