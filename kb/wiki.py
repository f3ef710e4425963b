"""Wiki files to entries: MediaWiki, saved web pages, Markdown, plain text.

    >>> entry = next(iter_wiki("worlds/chuiyan/wiki"))
    >>> entry.title, entry.aliases, entry.sections[0]
    ('井底街', (), ((), '名称: 井底街\\n所在: 第一层台地\\n户数: 三百零六'))

`*.wiki` and `*.wikitext` are one page of MediaWiki markup (the file's stem is its title), `*.xml` and
`*.xml.bz2` a MediaWiki export, `*.html` and `*.mhtml` one saved web page, `*.md` one page for every
'# ' heading, `*.txt` one for every line that starts with 【词条】; what a text really is is told by its
content. A section on one person or thing is an entry of its own (`kb.topics`). A page
'#REDIRECT [[沈灯]]' makes its title an alias of 沈灯. Other files are left alone.
"""

import email
import email.policy
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from kb import articles, markdown, plaintext, sections, webpage
from kb.aliases import aliases_of, is_name
from kb.errors import Message, WikiError
from kb.export import ExportPage, read_export
from kb.sections import Section, without_marks
from kb.topics import topics_of
from kb.wikitext import render_markup

T = TypeVar("T")
_log = logging.getLogger(__name__)

_REDIRECT = re.compile(
    r"\s*#(?:redirect|redir|重定向|重新導向|転送)\s*[:：]?\s*\[\[\s*:?([^\]|#]+)", re.IGNORECASE
)
_HTML = re.compile(r"\s*(?:<\?xml[^>]{0,200}>\s*)?<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_HTML_BLOCK = re.compile(r"<(?:p|div|table|h[1-6]|ul|br)\b[^<>]{0,500}>", re.IGNORECASE)
_WIKITEXT = [
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"\[\[[^\[\]\n]+\]\]",
        r"\{\{[^{}\n]",
        r"'''[^'\n]+'''",
        r"^==+[^=\n]+==+[ \t]*$",
        r"^\{\|",
    )
]
_MARKDOWN = [
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^#{1,6}[ \t]+\S",
        r"^#{2,6}\S",
        r"\*\*\S",
        r"\]\([^()\n]+\)",
        r"^\|[-:| \t]*--[-:| \t]*$",
    )
]
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
# GB18030 decodes nearly any bytes: what holds more control characters than a slip is no text.
_CONTROL, _CONTROL_SHARE = re.compile("[\x00-\x08\x0e-\x1f\x7f]"), 0.001
# The commonest characters of Chinese in both scripts and of Japanese: a wrong encoding has few.
_COMMON = frozenset(
    "的一是不了在人有我他这這个個们們中来來上大为為和国國地到以说說时時要就出会會，。、のにはをたとがで"
)
_DAMAGED_SHARE = 0.01
_LARGEST_FILE = 64_000_000


class Entry(BaseModel):
    """One page: its title, the other names it goes by, and its text section by section."""

    model_config = ConfigDict(frozen=True)

    title: str
    aliases: tuple[str, ...] = ()
    sections: tuple[Section, ...]
    source: str


class _Page(NamedTuple):
    """A page as its reader gives it: marked text, and whether it is no article."""

    title: str
    text: str
    left_out: bool = False


def iter_wiki(path: str | Path) -> Iterator[Entry]:
    """Entries of one file, or of every readable file under a folder, in the order of their paths.

    One by one, so that a large export never stands in memory; the files are read twice, first for
    redirects only. What is no article, or without text, or a copy, and files that cannot be read
    are left out with one warning of each kind.
    Raises WikiError where there is no readable file, or where none of them can be read.
    """
    reading = _Reading(Path(path))
    yield from reading.entries()
    reading.warn()


