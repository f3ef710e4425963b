"""Wiki files to entries: MediaWiki pages and exports, Markdown, and plain text with 【词条】 marks.

    >>> entries = read_wiki("worlds/chuiyan/wiki")
    >>> entries[0].title, entries[0].aliases, entries[0].sections[0]
    ('井底街', (), ((), '名称: 井底街\\n所在: 第一层台地\\n户数: 三百零六'))

`*.wiki` is one page of MediaWiki markup (the file's stem is its title), `*.xml` a MediaWiki export read as a
stream, `*.md` one entry for every '# ' heading, `*.txt` one entry for every line that starts with 【词条】.
A page '#REDIRECT [[沈灯]]' makes its title an alias of 沈灯. Other files are left alone.
"""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from pydantic import BaseModel, ConfigDict

from kb.errors import WikiError
from kb.wikitext import Section, heading_line, markup_to_sections, split_sections, tidy_line

_log = logging.getLogger(__name__)

_ALIAS_LINE = re.compile(
    r"(?:别名|别号|别称|又名|又称|也叫|昵称|外号|绰号|称号|本名|原名|真名|全名|小名|乳名|化名|英文名|日文名|aliases?)\s*[:：]\s*(.+)",
    re.IGNORECASE,
)
_ALIAS_SEPARATOR = re.compile(r"[、，,;；/／|]|\s{2,}")
_PARENTHESES = re.compile(r"[（(][^（）()]*[）)]")
_REDIRECT = re.compile(r"\s*#(?:redirect|重定向)\s*[:：]?\s*\[\[([^\]|#]+)", re.IGNORECASE)
_TXT_ENTRY = re.compile(r"^\s*【([^】]+)】[:：]?\s*(.*)$")
_MD_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_MD_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_MD_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_MD_MARKS = re.compile(r"\*\*|__|`|(?<!\*)\*(?!\*)(?=\S)|(?<=\S)\*")
_MD_PREFIX = re.compile(r"^\s*(?:[-*+]\s+|\d+\.\s+|>\s?)+")
_MD_RULE = re.compile(r"^\s*(?:[-=_*]\s*){3,}$|^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_LONGEST_ALIAS = 20


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
    root = Path(path)
    files = _wiki_files(root)
    entries: list[Entry] = []
    redirects: dict[str, str] = {}
    for file in files:
        source = file.name if root.is_file() else file.relative_to(root).as_posix()
        for entry in _READERS[file.suffix.lower()](file, source):
            target = _redirect_target(entry)
            if target:
                redirects[entry.title] = target
            elif entry.sections:
                entries.append(entry)
    return _with_redirects(entries, redirects)


def page_to_entry(markup: str, *, title: str, source: str) -> Entry:
    """One MediaWiki page as an entry; a redirect page keeps its markup as its only section."""
    if _REDIRECT.match(markup):
        return Entry(title=title, sections=(((), markup.strip()),), source=source)
    return _entry(title, markup_to_sections(markup, title=title), source)


def _wiki_files(root: Path) -> list[Path]:
    """Readable files under `root`, sorted; raises WikiError when there are none."""
    if not root.exists():
        raise WikiError(f"no wiki at {str(root)!r}: make the folder and put {', '.join(_READERS)} files into it")
    candidates = [root] if root.is_file() else sorted(root.rglob("*"))
    files = [file for file in candidates if file.is_file() and file.suffix.lower() in _READERS]
    if not files:
        raise WikiError(f"nothing to read in {str(root)!r}: a wiki is made of {', '.join(_READERS)} files")
    return files


def _read_mediawiki(file: Path, source: str) -> Iterator[Entry]:
    yield page_to_entry(_read_text(file), title=file.stem, source=source)


def _read_export(file: Path, source: str) -> Iterator[Entry]:
    """Pages of the main namespace in a MediaWiki XML export; only one page is in memory at a time."""
    try:
        for _, element in ElementTree.iterparse(file):
            if _local(element.tag) == "page":
                fields = {_local(child.tag): child.text or "" for child in element.iter()}
                if fields.get("ns", "0") == "0":
                    yield page_to_entry(fields.get("text", ""), title=fields["title"], source=source)
                element.clear()
    except (ElementTree.ParseError, KeyError) as error:
        raise WikiError(
            f"{str(file)!r} is not a complete MediaWiki export ({error}): export the pages again"
        ) from error


def _read_markdown(file: Path, source: str) -> Iterator[Entry]:
    title, text = file.stem, ""
    for line in _read_text(file).splitlines():
        heading = _MD_HEADING.match(line)
        if heading and len(heading[1]) == 1:
            yield _entry(title, split_sections(text), source)
            title, text = _plain_markdown(heading[2]), ""
        elif heading:
            text += heading_line(len(heading[1]), _plain_markdown(heading[2]))
        elif not _MD_RULE.match(line):
            text += _plain_markdown(line) + "\n"
    yield _entry(title, split_sections(text), source)


def _read_marked_text(file: Path, source: str) -> Iterator[Entry]:
    title, text = file.stem, ""
    for line in _read_text(file).splitlines():
        mark = _TXT_ENTRY.match(line)
        if mark:
            yield _entry(title, split_sections(text), source)
            title, text = tidy_line(mark[1]), mark[2] + "\n"
        else:
            text += line + "\n"
    yield _entry(title, split_sections(text), source)


_READERS = {".wiki": _read_mediawiki, ".md": _read_markdown, ".txt": _read_marked_text, ".xml": _read_export}


def _entry(title: str, sections: list[Section], source: str) -> Entry:
    """An entry whose aliases are read from its own lines such as '别名: 小灯、灯儿'."""
    matches = (_ALIAS_LINE.fullmatch(line) for _, text in sections for line in text.splitlines())
    names = [name for match in matches if match for name in _names(match[1])]
    aliases = tuple(dict.fromkeys(name for name in names if name != title))
    return Entry(title=title, aliases=aliases, sections=tuple(sections), source=source)


def _names(value: str) -> list[str]:
    """'小灯（镇上人叫的）、灯儿' -> 小灯, 灯儿; what is too long for a name is left out."""
    parts = (part.strip(" 「」『』“”\"'。") for part in _ALIAS_SEPARATOR.split(_PARENTHESES.sub("", value)))
    return [part for part in parts if 1 < len(part) <= _LONGEST_ALIAS]


def _redirect_target(entry: Entry) -> str | None:
    match = _REDIRECT.match(entry.sections[0][1]) if entry.sections else None
    return match[1].strip() if match else None


def _with_redirects(entries: list[Entry], redirects: dict[str, str]) -> list[Entry]:
    """Adds the titles of redirect pages to the aliases of what they lead to, through chains."""
    titles = {entry.title for entry in entries}
    extra: dict[str, list[str]] = {}
    for name in redirects:
        target = _follow(name, redirects)
        if target in titles:
            extra.setdefault(target, []).append(name)
        else:
            _log.warning("redirect %r leads to %r, which is not among the pages", name, target)
    return [_with_aliases(entry, extra.get(entry.title, [])) for entry in entries]


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
    """The file's text; UTF-8 (with or without a mark), UTF-16 with a mark, or GB18030."""
    data = file.read_bytes()
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise WikiError(f"{str(file)!r} is not text in UTF-8 or GB18030: save it as UTF-8")


def _plain_markdown(line: str) -> str:
    """A Markdown line without its marks; a table row becomes its cells joined with '、'."""
    line = _MD_PREFIX.sub("", _MD_LINK.sub(r"\1", _MD_IMAGE.sub("", line)))
    if line.strip().startswith("|"):
        line = "、".join(cell.strip() for cell in line.strip().strip("|").split("|") if cell.strip())
    return _MD_MARKS.sub("", line)


def _local(tag: str) -> str:
    """'{http://www.mediawiki.org/xml/export-0.10/}page' -> 'page'."""
    return tag.rsplit("}", 1)[-1]
