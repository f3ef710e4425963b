"""Wiki files to entries: MediaWiki pages and exports, saved web pages, Markdown, and plain text with 【词条】 marks.

    >>> entries = read_wiki("worlds/chuiyan/wiki")
    >>> entries[0].title, entries[0].aliases, entries[0].sections[0]
    ('井底街', (), ((), '名称: 井底街\\n所在: 第一层台地\\n户数: 三百零六'))

`*.wiki` is one page of MediaWiki markup (the file's stem is its title), `*.xml` and `*.xml.bz2` a MediaWiki export
read as a stream, `*.html` and `*.htm` one saved web page, `*.md` one entry for every '# ' heading, `*.txt` one entry
for every line that starts with 【词条】. A page '#REDIRECT [[沈灯]]' makes its title an alias of 沈灯. Other files
are left alone.
"""

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from kb.aliases import aliases_of, is_name
from kb.errors import WikiError
from kb.export import ExportPage, read_export
from kb.sections import Section, bold, bold_names, heading_line, split_sections, tidy_line, without_marks
from kb.webpage import render_page
from kb.wikitext import render_markup

_log = logging.getLogger(__name__)

_REDIRECT = re.compile(r"\s*#(?:redirect|重定向)\s*[:：]?\s*\[\[([^\]|#]+)", re.IGNORECASE)
_TXT_ENTRY = re.compile(r"^\s*【([^】]+)】[:：]?\s*(.*)$")
_MD_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_MD_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_MD_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_MD_MARKS = re.compile(r"\*\*|__|`|(?<!\*)\*(?!\*)(?=\S)|(?<=\S)\*")
_MD_PREFIX = re.compile(r"^\s*(?:[-*+]\s+|\d+\.\s+|>\s?)+")
_MD_RULE = re.compile(r"^\s*(?:[-=_*]\s*){3,}$|^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_MD_BOLD = re.compile(r"(\*\*|__)(?=\S)([^*_\n]{1,80}?)(?<=\S)\1")
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_CONTROL_SHARE = 0.001
_LARGEST_FILE = 64_000_000
_SHOWN = 3


class Entry(BaseModel):
    """One page: its title, the other names it goes by, and its text section by section."""

    model_config = ConfigDict(frozen=True)

    title: str
    aliases: tuple[str, ...] = ()
    sections: tuple[Section, ...]
    source: str


def read_wiki(path: str | Path) -> list[Entry]:
    """Entries of one file, or of every readable file under a folder, in the order of their paths.

    Raises WikiError when the path does not exist, holds no readable file, or one cannot be decoded or parsed.
    """
    return list(iter_wiki(path))


def iter_wiki(path: str | Path) -> Iterator[Entry]:
    """The entries of `read_wiki` one by one: a large export never stands in memory.

    The files are read twice, first for redirects only. Pages without text are left out, with one warning.
    """
    root = Path(path)
    files = _wiki_files(root)
    redirects = {name: target for file in files for name, target in _redirects(file)}
    aliases = _names_by_target(redirects)
    titles: set[str] = set()
    empty: list[str] = []
    for file in files:
        source = file.name if root.is_file() else file.relative_to(root).as_posix()
        for entry in _READERS[_kind(file)](file, source):
            if entry.sections:
                titles.add(entry.title)
                yield _with_aliases(entry, aliases.get(entry.title, []))
            elif entry.title not in redirects:
                empty.append(entry.title)
    _warn("pages have no text and are left out", empty)
    lost = [name for name in redirects if _follow(name, redirects) not in titles]
    _warn("redirects lead to what is not among the pages", lost)


def page_to_entry(markup: str, *, title: str, source: str) -> Entry:
    """One MediaWiki page as an entry; a redirect has no sections."""
    if _REDIRECT.match(markup):
        return Entry(title=title, sections=(), source=source)
    return _entry(title, render_markup(markup, title=title), source)


def _wiki_files(root: Path) -> list[Path]:
    """Readable files under `root`, sorted; raises WikiError when there are none."""
    if not root.exists():
        raise WikiError(f"no wiki at {str(root)!r}: make the folder and put {', '.join(_READERS)} files into it")
    candidates = [root] if root.is_file() else sorted(root.rglob("*"))
    files = [file for file in candidates if file.is_file() and not file.name.startswith(".") and _kind(file)]
    if not files:
        raise WikiError(f"nothing to read in {str(root)!r}: a wiki is made of {', '.join(_READERS)} files")
    return files


def _kind(file: Path) -> str:
    """The ending that names the file's reader, '' when there is none."""
    return next((ending for ending in _READERS if file.name.lower().endswith(ending)), "")


def _redirects(file: Path) -> Iterator[tuple[str, str]]:
    """(title, target) of the redirect pages of a file."""
    pages: Iterator[ExportPage] = iter(())
    if _READERS[_kind(file)] is _read_export:
        pages = read_export(file, quiet=True)
    elif _READERS[_kind(file)] is _read_mediawiki:
        pages = iter([ExportPage(file.stem, _read_text(file))])
    for page in pages:
        if match := _REDIRECT.match(page.markup):
            yield page.title, match[1].strip()


def _read_mediawiki(file: Path, source: str) -> Iterator[Entry]:
    yield page_to_entry(_read_text(file), title=file.stem, source=source)


def _read_export(file: Path, source: str) -> Iterator[Entry]:
    """Pages of the main namespace in a MediaWiki XML export; only one page is in memory at a time."""
    for page in read_export(file):
        yield page_to_entry(page.markup, title=page.title, source=source)


def _read_webpage(file: Path, source: str) -> Iterator[Entry]:
    page = render_page(_read_text(file), fallback=file.stem)
    yield _entry(page.title, page.text, source)


def _read_markdown(file: Path, source: str) -> Iterator[Entry]:
    title, text = file.stem, ""
    for line in _read_text(file).splitlines():
        heading = _MD_HEADING.match(line)
        if heading and len(heading[1]) == 1:
            yield _entry(title, text, source)
            title, text = without_marks(_plain_markdown(heading[2])), ""
        elif heading:
            text += heading_line(len(heading[1]), _plain_markdown(heading[2]))
        elif not _MD_RULE.match(line):
            text += _plain_markdown(line) + "\n"
    yield _entry(title, text, source)


def _read_marked_text(file: Path, source: str) -> Iterator[Entry]:
    title, text = file.stem, ""
    for line in _read_text(file).splitlines():
        mark = _TXT_ENTRY.match(line)
        if mark:
            yield _entry(title, text, source)
            title, text = tidy_line(without_marks(mark[1])), without_marks(mark[2]) + "\n"
        else:
            text += without_marks(line) + "\n"
    yield _entry(title, text, source)


_READERS: dict[str, Callable[[Path, str], Iterator[Entry]]] = {
    ".wiki": _read_mediawiki,
    ".md": _read_markdown,
    ".txt": _read_marked_text,
    ".xml": _read_export,
    ".xml.bz2": _read_export,
    ".html": _read_webpage,
    ".htm": _read_webpage,
}


def _entry(title: str, text: str, source: str) -> Entry:
    """An entry of marked text, its aliases read from its own lines and first sentence."""
    sections = split_sections(text)
    aliases = aliases_of(title, sections, bold=bold_names(text))
    return Entry(title=title, aliases=aliases, sections=tuple(sections), source=source)


def _names_by_target(redirects: dict[str, str]) -> dict[str, list[str]]:
    """Page -> the titles that lead to it, through chains; titles that can be no name are passed over."""
    names: dict[str, list[str]] = {}
    for name in filter(is_name, redirects):
        names.setdefault(_follow(name, redirects), []).append(name)
    return names


def _warn(what: str, names: list[str]) -> None:
    """One line for all of them, with the first few by name."""
    if names:
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        _log.warning("%d %s: %s", len(names), what, shown)


def _follow(name: str, redirects: dict[str, str]) -> str:
    """The page at the end of a chain of redirects; a circle ends where it began."""
    seen: set[str] = set()
    while name in redirects and name not in seen:
        seen.add(name)
        name = redirects[name]
    return name


def _with_aliases(entry: Entry, names: list[str]) -> Entry:
    return entry.model_copy(update={"aliases": tuple(dict.fromkeys((*entry.aliases, *names)))})


def _read_text(file: Path) -> str:
    """The file's text: UTF-16 with a mark, UTF-8, what an HTML page says it is in, or GB18030.

    Raises WikiError when it is none of these, too large for pages, or binary.
    """
    if (size := file.stat().st_size) > _LARGEST_FILE:
        raise WikiError(f"{str(file)!r} has {size:,} bytes, more than {_LARGEST_FILE:,}: split it into pages")
    data = file.read_bytes()
    declared = _CHARSET.search(data[:4096]) if _kind(file).startswith(".htm") else None
    encodings = ["utf-8-sig", *([declared[1].decode()] if declared else []), "gb18030"]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    text = next((text for text in (_decoded(data, encoding) for encoding in encodings) if text is not None), None)
    if text is None:
        raise WikiError(f"{str(file)!r} is not text in UTF-8 or GB18030: save it as UTF-8")
    if len(_CONTROL.findall(text)) > _CONTROL_SHARE * len(text):
        raise WikiError(
            f"{str(file)!r} is not text but binary data: take it out of the folder or save it as UTF-8 text"
        )
    return text


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _plain_markdown(line: str) -> str:
    """A Markdown line without its marks; a table row becomes its cells joined with '、'."""
    line = _MD_PREFIX.sub("", _MD_LINK.sub(r"\1", _MD_IMAGE.sub("", without_marks(line))))
    if line.strip().startswith("|"):
        line = "、".join(cell.strip() for cell in line.strip().strip("|").split("|") if cell.strip())
    return _MD_MARKS.sub("", _MD_BOLD.sub(lambda match: bold(match[2]), line))