class _Reading:
    """One pass over the files of a wiki, and what was left out in it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files = _wiki_files(root)
        self._redirects: dict[str, str] = {}
        self._titles: set[str] = set()
        self._left: dict[str, list[str]] = {"empty": [], "no-article": [], "copies": []}
        self._broken: dict[Path, WikiError] = {}
        self._lost: list[str] = []

    def entries(self) -> Iterator[Entry]:
        """The entries of all files that can be read."""
        for file in self._files:
            for page in self._guarded(file, lambda file: _mediawiki_pages(file, quiet=True)):
                if match := _REDIRECT.match(page.markup):
                    self._redirects[page.title] = match[1].replace("_", " ").strip()
        ends = _ends(self._redirects)
        aliases: dict[str, list[str]] = {}
        for name in filter(is_name, filter(articles.is_article, self._redirects)):
            aliases.setdefault(ends[name], []).append(name)
        seen = articles.Duplicates()
        for file in self._files:
            for entry in self._guarded(file, lambda file: self._of_file(file, seen)):
                names = dict.fromkeys((*entry.aliases, *aliases.get(entry.title, ())))
                yield entry.model_copy(update={"aliases": tuple(names)})
        self._lost = [name for name in self._redirects if ends[name] not in self._titles]

    def warn(self) -> None:
        """Logs what was left out; raises the first error where no file could be read at all."""
        errors = list(self._broken.values())
        if errors and not self._titles and not any(self._left.values()):
            raise errors[0]
        if errors:
            files = _first([file.name for file in self._broken])
            _log.warning(Message("wiki.broken", count=len(errors), files=files, what=errors[0]))
        empty, no_article, copies = self._left.values()
        if empty:
            _log.warning(Message("wiki.empty-pages", count=len(empty), titles=_first(empty)))
        if no_article:
            _log.warning(
                Message("wiki.no-articles", count=len(no_article), titles=_first(no_article))
            )
        if copies:
            _log.warning(Message("wiki.copies", count=len(copies), titles=_first(copies)))
        if lost := self._lost:
            _log.warning(Message("wiki.lost-redirects", count=len(lost), titles=_first(lost)))

    def _guarded(self, file: Path, read: Callable[[Path], Iterator[T]]) -> Iterator[T]:
        """What a reader gives; a file that breaks it is noted, and left alone from there on."""
        if file in self._broken:
            return
        try:
            yield from read(file)
        except WikiError as error:
            self._broken[file] = error
        # Whatever a parser stumbles over in one page of many, the others are worth reading.
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"
            self._broken[file] = WikiError("wiki.unreadable", path=file, detail=detail)

    def _of_file(self, file: Path, seen: articles.Duplicates) -> Iterator[Entry]:
        source = file.name if self._root.is_file() else file.relative_to(self._root).as_posix()
        for page in _read(file):
            yield from self._of_page(page, seen, source)

    def _of_page(self, page: _Page, seen: articles.Duplicates, source: str) -> Iterator[Entry]:
        """The entries of one page, or none: its title is then among those left out."""
        if page.left_out or not articles.is_article(page.title):
            self._left["no-article"].append(page.title)
            return
        marked = sections.split_sections(page.text, keep_bold=True)
        plain = [(path, without_marks(text)) for path, text in marked]
        if not plain:
            if page.title not in self._redirects:
                self._left["empty"].append(page.title)
        elif articles.lists_meanings(plain):
            self._left["no-article"].append(page.title)
        elif not seen.is_new(page.title, "\n".join(text for _, text in plain)):
            self._left["copies"].append(page.title)
        else:
            for title, parts in topics_of(page.title, marked):
                self._titles.add(title)
                lead = "\n".join(text for path, text in parts if path == parts[0][0])
                read = tuple((path, without_marks(text)) for path, text in parts)
                own = aliases_of(title, read, bold=sections.bold_names(lead))
                yield Entry(title=title, aliases=own, sections=read, source=source)


def _wiki_files(root: Path) -> list[Path]:
    """Readable files under `root`, sorted; raises WikiError when there are none."""
    kinds = ", ".join(_READERS)
    if not root.exists():
        raise WikiError("wiki.missing", path=root, kinds=kinds)
    found = [root] if root.is_file() else sorted(root.rglob("*"))
    files = [file for file in found if file.is_file() and _kind(file)]
    if not files:
        raise WikiError("wiki.nothing-to-read", path=root, kinds=kinds)
    return files


def _kind(file: Path) -> str:
    """The ending that names the file's reader; '' where there is none, and for hidden files."""
    name = file.name.lower()
    hidden = name.startswith(".")
    return next((ending for ending in _READERS if name.endswith(ending) and not hidden), "")


def _stem(file: Path) -> str:
    return articles.without_copy_mark(file.stem)


def _mediawiki_pages(file: Path, *, quiet: bool = False) -> Iterator[ExportPage]:
    """The pages of an export one by one, that of a file of wikitext, none of other files."""
    kind = _kind(file)
    if kind.startswith(".xml"):
        yield from read_export(file, quiet=quiet)
    elif _READERS[kind] is _wikitext and not _HTML.match(text := _read_text(file)):
        yield ExportPage(_stem(file), text)


