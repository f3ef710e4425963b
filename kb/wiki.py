"""Wiki files to entries: MediaWiki, saved web pages, Markdown, plain text.

    >>> entry = next(iter_wiki("worlds/chuiyan/wiki"))
    >>> entry.title, entry.aliases, entry.sections[0]
    ('井底街', (), ((), '名称: 井底街\\n所在: 第一层台地\\n户数: 三百零六'))

A file of wikitext is one page (its stem is the title), a saved web page too; an export holds many,
Markdown one for every '# ' heading, plain text one for every line that starts with 【词条】. What a
text really is is told by its content. A section on one person or thing is an entry of its own
(`kb.topics`). A page '#REDIRECT [[沈灯]]' makes its title an alias of 沈灯. Other files are left alone.
"""

import email
import email.policy
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar
from zlib import crc32

from pydantic import BaseModel, ConfigDict

from kb import markdown, sections, webpage
from kb.aliases import aliases_of, is_name
from kb.errors import Message, WikiError
from kb.export import ExportPage, read_export
from kb.names import normalise, simplified
from kb.sections import WORDS, Section, without_marks
from kb.topics import topics_of
from kb.wikitext import render_markup

T = TypeVar("T")
_log = logging.getLogger(__name__)

_REDIRECT = re.compile(
    r"\s*#(?:redirect|redir|重定向|重新導向|転送)\s*[:：]?\s*\[\[\s*:?([^\]|#]+)", re.I
)
_HTML = re.compile(r"\s*(?:<\?xml[^>]{0,200}>\s*)?<(?:!doctype\s+html|html)\b", re.I)
_HTML_BLOCK = re.compile(r"<(?:p|div|table|h[1-6]|ul|br)\b[^<>]{0,500}>", re.I)
# Of each language as many signs as there are kinds of them: one alone may stand in any text.
_WIKITEXT = (
    r"\[\[[^\[\]\n]+\]\]",
    r"\{\{[^{}\n]",
    r"'''[^'\n]+'''",
    r"^==+[^=\n]+==+[ \t]*$",
    r"^\{\|",
)
_HEADING = r"^#{1,6}[ \t]+\S"
_MARKDOWN = (_HEADING, r"^#{2,6}\S", r"\*\*\S", r"\]\([^()\n]+\)", r"^\|[-:| \t]*--[-:| \t]*$")
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]+)", re.I)
# GB18030 decodes nearly any bytes: what holds more control characters than a slip is no text.
_CONTROL, _CONTROL_SHARE = re.compile("[\x00-\x08\x0e-\x1f\x7f]"), 0.001
_DAMAGED_SHARE = 0.01
_ENCODINGS = ("gb18030", "big5hkscs", "utf-16-le", "utf-16-be", "shift_jis")
# The commonest characters of Chinese in both scripts and of Japanese: a wrong encoding has few.
_COMMON = re.compile(
    "[的一是不了在人有我他这這个個们們中来來上大为為和国國地到以说說时時就出会會，。のにはをたとがで]"
)
_LARGEST_FILE = 64_000_000

_TALK, _OTHERS = "|".join(WORDS["talk"]), "|".join([*WORDS["namespaces"], *WORDS["talk"]])
# 讨论:, 用户讨论:, Talk:, User talk:, and file names in which the colon became another mark.
_NAMESPACE = re.compile(
    rf"(?:{_OTHERS})[\s_]*(?:{_TALK})?\s*[:：]|.{{0,12}}(?:{_TALK}):|(?:{_TALK})(?:_|%3a)", re.I
)
_MEANINGS = re.compile(rf".+[（(](?:{'|'.join(WORDS['disambiguation-titles'])})[）)]", re.I)
_MEANINGS_TEMPLATE = re.compile(
    rf"\{{\{{\s*(?:template:|模板:)?\s*(?:{'|'.join(WORDS['disambiguation-templates'])})\s*[|}}]",
    re.I,
)
_MEANINGS_LINE = re.compile("|".join(WORDS["disambiguation-lines"]), re.I)
_LONGEST_MEANING = 60
_SENTENCE, _SHORTEST_SENTENCE = re.compile(r"[。！？!?\n]+"), 6
# Pages of one title are compared by the 32 smallest hashes of their sentences: half makes a copy.
_SKETCH, _SHARE = 32, 0.5
# A stub's few facts may be another's as well.
_SHORTEST_COPY = 100
# 沈灯 (1), 沈灯 - 副本, 沈灯 copy: what a file system makes of a second copy.
_COPY = re.compile(r"\s*(?:[（(]\d{1,2}[）)]|-?\s*(?:副本|拷贝|copy)(?:\s*[（(]\d+[）)])?)$", re.I)


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
    yield from _Reading(Path(path)).entries()


