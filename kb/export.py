"""MediaWiki XML exports, plain or bz2: only one page is in memory, however large the file.

    >>> next(read_export(Path("dump.xml.bz2")))
    ExportPage(title='沈灯', markup="'''沈灯'''是灯匠。")

An export that breaks off gives the pages before the break and one warning; one without any whole
page is an error. A document type or entity of its own is refused: no export has one, and entities
inside entities fill any memory.
"""

import bz2
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from kb.errors import Message, WikiError

_log = logging.getLogger(__name__)

_CHUNK = 1 << 16
# MediaWiki itself stops at two million bytes a page.
_LONGEST_PAGE = 8_000_000


class ExportPage(NamedTuple):
    """A page as it stands in the export: its title and its markup."""

    title: str
    markup: str


def read_export(path: Path, *, quiet: bool = False) -> Iterator[ExportPage]:
    """Pages of the main namespace in order, each with its newest revision; `quiet` does not warn.

    Raises WikiError when the file has a document type, or no whole page.
    """
    pages = _Pages(path, quiet=quiet)
    broken = ""
    try:
        with path.open("rb") as file:
            # Packed or not is told by the first bytes, whatever the name.
            packed = file.read(3) == b"BZh"
        with bz2.open(path) if packed else path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                pages.parser.Parse(chunk, False)
                yield from pages.take()
            pages.parser.Parse(b"", True)
    except (expat.ExpatError, EOFError, OSError, LookupError) as error:
        broken = str(error) or type(error).__name__
    yield from pages.take()
    if pages.count == 0:
        raise WikiError("wiki.no-export-page", path=path, detail=broken or "no <page>")
    if broken and not quiet:
        line, count = pages.parser.CurrentLineNumber, pages.count
        _log.warning(Message("wiki.cut-off", path=path, line=line, detail=broken, count=count))


class _Pages:
    """What the parser calls: gathers the fields of the page it is in."""

    def __init__(self, path: Path, *, quiet: bool) -> None:
        self.count = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.buffer_size = _CHUNK
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self._path = path
        self._quiet = quiet
        self._ready: list[ExportPage] = []
        self._in_page = False
        self._fields: dict[str, str] = {}
        self._field = ""
        self._parts: list[str] = []
        self._length = 0

    def take(self) -> list[ExportPage]:
        """The pages finished since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rsplit(":", 1)[-1]
        if name == "page":
            self._in_page, self._fields = True, {}
        elif self._in_page and name in ("title", "ns", "text"):
            self._field, self._parts, self._length = name, [], 0

    def _text(self, text: str) -> None:
        if self._field and self._length <= _LONGEST_PAGE:
            self._parts.append(text)
            self._length += len(text)

    def _end(self, name: str) -> None:
        name = name.rsplit(":", 1)[-1]
        if name == self._field:
            self._fields[name] = "".join(self._parts)
            self._field, self._parts = "", []
        elif name == "page" and self._in_page:
            self._in_page = False
            self.count += 1
            title, markup = self._fields.get("title", "").strip(), self._fields.get("text", "")
            if self._fields.get("ns", "0").strip() != "0" or not title:
                return
            if len(markup) <= _LONGEST_PAGE:
                self._ready.append(ExportPage(title, markup))
            elif not self._quiet:
                most = _LONGEST_PAGE
                _log.warning(Message("wiki.long-page", title=title, path=self._path, most=most))

    def _refuse(self, name: str, *_: object) -> None:
        raise WikiError("wiki.doctype", path=self._path, name=name)
