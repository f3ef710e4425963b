"""An EPUB -> its text in pieces: the pages of the spine in order, cut where its contents say.

    pieces, notes = read_epub(Path("novel.epub"))
    pieces[0]       # Piece(title="漏雨的早晨", text="漏雨的早晨\\n晨醒雨晚了三分钟。")

The titles come from the navigation page or the ncx, else from the headings of the pages. A page that
is missing, damaged or encrypted is left out and named in the notes, never the book; contents pages
and notes are left out. What is unpacked is bounded: nobody's novel has 64 MB of pages.
"""

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

from lxml import etree  # type: ignore[import-untyped]

from roleplay.errors import NovelError
from roleplay.messages import Message, message
from roleplay.novel.encoding import damage, decode
from roleplay.novel.page import Page, read_page

_MOST_BYTES = 64 * 1024 * 1024
# What zipfile raises for damaged, encrypted (RuntimeError) and unknown packings and odd names.
_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError, KeyError)
_PAGE_NAME = re.compile(r"(?i)\.(?:x?html?|xml)$")
_NO_PAGE = re.compile(
    r"(?i)^(?:image|audio|video|font)/|\.(?:svg|jpe?g|png|gif|css|ncx|opf|[ot]tf|js)$"
)
_OBFUSCATED_FONT = re.compile(r"idpf\.org/2008/embedding|ns\.adobe\.com/pdf/enc#RC")
# What a zip is that has such a file in it and is no EPUB.
_OTHERS = {"word/document.xml": "Word (docx)", "content.xml": "OpenDocument (odt)"}
_SHOWN = 10

_Entry = tuple[str, str, str]  # folder of the table of contents, address, title
_Titles = dict[tuple[int, int], list[str]]  # (page, line) -> titles that begin there


@dataclass(frozen=True)
class Piece:
    """A stretch of the book's text, one paragraph a line, and the title under which it stands."""

    title: str | None
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


def cut_page(page: Page) -> list[Piece]:
    """A page alone, cut at its headings."""
    return list(_pieces([page], _heading_titles([page])))


class _LeftOutError(Exception):
    """A page that cannot be read; the argument is the key of the reason."""


