"""Lore entries as wiki pages, and back.

    pages = pages_of(book, char="闻筝", user="你")
    pages[0].markdown       # "# 闻筝\\n\\n别名：小筝、闻师傅\\n\\n滴答铺的学徒……\\n"
    Page.parse(text)        # the same page, also when it was edited
    edited(book, {"闻筝.md": text}, char="闻筝", user="你")     # the book after the pages

A page is what a knowledge base reads: a title, other names and text. Entries of one title share a
page; what is switched off has none. An entry whose page was not edited stays as it was.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from roleplay.cards.documents import Json
from roleplay.cards.lorebook import is_regex
from roleplay.cards.macros import decorated, expanded
from roleplay.cards.world_info import ours_of

_NAMES = "别名"
_SEPARATOR = "、"
_TITLE = re.compile(r"#[ \t]+(.*)")
_ALIASES = re.compile(rf"(?:{_NAMES}|aliases)[:：][ \t]*(.*)", re.I)
_SPLIT = re.compile(r"[、，,;；]")
_HEADING, _UNDERLINE = re.compile(r"^#(?=#* )", re.M), re.compile(r"^=+[ \t]*$", re.M)
_LONGEST_TITLE, _LONGEST_NAME = 60, 40
# What no file system takes, and what would hide a file or end its name.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.I)


@dataclass(frozen=True)
class Page:
    """A wiki page."""

    title: str
    aliases: tuple[str, ...]
    text: str

    @property
    def markdown(self) -> str:
        """The page as a file of the wiki."""
        names = f"{_NAMES}：{_SEPARATOR.join(self.aliases)}" if self.aliases else ""
        # A heading of the first level would begin another page.
        body = _HEADING.sub("##", _UNDERLINE.sub("", self.text))
        return "\n\n".join(filter(None, (f"# {self.title}", names, body))) + "\n"

    @classmethod
    def parse(cls, text: str, title: str = "") -> Self:
        """The page of a file; ``title`` where the file has none."""
        lines = text.strip().split("\n")
        if match := _TITLE.fullmatch(lines[0].strip()):
            title = match[1].strip() or title
            lines.pop(0)
        while lines and not lines[0].strip():
            lines.pop(0)
        aliases: tuple[str, ...] = ()
        if lines and (match := _ALIASES.fullmatch(lines[0].strip())):
            aliases = tuple(filter(None, map(str.strip, _SPLIT.split(match[1]))))
            lines.pop(0)
        return cls(title, aliases, "\n".join(lines).strip())


def pages_of(book: Json, *, char: str, user: str) -> list[Page]:
    """The pages of a book, in the order of its entries."""
    return [page for page, _ in _pages(book, char, user)]


def entry_of(page: Page, order: int = 100) -> Json:
    """A new entry of a page: its names are the keys."""
    return {
        "keys": [page.title, *page.aliases],
        "content": page.text,
        "extensions": {},
        "enabled": True,
        "insertion_order": order,
        "name": page.title,
        "comment": page.title,
        "selective": False,
        "secondary_keys": [],
        "constant": False,
        "position": "before_char",
        "use_regex": False,
    }


def named(pages: Iterable[Page]) -> list[tuple[str, Page]]:
    """The pages with file names that every system takes, each one's own."""
    taken: set[str] = set()
    found = []
    for page in pages:
        name = stem = file_name(page.title)
        number = 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.lower())
        found.append((f"{name}.md", page))
    return found


def file_name(text: str) -> str:
    """A name as a file or folder may be called."""
    name = " ".join(_FORBIDDEN.sub("_", text).split())[:_LONGEST_TITLE].strip(". ")
    # In bytes a name is three times as long.
    name = name.encode()[:200].decode(errors="ignore").strip(". ")
    return f"_{name}" if not name or _RESERVED.fullmatch(name) else name


def edited(book: Json, files: Mapping[str, str], *, char: str, user: str) -> Json:
    """The book with what was changed in its pages.

    ``files`` are the pages that are there, by file name. An entry whose page is gone is left out;
    new pages come last.
    """
    pages = _pages(book, char, user)
    names = [name for name, _ in named(page for page, _ in pages)]
    known = dict(zip(names, pages, strict=True))
    changed: dict[int, Json | None] = {}
    for name, (page, places) in known.items():
        if name in files and files[name] == page.markdown:
            continue
        changed |= dict.fromkeys(places)
        if name in files:
            entry, new = book["entries"][places[0]], Page.parse(files[name], page.title)
            changed[places[0]] = _rewritten(entry, page, new)
    entries = [changed.get(i, entry) for i, entry in enumerate(book["entries"])]
    more = [entry_of(Page.parse(files[name], name[:-3])) for name in sorted(files.keys() - known)]
    return book | {"entries": [entry for entry in (*entries, *more) if entry is not None]}


def _rewritten(entry: Json, old: Page, new: Page) -> Json:
    """The entry of an edited page; its keys change by the names that came and went."""
    before, after = [old.title, *old.aliases], [new.title, *new.aliases]
    kept = [key for key in entry["keys"] if key not in before or key in after]
    keys = [*kept, *(name for name in after if name not in (*kept, *before))]
    return entry | {"keys": keys, "content": new.text}


def _pages(book: Json, char: str, user: str) -> list[tuple[Page, tuple[int, ...]]]:
    """The pages, each with the places of its entries."""
    found: dict[str, list[tuple[int, Page]]] = {}
    for i, entry in enumerate(book["entries"]):
        if page := _page(entry, i, char, user):
            found.setdefault(page.title, []).append((i, page))
    joined = []
    for title, parts in found.items():
        names = dict.fromkeys(name for _, page in parts for name in page.aliases)
        text = "\n\n".join(page.text for _, page in parts)
        joined.append((Page(title, tuple(names), text), tuple(i for i, _ in parts)))
    return joined


def _page(entry: Json, place: int, char: str, user: str) -> Page | None:
    """The page of one entry; none of one that is off, or says nothing."""
    marks, content = decorated(entry["content"])
    text = "\n".join(expanded(content, char=char, user=user).splitlines()).strip()
    if not entry["enabled"] or "dont_activate" in marks or not text:
        return None
    more = marks.get("additional_keys", "").split(",")
    keys = [expanded(key, char=char, user=user).strip() for key in (*entry["keys"], *more)]
    plain = [key for key in keys if key and not is_regex(key) and not entry.get("use_regex")]
    told = (str(entry.get(name, "")) for name in ("name", "comment"))
    titles = [" ".join(expanded(title, char=char, user=user).split()) for title in told]
    named = [title for title in titles if title in plain]
    if "source" in ours_of(entry["extensions"]) and not named:
        # Ours tell of one and come up with others: their names are not those of the page.
        named, plain = titles, []
    first = next(filter(None, (*named, *plain, *titles)), str(place + 1))
    title = " ".join(first.split())[:_LONGEST_TITLE].strip()
    names = (key for key in plain if key != title and len(key) <= _LONGEST_NAME)
    aliases = (name for name in names if not _SPLIT.search(name) and "\n" not in name)
    return Page(title, tuple(dict.fromkeys(aliases)), text)
