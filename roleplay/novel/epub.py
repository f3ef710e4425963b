"""An EPUB -> its text: the chapters of the spine, in order, one paragraph a line.

    read_epub(Path("novel.epub"))     # "第一章　漏雨的早晨\\n晨醒雨晚了三分钟。\\n..."

Example of what is read (``chapter1.xhtml``)::

    <html><body><h1>第一章　漏雨的早晨</h1><p>晨醒雨晚了三分钟。</p></body></html>

Styles, pictures, ruby readings and the navigation page are left out. It opens no encrypted book.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from roleplay.errors import NovelError
from roleplay.novel.encoding import decode

_BLOCK_TAGS = (
    "address article aside blockquote body br dd div dl dt figcaption footer h1 h2 h3 h4 h5 h6 header hr li "
    "main ol p pre section table td th title tr ul"
)
_BLOCKS = frozenset(_BLOCK_TAGS.split())
_SKIPPED = frozenset({"head", "script", "style", "rt", "rp", "nav"})
_PAGES = ("application/xhtml+xml", "text/html")
_BLANK = re.compile(r"[ \t\r\n]+")
_MAX_BYTES = 512 * 1024 * 1024


def read_epub(path: Path) -> str:
    """The text of the book.

    Raises:
        NovelError: not an EPUB, a broken or an encrypted one, or one that unpacks to more than 512 MB.
    """
    try:
        with zipfile.ZipFile(path) as book:
            _refuse_huge(book, path)
            pages = [decode(book.read(name), f"{path}:{name}")[0] for name in _spine(book)]
    # zipfile raises RuntimeError for an encrypted book and NotImplementedError for a packing that it does not know.
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, RuntimeError, NotImplementedError) as error:
        reason = str(error).strip("'\"")
        raise NovelError(f"{path} is no readable EPUB ({reason}): save the book as txt or epub again") from error
    return "\n".join(filter(None, map(page_text, pages)))


def page_text(html: str) -> str:
    """The text of one page, one paragraph a line, without blank lines."""
    parser = _PageParser()
    parser.feed(html)
    parser.close()
    lines = (line.strip() for line in "".join(parser.parts).split("\n"))
    return "\n".join(line for line in lines if line)


def _refuse_huge(book: zipfile.ZipFile, path: Path) -> None:
    total = sum(item.file_size for item in book.infolist())
    if total > _MAX_BYTES:
        raise NovelError(f"{path} unpacks to {total} bytes, the limit is {_MAX_BYTES}: save the book as txt")


def _spine(book: zipfile.ZipFile) -> list[str]:
    """The names of the pages in reading order, the navigation page left out."""
    container = ElementTree.fromstring(book.read("META-INF/container.xml"))
    package = next((item.get("full-path", "") for item in container.iter() if _tag(item) == "rootfile"), "")
    root = ElementTree.fromstring(book.read(package))
    items = {item.get("id"): item for item in root.iter() if _tag(item) == "item"}
    order = [items[item.get("idref")] for item in root.iter() if _tag(item) == "itemref"]
    folder = posixpath.dirname(package)
    return [
        posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        for item in order
        if item.get("media-type") in _PAGES and "nav" not in item.get("properties", "").split()
    ]


def _tag(item: ElementTree.Element) -> str:
    return item.tag.rpartition("}")[2]


class _PageParser(HTMLParser):
    """Collects the visible text; every block begins and ends a line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._skipping: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SKIPPED:
            self._skipping.append(tag)
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._skipping:
            del self._skipping[self._skipping.index(tag) :]
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self.parts.append(_collapse(data))


def _collapse(data: str) -> str:
    """White space as a reader shows it: a line break between Chinese characters vanishes."""
    return _BLANK.sub(_shown, data)


def _shown(blank: re.Match[str]) -> str:
    start, end = blank.span()
    around = blank.string[start - 1 : start] + blank.string[end : end + 1]
    wrapped = "\n" in blank[0] and len(around) == 2 and all(c > "\x7f" for c in around)
    return "" if wrapped else " "
