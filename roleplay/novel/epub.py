"""An EPUB, or a page of HTML -> its text in pieces, cut where the book's contents or headings say.

    pieces, notes = read_epub(Path("novel.epub"))
    pieces[0]       # Piece(title="漏雨的早晨", text="漏雨的早晨\\n晨醒雨晚了三分钟。")

A page that is missing, damaged or encrypted is left out and named, never the book; so are pictures,
ruby readings, notes with their marks, and contents pages. The book's own files are read by their
tags alone, since many are no XML. No tree is built and no more than 64 MB is unpacked.
"""

import posixpath
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urldefrag

from lxml import etree  # type: ignore[import-untyped]

from roleplay.errors import NovelError
from roleplay.messages import Message, message
from roleplay.novel import pattern, table
from roleplay.novel.encoding import decode

_MOST_BYTES, _MOST_OF_PAGE, _MOST_NOTES = 64 * 1024 * 1024, 16 * 1024 * 1024, 10
# What zipfile raises for missing, encrypted, damaged and unknown files and odd names.
_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError, KeyError)
_WHY = {KeyError: "novel.page-missing", RuntimeError: "novel.page-encrypted"}
_PAGE, _NO_PAGE = pattern("pages.file"), pattern("pages.no_file")
_BLOCK, _SKIPPED = pattern("pages.block"), pattern("pages.skipped")
_NOTE, _NOTE_MARK = pattern("pages.note"), pattern("pages.note_mark")
_FEW_PARTS = 9  # lxml cuts text into few parts; what is longer is no mark

Piece = tuple[str, str]
"""A title, and the text under it, one paragraph a line."""
_Titles = dict[tuple[int, int], list[str]]  # (page, line) -> the titles that begin there
_Tag = defaultdict[str, str]
_Link = tuple[str, str, str]  # (folder of the table of contents, address, title)


