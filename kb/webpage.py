"""Saved web pages of a wiki (.html, .htm) to the same marked text as wikitext.

    >>> render_page("<h1>沈灯</h1><p><b>沈灯</b>是灯匠。</p><h2>喜好</h2>糕", fallback="页")
    WebPage(title='沈灯', text='...')

Headings, paragraphs, lists, tables and infoboxes stay; scripts, menus, edit marks, references,
navigation boxes and hidden parts go. The page's own content area is read where it has one, else its
body. Nothing is loaded: no picture, style or script.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lxml import etree, html  # type: ignore[import-untyped]

from kb.errors import WikiError
from kb.sections import MARK, WORDS, block, bold, heading_line, one_line, without_marks
from kb.tables import Cell, rows_spanned, table_lines

# Whole class names: 'toc' must not take 'stock' with it.
_DROPPED_CLASSES = re.compile(rf"(?:^|\s)(?:{'|'.join(WORDS['html-dropped-classes'])})(?:\s|$)")
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
# '沈灯 - 灯百科': what follows the dash in a window's title is the site.
_SITE_NAME = re.compile(r"\s+[-–—|_]\s+.*$")
_BLANKS = re.compile(r"\s+")
# A line break inside a Chinese sentence is no blank.
_WIDE = r"[\u3000-\u9fff\uff00-\uffef]"
_WIDE_BREAK = re.compile(rf"(?<={_WIDE})\s*\n\s*(?={_WIDE})")
_PORTABLE_FACT = ".//*[contains(@class, 'pi-data') and .//*[contains(@class, 'pi-data-label')]]"
# Beyond this libxml2 itself gives up; Python's own stack holds less than a thousand calls.
_DEEPEST = 150


class WebPage(NamedTuple):
    """A page's title and its text with the marks of `kb.sections`."""

    title: str
    text: str


def render_page(source: str, *, fallback: str) -> WebPage:
    """Reads one HTML document; `fallback` is its title where it names none.

    Raises WikiError when it has text but no element can be made of it.
    """
    if not source.strip():
        return WebPage(fallback, "")
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        root = html.document_fromstring(without_marks(source).encode(), parser=parser)
    except (etree.LxmlError, ValueError) as error:
        raise WikiError("wiki.no-html", title=fallback, detail=error) from error
    title = next(filter(None, map(_title, _found(root, WORDS["html-titles"]))), fallback)
    return WebPage(title, _children(next(_found(root, WORDS["html-contents"]), root), 0))


def _found(root: etree._Element, paths: list[str]) -> Iterator[etree._Element]:
    """The first element of each path that has one."""
    return (found[0] for path in paths if (found := root.xpath(path)))


def _title(element: etree._Element) -> str:
    text = _line(element, 0)
    return _SITE_NAME.sub("", text) if element.tag == "title" else text


def _children(element: etree._Element, depth: int) -> str:
    """Text of all that stands in an element."""
    parts = [_text(element.text)]
    for child in element:
        parts += [_element(child, depth + 1), _text(child.tail)]
    return "".join(parts)


def _line(element: etree._Element, depth: int) -> str:
    """The same in one line, without any mark."""
    return without_marks(one_line(_children(element, depth)))


def _text(text: str | None) -> str:
    return _BLANKS.sub(" ", _WIDE_BREAK.sub("", text)) if text else ""


def _element(element: etree._Element, depth: int) -> str:
    name = element.tag
    if not isinstance(name, str) or name in WORDS["html-dropped"] or _is_furniture(element):
        return ""
    if depth > _DEEPEST:
        return _text("".join(element.itertext()))
    if name in _RENDERERS:
        return _RENDERERS[name](element, depth)
    text = _children(element, depth)
    return f"\n{text}\n" if name in WORDS["html-blocks"] else text


def _is_furniture(element: etree._Element) -> bool:
    return bool(
        _DROPPED_CLASSES.search(element.get("class", ""))
        or element.get("id") in WORDS["html-dropped-ids"]
        or element.get("role") in WORDS["html-dropped-roles"]
        or _HIDDEN.search(element.get("style", ""))
    )


def _heading(element: etree._Element, depth: int) -> str:
    """A heading mark; the first-level heading is the page's title and not a part of it."""
    level = int(element.tag[1])
    text = one_line(_children(element, depth))
    return heading_line(level, text) if level > 1 and text else "\n"


def _table(element: etree._Element, depth: int) -> str:
    rows = [
        [_cell(cell, depth) for cell in row if cell.tag in ("td", "th")]
        for row in element.xpath("./tr | ./tbody/tr | ./thead/tr | ./tfoot/tr")
        if not _is_furniture(row)
    ]
    lines = [_line(caption, depth) for caption in element.findall("caption")]
    lines += table_lines(filter(None, rows))
    is_infobox = "info" in element.get("class", "").lower()
    return block(lines) if is_infobox else "\n" + "\n".join(lines) + "\n"


def _cell(element: etree._Element, depth: int) -> Cell:
    rows = rows_spanned(element.get("rowspan", ""))
    return Cell(_line(element, depth + 1), header=element.tag == "th", rows=rows)


def _aside(element: etree._Element, depth: int) -> str:
    """A portable infobox: its label and value pairs; any other aside is read as text."""
    lines = []
    for item in element.xpath(_PORTABLE_FACT):
        label, value = (_classed(item, name, depth) for name in ("pi-data-label", "pi-data-value"))
        lines += [f"{label}: {value}"] if label and value else []
    return block(lines) if lines else f"\n{_children(element, depth)}\n"


def _classed(item: etree._Element, name: str, depth: int) -> str:
    found = item.xpath(f".//*[contains(@class, '{name}')]")
    return _line(found[0], depth + 1) if found else ""


def _bold(element: etree._Element, depth: int) -> str:
    text = _children(element, depth)
    return text if MARK in text else bold(text)


_RENDERERS: dict[str, Callable[[etree._Element, int], str]] = {
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), _heading),
    **dict.fromkeys(("b", "strong"), _bold),
    "table": _table,
    "aside": _aside,
    "dt": lambda element, depth: f"\n{one_line(_children(element, depth))}: ",
    "dd": lambda element, depth: f"{one_line(_children(element, depth))}\n",
    "rt": lambda element, depth: (
        f"（{text}）" if (text := _children(element, depth).strip()) else ""
    ),
    "br": lambda element, depth: "\n",
}
