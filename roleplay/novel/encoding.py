"""The bytes of a text -> its characters, with the encoding told by evidence.

    text, encoding = decode("第一章　漏雨的早晨\\r\\n".encode("gb18030"), "book.txt")
    (text, encoding)        # ("第一章　漏雨的早晨\\n", "gb18030")

A byte order mark decides; else UTF-8 where it decodes; else, of the encodings that novels come in,
the one in which the text reads most like prose (share of the commonest characters of Chinese,
Japanese, Korean and western prose, no control characters). charset-normalizer is asked about what
is none of these. A byte that cannot be read becomes ``\\ufffd``; :func:`damage` counts them.
"""

import codecs
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from charset_normalizer import from_bytes

from roleplay.errors import NovelError

# UTF-32 before UTF-16: its mark begins with theirs.
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# What a line is tried in that its own encoding cannot read; the rows are mostly supersets, and
# GB18030 and UTF-8 stand side by side in books put together from several files.
_SECOND = {
    "cp950": "big5hkscs",
    "cp932": "shift_jis_2004",
    "euc_jp": "euc_jis_2004",
    "utf-8": "gb18030",
    "gb18030": "utf-8",
}
_DOUBLE = ("gb18030", "cp950", "big5hkscs", "cp932", "euc_jp", "cp949")
_LATIN = ("cp1252", "iso8859-15", "mac_roman")
# Of equals the first wins: cp950 before its superset.
_CANDIDATES = ("utf-8", *_DOUBLE, "utf-16-le", "utf-16-be", *_LATIN)
_DECLARED = re.compile(rb"^\s*<[?!a-zA-Z][^\0]{0,1500}?(?:encoding|charset)\s*=[\"'\s]*([\w.:-]+)")
_JIS = re.compile(rb"\x1b\$[@B]")
_SAMPLE = 20_000  # bytes from the beginning, where licences stand, and as many from the middle
_PLAUSIBLE = 0.15  # novels score 0.5 to 0.9, and next to nothing in a wrong encoding
_WESTERN = 0.8  # fewer good letters than this among the accented: the text may be Polish or Russian
_LETTERS = 0.5  # share of letters in any text
_UNREADABLE = 0.2
# Control and private-use characters and undecodable bytes: a wrong encoding gives many of them.
_ODD = re.compile("[\x00-\x08\x0e-\x1f\x7f\x80-\x9f\ue000-\uf8ff\ufffd\ufffe\uffff]")
_LOST = re.compile("[\x00-\x08\x0e-\x1f\x7f\ufffd]")
_ACCENTED = re.compile(
    "(?<=[A-Za-z])[éèêëàâäáçùûüúôöóîïíñœæßãõåøìò]|[éèêàâäáçùüúôöóîíñœæåøÉÈÀÊÇÖÄÜÅØÁÓÍÚÑŒÆ](?=[A-Za-z])|"
    r"[“”‘’«»„—–…\xa0]|[¡¿](?=[A-Z])"
)
# In bytes: the search for a lost byte is quadratic, and so is going from fault to fault.
_MENDED_BEFORE, _LONGEST_MENDED = 300, 10_000


def decode(data: bytes, name: str) -> tuple[str, str]:
    """The text of ``data``, and the encoding that the evidence speaks for.

    Line ends become ``\\n`` and a byte order mark goes. Raises NovelError: over a fifth of the
    text of ``name`` cannot be read in any encoding.
    """
    marked = next((encoding for bom, encoding in _BOMS.items() if data.startswith(bom)), None)
    encoding = marked or _declared(data) or _likeliest(data)
    text = _decoded(data, encoding).removeprefix("\ufeff") if encoding else ""
    # Zeros at the end are what a full disk or a broken download leaves.
    if not encoding or _odd_share(text.rstrip("\0")) > _UNREADABLE:
        raise NovelError("novel.unreadable", path=name)
    return text.replace("\r\n", "\n").replace("\r", "\n"), encoding


def damage(text: str) -> list[int]:
    """The line of every byte that could not be read, from 1; a line stands once for each byte."""
    found, line, last = [], 1, 0
    for match in _LOST.finditer(text):
        line += text.count("\n", last, match.start())
        last = match.start()
        found.append(line)
    return found


