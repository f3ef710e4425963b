"""The bytes of a text -> its characters, with the encoding told by evidence.

    decode("第一章　漏雨的早晨\\r\\n".encode("gb18030"), "book.txt")
    # ("第一章　漏雨的早晨\\n", "gb18030")

A byte order mark decides; else UTF-8 where it decodes; else, of the encodings that novels come in,
the one in which the text reads most like prose (share of the commonest characters, no control
characters). charset-normalizer is asked about others. What cannot be read becomes ``\\ufffd``.
"""

import re
from contextlib import suppress
from functools import cache
from pathlib import Path

from charset_normalizer import from_bytes

from roleplay.errors import NovelError
from roleplay.novel import pattern, table

_MARKED = ("utf-8", "utf-32-le", "utf-16-le", "utf-16-be")  # the mark of 32 begins with that of 16
_WESTERN, _CANDIDATES = (str(names).split() for names in table("encodings").values())
_SAMPLE = 20_000  # bytes from the beginning, where licences stand, and as many from the middle
# Novels score 0.5 to 0.9, and next to nothing in a wrong encoding; western ones have few accents,
# and a Polish or Russian text looks half western.
_PLAUSIBLE, _PLAUSIBLE_WESTERN = 0.15, 0.8
_LETTERS, _UNREADABLE = 0.5, 0.2  # the least share of letters, the largest of odd characters
_ODD, _ACCENTED = pattern("encoding.odd"), pattern("encoding.accented")


def decode(data: bytes, name: str) -> tuple[str, str]:
    """The text of ``data``, with ``\\n`` for every line end, and its encoding.

    Raises NovelError: over a fifth of the text of ``name`` cannot be read in any encoding.
    """
    marked = (name for name in _MARKED if data.startswith("\ufeff".encode(name)))
    encoding = next(marked, None) or _likeliest(data)
    text = data.decode(encoding or "ascii", errors="replace").removeprefix("\ufeff")
    # Zeros at the end are what a full disk or a broken download leaves.
    if not encoding or _odd_share(text.rstrip("\0")) > _UNREADABLE:
        raise NovelError("novel.unreadable", path=name)
    return text.replace("\r\n", "\n").replace("\r", "\n"), encoding


def _likeliest(data: bytes) -> str | None:
    data = data.rstrip(b"\0") if data.endswith(bytes(4)) else data
    if data.isascii() and re.search(rb"\x1b\$[@B]", data):
        return "iso2022_jp_2"
    with suppress(UnicodeDecodeError):
        if _odd_share(data.decode("utf-8")) <= _UNREADABLE:
            return "utf-8"
    middle = max(len(data) // 4 * 2, _SAMPLE)  # even, for UTF-16
    sample = data[:_SAMPLE] + data[middle : middle + _SAMPLE]
    score, _, best = max((_score(sample, name), -i, name) for i, name in enumerate(_CANDIDATES))
    if score >= (_PLAUSIBLE_WESTERN if best in _WESTERN else _PLAUSIBLE):
        return best
    found = from_bytes(sample).best()
    text = str(found or "")
    if found and sum(map(str.isalpha, text)) >= _LETTERS * len(text) and not _ODD.search(text):
        return str(found.encoding)
    return best if score >= _PLAUSIBLE else None


def _score(data: bytes, encoding: str) -> float:
    """Share of commonest characters among the non-ASCII ones, less four times that of odd ones."""
    text = data.decode(encoding, errors="replace")
    letters = sum(c > "\x7f" for c in text)
    common = len(_ACCENTED.findall(text))
    if encoding not in _WESTERN:
        common = max(common, sum(c in _commonest() for c in text))
    return (common / letters if letters else 0.5) - 4 * _odd_share(text)


def _odd_share(text: str) -> float:
    return len(_ODD.findall(text)) / max(len(text), 1)


@cache
def _commonest() -> frozenset[str]:
    """The commonest characters of Chinese, Japanese and Korean prose, and its marks."""
    text = Path(__file__).with_name("common_characters.txt").read_text("utf-8")
    return frozenset(text) - {"\n", " "}