class _Book:
    """An open EPUB; names are found in any case, percent-encoded or in another folder."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self.archive, self.path = archive, path
        self.left = _MOST_BYTES
        self.notes: list[Message] = []
        self.by_name: dict[str, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            name = info.filename
            for form in (name, *_renamed(name), f"*/{posixpath.basename(name)}"):
                self.by_name.setdefault(form.lower(), info)
        self.encrypted: set[str] = set()

    def read(self) -> tuple[list[Piece], list[Message]]:
        """The pieces and the notes."""
        self.encrypted = set(self._encrypted())
        folder, root = self._package()
        items = {item.get("id"): item for item in _all(root, "item")}
        order = list(self._order(items, root, folder))
        order = order or self._stray_pages()
        pages = {name: page for name in order if (page := self._page(name))}
        if not pages and (self.encrypted or any(i.flag_bits & 1 for i in self.archive.infolist())):
            raise NovelError("novel.protected", path=self.path)
        entries = self._entries(items.values(), folder)
        if len(pages) > 1:
            for name in [name for name, page in pages.items() if page.is_contents]:
                folder = posixpath.dirname(name)
                entries = entries or [(folder, *link) for link in pages[name].links]
                del pages[name]
        titles = self._titles(entries, pages)
        if len(self.notes) > _SHOWN:
            more = message("novel.left-out-more", count=len(self.notes) - _SHOWN)
            self.notes[_SHOWN:] = [more]
        return list(_pieces(list(pages.values()), titles)), self.notes

    def _find(self, address: str, folder: str = "") -> zipfile.ZipInfo | None:
        address = urldefrag(address)[0].replace("\\", "/")
        for form in (unquote(address), address):
            place = posixpath.normpath(posixpath.join(folder, form)).lstrip("./")
            for name in (place, f"*/{posixpath.basename(place)}"):
                if form and (info := self.by_name.get(name.lower())):
                    return info
        return None

    def _read(self, info: zipfile.ZipInfo) -> str:
        """The text of a file, with no more bytes than are left for the whole book."""
        if info.filename in self.encrypted or info.flag_bits & 1:
            raise _LeftOutError("novel.page-encrypted")
        try:
            with self.archive.open(info) as file:
                data = file.read(self.left + 1)
            self.left -= len(data)
            if self.left < 0:
                raise _LeftOutError("novel.page-big")
            text, _ = decode(data, info.filename)
        except (*_FAULTS, NovelError) as error:
            raise _LeftOutError("novel.page-broken") from error
        if lost := damage(text):
            self.notes.append(message("novel.page-damage", count=len(lost), page=info.filename))
        return text

    def _xml(self, info: zipfile.ZipInfo | None) -> Any:
        """The root of an XML file, mended where it is none; None: there is nothing to read."""
        try:
            text = self._read(info) if info else ""
        except _LeftOutError:
            return None
        parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True)
        text = re.sub(r"^[^<]*(?:<\?xml[^>]*>\s*)?", "", text)
        return etree.fromstring(text.encode("utf-8", "replace"), parser) if text else None

    def _encrypted(self) -> Iterator[str]:
        """The files that the book encrypts; fonts that are only obfuscated do not count."""
        for data in _all(self._xml(self._find("META-INF/encryption.xml")), "EncryptedData"):
            methods = " ".join(one.get("Algorithm", "") for one in _all(data, "EncryptionMethod"))
            for reference in _all(data, "CipherReference"):
                info = self._find(reference.get("URI", ""))
                if info and not _OBFUSCATED_FONT.search(methods):
                    yield info.filename

    def _package(self) -> tuple[str, Any]:
        """The folder and the root of the package file."""
        container = self._xml(self._find("META-INF/container.xml"))
        named = [self._find(file.get("full-path", "")) for file in _all(container, "rootfile")]
        others = [info for name, info in self.by_name.items() if name.endswith(".opf")]
        for info in filter(None, [*named, *others]):
            root = self._xml(info)
            if any(_all(root, "item")):
                return posixpath.dirname(info.filename), root
        return "", None

    def _order(self, items: dict[str, Any], root: Any, folder: str) -> Iterator[str]:
        """The names of the pages in reading order."""
        references = [one.get("idref") for one in _all(root, "itemref")]
        for reference in dict.fromkeys(references or items):
            item = {} if items.get(reference) is None else items[reference]
            address = item.get("href", "")
            info = self._find(address, folder)
            name = info.filename if info else address
            if not _PAGE_NAME.search(name) and _NO_PAGE.search(f"{item.get('media-type')} {name}"):
                continue
            if info is None:
                self._leave_out(address or str(reference), "novel.page-missing")
            elif "nav" not in item.get("properties", "").split():
                yield name

    def _stray_pages(self) -> list[str]:
        """All pages of a book that names none, in the order of their names."""
        names = [info.filename for info in self.archive.infolist()]
        if kind := next((kind for name, kind in _OTHERS.items() if name in names), None):
            raise NovelError("novel.looks-like", path=self.path, kind=kind)
        found = [name for name in names if _PAGE_NAME.search(name) and "META-INF" not in name]
        if not found:
            detail = "no META-INF/container.xml and no page"
            raise NovelError("novel.no-epub", path=self.path, detail=detail)
        # Page 10 stands behind page 9.
        return sorted(found, key=lambda name: re.sub(r"\d+", lambda n: n[0].zfill(9), name))

    def _page(self, name: str) -> Page | None:
        try:
            return read_page(self._read(self.archive.getinfo(name)))
        except _LeftOutError as error:
            self._leave_out(name, str(error))
            return None

    def _leave_out(self, page: str, why: str) -> None:
        self.notes.append(message("novel.left-out", page=page, why=message(why)))

    def _entries(self, items: Sequence[Any], folder: str) -> list[_Entry]:
        """The table of contents, of the navigation page or the ncx, whichever names more."""
        found: list[list[_Entry]] = [[]]
        for item in items:
            info = self._find(item.get("href", ""), folder)
            own = posixpath.dirname(info.filename) if info else ""
            if info and "nav" in item.get("properties", "").split():
                try:
                    page = read_page(self._read(info), contents=True)
                except _LeftOutError:
                    continue
                found.append([(own, *link) for link in page.links])
            elif info and info.filename.lower().endswith(".ncx"):
                points = map(_point, _all(self._xml(info), "navPoint"))
                found.append([(own, *point) for point in points])
        return max(found, key=len)

    def _titles(self, entries: Sequence[_Entry], pages: dict[str, Page]) -> _Titles:
        """The titles by place: those of the contents, or of the headings where it names too few."""
        places = {name: i for i, name in enumerate(pages)}
        titles: _Titles = {}
        for folder, address, title in entries:
            info = self._find(address, folder)
            if info and info.filename in places and (title := " ".join(title.split())):
                line = pages[info.filename].anchors.get(unquote(urldefrag(address)[1]), 0)
                known = titles.setdefault((places[info.filename], line), [])
                known += [title] if title not in known else []
        headings = _heading_titles(list(pages.values()))
        few = len(titles) < 2 or (len(titles) < 4 and len(headings) >= 3 * len(titles))
        return {**titles, **headings} if few else titles


def _heading_titles(pages: Sequence[Page]) -> _Titles:
    """The headings that open a chapter: those of the first two levels, and at the head of a page."""
    found = [
        ((i, line), level, text)
        for i, page in enumerate(pages)
        for line, level, text in page.headings
    ]
    high = [one for one in found if one[1] <= 2 or one[0][1] == 0]
    return {place: [text] for place, _, text in (high if len(high) > 1 else found)}


def _pieces(pages: Sequence[Page], titles: _Titles) -> Iterator[Piece]:
    title, lines = None, list[str]()
    for i, page in enumerate(pages):
        for number, line in enumerate([*page.lines, ""]):
            if (i, number) in titles:
                yield Piece(title, "\n".join(lines))
                title, lines = " ".join(titles[i, number]), []
            lines += [line] if line else []
    yield Piece(title, "\n".join(lines))


def _all(root: Any, name: str) -> list[Any]:
    """All elements of a name, in whatever namespace."""
    elements = [] if root is None else root.iter(etree.Element)
    return [one for one in elements if re.split("[}:]", one.tag)[-1] == name]


def _point(point: Any) -> tuple[str, str]:
    """(address, title) of an entry of the ncx, without those inside it."""
    own = [one for child in point if child.tag is not etree.Comment for one in (child, *child)]
    address = next((one.get("src") for one in own if one.get("src")), "")
    texts = [one.text or "" for one in own if str(one.tag).endswith("text")]
    return address, texts[0] if texts else ""


def _renamed(name: str) -> Iterator[str]:
    """The name as it was meant where the zip does not say that it is UTF-8 or GBK."""
    for encoding in ("utf-8", "gb18030"):
        with suppress(UnicodeError):
            yield name.encode("cp437").decode(encoding)
