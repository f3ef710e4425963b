"""MediaWiki XML exports, plain or bz2, page by page: only one page is in memory, however large the file.

    >>> next(read_export(Path("dump.xml.bz2")))
    ExportPage(title='沈灯', markup="'''沈灯'''是灯匠。")

Pages of the main namespace, each with its newest revision. An export that breaks off gives the pages before the
break and one warning; one without any whole page is an error. A document type or an entity of its own is refused: no
export has one, and entities inside entities fill any memory.
"""

import bz2
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast
from xml.parsers import expat

from kb.errors import WikiError

_log = logging.getLogger(__name__)

_CHUNK = 1 << 16
# MediaWiki itself stops at two million bytes a page.
_LONGEST_PAGE = 8_000_000
_FIELDS = ("title", "ns", "text")


@dataclass(frozen=True)
class ExportPage:
    """A page as it stands in the export: its title and its markup."""

    title: str
    markup: str


def read_export(path: Path, *, quiet: bool = False) -> Iterator[ExportPage]:
    """Pages of the main namespace in the order of the file; `quiet` leaves out the warnings.

    Raises WikiError when the file has a document type, or no whole page.
    """
    pages = _Pages(path, quiet=quiet)
    broken = ""
    try:
        with _opened(path) as file:
            while chunk := file.read(_CHUNK):
                pages.feed(chunk)
                yield from pages.take()
            pages.feed(b"", last=True)
    except (expat.ExpatError, EOFError, OSError, LookupError) as error:
        broken = " ".join(str(error).split()) or type(error).__name__
    yield from pages.take()
    if pages.count == 0:
        raise WikiError(
            f"{str(path)!r} holds no whole page of a MediaWiki export ({broken or 'no <page>'}): export the pages again"
        )
    if broken and not quiet:
        _log.warning(
            "%r breaks off at line %d (%s): the %d whole pages before it are read; export again for the rest",
            str(path),
            pages.line,
            broken,
            pages.count,
        )


def _opened(path: Path) -> BinaryIO:
    """The file's bytes, unpacked where it begins as bz2 does, whatever its name."""
    with path.open("rb") as file:
        packed = file.read(3) == b"BZh"
    return cast(BinaryIO, bz2.open(path, "rb")) if packed else path.open("rb")


class _Pages:
    """What the parser calls: gathers the fields of the page it is in."""

    def __init__(self, path: Path, *, quiet: bool) -> None:
        self.count = 0
        self._path = path
        self._quiet = quiet
        self._ready: list[ExportPage] = []
        self._fields: dict[str, str] | None = None
        self._field = ""
        self._parts: list[str] = []
        self._length = 0
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.buffer_size = _CHUNK
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse

    @property
    def line(self) -> int:
        """Where the parser stands."""
        return self._parser.CurrentLineNumber

    def feed(self, data: bytes, *, last: bool = False) -> None:
        """Parses some bytes more."""
        self._parser.Parse(data, last)

    def take(self) -> list[ExportPage]:
        """The pages finished since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rsplit(":", 1)[-1]
        if name == "page":
            self._fields = {}
        elif self._fields is not None and name in _FIELDS:
            self._field, self._parts, self._length = name, [], 0

    def _text(self, text: str) -> None:
        if self._field and self._length <= _LONGEST_PAGE:
            self._parts.append(text)
            self._length += len(text)

    def _end(self, name: str) -> None:
        name = name.rsplit(":", 1)[-1]
        if name == self._field and self._fields is not None:
            self._fields[name] = "".join(self._parts)
            self._field, self._parts = "", []
        elif name == "page" and self._fields is not None:
            self._finish(self._fields)
            self._fields = None

    def _finish(self, fields: dict[str, str]) -> None:
        self.count += 1
        title, markup = fields.get("title", "").strip(), fields.get("text", "")
        if fields.get("ns", "0").strip() != "0" or not title:
            return
        if len(markup) <= _LONGEST_PAGE:
            self._ready.append(ExportPage(title, markup))
        elif not self._quiet:
            _log.warning(
                "page %r in %r has more than %d characters and is left out: split it",
                title,
                str(self._path),
                _LONGEST_PAGE,
            )

    def _refuse(self, name: str, *_: object) -> None:
        raise WikiError(
            f"{str(self._path)!r} declares a document type ({name!r}), which no MediaWiki export does: "
            "take out its <!DOCTYPE ...> or export the pages again"
        )
