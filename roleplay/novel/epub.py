"""An EPUB -> its text: the chapters of the spine, in order, one paragraph a line.

    read_epub(Path("novel.epub"))     # "第一章　漏雨的早晨\\n晨醒雨晚了三分钟。\\n..."

Example of what is read (``chapter1.xhtml``)::

    <html><body><h1>第一章　漏雨的早晨</h1><p>晨醒雨晚了三分钟。</p></body></html>

Styles, pictures, ruby readings and the navigation page are left out. It opens no encrypted book.
"""

import posixpath
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from roleplay.errors import NovelError
from roleplay.novel.encoding import decode

_BLOCK = re.compile(
    "address|article|aside|blockquote|body|br|dd|div|dl|dt|figcaption|footer|h[1-6r]|header|li|"
    "main|ol|p|pre|section|table|td|th|title|tr|ul"
)
_SKIPPED = frozenset({"head", "script", "style", "rt", "rp", "nav"})
_PAGES = ("application/xhtml+xml", "text/html")
_BLANK = re.compile(r"[ \t\r\n]+")
_MAX_BYTES = 512 * 1024 * 1024  # a small file can unpack to more than the memory holds


def read_epub(path: Path) -> str:
    """The text of the book.

    Raises NovelError: no EPUB, a broken or an encrypted one, or one that unpacks to over 512 MB.
    """
    try:
        with zipfile.ZipFile(path) as book:
            if (size := sum(item.file_size for item in book.infolist())) > _MAX_BYTES:
                raise NovelError("novel.huge-epub", path=path, size=size, most=_MAX_BYTES)
            pages = [decode(book.read(name), f"{path}:{name}")[0] for name in _spine(book)]
    # zipfile raises RuntimeError for an encrypted book and for a packing that it does not know.
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, RuntimeError) as error:
        raise NovelError("novel.no-epub", path=path, detail=str(error).strip("'\"")) from error
    return "\n".join(filter(None, map(page_text, pages)))


def page_text(html: str) -> str:
    """The text of one page, one paragraph a line, without blank lines."""
    parser = _PageParser()
    parser.feed(html)
    parser.close()
    return "\n".join(filter(None, map(str.strip, "".join(parser.parts).split("\n"))))


def _spine(book: zipfile.ZipFile) -> list[str]:
    """The names of the pages in reading order, the navigation page left out."""
    container = ElementTree.fromstring(book.read("META-INF/container.xml"))
    # {*}: with the namespace of the standard or, as some books have it, without.
    package = next(container.iterfind(".//{*}rootfile"), container).get("full-path", "")
    root = ElementTree.fromstring(book.read(package))
    items = {item.get("id"): item for item in root.iterfind(".//{*}item")}
    order = [items[item.get("idref")] for item in root.iterfind(".//{*}itemref")]
    folder = posixpath.dirname(package)
    return [
        posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        for item in order
        if item.get("media-type") in _PAGES and "nav" not in item.get("properties", "").split()
    ]


class _PageParser(HTMLParser):
    """Collects the visible text; every block begins and ends a line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._skipping: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SKIPPED:
            self._skipping.append(tag)
        self._break_line(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._break_line(tag)  # <script/> and the like skip nothing: nobody closes them

    def handle_endtag(self, tag: str) -> None:
        if tag in self._skipping:
            del self._skipping[self._skipping.index(tag) :]
        self._break_line(tag)

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self.parts.append(_BLANK.sub(_shown, data))

    def _break_line(self, tag: str) -> None:
        if _BLOCK.fullmatch(tag):
            self.parts.append("\n")


def _shown(blank: re.Match[str]) -> str:
    """White space as a reader shows it: a line break between Chinese characters vanishes."""
    start, end = blank.span()
    around = blank.string[start - 1 : start] + blank.string[end : end + 1]
    wrapped = "\n" in blank[0] and len(around) == 2 and all(c > "\x7f" for c in around)
    return "" if wrapped else " "