@dataclass
class Page:
    """A page's paragraphs; anchors and headings (line, level, text) name a line of it."""

    lines: list[str] = field(default_factory=list)
    anchors: dict[str, int] = field(default_factory=dict)
    headings: list[tuple[int, int, str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)


def read_epub(path: Path) -> tuple[list[Piece], list[Message]]:
    """The book's pieces in order, and what was left out.

    Raises NovelError: no EPUB, a broken one, or one whose pages are all encrypted.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _Book(archive, path).read()
    except _FAULTS as error:
        raise NovelError("novel.no-epub", path=path, detail=str(error).strip("'\"")) from error


def read_page(html: str, *, contents: bool = False) -> Page:
    """Read a page, any text gives one; ``contents``: read the table of contents, else left out."""
    # Comments may hold tags. CDATA would be lost, and so would the line ends of <pre>.
    html = "".join(part.partition("-->")[2] for part in f"-->{html}".split("<!--"))
    html = re.sub(r"<!\[CDATA\[|\]\]>|[\0-\x08\x0e-\x1f]", "", html)
    html = pattern("pages.self_closed").sub(r"<\1\2></\1>", html)
    html = re.sub("(?i)<pre[^<>]*>[^<]*", lambda pre: pre[0].replace("\n", "<br>"), html)
    reader = _Reader(contents)
    parser = etree.HTMLParser(target=reader, huge_tree=True, encoding="utf-8")
    parser.feed(html.encode("utf-8", "replace") or b" ")
    parser.close()
    return reader.page


def cut_pages(pages: Sequence[Page], titles: _Titles | None = None) -> Iterator[Piece]:
    """The text of the pages, cut at the titles, by default at their headings."""
    titles = _headings(pages) if titles is None else titles
    title, lines = "", list[str]()
    for i, page in enumerate(pages):
        for number, line in enumerate([*page.lines, ""]):
            if (i, number) in titles:
                yield title, "\n".join(lines)
                title, lines = " ".join(titles[i, number]), []
            lines += [line] if line else []
    yield title, "\n".join(lines)


def _headings(pages: Sequence[Page]) -> _Titles:
    """Those of the first two levels, and at the head of a page; all where those are not two."""
    found = [(i, *one) for i, page in enumerate(pages) for one in page.headings]
    high = [one for one in found if one[1] == 0 or one[2] <= 2]
    return {(i, line): [text] for i, line, _, text in (high if len(high) > 1 else found)}


class _Reader:
    """Takes the tags of a page as lxml reports them, all closed; a block is a line or more."""

    def __init__(self, contents: bool) -> None:
        self.page, self.contents = Page(), contents
        self.parts: list[str] = []  # of the line
        self.marks: list[tuple[str, int]] = []  # (address, place in the parts) of each open a, sup
        self.skipping = 0  # how deep inside what is left out
        self.heading: int | None = None  # the line of the open one
        self.is_note = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        tag, kind = tag.rpartition(":")[2], attributes.get("epub:type", "")
        kinds = f"{kind} {attributes.get('class', '')} {attributes.get('role', '')}"
        hidden = tag == "nav" and (not self.contents or "toc" not in (kind or "toc"))
        hidden = hidden or bool(_SKIPPED.fullmatch(tag) or _NOTE.search(kinds))
        self.skipping += bool(self.skipping or hidden)
        if _BLOCK.fullmatch(tag) and not self.skipping:
            self.close()
        for name in (attributes.get("id"), attributes.get("name")):
            self.page.anchors.setdefault(name or "", len(self.page.lines))
        if self.skipping:
            return
        if tag == "content":  # of the ncx, behind <navLabel><text>雨</text></navLabel>
            self.page.links.append((attributes.get("src", ""), "".join(self.parts)))
        elif tag in ("a", "sup"):
            self.marks.append((attributes.get("href", ""), len(self.parts)))
        elif re.fullmatch("h[1-6]", tag):
            self.heading = len(self.page.lines)

    def end(self, tag: str) -> None:
        if self.skipping:
            self.skipping -= 1
            return
        tag = tag.rpartition(":")[2]
        if tag in ("a", "sup") and self.marks:
            self._end_link(*self.marks.pop(), tag)
        if _BLOCK.fullmatch(tag):
            self.close()
        if re.fullmatch("h[1-6]", tag) and self.heading is not None:
            if title := " ".join(self.page.lines[self.heading :]):
                self.page.headings.append((self.heading, int(tag[1]), title))
            self.heading = None

    def data(self, text: str) -> None:
        self.parts += [] if self.skipping else [text]

    def _end_link(self, address: str, place: int, tag: str) -> None:
        if len(self.parts) == place or (tag == "sup" and len(self.parts) - place > _FEW_PARTS):
            return
        text = "".join(self.parts[place:]).strip()
        alone = place < _FEW_PARTS and not "".join(self.parts[:place]).strip()
        is_mark = not self.contents and ("#" in address or tag == "sup")
        # A heading that is nothing but a numeral may link back to the contents.
        if is_mark and _NOTE_MARK.fullmatch(text) and not (alone and self.heading is not None):
            del self.parts[place:]
            self.is_note |= alone and tag == "a"  # the text of the note follows its number
        elif address:
            self.page.links.append((address, text))

    def close(self) -> None:
        """End the line; lxml calls it at the end of the page."""
        text = re.sub(r"[ \t\r\n]+", _shown, "".join(self.parts)).strip()
        self.page.lines += [text] if text and not self.is_note else []
        self.parts.clear()
        # What is still open goes on in the next line; nobody nests more than this.
        self.marks = [(address, 0) for address, _ in self.marks[:_FEW_PARTS]]
        self.is_note = False


def _shown(blank: re.Match[str]) -> str:
    """White space as a reader shows it: a line break between Chinese characters vanishes."""
    around = blank.string[max(0, blank.start() - 1) : blank.end() + 1].split(blank[0])
    return "" if "\n" in blank[0] and all(c > "\x7f" for c in around) else " "


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
        self.locked: set[str] = set()
        for block in self._text("META-INF/encryption.xml").split("EncryptedData>"):
            font = pattern("pages.obfuscated_font").search(block)
            files = [] if font else _tags(block, "CipherReference")
            self.locked |= {self._find(file["URI"]) for file in files}

    def read(self) -> tuple[list[Piece], list[Message]]:
        """The pieces and the notes."""
        named = [
            one["full-path"] for one in _tags(self._text("META-INF/container.xml"), "rootfile")
        ]
        named += [name for name in self.archive.namelist() if name.lower().endswith(".opf")]
        found = ((self._find(name), self._text(name)) for name in named)
        package, text = next((one for one in found if _tags(one[1], "item")), ("", ""))
        folder = posixpath.dirname(package)
        items = {item["id"]: item for item in _tags(text, "item")}
        pages = {}
        for name in [*self._order(items, text, folder)] or self._stray_pages():
            if name not in pages and (html := self._text(name, is_page=True)):
                pages[name] = read_page(html)
        if self.locked and not pages:
            raise NovelError("novel.protected", path=self.path)
        links = max(self._contents(items.values(), folder), key=len, default=[])
        for name, page in list(pages.items()):
            linked = [text for address, text in page.links if not address.startswith("http")]
            most = len("".join(linked)) > 0.6 * len("".join(page.lines))
            if len(linked) > 3 and most and len(pages) > 1:  # a table of contents
                links = links or [(posixpath.dirname(name), *link) for link in page.links]
                del pages[name]
        titles = self._titles(links, pages)
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
        """The text of a file, or nothing; a page that has none is noted."""
        name, text = self._find(address), ""
        try:
            if name in self.locked:
                raise RuntimeError
            with self.archive.open(name) as file:
                data = file.read(min(self.left, _MOST_OF_PAGE) + 1)
            self.left = max(0, self.left - len(data))
            text = decode(data, name)[0] if data else ""
            if len(data) > _MOST_OF_PAGE or not self.left:
                raise ValueError
        except (*_FAULTS, NovelError) as error:
            text, why = "", message(_WHY.get(type(error), "novel.page-broken"))
            if is_page:
                self.notes.append(message("novel.left-out", page=name or address, why=why))
            self.locked |= {name} if type(error) is RuntimeError else set()
        if lost := text.count("\ufffd"):
            self.notes.append(message("novel.page-damage", count=lost, page=name))
        return text

    def _order(self, items: Mapping[str, _Tag], text: str, folder: str) -> Iterator[str]:
        """The names of the pages in reading order; what is not in the book by its address."""
        for reference in dict.fromkeys(one["idref"] for one in _tags(text, "itemref")) or items:
            item = items.get(reference, _Tag(str, href=reference))
            name = self._find(item["href"], folder) or item["href"]
            is_other = _NO_PAGE.search(f"{item['media-type']} {name}") and not _PAGE.search(name)
            if not is_other and "nav" not in item["properties"]:
                yield name

    def _stray_pages(self) -> list[str]:
        """All pages of a book that names none, in the order of their names, 10 behind 9."""
        names = self.archive.namelist()
        for kind, name in table("formats")["zip"].items():
            if name in names:
                raise NovelError("novel.looks-like", path=self.path, kind=kind)
        if found := [name for name in names if _PAGE.search(name) and "META-INF" not in name]:
            return sorted(found, key=lambda name: re.sub(r"\d+", lambda n: n[0].zfill(9), name))
        raise NovelError("novel.no-epub", path=self.path, detail="no container.xml and no page")

    def _contents(self, items: Iterable[_Tag], folder: str) -> Iterator[list[_Link]]:
        """The tables of contents: of the navigation page, and of the ncx."""
        for item in items:
            name = self._find(item["href"], folder)
            if "nav" in item["properties"] or name.lower().endswith(".ncx"):
                links = read_page(self._text(name), contents=True).links
                yield [(posixpath.dirname(name), *link) for link in links]

    def _titles(self, links: Iterable[_Link], pages: Mapping[str, Page]) -> _Titles:
        """The titles by place: those of the contents, or of the headings where it names too few."""
        places = {name: i for i, name in enumerate(pages)}
        titles: _Titles = {}
        for folder, address, title in links:
            name, title = self._find(address, folder), " ".join(title.split())
            if name in places and title:
                line = pages[name].anchors.get(unquote(urldefrag(address)[1]), 0)
                known = titles.setdefault((places[name], line), [])
                known += [title] if title not in known else []
        own = _headings(list(pages.values()))
        few = len(titles) < 2 or (len(titles) < 4 and len(own) >= 3 * len(titles))
        return titles | own if few else titles


def _tags(text: str, name: str) -> list[_Tag]:
    """The attributes of all tags of a name, in whatever namespace; one that is not there is ""."""
    attribute = re.compile(r"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
    found = re.findall(rf"<(?:[\w.-]+:)?{name}\s([^<>]*)>", text)
    return [
        _Tag(str, {key: unescape(a or b) for key, a, b in attribute.findall(tag)}) for tag in found
    ]
