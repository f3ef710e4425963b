"""A novel's file -> its text, as a reader sees it: txt in any usual encoding, HTML, and EPUB.

    novel = read_novel(Path("worlds/mine/novel.txt"))
    novel.encoding, novel.language     # ("gb18030", "zh-Hans")
    novel.notes                        # (Message: "3 bytes could not be read: lines 41, 90, 212",)

Gone from the text are zero-width, control and private-use characters, left-overs of HTML, lines of
sites, the licence of Project Gutenberg, and the notes and readings (港《みなと》) of Aozora Bunko;
hard-wrapped lines are joined. All offsets count in it. ``find_chapters(novel.text, novel.titles)``.
"""

import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Literal

from roleplay.errors import NovelError
from roleplay.messages import Message, message
from roleplay.novel import pattern, table
from roleplay.novel.encoding import decode
from roleplay.novel.epub import Piece, cut_pages, read_epub, read_page
from roleplay.novel.paragraphs import unwrap

Language = Literal["zh-Hans", "zh-Hant", "ja", "ko", "en", "other"]

_MAGIC = {name: start.encode("latin-1") for name, start in table("formats")["start"].items()}
_MOST_BYTES = 256 * 1024 * 1024
_SHOWN = 10
_SAMPLE = 200_000  # characters, from the middle: prefaces may be in another language
_BANNER, _INVISIBLE, _BLANK, _ENTITY, _UNSEEN, _TAG, _GUTENBERG, _AOZORA = (
    pattern(f"cleaning.{name}") for name in table("cleaning")
)
_LONGEST_BANNER = 300  # a whole paragraph is the story's, whatever it mentions
_LOST = pattern("encoding.lost")
_SCRIPTS = [pattern(f"languages.{name}") for name in table("languages")]


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
    kinds = [kind for kind, magic in _MAGIC.items() if head.startswith(magic)]
    if kinds or head.startswith(b"BOOKMOBI", 60):
        raise NovelError("novel.looks-like", path=path, kind=kinds[0] if kinds else "MOBI")
    if head.startswith(b"PK\x03\x04") or zipfile.is_zipfile(path):
        (pieces, notes), encoding = read_epub(path), "epub"
    elif size > _MOST_BYTES:
        raise NovelError("novel.huge", path=path, size=size, most=_MOST_BYTES)
    else:
        text, encoding = decode(path.read_bytes(), str(path))
        lost = [n for n, line in enumerate(text.split("\n"), 1) for _ in _LOST.findall(line)]
        notes = [message("novel.damage", count=len(lost), lines=_lines(lost))] if lost else []
        pages = [read_page(text)] if pattern("formats.markup").match(text) else []
        pieces = [*cut_pages(pages)] if pages else [("", text)]
    novel = _put_together(pieces, encoding, path.name, notes)
    if not novel.text.strip():
        raise NovelError("novel.blank", path=path, size=size)
    return novel


def is_banner(text: str) -> bool:
    """Whether a line or a piece of narration is a site's: an address, or a call to download."""
    return len(text) <= _LONGEST_BANNER and bool(_BANNER.search(text))


def clean(text: str) -> tuple[str, list[int]]:
    """The text as a reader sees it, and from 1 the numbers of the lines of sites left out."""
    marks = {mark[1]: mark.span() for mark in _GUTENBERG.finditer(text)}
    start, end = marks.get("START", (0, 0))[1], marks.get("END", (len(text), 0))[0]
    # Blank lines for what goes, so that the others keep their numbers.
    lines = ("\n" * text.count("\n", 0, start) + text[start:end]).split("\n")
    said = re.compile("[“「『]")
    banners = [i for i, line in enumerate(lines, 1) if is_banner(line) and not said.search(line)]
    for i in banners:
        lines[i - 1] = ""
    text = "\n".join(lines)
    if "<" in text:
        text = _TAG.sub(lambda tag: "\n" if tag["block"] else "", _UNSEEN.sub("", text))
    if "《" in text or "［＃" in text:
        text = _AOZORA.sub(lambda note: note[1] or "", text)
    text = _ENTITY.sub(lambda entity: unescape(entity[0]), text)
    text = re.sub("[\r\v\f\x85\u2028\u2029]", "\n", text)
    return _BLANK.sub(" ", _INVISIBLE.sub("", text)).lstrip("\n"), banners


def language_of(text: str) -> Language:
    """The language of most of the text, by its script and its commonest words."""
    middle = max(0, len(text) - _SAMPLE) // 2
    text = text[middle : middle + _SAMPLE]
    han, kana, hangul, latin, others, simple, full, english = (
        len(script.findall(text)) for script in _SCRIPTS
    )
    # A Chinese character says as much as three letters; Japanese has more kana than characters.
    if 3 * (han + kana) > max(3 * hangul, latin, others):
        return "ja" if kana > han / 6 else "zh-Hans" if simple >= full else "zh-Hant"
    if 2 * hangul > max(latin, others):
        return "ko"
    # A quarter of the words of English prose; other languages have their namesakes only.
    return "en" if latin > others and english > 0.12 * len(text.split()) else "other"


def _put_together(pieces: Iterable[Piece], encoding: str, name: str, notes: list[Message]) -> Novel:
    """The pieces, each cleaned and unwrapped, one behind the other; a title without text waits."""
    told, titles = list[str](), list[tuple[int, str]]()
    banners, waiting, start = list[int](), list[str](), 0
    for title, raw in pieces:
        cleaned, left_out = clean(raw)
        text = unwrap(cleaned)
        banners += left_out
        waiting += [title] if title and title not in waiting else []
        if text.strip():
            titles += [(start, " ".join(waiting))] if waiting else []
            waiting = []
            told.append(text)
            start += len(text) + 1
    lines = name if encoding == "epub" else _lines(banners)
    notes += [message("novel.banners", count=len(banners), lines=lines)] if banners else []
    text = "\n".join(told)
    return Novel(text, encoding, language_of(text), tuple(titles), tuple(notes))


def _lines(numbers: Iterable[int]) -> Message:
    """The numbers of lines, the first ten of them in full."""
    known = [*map(str, dict.fromkeys(numbers))]
    more = " …" if len(known) > _SHOWN else ""
    return message("novel.lines", numbers=", ".join(known[:_SHOWN]) + more)
