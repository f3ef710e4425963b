"""A novel's file -> its text: txt in the encodings that Chinese novels come in, and EPUB.

    novel = read_novel(Path("worlds/mine/novel.txt"))
    novel.encoding          # "gb18030"
    novel.text[:21]         # "第一回　宴桃园豪杰三结义　斩黄巾英雄首立功"

Line ends become ``\\n`` and a byte order mark goes; nothing else is touched, so that offsets into ``text``
are offsets into the novel. The module repairs no text and finds no chapters.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from roleplay.errors import NovelError
from roleplay.novel.encoding import decode
from roleplay.novel.epub import read_epub

_MAGIC = (
    (b"%PDF", "a PDF"),
    (b"\xd0\xcf\x11\xe0", "an old Word document"),
    (b"{\\rtf", "an RTF document"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"ITSF", "a CHM book"),
)


@dataclass(frozen=True)
class Novel:
    """The decoded novel, and the encoding it was in (``epub`` for an EPUB)."""

    text: str
    encoding: str


def read_novel(path: Path) -> Novel:
    """Read a txt or EPUB file; the name's ending does not matter.

    Raises:
        NovelError: no such file, an empty or blank one, a binary one, or one in no known encoding.
    """
    if not path.is_file():
        raise NovelError(f"no novel at {path}: give the path of a txt or epub file")
    data = path.read_bytes()
    if data.startswith(b"PK\x03\x04"):
        novel = Novel(read_epub(path), "epub")
    else:
        _refuse_binary(data, path)
        novel = Novel(*decode(data, str(path)))
    if not novel.text.strip():
        raise NovelError(f"{path} has no text ({len(data)} bytes): put the novel's text into it")
    return novel


def _refuse_binary(data: bytes, path: Path) -> None:
    kind = next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)
    if kind is None and data[60:68] == b"BOOKMOBI":
        kind = "a MOBI book"
    if kind:
        raise NovelError(f"{path} is {kind} ({data[:8]!r}), not text: convert it to txt or epub")