def _read(file: Path) -> Iterator[_Page]:
    """The pages of a file by the reader of its kind, or of what its text turns out to be."""
    kind = _kind(file)
    if kind.startswith(".xml"):
        for title, markup in _mediawiki_pages(file):
            yield from _wikitext(markup, title)
        return
    text = _read_text(file)
    for page in _reader_of(text, kind)(text, _stem(file)):
        # Above the first heading of a file of pages there is usually nothing.
        if page.title or page.text.strip():
            yield page._replace(title=page.title or _stem(file))


def _reader_of(text: str, kind: str) -> "_Reader":
    """The reader of a text: that of its ending, unless it is clearly something else."""
    own = _READERS[kind]
    if _HTML.match(text):
        return _web_page
    if own not in (_plain, _markdown):
        return own
    wikitext, marks = (
        sum(bool(pattern.search(text)) for pattern in patterns)
        for patterns in (_WIKITEXT, _MARKDOWN)
    )
    if wikitext > max(1, marks if own is _plain else 2 * marks):
        return _wikitext
    if own is _plain and (marks > 1 or _MARKDOWN[0].search(text)):
        return _markdown
    if own is _plain and len(_HTML_BLOCK.findall(text)) > 2:
        return _web_page
    return own


_Reader = Callable[[str, str], Iterator[_Page]]


def _wikitext(text: str, title: str) -> Iterator[_Page]:
    is_redirect = _REDIRECT.match(text)
    marked = "" if is_redirect else render_markup(text, title=title)
    yield _Page(title, marked, left_out=not is_redirect and articles.marks_meanings(text))


def _web_page(text: str, title: str) -> Iterator[_Page]:
    yield _Page(*webpage.render_page(text, fallback=title))


def _markdown(text: str, title: str) -> Iterator[_Page]:
    yield from (_Page(*page) for page in markdown.read_markdown(text))


def _plain(text: str, title: str) -> Iterator[_Page]:
    yield from (_Page(*page) for page in plaintext.read_plain_text(text))


_READERS: dict[str, _Reader] = {
    ".wiki": _wikitext,
    ".md": _markdown,
    ".txt": _plain,
    ".html": _web_page,
    ".xml": _wikitext,
    ".xml.bz2": _wikitext,
    **dict.fromkeys((".wikitext", ".mediawiki"), _wikitext),
    **dict.fromkeys((".htm", ".xhtml", ".mhtml", ".mht"), _web_page),
    ".markdown": _markdown,
}


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _ends(redirects: dict[str, str]) -> dict[str, str]:
    """The page at the end of each redirect's chain; that of a circle is in the circle."""
    ends: dict[str, str] = {}
    for name in redirects:
        chain: dict[str, None] = {}
        while name in redirects and name not in chain and name not in ends:
            chain[name] = None
            name = redirects[name]
        ends |= dict.fromkeys(chain, ends.get(name, name))
    return ends


def _read_text(file: Path) -> str:
    """The file's text: in the encoding that it names, UTF-8, or whichever gives most Chinese."""
    if (size := file.stat().st_size) > _LARGEST_FILE:
        raise WikiError("wiki.large-file", path=file, size=size, most=_LARGEST_FILE)
    data = file.read_bytes()
    if _kind(file).startswith(".mht"):
        data = _html_part(data)
    text = _decoded(data, is_html=_READERS[_kind(file)] is _web_page)
    if text is None:
        raise WikiError("wiki.encoding", path=file)
    if len(_CONTROL.findall(text)) > _CONTROL_SHARE * len(text):
        raise WikiError("wiki.binary", path=file)
    return text


def _decoded(data: bytes, *, is_html: bool) -> str | None:
    declared = _CHARSET.search(data[:4096]) if is_html else None
    certain = ["utf-8-sig", *([declared[1].decode()] if declared else [])]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        certain = ["utf-16"]
    for encoding in certain:
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    # A few damaged bytes are no other encoding.
    text = data.decode("utf-8-sig", errors="replace")
    if text.count("\ufffd") <= _DAMAGED_SHARE * len(text):
        return text
    guesses = []
    for encoding in ("gb18030", "big5hkscs", "utf-16-le", "utf-16-be", "shift_jis"):
        try:
            guesses.append(data.decode(encoding))
        except UnicodeDecodeError:
            continue
    return max(
        guesses,
        key=lambda text: sum(map(_COMMON.__contains__, text[:20_000])) / len(text[:20_000]),
        default=None,
    )


def _html_part(data: bytes) -> bytes:
    """The page inside a web archive of one file (.mhtml), in UTF-8."""
    parts = email.message_from_bytes(data, policy=email.policy.default).walk()
    pages = (part.get_content() for part in parts if part.get_content_type() == "text/html")
    return str(next(pages, "")).encode()
