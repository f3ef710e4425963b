"""The bytes of a text -> its characters, with the encoding told by evidence.

    text, encoding = decode("第一章　漏雨的早晨\\r\\n".encode("gb18030"), "book.txt")
    (text, encoding)        # ("第一章　漏雨的早晨\\n", "gb18030")

A byte order mark decides; else UTF-8 where it decodes; else, of the encodings that Chinese novels
come in, the one in which the text reads most like Chinese (share of the commonest characters, no
control characters). No byte is repaired.
"""

import codecs
import re
from functools import cache
from pathlib import Path

from roleplay.errors import NovelError
from roleplay.messages import message

# UTF-32 before UTF-16: its mark begins with theirs.
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_CANDIDATES = ("utf-8", "gb18030", "big5", "utf-16-le", "utf-16-be")
_PLAUSIBLE = 0.15  # novels score 0.5 to 0.6, and below zero in a wrong encoding
# Control and private-use characters and undecodable bytes: a wrong encoding gives many of them.
_ODD = re.compile("[\x00-\x08\x0e-\x1f\x7f\x80-\x9f\ue000-\uf8ff\ufffd\ufffe\uffff]")
_ODD_SHARE = 0.002


def decode(data: bytes, name: str) -> tuple[str, str]:
    """The text of ``data``, and the encoding that the evidence speaks for.

    Line ends become ``\\n`` and a byte order mark goes. Raises NovelError: no known encoding reads
    it as text; the message has ``name`` and the first bad byte.
    """
    marked = next((encoding for bom, encoding in _BOMS.items() if data.startswith(bom)), None)
    encoding = marked or _likeliest(data, name)
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        place = {"byte": error.start, "bytes": data[error.start : error.start + 4].hex(" ")}
        raise NovelError("novel.bad-byte", path=name, encoding=encoding, **place) from error
    return text.replace("\r\n", "\n").replace("\r", "\n"), encoding


def _likeliest(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8")
        if _odd_share(text) <= _ODD_SHARE:
            return "utf-8"
        first = next(_ODD.finditer(text)).start()
        place = message("novel.control-character", byte=len(text[:first].encode()))
    except UnicodeDecodeError as error:
        place = message("novel.no-utf8", byte=error.start)
    scores = {encoding: _score(data, encoding) for encoding in _CANDIDATES}
    best = max(_CANDIDATES, key=lambda encoding: scores[encoding])
    if scores[best] < _PLAUSIBLE:
        known = " ".join(_CANDIDATES)
        raise NovelError("novel.no-encoding", path=name, known=known, place=place)
    return best


def _score(data: bytes, encoding: str) -> float:
    """Share of commonest characters among the non-ASCII ones, less ten times that of odd ones."""
    text = data.decode(encoding, errors="replace")
    letters = [c for c in text[:200_000] if c > "\x7f"]
    common = sum(c in _commonest() for c in letters) / max(len(letters), 1)
    return common - 10 * _odd_share(text) if letters else -_odd_share(text)


def _odd_share(text: str) -> float:
    return len(_ODD.findall(text)) / max(len(text), 1)


@cache
def _commonest() -> frozenset[str]:
    """The commonest characters of Chinese prose, old and new, in both scripts, and its marks."""
    return frozenset(Path(__file__).with_name("common_characters.txt").read_text(encoding="utf-8"))
