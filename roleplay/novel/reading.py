"""A novel's file -> its text, as a reader sees it: txt in any usual encoding, HTML, and EPUB.

    novel = read_novel(Path("worlds/mine/novel.txt"))
    novel.encoding, novel.language     # ("gb18030", "zh-Hans")
    novel.text[:21]                    # "第一回　宴桃园豪杰三结义　斩黄巾英雄首立功"
    novel.titles                       # ((0, "第一章　雨"), ...) from an EPUB's table of contents
    novel.notes                        # (Message: "3 bytes could not be read: lines 41, 90, 212",)

The text is cleaned (:mod:`roleplay.novel.cleaning`) and its hard-wrapped lines are joined; all
offsets count in it. The module finds no chapters; ``find_chapters(novel.text, novel.titles)`` does.
"""

import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from roleplay.errors import NovelError
from roleplay.messages import Message, message
from roleplay.novel.cleaning import clean
from roleplay.novel.encoding import damage, decode
from roleplay.novel.epub import Piece, cut_page, read_epub
from roleplay.novel.language import Language, language_of
from roleplay.novel.page import read_page
from roleplay.novel.wrapping import unwrap

# How files begin that people take for a novel's text: (place, bytes, name).
_MAGIC = (
    (0, b"%PDF", "PDF"),
    (0, b"\xd0\xcf\x11\xe0", "Word (doc)"),
    (0, b"{\\rtf", "RTF"),
    (0, b"Rar!", "RAR"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ", "xz"),
    (0, b"\x89PNG", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"GIF8", "GIF"),
    (0, b"ITSF", "CHM"),
    (0, b"AT&TFORM", "DjVu"),
    (0, b"ID3", "MP3"),
    (0, b"SQLite format 3", "SQLite"),
    (60, b"BOOKMOBI", "MOBI/AZW"),
)
_MOST_BYTES = 256 * 1024 * 1024
_MARKUP = re.compile(r"\s*<(?:!doctype html|html|\?xml|FictionBook)", re.I)
_SHOWN = 10


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
    if kind := next((kind for at, magic, kind in _MAGIC if head.startswith(magic, at)), None):
        raise NovelError("novel.looks-like", path=path, kind=kind)
    if head.startswith(b"PK\x03\x04") or zipfile.is_zipfile(path):
        pieces, notes = read_epub(path)
        encoding = "epub"
    elif size > _MOST_BYTES:
        raise NovelError("novel.huge", path=path, size=size, most=_MOST_BYTES)
    else:
        text, encoding = decode(path.read_bytes(), str(path))
        notes = []
        if lost := damage(text):
            notes.append(message("novel.damage", count=len(lost), lines=_lines(lost)))
        marked = _MARKUP.match(text)
        pieces = cut_page(read_page(text)) if marked else [Piece(None, text)]
    novel = _put_together(pieces, encoding, path.name)
    if not novel.text.strip():
        raise NovelError("novel.blank", path=path, size=size)
    return replace(novel, notes=(*notes, *novel.notes))


def _put_together(pieces: Iterable[Piece], encoding: str, source: str) -> Novel:
    """The pieces, each cleaned and unwrapped, one behind the other; a title without text waits."""
    told: list[str] = []
    titles: list[tuple[int, str]] = []
    notes: list[Message] = []
    banners: list[int] = []
    start = cut = joined = 0
    waiting: list[str] = []
    for piece in pieces:
        cleaned, left_out = clean(piece.text)
        text = unwrap(cleaned)
        banners += left_out
        if text != cleaned:
            cut, joined = cut + cleaned.count("\n") + 1, joined + text.count("\n") + 1
        if piece.title and piece.title not in waiting:
            waiting.append(piece.title)
        if not text.strip():
            continue
        if told and not told[-1].endswith("\n"):
            told[-1] += "\n"
            start += 1
        if waiting:
            titles.append((start, " ".join(waiting)))
            waiting = []
        told.append(text)
        start += len(text)
    if banners:
        lines = source if encoding == "epub" else _lines(banners)
        notes.append(message("novel.banners", count=len(banners), lines=lines))
    if cut:
        notes.append(message("novel.unwrapped", before=cut, after=joined))
    text = "".join(told)
    return Novel(text, encoding, language_of(text), tuple(titles), tuple(notes))


def _lines(numbers: Sequence[int]) -> Message:
    """The numbers of lines, the first ten of them in full."""
    known = list(dict.fromkeys(numbers))
    shown = ", ".join(map(str, known[:_SHOWN]))
    if len(known) > _SHOWN:
        return message("novel.more-lines", numbers=shown, more=len(known) - _SHOWN)
    return message("novel.lines", numbers=shown)