def _declared(data: bytes) -> str | None:
    """The encoding that a page of XML or HTML names, where it reads the page without a fault."""
    match = _DECLARED.match(data[:2000])
    try:
        name = codecs.lookup(match[1].decode("ascii")).name if match else ""
        return name if name and data.decode(name) else None
    except (LookupError, UnicodeError):
        return None


def _likeliest(data: bytes) -> str | None:
    data = data.rstrip(b"\0") if data.endswith(bytes(4)) else data
    if _JIS.search(data) and data.isascii():
        return "iso2022_jp_2"
    try:
        if _odd_share(data.decode("utf-8")) <= _UNREADABLE:
            return "utf-8"
    except UnicodeDecodeError:
        pass
    middle = len(data) // 4 * 2  # even, for UTF-16
    sample = data[:_SAMPLE] + data[max(middle, _SAMPLE) : middle + _SAMPLE]
    scores = {encoding: _score(sample, encoding) for encoding in _CANDIDATES}
    best = max(_CANDIDATES, key=lambda encoding: scores[encoding])
    if scores[best] < (_WESTERN if best in _LATIN else _PLAUSIBLE):
        return _foreign(sample) or (best if scores[best] >= _PLAUSIBLE else None)
    return best


def _foreign(sample: bytes) -> str | None:
    """What charset-normalizer takes for the encoding, where the text has letters enough."""
    found = from_bytes(sample).best()
    text = str(found or "")
    letters = sum(map(str.isalpha, text)) / max(len(text), 1)
    return found.encoding if found and letters >= _LETTERS and not _ODD.search(text) else None


def _score(data: bytes, encoding: str) -> float:
    """Share of commonest characters among the non-ASCII ones, less four times that of odd ones."""
    text = data.decode(encoding, errors="replace")
    letters = [c for c in text if c > "\x7f"]
    if not letters:
        return 0.5 - 4 * _odd_share(text)
    western = len(_ACCENTED.findall(text))
    common = western if encoding in _LATIN else max(western, _common(letters))
    return common / len(letters) - 4 * _odd_share(text)


def _common(letters: str | list[str]) -> int:
    return sum(c in _commonest() for c in letters)


def _odd_share(text: str) -> float:
    return len(_ODD.findall(text)) / max(len(text), 1)


def _decoded(data: bytes, encoding: str) -> str:
    """The text, line by line where it is damaged: no line's end is part of a character."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        if encoding not in _SECOND and encoding not in _DOUBLE:
            return data.decode(encoding, errors="replace")
    return "".join(_mended(line, encoding) for line in data.splitlines(keepends=True))


def _mended(line: bytes, encoding: str) -> str:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        pass
    if len(line) > _LONGEST_MENDED:
        return line.decode(encoding, errors="replace")
    if (second := _SECOND.get(encoding)) and _score(line, second) > _score(line, encoding):
        return line.decode(second, errors="replace")
    return "".join(_pieces(line, encoding))


def _pieces(line: bytes, encoding: str) -> Iterator[str]:
    """What can be read of a damaged line, with ``\\ufffd`` for each byte that cannot."""
    while line:
        try:
            yield line.decode(encoding)
            return
        except UnicodeDecodeError as error:
            at = error.start
        if encoding in _DOUBLE:
            at = _lost_half(line, at, encoding)
        yield line[:at].decode(encoding, errors="replace") + "\ufffd"
        line = line[at + 1 :]


def _lost_half(line: bytes, fault: int, encoding: str) -> int:
    """Where half a character stands: after it all pairs are shifted until the fault shows."""

    def read(at: int) -> str:
        return (line[:at] + line[at + 1 :]).decode(encoding, errors="replace")

    def quality(at: int) -> tuple[int, int]:
        text = read(at)
        return _common(text) - 9 * text.count("\ufffd"), at

    return max(range(max(0, fault - _MENDED_BEFORE), fault + 1), key=quality)


@cache
def _commonest() -> frozenset[str]:
    """The commonest characters of Chinese, Japanese and Korean prose, and its marks."""
    return frozenset(Path(__file__).with_name("common_characters.txt").read_text(encoding="utf-8"))
