"""The bytes of a text -> its characters, with the encoding told by evidence.

    text, encoding = decode("第一章　漏雨的早晨\\r\\n".encode("gb18030"), "book.txt")
    (text, encoding)        # ("第一章　漏雨的早晨\\n", "gb18030")

A byte order mark decides; else UTF-8 where it decodes; else, of the encodings that novels come in,
the one in which the text reads most like prose (share of the commonest characters, no control
characters); charset-normalizer is asked about what is none of these. A byte that cannot be read
becomes ``\\ufffd``.
"""

import re
from contextlib import suppress
from functools import cache
from pathlib import Path

from charset_normalizer import from_bytes

from roleplay.errors import NovelError

_MARKED = ("utf-8", "utf-32-le", "utf-16-le", "utf-16-be")  # the mark of 32 begins with that of 16
# Encodings in which a line's end is part of no character, and what a line is tried in that its own
# cannot read: supersets, and UTF-8 beside GB18030 in books put together from several files.
_SECOND = {
    "utf-8": "gb18030", "gb18030": "utf-8", "cp950": "big5hkscs", "big5hkscs": "cp950",
    "cp932": "shift_jis_2004", "euc_jp": "euc_jis_2004", "cp949": "utf-8",
}  # fmt: skip
_WESTERN = ("cp1252", "iso8859-15", "mac_roman")
_CANDIDATES = (*_SECOND, "utf-16-le", "utf-16-be", *_WESTERN)  # of equals the first wins
_SAMPLE = 20_000  # bytes from the beginning, where licences stand, and as many from the middle
# Novels score 0.5 to 0.9, and next to nothing in a wrong encoding; western ones have few accents,
# and a Polish or Russian text looks half western.
_PLAUSIBLE, _PLAUSIBLE_WESTERN = 0.15, 0.8
_LETTERS, _UNREADABLE = 0.5, 0.2  # the least share of letters, the largest of odd characters
# Control and private-use characters and undecodable bytes: a wrong encoding gives many of them.
_ODD = re.compile("[\x00-\x08\x0e-\x1f\x7f\x80-\x9f\ue000-\uf8ff\ufffd\ufffe\uffff]")
_ACCENTED = re.compile(
    "(?<=[A-Za-z])[éèêëàâäáçùûüúôöóîïíñœæßãõåøìò]|[éèêàâäáçùüúôöóîíñœæåøÉÈÀÊÇÖÄÜÅØÁÓÍÚÑŒÆ](?=[A-Za-z])"
    "|[“”‘’«»„—–…\xa0]|[¡¿](?=[A-Z])"
)
# In bytes: the search for a lost byte is quadratic, and so is going from fault to fault.
_MENDED_BEFORE, _LONGEST_MENDED = 300, 10_000


def decode(data: bytes, name: str) -> tuple[str, str]:
    """The text of ``data``, and the encoding that the evidence speaks for.

    Line ends become ``\\n`` and a byte order mark goes. Raises NovelError: over a fifth of the
    text of ``name`` cannot be read in any encoding.
    """
    marked = (name for name in _MARKED if data.startswith("\ufeff".encode(name)))
    encoding = next(marked, None) or _likeliest(data)
    text = _decoded(data, encoding or "ascii").removeprefix("\ufeff")
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
    scores = {encoding: _score(sample, encoding) for encoding in _CANDIDATES}
    best = max(_CANDIDATES, key=lambda encoding: scores[encoding])
    if scores[best] >= (_PLAUSIBLE_WESTERN if best in _WESTERN else _PLAUSIBLE):
        return best
    found = from_bytes(sample).best()
    text = str(found or "")
    letters = sum(map(str.isalpha, text)) / max(len(text), 1)
    if found and letters >= _LETTERS and not _ODD.search(text):
        return found.encoding
    return best if scores[best] >= _PLAUSIBLE else None


def _score(data: bytes, encoding: str) -> float:
    """Share of commonest characters among the non-ASCII ones, less four times that of odd ones."""
    text = data.decode(encoding, errors="replace")
    letters = sum(c > "\x7f" for c in text)
    common = len(_ACCENTED.findall(text))
    common = common if encoding in _WESTERN else max(common, _common(text))
    return (common / letters if letters else 0.5) - 4 * _odd_share(text)


def _common(text: str) -> int:
    return sum(c in _commonest() for c in text)


def _odd_share(text: str) -> float:
    return len(_ODD.findall(text)) / max(len(text), 1)


def _decoded(data: bytes, encoding: str) -> str:
    with suppress(UnicodeDecodeError):
        return data.decode(encoding)
    lines = data.splitlines(keepends=True) if encoding in _SECOND else [data]
    return "".join(_mended(line, encoding) for line in lines)


def _mended(line: bytes, encoding: str) -> str:
    """A line with ``\\ufffd`` for each byte that cannot be read, or in the other encoding."""
    text = line.decode(encoding, errors="replace")
    second = _SECOND.get(encoding)
    if not second or "\ufffd" not in text or len(line) > _LONGEST_MENDED:
        return text
    if _score(line, second) > _score(line, encoding):
        return line.decode(second, errors="replace")
    text = ""
    while line:
        try:
            return text + line.decode(encoding)
        except UnicodeDecodeError as error:
            at = error.start
        if encoding != "utf-8":
            # Behind half a character all pairs are shifted until the fault shows: where was it?
            places = range(max(0, at - _MENDED_BEFORE), at + 1)
            _, at = max((_sense(line[:k] + line[k + 1 :], encoding), k) for k in places)
        text += line[:at].decode(encoding, errors="replace") + "\ufffd"
        line = line[at + 1 :]
    return text


def _sense(data: bytes, encoding: str) -> int:
    text = data.decode(encoding, errors="replace")
    return _common(text) - 9 * text.count("\ufffd")


@cache
def _commonest() -> frozenset[str]:
    """The commonest characters of Chinese, Japanese and Korean prose, and its marks."""
    text = Path(__file__).with_name("common_characters.txt").read_text(encoding="utf-8")
    return frozenset(text) - {"\n", " "}
