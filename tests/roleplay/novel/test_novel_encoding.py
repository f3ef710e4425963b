"""Encodings told by evidence at every length, and damage that is mended and counted."""

import codecs
from pathlib import Path

import pytest

from roleplay.errors import NovelError
from roleplay.novel.encoding import decode
from roleplay.novel.reading import read_novel
from tests.roleplay.novel.prose import prose

PROBES = [
    ("utf-8", "zh-Hans"),
    ("utf-8-sig", "ja"),
    ("utf-16", "zh-Hant"),
    ("utf-16-le", "zh-Hans"),
    ("utf-16-be", "en"),
    ("gb18030", "zh-Hans"),
    ("cp950", "zh-Hant"),
    ("big5hkscs", "zh-Hant"),
    ("cp932", "ja"),
    ("euc_jp", "ja"),
    ("cp949", "ko"),
    ("cp1252", "fr"),
]
MORE = [
    ("gbk", "zh-Hant"),
    ("gb18030", "ja"),
    ("gb18030", "en"),
    ("utf-16-le", "fr"),
    ("utf-16-be", "ko"),
    ("cp1252", "en"),
    ("iso8859-15", "fr"),
    ("mac_roman", "fr"),
    ("iso2022_jp", "ja"),
    ("utf-32-le", "ja"),
]


@pytest.mark.parametrize("length", [60, 300, 2000, 20_000])
@pytest.mark.parametrize(("encoding", "language"), PROBES + MORE)
def test_the_text_comes_as_it_was_written(encoding: str, language: str, length: int) -> None:
    data = prose(language, length).encode(encoding, "replace")
    assert decode(data, "x")[0] == data.decode(encoding).removeprefix("\ufeff")


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r"])
def test_other_alphabets_are_read_too(encoding: str) -> None:
    text = "Мария поставила лампу на окно и посмотрела на дождь. Старый капитан не ответил. " * 9
    assert decode(text.encode(encoding), "x")[0] == text


def test_characters_of_hong_kong_are_no_damage() -> None:
    text = prose("zh-Hant", 500) + "佢哋嘅嘢喺邊度？"
    assert decode(text.encode("big5hkscs"), "x")[0] == text


def damaged(tmp_path: Path, data: bytes) -> tuple[str, list[str]]:
    path = tmp_path / "novel.txt"
    path.write_bytes(data)
    novel = read_novel(path)
    return novel.text, [str(note) for note in novel.notes]


@pytest.mark.parametrize(
    ("encoding", "byte"),
    [("gb18030", b"\xff"), ("utf-8", b"\x80"), ("cp950", b"\xff"), ("euc_jp", b"\xff")],
)  # fmt: skip
def test_a_stray_byte_is_replaced_and_told_with_its_line(
    tmp_path: Path, encoding: str, byte: bytes
) -> None:
    text = prose("ja" if encoding == "euc_jp" else "zh-Hant", 3000)
    lines = [line.encode(encoding) for line in text.splitlines(keepends=True)]
    lines[6] = byte + lines[6]
    found, notes = damaged(tmp_path, b"".join(lines))
    assert found.replace("\ufffd", "") == text and found.count("\ufffd") == 1
    assert notes == ["1 bytes could not be read: lines 7"]


@pytest.mark.parametrize("cut", [b"\xad\n", b"\xad"])
def test_half_a_character_costs_nothing_else(tmp_path: Path, cut: bytes) -> None:
    text = prose("zh-Hans", 900)
    found, notes = damaged(tmp_path, text.encode("gb18030") + cut)
    assert found.startswith(text) and notes == [
        f"1 bytes could not be read: lines {text.count(chr(10)) + 1}"
    ]


def test_zeros_at_the_end_are_left_out_and_counted(tmp_path: Path) -> None:
    text = prose("zh-Hans", 900)
    assert damaged(tmp_path, text.encode() + bytes(4096))[0] == text


def test_many_lines_are_named_in_part(tmp_path: Path) -> None:
    data = b"".join(line + b"\x80\n" for line in prose("zh-Hans", 3000).encode().splitlines())
    assert damaged(tmp_path, data)[1][0].endswith("lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 …")


@pytest.mark.parametrize("data", [bytes(range(256)) * 40, b"\x00\x01\x02\x03" * 500])
def test_what_is_mostly_unreadable_is_refused(data: bytes) -> None:
    with pytest.raises(NovelError, match="x is mostly unreadable .* save it as UTF-8"):
        decode(data, "x")


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)  # fmt: skip
def test_a_byte_order_mark_decides_and_goes(mark: bytes, encoding: str) -> None:
    assert decode(mark + "雨停了。".encode(encoding), "x") == ("雨停了。", encoding)
