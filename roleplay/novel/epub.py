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

_MOST_BYTES = 64 * 1024 * 1024
_MOST_NOTES = 10
# What zipfile raises for damaged, encrypted (RuntimeError) and unknown packings and odd names.
_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError, KeyError)
_PAGE = re.compile(r"(?i)\.(?:x?html?|xml)$")
_NO_PAGE = re.compile(
    r"(?i)^(?:image|audio|video|font)/|\.(?:svg|jpe?g|png|gif|css|ncx|[ot]tf|js)$"
)
_OBFUSCATED_FONT = re.compile(r"idpf\.org/2008/embedding|ns\.adobe\.com/pdf/enc#RC")
_NCX_POINT = re.compile(
    r"<(?:\w+:)?text[^<>]*>([^<]*)</(?:\w+:)?text>\s*</(?:\w+:)?navLabel>\s*"
    r"<(?:\w+:)?content[^<>]*?\ssrc\s*=\s*[\"']([^\"'<>]*)"
)
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
# What a zip is that has such a file in it and is no EPUB.
_OTHERS = {"word/document.xml": "Word (docx)", "content.xml": "OpenDocument (odt)"}

_Tag = dict[str, str]
_Entry = tuple[str, str, str]
_Titles = dict[tuple[int, int], list[str]]  # (page, line) -> titles that begin there


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
    except _FAULTS as error:
        raise NovelError("novel.no-epub", path=path, detail=str(error).strip("'\"")) from error


def cut_pages(pages: Sequence[Page], titles: _Titles | None = None) -> Iterator[Piece]:
    """The pages cut at the titles, by default at their headings."""
    titles = _headings(pages) if titles is None else titles
    title, lines = "", list[str]()
    for i, page in enumerate(pages):
        for number, line in enumerate([*page.lines, ""]):
            if (i, number) in titles:
                yield Piece(title, "\n".join(lines))
                title, lines = " ".join(titles[i, number]), []
            lines += [line] if line else []
    yield Piece(title, "\n".join(lines))


def _headings(pages: Sequence[Page]) -> _Titles:
    """Of the first two levels, and at the head of a page; all where those are not two."""
    found = [(i, *one) for i, page in enumerate(pages) for one in page.headings]
    high = [one for one in found if one[1] == 0 or one[2] <= 2]
    return {(i, line): [text] for i, line, _, text in (high if len(high) > 1 else found)}


