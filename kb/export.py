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
from typing import IO, NamedTuple

from lxml import etree  # type: ignore[import-untyped]

from kb.errors import Message, WikiError

_log = logging.getLogger(__name__)

# MediaWiki itself stops at two million bytes a page.
_LONGEST_PAGE = 8_000_000
# Text gets a tenth of its size by bz2; a file that grows so many times is made to fill a memory.
_MOST_TIMES, _ALWAYS = 60, 64_000_000


class ExportPage(NamedTuple):
    """A page as it stands in the export: its title and its markup."""

    title: str
    markup: str


def read_export(path: Path, *, quiet: bool = False) -> Iterator[ExportPage]:
    """Pages of the main namespace in order, each with its newest revision; `quiet` does not warn.

    Raises WikiError when the file has a document type, no whole page, or unpacks without end.
    """
    with path.open("rb") as file:
        # Packed or not is told by the first bytes, whatever the name.
        packed = file.read(3) == b"BZh"
    count, line, broken = 0, 1, ""
    try:
        with bz2.open(path) if packed else path.open("rb") as file:
            most = _ALWAYS + _MOST_TIMES * path.stat().st_size
            for page in _elements(path, _Bounded(path, file, most)):
                count, line = count + 1, page.sourceline or line
                fields = {name: page.findtext(f".//{{*}}{name}") or "" for name in ("title", "ns")}
                *_, markup = ["", *(text.text or "" for text in page.iterfind(".//{*}text"))]
                title = fields["title"].strip()
                if fields["ns"].strip() not in ("", "0") or not title:
                    continue
                if len(markup) <= _LONGEST_PAGE:
                    yield ExportPage(title, markup)
                elif not quiet:
                    most = _LONGEST_PAGE
                    _log.warning(Message("wiki.long-page", title=title, path=path, most=most))
    except (etree.XMLSyntaxError, EOFError, OSError) as error:
        broken = str(error) or type(error).__name__
        line = getattr(error, "lineno", None) or line
    if count == 0:
        raise WikiError("wiki.no-export-page", path=path, detail=broken or "no <page>")
    if broken and not quiet:
        _log.warning(Message("wiki.cut-off", path=path, line=line, detail=broken, count=count))


class _Bounded:
    """A file of which at most so many bytes are read; WikiError when there are more."""

    def __init__(self, path: Path, file: IO[bytes], most: int) -> None:
        self._path, self._file, self._most, self._left = path, file, most, most

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        got = self._file.read(size)
        self._left -= len(got)
        if self._left < 0:
            raise WikiError("wiki.bomb", path=self._path, most=self._most // 1_000_000)
        return got


def _elements(path: Path, file: _Bounded) -> Iterator[etree._Element]:
    """The <page> elements one by one; each is forgotten before the next."""
    reading = etree.iterparse(
        file, events=("start", "end"), resolve_entities=False, no_network=True, huge_tree=True
    )
    for number, (event, element) in enumerate(reading):
        declared = element.getroottree().docinfo.internalDTD if number == 0 else None
        if declared is not None:
            raise WikiError("wiki.doctype", path=path, name=declared.name)
        if event == "end" and etree.QName(element).localname == "page":
            yield element
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
