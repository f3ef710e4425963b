"""The bytes of a text -> its characters, with the encoding told by evidence.

    text, encoding = decode("第一章　漏雨的早晨\\r\\n".encode("gb18030"), "book.txt")
    (text, encoding)        # ("第一章　漏雨的早晨\\n", "gb18030")

A byte order mark decides; else UTF-8 where it decodes; else, of the encodings that Chinese novels come in,
the one in which the text reads most like Chinese (share of the commonest characters, no control
characters). No byte is repaired.
"""

from __future__ import annotations

import codecs
import re

from roleplay.errors import NovelError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CANDIDATES = ("utf-8", "gb18030", "big5", "utf-16-le", "utf-16-be")
_COMMON = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行"
    "所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意"
    "无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利"
    "什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿东声提立及比员解水名真论处走"
    "言笑曰听叫吃今夜风雨眼口气王兄却便吾汝皆乃何矣"
    "這個們來為國說時會對過發後裡裏種經麼學現當沒動還進樣從實軍無與長機將兩間問點業應戰頭體見產關開聽"
    "，。！？：；、“”‘’「」『』…—《》　"
)
_PLAUSIBLE = 0.15
_ODD = re.compile("[\x00-\x08\x0e-\x1f\x7f\x80-\x9f\ue000-\uf8ff\ufffd\ufffe\uffff]")
_ODD_SHARE = 0.002


def decode(data: bytes, name: str) -> tuple[str, str]:
    """The text of ``data`` and the encoding that the evidence speaks for; ``name`` is for the message.

    Line ends become ``\\n`` and a byte order mark goes.

    Raises:
        NovelError: no known encoding reads it as text; the message gives the position of the first bad byte.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _strict(data, encoding, name)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is not None and _odd_share(text) <= _ODD_SHARE:
        return _normalise(text), "utf-8"
    encoding, score = max(((e, _score(data, e)) for e in _CANDIDATES), key=lambda pair: pair[1])
    if score < _PLAUSIBLE:
        raise NovelError(_no_encoding(data, name))
    return _strict(data, encoding, name)


def _strict(data: bytes, encoding: str, name: str) -> tuple[str, str]:
    try:
        return _normalise(data.decode(encoding)), encoding
    except UnicodeDecodeError as error:
        bad = data[error.start : error.start + 4].hex(" ")
        raise NovelError(
            f"{name} is {encoding} text with a bad byte at {error.start} ({bad}): mend it or save as UTF-8"
        ) from error


def _normalise(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _score(data: bytes, encoding: str) -> float:
    """Share of commonest characters among the non-ASCII ones, less ten times the share of odd ones."""
    text = data.decode(encoding, errors="replace")
    letters = [c for c in text[:200_000] if c > "\x7f"]
    if not letters:
        return -_odd_share(text)
    common = sum(c in _COMMON for c in letters) / len(letters)
    return common - 10 * _odd_share(text)


def _odd_share(text: str) -> float:
    """Share of control characters, private-use characters and decoding failures."""
    return len(_ODD.findall(text)) / max(len(text), 1)


def _no_encoding(data: bytes, name: str) -> str:
    try:
        data.decode("utf-8")
        place = f"it is full of control characters, the first at byte {_first_control(data)}"
    except UnicodeDecodeError as error:
        place = f"as UTF-8 it fails at byte {error.start}"
    known = " ".join(_CANDIDATES)
    return f"{name} is text in no known encoding ({known}); {place}: save it as UTF-8"


def _first_control(data: bytes) -> int:
    match = re.search(rb"[\x00-\x08\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xee|\xef", data)
    return match.start() if match else 0
