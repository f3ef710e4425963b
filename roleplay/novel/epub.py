"""An EPUB -> its text in pieces: the pages of the spine in order, cut where its contents say.

    pieces, notes = read_epub(Path("novel.epub"))
    pieces[0]       # Piece(title="漏雨的早晨", text="漏雨的早晨\\n晨醒雨晚了三分钟。")

The titles come from the navigation page or the ncx, else from the headings of the pages. A page that
is missing, damaged or encrypted is left out and named in the notes, never the book. Its own files are
read by their tags alone, since many are no XML. What is unpacked is bounded: no novel has more than
64 MB of pages.
"""

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from html import unescape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag

from roleplay.errors import NovelError
from roleplay.messages import Message, message
from roleplay.novel.encoding import decode
from roleplay.novel.page import Page, read_page

_MOST_BYTES, _MOST_NOTES = 64 * 1024 * 1024, 10
# What zipfile raises for damaged, encrypted (RuntimeError) and unknown packings and odd names.
_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError, NovelError)
_PAGE = re.compile(r"(?i)\.(?:x?html?|xml)$")
_NO_PAGE = re.compile(
    r"(?i)^(?:image|audio|video|font)/|\.(?:svg|jpe?g|png|gif|css|ncx|[ot]tf|js)$"
)
_OBFUSCATED_FONT = re.compile(r"idpf\.org/2008/embedding|ns\.adobe\.com/pdf/enc#RC")
_POINT = re.compile(
    r"<(?:\w+:)?text[^<>]*>([^<]*)</[^<>]*>\s*</[^<>]*>\s*<(?:\w+:)?content\s([^<>]*)>"
)
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
# What a zip is that has such a file in it and is no EPUB.
_OTHERS = {"word/document.xml": "Word (docx)", "content.xml": "OpenDocument (odt)"}

Titles = dict[tuple[int, int], list[str]]
"""(page, line) -> the titles that begin there."""
_Tag = dict[str, str]
_Link = tuple[str, str, str]  # (name of the page, id in it, title)


class Piece(NamedTuple):
    """A stretch of the book's text, one paragraph a line, and the title under which it stands."""

    title: str
    text: str