class _Reading:
    """One pass over the files of a wiki, and what was left out in it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._redirects: dict[str, str] = {}
        self._titles: set[str] = set()
        self._empty: list[str] = []
        self._no_articles: list[str] = []
        self._copies: list[str] = []
        self._broken: dict[Path, WikiError] = {}
        self._seen = Duplicates()

    def entries(self) -> Iterator[Entry]:
        """The entries of all files that can be read; then the warnings."""
        files = _wiki_files(self._root)
        for file in files:
            for page in self._guarded(file, lambda file: _mediawiki_pages(file, quiet=True)):
                if match := _REDIRECT.match(page.markup):
                    self._redirects[page.title] = match[1].replace("_", " ").strip()
        ends = _ends(self._redirects)
        aliases: dict[str, list[str]] = {}
        for name in filter(is_name, filter(is_article, self._redirects)):
            aliases.setdefault(ends[name], []).append(name)
        for file in files:
            for entry in self._guarded(file, self._of_file):
                names = dict.fromkeys((*entry.aliases, *aliases.get(entry.title, ())))
                yield entry.model_copy(update={"aliases": tuple(names)})
        self._warn([name for name in self._redirects if ends[name] not in self._titles])

    def _warn(self, lost: list[str]) -> None:
        errors = list(self._broken.values())
        if errors and not (self._titles or self._empty or self._no_articles):
            raise errors[0]
        if errors:
            files = _first([file.name for file in self._broken])
            _log.warning(Message("wiki.broken", count=len(errors), files=files, what=errors[0]))
        if names := self._empty:
            _log.warning(Message("wiki.empty-pages", count=len(names), titles=_first(names)))
        if names := self._no_articles:
            _log.warning(Message("wiki.no-articles", count=len(names), titles=_first(names)))
        if names := self._copies:
            _log.warning(Message("wiki.copies", count=len(names), titles=_first(names)))
        if lost:
            _log.warning(Message("wiki.lost-redirects", count=len(lost), titles=_first(lost)))

    def _guarded(self, file: Path, read: Callable[[Path], Iterator[T]]) -> Iterator[T]:
        """What a reader gives; a file that breaks it is noted, and left alone from there on."""
        try:
            yield from () if file in self._broken else read(file)
        except WikiError as error:
            self._broken[file] = error
        # Whatever a parser stumbles over in one page of many, the others are worth reading.
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"
            self._broken[file] = WikiError("wiki.unreadable", path=file, detail=detail)

    def _of_file(self, file: Path) -> Iterator[Entry]:
        """The entries of one file; pages that give none are noted."""
        source = file.name if self._root.is_file() else file.relative_to(self._root).as_posix()
        for title, marked_text, left_out in _read(file):
            marked = sections.split_sections(marked_text, keep_bold=True)
            plain = [(path, without_marks(text)) for path, text in marked]
            if left_out or not is_article(title):
                self._no_articles.append(title)
            elif not plain:
                self._empty += [title] if title not in self._redirects else []
            elif lists_meanings(plain):
                self._no_articles.append(title)
            elif not self._seen.is_new(title, "\n".join(text for _, text in plain)):
                self._copies.append(title)
            else:
                for topic, parts in topics_of(title, marked):
                    self._titles.add(topic)
                    lead = "\n".join(text for path, text in parts if path == parts[0][0])
                    read = tuple((path, without_marks(text)) for path, text in parts)
                    names = aliases_of(topic, read, bold=sections.bold_names(lead))
                    yield Entry(title=topic, aliases=names, sections=read, source=source)


def _wiki_files(root: Path) -> list[Path]:
    """Readable files under `root`, sorted; raises WikiError when there are none."""
    kinds = ", ".join(_READERS)
    if not root.exists():
        raise WikiError("wiki.missing", path=root, kinds=kinds)
    found = [root] if root.is_file() else sorted(root.rglob("*"))
    if files := [file for file in found if file.is_file() and _kind(file)]:
        return files
    raise WikiError("wiki.nothing-to-read", path=root, kinds=kinds)


def _kind(file: Path) -> str:
    """The ending that names the file's reader; '' where there is none, and for hidden files."""
    endings = () if file.name.startswith(".") else _READERS
    return next((ending for ending in endings if file.name.lower().endswith(ending)), "")


def _mediawiki_pages(file: Path, *, quiet: bool = False) -> Iterator[ExportPage]:
    """The pages of an export one by one, that of a file of wikitext, none of other files."""
    if _kind(file).startswith(".xml"):
        yield from read_export(file, quiet=quiet)
    elif _READERS[_kind(file)] is _wikitext and not _HTML.match(text := _read_text(file)):
        yield ExportPage(without_copy_mark(file.stem), text)


def _read(file: Path) -> Iterator[_Page]:
    """The pages of a file by the reader of its kind, or of what its text turns out to be."""
    if _kind(file).startswith(".xml"):
        for title, markup in _mediawiki_pages(file):
            yield from _wikitext(markup, title)
        return
    text, title = _read_text(file), without_copy_mark(file.stem)
    for page in _reader_of(text, _READERS[_kind(file)])(text, title):
        # Above the first heading of a file of pages there is usually nothing.
        if page.title or page.text.strip():
            yield page._replace(title=page.title or title)


