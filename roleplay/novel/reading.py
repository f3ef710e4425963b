"""A novel's file -> its text: txt in the encodings that Chinese novels come in, and EPUB.

    novel = read_novel(Path("worlds/mine/novel.txt"))
    novel.encoding          # "gb18030"
    novel.text[:21]         # "第一回　宴桃园豪杰三结义　斩黄巾英雄首立功"

Line ends become ``\\n`` and a byte order mark goes; nothing else is touched, so that offsets into
``text`` are offsets into the novel. The module repairs no text and finds no chapters.
"""

from dataclasses import dataclass
from pathlib import Path

from roleplay.errors import NovelError
from roleplay.novel.encoding import decode
from roleplay.novel.epub import read_epub

# How files begin that people take for a novel's text: (place, bytes, name).
_MAGIC = (
    (0, b"%PDF", "PDF"),
    (0, b"\xd0\xcf\x11\xe0", "Word"),
    (0, b"{\\rtf", "RTF"),
    (0, b"Rar!", "RAR"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\x89PNG", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"ITSF", "CHM"),
    (60, b"BOOKMOBI", "MOBI"),
)


@dataclass(frozen=True)
class Novel:
    """The decoded novel, and the encoding it was in (``epub`` for an EPUB)."""

    text: str
    encoding: str


def read_novel(path: Path) -> Novel:
    """Read a txt or EPUB file; the name's ending does not matter.

    Raises NovelError: no such file, a blank or a binary one, or one in no known encoding.
    """
    if not path.is_file():
        raise NovelError("novel.missing", path=path)
    data = path.read_bytes()
    if kind := next((kind for at, magic, kind in _MAGIC if data.startswith(magic, at)), None):
        raise NovelError("novel.binary", path=path, kind=kind)
    if data.startswith(b"PK\x03\x04"):
        novel = Novel(read_epub(path), "epub")
    else:
        novel = Novel(*decode(data, str(path)))
    if not novel.text.strip():
        raise NovelError("novel.blank", path=path, size=len(data))
    return novel