def read_epub(path: Path) -> tuple[list[Piece], list[Message]]:
    """The book's pieces in order, and what was left out.

    Raises NovelError: no EPUB, a broken one, or one whose pages are all encrypted.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _Book(archive, path).read()
    except NovelError:
        raise
    except (*_FAULTS, KeyError) as error:
        raise NovelError("novel.no-epub", path=path, detail=str(error).strip("'\"")) from error


def cut_pages(pages: Sequence[Page], titles: Titles) -> Iterator[Piece]:
    """The text of the pages, cut at the titles."""
    title, lines = "", list[str]()
    for i, page in enumerate(pages):
        for number, line in enumerate([*page.lines, ""]):
            if (i, number) in titles:
                yield Piece(title, "\n".join(lines))
                title, lines = " ".join(titles[i, number]), []
            lines += [line] if line else []
    yield Piece(title, "\n".join(lines))


def headings(pages: Sequence[Page]) -> Titles:
    """Those of the first two levels, and at the head of a page; all where those are not two."""
    found = [(i, *one) for i, page in enumerate(pages) for one in page.headings]
    high = [one for one in found if one[1] == 0 or one[2] <= 2]
    return {(i, line): [text] for i, line, _, text in (high if len(high) > 1 else found)}


class _Book:
    """An open EPUB; names are found in any case, percent-encoded or in another folder."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self.archive, self.path, self.left = archive, path, _MOST_BYTES
        self.notes: list[Message] = []
        self.names: dict[str, str] = {}
        for name in archive.namelist():
            forms = [name, f"*/{posixpath.basename(name)}"]
            for encoding in ("utf-8", "gb18030"):  # as it was meant, where the zip does not say so
                with suppress(UnicodeError):
                    forms.append(name.encode("cp437").decode(encoding))
            for form in forms:
                self.names.setdefault(form.lower(), name)
        self.locked = {info.filename for info in archive.infolist() if info.flag_bits & 1}
        for block in self._text("META-INF/encryption.xml").split("EncryptedData>"):
            if not _OBFUSCATED_FONT.search(block):
                files = _tags(block, "CipherReference")
                self.locked |= {self._find(file.get("URI", "")) for file in files} - {""}

    def read(self) -> tuple[list[Piece], list[Message]]:
        """The pieces and the notes."""
        container = self._text("META-INF/container.xml")
        named = [file.get("full-path", "") for file in _tags(container, "rootfile")]
        named += [name for name in self.archive.namelist() if name.lower().endswith(".opf")]
        text = ""
        while named and "<item" not in text.replace(":", "<"):
            package = self._find(named.pop(0))
            text = self._text(package)
        folder = posixpath.dirname(package) if text else ""
        items = {item.get("id", ""): item for item in _tags(text, "item")}
        pages = {}
        for name in dict.fromkeys([*self._order(items, text, folder)] or self._stray_pages()):
            if html := self._text(name, is_page=True):
                pages[name] = read_page(html)
        if self.locked and not pages:
            raise NovelError("novel.protected", path=self.path)
        entries = max(self._contents(items.values(), folder), key=len, default=[])
        for name in [name for name, page in pages.items() if page.is_contents][: len(pages) - 1]:
            entries = entries or self._links(pages.pop(name).links, name)
            pages.pop(name, None)
        titles = self._titles(entries, pages)
        if (more := len(self.notes) - _MOST_NOTES) > 0:
            self.notes[_MOST_NOTES:] = [message("novel.left-out-more", count=more)]
        return list(cut_pages(list(pages.values()), titles)), self.notes

    def _find(self, address: str, folder: str = "") -> str:
        """The name of the file that an address means, or nothing."""
        address = urldefrag(address)[0].replace("\\", "/")
        for form in filter(None, (unquote(address), address)):
            place = posixpath.normpath(posixpath.join(folder, form)).lstrip("./")
            for name in (place, f"*/{posixpath.basename(place)}"):
                if found := self.names.get(name.lower()):
                    return found
        return ""

    def _text(self, address: str, *, is_page: bool = False) -> str:
        """The text of a file without comments, or nothing; a page that has none is noted."""
        name, text, fault = self._find(address), "", ""
        if not name or name in self.locked:
            fault = "novel.page-encrypted" if name else "novel.page-missing"
        else:
            try:
                with self.archive.open(name) as file:
                    data = file.read(self.left + 1)
                self.left -= len(data)
                text = decode(data, name)[0] if self.left >= 0 else ""
                fault = "" if self.left >= 0 else "novel.page-big"
            except _FAULTS:
                fault = "novel.page-broken"
        if fault and is_page:
            self.notes.append(message("novel.left-out", page=name or address, why=message(fault)))
        if lost := text.count("\ufffd"):
            self.notes.append(message("novel.page-damage", count=lost, page=name))
        return "".join(part.partition("-->")[2] for part in f"-->{text}".split("<!--"))

    def _order(self, items: Mapping[str, _Tag], text: str, folder: str) -> Iterator[str]:
        """The names of the pages in reading order; what is not in the book by its address."""
        references = [one.get("idref", "") for one in _tags(text, "itemref")]
        for reference in references or items:
            item = items.get(reference, {})
            address = item.get("href", reference)
            name = self._find(address, folder) or address
            is_other = _NO_PAGE.search(f"{item.get('media-type', '')} {name}")
            if not (is_other and not _PAGE.search(name)) and "nav" not in item.get(
                "properties", ""
            ):
                yield name

    def _stray_pages(self) -> list[str]:
        """All pages of a book that names none, in the order of their names, 10 behind 9."""
        names = self.archive.namelist()
        if kind := next((kind for name, kind in _OTHERS.items() if name in names), None):
            raise NovelError("novel.looks-like", path=self.path, kind=kind)
        if found := [name for name in names if _PAGE.search(name) and "META-INF" not in name]:
            return sorted(found, key=lambda name: re.sub(r"\d+", lambda n: n[0].zfill(9), name))
        detail = "no META-INF/container.xml and no page"
        raise NovelError("novel.no-epub", path=self.path, detail=detail)

    def _contents(self, items: Iterable[_Tag], folder: str) -> Iterator[list[_Link]]:
        """The tables of contents: of the navigation page, and of the ncx."""
        for item in items:
            name = self._find(item.get("href", ""), folder)
            if "nav" in item.get("properties", ""):
                yield self._links(read_page(self._text(name), contents=True).links, name)
            elif name.lower().endswith(".ncx"):
                points = _POINT.findall(self._text(name))
                links = [(dict(_attributes(tag)).get("src", ""), unescape(t)) for t, tag in points]
                yield self._links(links, name)

    def _links(self, links: Iterable[tuple[str, str]], page: str) -> list[_Link]:
        folder = posixpath.dirname(page)
        return [
            (self._find(address, folder), unquote(urldefrag(address)[1]), " ".join(title.split()))
            for address, title in links
        ]

    def _titles(self, links: Iterable[_Link], pages: Mapping[str, Page]) -> Titles:
        """The titles by place: those of the contents, or of the headings where it names too few."""
        places = {name: i for i, name in enumerate(pages)}
        titles: Titles = {}
        for name, anchor, title in links:
            if name in places and title:
                line = pages[name].anchors.get(anchor, 0) if anchor else 0
                known = titles.setdefault((places[name], line), [])
                known += [title] if title not in known else []
        own = headings(list(pages.values()))
        few = len(titles) < 2 or (len(titles) < 4 and len(own) >= 3 * len(titles))
        return titles | own if few else titles


def _tags(text: str, name: str) -> list[_Tag]:
    """The attributes of all tags of a name, in whatever namespace."""
    return [dict(_attributes(tag)) for tag in re.findall(rf"<(?:[\w.-]+:)?{name}\s([^<>]*)>", text)]


def _attributes(tag: str) -> Iterator[tuple[str, str]]:
    return ((key, unescape(a or b)) for key, a, b in _ATTRIBUTE.findall(tag))