class _LeftOutError(Exception):
    """A page that cannot be read; the argument is the key of the reason."""


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
        self.encrypted: set[str] = set()
        self.encrypted = {
            name
            for block in self._text(self._find("META-INF/encryption.xml")).split("EncryptedData>")
            for reference in _tags(block, "CipherReference")
            if (name := self._find(reference.get("URI", ""))) and not _OBFUSCATED_FONT.search(block)
        }

    def read(self) -> tuple[list[Piece], list[Message]]:
        """The pieces and the notes."""
        package, text = self._package()
        folder = posixpath.dirname(package)
        items = {item.get("id", ""): item for item in _tags(text, "item")}
        order = [*self._order(items, text, folder)] or self._stray_pages()
        pages = {name: page for name in dict.fromkeys(order) if (page := self._page(name))}
        locked = self.encrypted or any(info.flag_bits & 1 for info in self.archive.infolist())
        if locked and not pages:
            raise NovelError("novel.protected", path=self.path)
        entries = max(self._contents(items.values(), folder), key=len, default=[])
        for name, page in list(pages.items()) if len(pages) > 1 else ():
            if page.is_contents:
                entries = entries or self._entries(page.links, name)
                del pages[name]
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

    def _read(self, name: str) -> str:
        """The text of a file, of no more bytes than are left for the whole book.

        Raises _LeftOutError: it cannot be read.
        """
        if name in self.encrypted or self.archive.getinfo(name).flag_bits & 1:
            raise _LeftOutError("novel.page-encrypted")
        try:
            with self.archive.open(name) as file:
                data = file.read(self.left + 1)
            self.left -= len(data)
            text = decode(data, name)[0] if self.left >= 0 and data else ""
        except (*_FAULTS, NovelError) as error:
            raise _LeftOutError("novel.page-broken") from error
        if self.left < 0:
            raise _LeftOutError("novel.page-big")
        if lost := text.count("\ufffd"):
            self.notes.append(message("novel.page-damage", count=lost, page=name))
        return text

    def _text(self, name: str) -> str:
        """The same without comments; nothing where it cannot be read."""
        with suppress(_LeftOutError):
            parts = f"-->{self._read(name) if name else ''}".split("<!--")
            return "".join(part.partition("-->")[2] for part in parts)
        return ""

    def _package(self) -> tuple[str, str]:
        """The name and the text of the package file."""
        container = self._text(self._find("META-INF/container.xml"))
        named = [self._find(file.get("full-path", "")) for file in _tags(container, "rootfile")]
        others = [name for name in self.archive.namelist() if name.lower().endswith(".opf")]
        texts = ((name, self._text(name)) for name in (*named, *others))
        return next(((name, text) for name, text in texts if "<item" in text), ("", ""))

    def _order(self, items: Mapping[str, _Tag], text: str, folder: str) -> Iterator[str]:
        """The names of the pages in reading order."""
        references = [one.get("idref", "") for one in _tags(text, "itemref")]
        for reference in dict.fromkeys(references or items):
            item = items.get(reference, {})
            address = item.get("href", "")
            name = self._find(address, folder)
            kind = f"{item.get('media-type', '')} {name or address}"
            if _NO_PAGE.search(kind) and not _PAGE.search(name or address):
                continue
            if not name:
                self._leave_out(address or reference, "novel.page-missing")
            elif "nav" not in item.get("properties", "").split():
                yield name

    def _stray_pages(self) -> list[str]:
        """All pages of a book that names none, in the order of their names, 10 behind 9."""
        names = self.archive.namelist()
        if kind := next((kind for name, kind in _OTHERS.items() if name in names), None):
            raise NovelError("novel.looks-like", path=self.path, kind=kind)
        found = [name for name in names if _PAGE.search(name) and "META-INF" not in name]
        if not found:
            detail = "no META-INF/container.xml and no page"
            raise NovelError("novel.no-epub", path=self.path, detail=detail)
        return sorted(
            found, key=lambda name: re.sub(r"\d+", lambda number: number[0].zfill(9), name)
        )

    def _page(self, name: str) -> Page | None:
        try:
            return read_page(self._read(name))
        except _LeftOutError as error:
            self._leave_out(name, str(error))
            return None

    def _leave_out(self, page: str, why: str) -> None:
        self.notes.append(message("novel.left-out", page=page, why=message(why)))

    def _contents(self, items: Iterable[_Tag], folder: str) -> Iterator[list[_Entry]]:
        """The tables of contents: of the navigation page, and of the ncx."""
        for item in items:
            name = self._find(item.get("href", ""), folder)
            if "nav" in item.get("properties", "").split():
                yield self._entries(read_page(self._text(name), contents=True).links, name)
            elif name.lower().endswith(".ncx"):
                points = _NCX_POINT.findall(self._text(name))
                links = [(unescape(address), unescape(title)) for title, address in points]
                yield self._entries(links, name)

    def _entries(self, links: Iterable[tuple[str, str]], page: str) -> list[_Entry]:
        """(name of the page, id in it, title) of links."""
        folder = posixpath.dirname(page)
        named = [(self._find(address, folder), address, title) for address, title in links]
        return [(name, unquote(urldefrag(address)[1]), title) for name, address, title in named]

    def _titles(self, entries: Iterable[_Entry], pages: Mapping[str, Page]) -> _Titles:
        """The titles by place: those of the contents, or of the headings where it names too few."""
        places = {name: i for i, name in enumerate(pages)}
        titles: _Titles = {}
        for name, anchor, title in entries:
            if name in places and (title := " ".join(title.split())):
                line = pages[name].anchors.get(anchor, 0) if anchor else 0
                known = titles.setdefault((places[name], line), [])
                known += [title] if title not in known else []
        headings = _headings(list(pages.values()))
        few = len(titles) < 2 or (len(titles) < 4 and len(headings) >= 3 * len(titles))
        return titles | headings if few else titles


def _tags(text: str, name: str) -> list[_Tag]:
    """The attributes of all tags of a name, in whatever namespace."""
    found = re.findall(rf"<(?:[\w.-]+:)?{name}\s([^<>]*)>", text)
    return [{key: unescape(a or b) for key, a, b in _ATTRIBUTE.findall(tag)} for tag in found]
