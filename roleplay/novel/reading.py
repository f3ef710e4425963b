"""A novel's file -> its text, as a reader sees it: txt in any usual encoding, HTML, and EPUB.

    novel = read_novel(Path("worlds/mine/novel.txt"))
    novel.encoding, novel.language     # ("gb18030", "zh-Hans")
    novel.text[:21]                    # "第一回　宴桃园豪杰三结义　斩黄巾英雄首立功"
    novel.titles                       # ((0, "第一章　雨"), ...) from an EPUB's table of contents
    novel.notes                        # (Message: "3 bytes could not be read: lines 41, 90, 212",)

The text is cleaned and its hard-wrapped lines are joined; all offsets count in it. The module finds
no chapters: ``find_chapters(novel.text, novel.titles)`` does.
"""

import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from roleplay.errors import NovelError
from roleplay.messages import Message, message
from roleplay.novel.cleaning import clean
from roleplay.novel.encoding import decode
from roleplay.novel.epub import Piece, cut_pages, headings, read_epub, read_page
from roleplay.novel.paragraphs import unwrap

Language = Literal["zh-Hans", "zh-Hant", "ja", "ko", "en", "other"]

# How files begin that people take for a novel's text.
_MAGIC = {
    b"%PDF": "PDF", b"\xd0\xcf\x11\xe0": "Word (doc)", b"{\\rtf": "RTF", b"Rar!": "RAR",
    b"7z\xbc\xaf\x27\x1c": "7z", b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz",
    b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"ITSF": "CHM",
    b"AT&TFORM": "DjVu", b"ID3": "MP3", b"SQLite format 3": "SQLite",
}  # fmt: skip
_MOST_BYTES = 256 * 1024 * 1024
_MARKUP = re.compile(r"\s*<(?:!doctype html|html|\?xml|FictionBook)", re.I)
_LOST = re.compile("[\x00-\x08\x0e-\x1f\x7f\ufffd]")
_SHOWN = 10
_SAMPLE = 200_000  # characters, from the middle: prefaces may be in another language
_SCRIPTS = [*map(re.compile, ("[㐀-鿿]", "[ぁ-ヺ]", "[가-힣]", "[A-Za-zÀ-ɏ]", "[Ͱ-῿]"))]
# Characters that only one of the two scripts has, in pairs.
_SIMPLIFIED = re.compile(
    "[们这个来为国说时会对过发后里经么学现当没动还进样从实无长将两间问头见开听声话]"
)
_TRADITIONAL = re.compile(
    "[們這個來為國說時會對過發後裡裏經麼學現當沒動還進樣從實無長將兩間問頭見開聽聲話]"
)
_ENGLISH = re.compile(r"(?i)\b(?:the|and|of|to|in|he|she|it|was|that|his|her|had|you|with|said)\b")


@dataclass(frozen=True)
class Novel:
    """The novel's text and what is known of it; ``encoding`` is ``epub`` for an EPUB.

    ``titles``: (start in ``text``, title) of the chapters that the file itself names, else empty.
    ``notes``: what could not be read, was left out or put together, to be told to the user.
    """

    text: str
    encoding: str
    language: Language
    titles: tuple[tuple[int, str], ...] = ()
    notes: tuple[Message, ...] = ()


def read_novel(path: Path) -> Novel:
    """Read a txt, HTML or EPUB file; the name's ending does not matter.

    Raises NovelError: no such file, a blank or a binary one, one that is mostly unreadable, a
    protected book, or over 256 MB of text.
    """
    if not path.is_file():
        raise NovelError("novel.missing", path=path)
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(100)
    kinds = [kind for magic, kind in _MAGIC.items() if head.startswith(magic)]
    if kinds or head.startswith(b"BOOKMOBI", 60):
        raise NovelError("novel.looks-like", path=path, kind=kinds[0] if kinds else "MOBI")
    if head.startswith(b"PK\x03\x04") or zipfile.is_zipfile(path):
        (pieces, notes), encoding = read_epub(path), "epub"
    elif size > _MOST_BYTES:
        raise NovelError("novel.huge", path=path, size=size, most=_MOST_BYTES)
    else:
        text, encoding = decode(path.read_bytes(), str(path))
        numbered = enumerate(text.split("\n"), 1)
        lost = [number for number, line in numbered for _ in _LOST.findall(line)]
        notes = [message("novel.damage", count=len(lost), lines=_lines(lost))] if lost else []
        pages = [read_page(text)] if _MARKUP.match(text) else []
        pieces = [*cut_pages(pages, headings(pages))] if pages else [Piece("", text)]
    novel = _put_together(pieces, encoding, path.name)
    if not novel.text.strip():
        raise NovelError("novel.blank", path=path, size=size)
    return replace(novel, notes=(*notes, *novel.notes))


def language_of(text: str) -> Language:
    """The language of most of the text, by its script and its commonest words."""
    middle = max(0, len(text) - _SAMPLE) // 2
    text = text[middle : middle + _SAMPLE]
    han, kana, hangul, latin, others = (len(script.findall(text)) for script in _SCRIPTS)
    # A Chinese character says as much as three letters; Japanese has more kana than characters.
    if 3 * (han + kana) > max(3 * hangul, latin, others):
        simple, full = len(_SIMPLIFIED.findall(text)), len(_TRADITIONAL.findall(text))
        return "ja" if kana > han / 6 else "zh-Hans" if simple >= full else "zh-Hant"
    if 2 * hangul > max(latin, others):
        return "ko"
    # A quarter of the words of English prose; other languages have their namesakes only.
    english = len(_ENGLISH.findall(text)) / (len(text.split()) or 1)
    return "en" if latin > others and english > 0.12 else "other"


def _put_together(pieces: Iterable[Piece], encoding: str, name: str) -> Novel:
    """The pieces, each cleaned and unwrapped, one behind the other; a title without text waits."""
    told: list[str] = []
    titles: list[tuple[int, str]] = []
    banners: list[int] = []
    waiting: list[str] = []
    start = cut = joined = 0
    for title, raw in pieces:
        cleaned, left_out = clean(raw)
        text = unwrap(cleaned)
        banners += left_out
        if text != cleaned:
            cut, joined = cut + cleaned.count("\n") + 1, joined + text.count("\n") + 1
        waiting += [title] if title and title not in waiting else []
        if text.strip():
            titles += [(start, " ".join(waiting))] if waiting else []
            waiting = []
            told.append(text)
            start += len(text) + 1
    lines = name if encoding == "epub" else _lines(banners)
    notes = [message("novel.banners", count=len(banners), lines=lines)] if banners else []
    notes += [message("novel.unwrapped", before=cut, after=joined)] if cut else []
    text = "\n".join(told)
    return Novel(text, encoding, language_of(text), tuple(titles), tuple(notes))


def _lines(numbers: Iterable[int]) -> Message:
    """The numbers of lines, the first ten of them in full."""
    known = [*map(str, dict.fromkeys(numbers))]
    more = " …" if len(known) > _SHOWN else ""
    return message("novel.lines", numbers=", ".join(known[:_SHOWN]) + more)
