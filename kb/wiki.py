"""Wiki files to entries: MediaWiki, saved web pages, Markdown, plain text with 【词条】 marks.

    >>> entry = next(iter_wiki("worlds/chuiyan/wiki"))
    >>> entry.title, entry.aliases, entry.sections[0]
    ('井底街', (), ((), '名称: 井底街\\n所在: 第一层台地\\n户数: 三百零六'))

`*.wiki` is one page of MediaWiki markup (the file's stem is its title), `*.xml` and `*.xml.bz2` a
MediaWiki export, `*.html` and `*.htm` one saved web page, `*.md` one entry for every '# ' heading,
`*.txt` one for every line that starts with 【词条】. A page '#REDIRECT [[沈灯]]' makes its title an
alias of 沈灯. Other files are left alone.
"""

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from kb import sections
from kb.aliases import aliases_of, is_name
from kb.errors import Message, WikiError
from kb.export import ExportPage, read_export
from kb.sections import Section, without_marks
from kb.webpage import render_page
from kb.wikitext import render_markup

_log = logging.getLogger(__name__)

_REDIRECT = re.compile(r"\s*#(?:redirect|重定向)\s*[:：]?\s*\[\[([^\]|#]+)", re.IGNORECASE)
_TXT_ENTRY = re.compile(r"^\s*【([^】]+)】[:：]?\s*(.*)$")
_MD_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_MD_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_MD_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
# Stars of emphasis touch a word; '2 * 3' keeps its own.
_MD_MARKS = re.compile(r"\*\*|__|`|(?<!\*)\*(?!\*)(?=\S)|(?<=\S)\*")
_MD_PREFIX = re.compile(r"^\s*(?:[-*+]\s+|\d+\.\s+|>\s?)+")
# '---' between parts, '|---|:--|' under the head of a table.
_MD_RULE = re.compile(r"^\s*(?:[-=_*]\s*){3,}$|^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_MD_BOLD = re.compile(r"(\*\*|__)(?=\S)([^*_\n]{1,80}?)(?<=\S)\1")
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
# GB18030 decodes nearly any bytes: what holds more control characters than a slip is no text.
_CONTROL, _CONTROL_SHARE = re.compile("[\x00-\x08\x0e-\x1f\x7f]"), 0.001
_LARGEST_FILE = 64_000_000


class Entry(BaseModel):
    """One page: its title, the other names it goes by, and its text section by section."""

    model_config = ConfigDict(frozen=True)

    title: str
    aliases: tuple[str, ...] = ()
    sections: tuple[Section, ...]
    source: str


def iter_wiki(path: str | Path) -> Iterator[Entry]:
    """Entries of one file, or of every readable file under a folder, in the order of their paths.

    One by one, so that a large export never stands in memory; the files are read twice, first for
    redirects only. Pages without text are left out, with one warning.
    Raises WikiError where there is no readable file, or one cannot be decoded or parsed.
    """
    root = Path(path)
    files = _wiki_files(root)
    redirects: dict[str, str] = {}
    for file in files:
        for page in _mediawiki_pages(file, quiet=True):
            if match := _REDIRECT.match(page.markup):
                redirects[page.title] = match[1].strip()
    aliases: dict[str, list[str]] = {}
    for name in filter(is_name, redirects):
        aliases.setdefault(_follow(name, redirects), []).append(name)
    titles: set[str] = set()
    empty: list[str] = []
    for file in files:
        source = file.name if root.is_file() else file.relative_to(root).as_posix()
        for title, text in _READERS[_kind(file)](file):
            if parts := tuple(sections.split_sections(text)):
                titles.add(title)
                own = aliases_of(title, parts, bold=sections.bold_names(text))
                names = tuple(dict.fromkeys((*own, *aliases.get(title, ()))))
                yield Entry(title=title, aliases=names, sections=parts, source=source)
            elif title not in redirects:
                empty.append(title)
    if empty:
        _log.warning(Message("wiki.empty-pages", count=len(empty), titles=_first(empty)))
    if lost := [name for name in redirects if _follow(name, redirects) not in titles]:
        _log.warning(Message("wiki.lost-redirects", count=len(lost), titles=_first(lost)))


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


def _mediawiki_pages(file: Path, *, quiet: bool = False) -> Iterator[ExportPage]:
    """The pages of an export one by one, that of a .wiki file, none of other files."""
    if _kind(file) == ".wiki":
        yield ExportPage(file.stem, _read_text(file))
    elif _kind(file) in (".xml", ".xml.bz2"):
        yield from read_export(file, quiet=quiet)


def _read_mediawiki(file: Path) -> Iterator[tuple[str, str]]:
    """(title, marked text) of every page, as by all readers; a redirect has no text."""
    for title, markup in _mediawiki_pages(file):
        yield title, "" if _REDIRECT.match(markup) else render_markup(markup, title=title)


def _read_markdown(file: Path) -> Iterator[tuple[str, str]]:
    title, text = file.stem, ""
    for line in _read_text(file).splitlines():
        heading = _MD_HEADING.match(line)
        if heading and len(heading[1]) == 1:
            yield title, text
            title, text = without_marks(_plain_markdown(heading[2])), ""
        elif heading:
            text += sections.heading_line(len(heading[1]), _plain_markdown(heading[2]))
        elif not _MD_RULE.match(line):
            text += _plain_markdown(line) + "\n"
    yield title, text


def _read_marked_text(file: Path) -> Iterator[tuple[str, str]]:
    title, text = file.stem, ""
    for line in _read_text(file).splitlines():
        if mark := _TXT_ENTRY.match(line):
            yield title, text
            title, text = sections.tidy_line(without_marks(mark[1])), ""
            line = mark[2]
        text += without_marks(line) + "\n"
    yield title, text


_READERS: dict[str, Callable[[Path], Iterator[tuple[str, str]]]] = {
    ".wiki": _read_mediawiki,
    ".md": _read_markdown,
    ".txt": _read_marked_text,
    **dict.fromkeys((".xml", ".xml.bz2"), _read_mediawiki),
    **dict.fromkeys(
        (".html", ".htm"), lambda file: iter([render_page(_read_text(file), fallback=file.stem)])
    ),
}


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _follow(name: str, redirects: dict[str, str]) -> str:
    """The page at the end of a chain of redirects; a circle ends where it began."""
    seen: set[str] = set()
    while name in redirects and name not in seen:
        seen.add(name)
        name = redirects[name]
    return name


def _read_text(file: Path) -> str:
    """The file's text: UTF-16 with a mark, UTF-8, what an HTML page says it is in, or GB18030."""
    if (size := file.stat().st_size) > _LARGEST_FILE:
        raise WikiError("wiki.large-file", path=file, size=size, most=_LARGEST_FILE)
    data = file.read_bytes()
    declared = _CHARSET.search(data[:4096]) if _kind(file).startswith(".htm") else None
    encodings = ["utf-8-sig", *([declared[1].decode()] if declared else []), "gb18030"]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        if len(_CONTROL.findall(text)) > _CONTROL_SHARE * len(text):
            raise WikiError("wiki.binary", path=file)
        return text
    raise WikiError("wiki.encoding", path=file)


def _plain_markdown(line: str) -> str:
    """A Markdown line without its marks; a table row becomes its cells joined with '、'."""
    line = _MD_PREFIX.sub("", _MD_LINK.sub(r"\1", _MD_IMAGE.sub("", without_marks(line))))
    if line.strip().startswith("|"):
        cells = line.strip().strip("|").split("|")
        line = "、".join(cell.strip() for cell in cells if cell.strip())
    return _MD_MARKS.sub("", _MD_BOLD.sub(lambda match: sections.bold(match[2]), line))
