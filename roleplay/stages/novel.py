"""A novel before it is taken into a world: how it reads, in which encoding, in which chapters.

    seen = look([Path("book.txt")])
    seen.encoding, seen.opening, [part.title for part in seen.chapters]
    look([Path("book.txt")], encoding="gb18030")            # where the first lines look wrong
    adopt(world, [Path("one.epub"), Path("two.epub")])      # volumes, one behind the other

One file is kept as it is, unless another encoding was chosen for it; several become one text.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from roleplay import files
from roleplay.errors import BusyError, NovelError
from roleplay.messages import Message
from roleplay.novel.chapters import find_chapters
from roleplay.novel.reading import Novel, read_novel
from roleplay.stages import jobs
from roleplay.world import World

ENCODINGS = ("utf-8", "gb18030", "big5hkscs", "cp932", "euc_kr", "utf-16-le", "utf-16-be", "cp1252")
"""Those that novels come in, to choose from."""

_OPENING, _FIRST_WORDS, _MOST_FILES = 400, 60, 40


@dataclass(frozen=True)
class Part:
    """A chapter: its title, how many characters it has, and how it begins."""

    title: str
    size: int
    opening: str


@dataclass(frozen=True)
class Look:
    """A novel as a reader sees it; ``notes`` are what could not be read or was left out."""

    encoding: str
    language: str
    size: int
    opening: str
    chapters: tuple[Part, ...]
    notes: tuple[Message, ...] = ()


def look(paths: Sequence[Path], encoding: str = "") -> Look:
    """Read files as one novel, without keeping anything.

    Args:
        encoding: of text files; empty: as it is told by evidence.

    Raises:
        NovelError: no file, too many, or one that cannot be read.
    """
    novels = _read(paths, encoding)
    text, titles = _joined(novels)
    parts = []
    for chapter in find_chapters(text, titles):
        told = text[slice(*chapter.span)]
        body = " ".join(told.strip().removeprefix(chapter.title).split())
        parts.append(Part(chapter.title, len(told.strip()), body[:_FIRST_WORDS]))
    notes = tuple(note for novel in novels for note in novel.notes)
    known = ", ".join(dict.fromkeys(novel.encoding for novel in novels))
    opening = text.strip()[:_OPENING]
    return Look(known, novels[0].language, len(text), opening, tuple(parts), notes)


def look_at_world(world: Path) -> Look | None:
    """The novel of a world, where it has one."""
    found = [path for kind in ("txt", "epub") if (path := world / f"novel.{kind}").exists()]
    return look(found[:1]) if found else None


def adopt(world: Path, paths: Sequence[Path], encoding: str = "") -> None:
    """Put files into a world as its novel, in place of one that it may have.

    Raises:
        NovelError: as :func:`look`.
        BusyError: a job is at work on the world.
        WorldError: there is no such world, or the disk is full.
    """
    World.load(world)
    if busy := jobs.running(world):
        values = {"stage": busy.stage, "since": busy.started, "id": busy.id}
        raise BusyError("jobs.busy", world=world.name, **values)
    novels = _read(paths, encoding)
    kept = paths[0].read_bytes()
    is_epub = novels[0].encoding == "epub"
    if len(paths) > 1 or (encoding and not is_epub):
        text, titles = _joined(novels)
        kept, is_epub = _titled(text, titles).encode("utf-8"), False
    files.write_bytes(world / ("novel.epub" if is_epub else "novel.txt"), kept)
    (world / ("novel.txt" if is_epub else "novel.epub")).unlink(missing_ok=True)


def _read(paths: Sequence[Path], encoding: str) -> list[Novel]:
    if not paths:
        raise NovelError("novel.no-file")
    if len(paths) > _MOST_FILES:
        raise NovelError("novel.many-files", count=len(paths), most=_MOST_FILES)
    return [_read_one(path, encoding) for path in paths]


def _read_one(path: Path, encoding: str) -> Novel:
    if not encoding or path.read_bytes()[:4] == b"PK\x03\x04":
        return read_novel(path)
    if encoding not in ENCODINGS:
        raise NovelError("novel.encoding", name=encoding, known=" ".join(ENCODINGS))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_text(path.read_bytes().decode(encoding, errors="replace"), encoding="utf-8")
        return read_novel(copy)


def _joined(novels: Sequence[Novel]) -> tuple[str, list[tuple[int, str]]]:
    """The texts one behind the other, and the titles of their files at their places."""
    texts, titles, start = [], [], 0
    for novel in novels:
        titles += [(start + place, title) for place, title in novel.titles]
        texts.append(novel.text)
        start += len(novel.text) + 1
    return "\n".join(texts), titles


def _titled(text: str, titles: Sequence[tuple[int, str]]) -> str:
    """The text with each title on a line of its own where it does not stand there already."""
    pieces, end = [], 0
    for place, title in titles:
        pieces.append(text[end:place])
        if not text[place : place + len(title) + 20].lstrip().startswith(title):
            pieces.append(f"\n{title}\n\n")
        end = place
    return "".join([*pieces, text[end:]])