def _reader_of(text: str, own: "_Reader") -> "_Reader":
    """The reader of a text: that of its ending, unless it is clearly something else."""
    if _HTML.match(text):
        return _web_page
    if own not in (_plain, _markdown):
        return own
    wikitext, marks = (
        sum(bool(re.search(sign, text, re.M)) for sign in signs) for signs in (_WIKITEXT, _MARKDOWN)
    )
    if wikitext > max(1, marks if own is _plain else 2 * marks):
        return _wikitext
    if own is _plain and (marks > 1 or re.search(_HEADING, text, re.M)):
        return _markdown
    return _web_page if own is _plain and len(_HTML_BLOCK.findall(text)) > 2 else own


_Reader = Callable[[str, str], Iterator[_Page]]


def _wikitext(text: str, title: str) -> Iterator[_Page]:
    is_redirect = _REDIRECT.match(text)
    marked = "" if is_redirect else render_markup(text, title=title)
    yield _Page(title, marked, left_out=not is_redirect and marks_meanings(text))


def _web_page(text: str, title: str) -> Iterator[_Page]:
    yield _Page(*webpage.render_page(text, fallback=title))


def _markdown(text: str, title: str) -> Iterator[_Page]:
    yield from (_Page(*page) for page in markdown.read_markdown(text))


def _plain(text: str, title: str) -> Iterator[_Page]:
    yield from (_Page(*page) for page in markdown.read_marked_text(text))


_READERS: dict[str, _Reader] = {
    **dict.fromkeys((".wiki", ".wikitext", ".mediawiki", ".xml", ".xml.bz2"), _wikitext),
    **dict.fromkeys((".md", ".markdown"), _markdown),
    ".txt": _plain,
    **dict.fromkeys((".html", ".htm", ".xhtml", ".mhtml", ".mht"), _web_page),
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
    declared = _CHARSET.search(data[:4096]) if _READERS[_kind(file)] is _web_page else None
    if _kind(file).startswith(".mht"):
        # A web archive of one file: the first page in it is the page.
        parts = email.message_from_bytes(data, policy=email.policy.default).walk()
        pages = (part.get_content() for part in parts if part.get_content_type() == "text/html")
        data = str(next(pages, "")).encode()
    text = _decoded(data, declared[1].decode() if declared else "utf-8")
    if text is None:
        raise WikiError("wiki.encoding", path=file)
    if len(_CONTROL.findall(text)) > _CONTROL_SHARE * len(text):
        raise WikiError("wiki.binary", path=file)
    return text


def _decoded(data: bytes, declared: str) -> str | None:
    is_utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if is_utf16 else ("utf-8-sig", declared):
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    # A few damaged bytes are no other encoding.
    text = data.decode("utf-8-sig", errors="replace")
    if text.count("\ufffd") <= _DAMAGED_SHARE * len(text):
        return text
    guesses = []
    for encoding in _ENCODINGS:
        try:
            guesses.append(data.decode(encoding))
        except UnicodeDecodeError:
            continue
    # A wrong encoding of two bytes gives about as many characters, of which few are common.
    return max(guesses, key=lambda text: len(_COMMON.findall(text)), default=None)


def is_article(title: str) -> bool:
    """False for pages of talk, users, templates and so on, and for lists of meanings."""
    title = simplified(title).strip()
    return not (_NAMESPACE.match(title) or _MEANINGS.fullmatch(title))


def marks_meanings(markup: str) -> bool:
    """Whether wikitext says that it only lists what its title may mean."""
    return bool(_MEANINGS_TEMPLATE.search(simplified(markup)))


def lists_meanings(sections: Sequence[Section]) -> bool:
    """Whether a page begins with '沈灯可以指：' and goes on with short lines only."""
    first, *rest = [line for _, text in sections for line in text.split("\n")]
    short = all(len(line) <= _LONGEST_MEANING for line in rest)
    return len(rest) > 1 and short and bool(_MEANINGS_LINE.fullmatch(simplified(first)))


def without_copy_mark(stem: str) -> str:
    """沈灯 (1) and 沈灯 - 副本 are 沈灯."""
    return _COPY.sub("", stem) or stem


class Duplicates:
    """The pages seen so far: the sentences of each as hashes, by title, and of all of them."""

    def __init__(self) -> None:
        self._pages: set[frozenset[int]] = set()
        self._by_title: dict[str, list[frozenset[int]]] = {}

    def is_new(self, title: str, text: str) -> bool:
        """False for a page that says what an earlier one does, or half of its namesake."""
        parts = (part for part in _SENTENCE.split(text) if len(part) >= _SHORTEST_SENTENCE)
        hashes = {crc32(normalise(part).encode()) for part in parts}
        sketch = frozenset(sorted(hashes)[:_SKETCH])
        namesakes = self._by_title.setdefault(normalise(title), [])
        copied = any(len(sketch & other) > _SHARE * len(sketch) for other in namesakes)
        copied = copied or (len(text) >= _SHORTEST_COPY and sketch in self._pages)
        # More than these of one title only take time.
        namesakes += [sketch] if len(namesakes) < _SKETCH else []
        self._pages.add(sketch)
        return not copied
