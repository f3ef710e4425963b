"""Saved web pages of a wiki (.html, .htm) to the same marked text as wikitext.

    >>> render_page("<h1>沈灯</h1><p><b>沈灯</b>是灯匠。</p><h2>喜好</h2><ul><li>糕</li></ul>", fallback="页")
    WebPage(title='沈灯', text='...')

Headings, paragraphs, lists, tables and infoboxes stay; scripts, menus, edit marks, reference numbers and lists,
navigation boxes and hidden parts go. The page's own content area is read where it has one (MediaWiki's, <main>,
<article>), else its body. Nothing is loaded: no picture, style or script.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lxml import etree, html  # type: ignore[import-untyped]

from kb.errors import WikiError
from kb.sections import MARK, block, bold, heading_line, one_line, without_marks
from kb.tables import Cell, rows_spanned, table_lines

_DROPPED = {
    *("script", "style", "nav", "header", "footer", "form", "button", "noscript", "template", "svg", "iframe", "head"),
    *("input", "select", "textarea", "figure", "figcaption", "rp", "audio", "video", "object", "math"),
}
_DROPPED_CLASSES = re.compile(
    r"(?:^|\s)(?:mw-editsection\S*|reference|references|reflist|mw-references-\S*|navbox\S*|toc|noprint|catlinks|printfooter"
    r"|mw-jump-link|mw-indicators|gallery|thumb|sidebar|hatnote|mw-empty-elt|metadata|pi-image|pi-navigation)(?:\s|$)"
)
_DROPPED_IDS = {"toc", "catlinks", "siteSub", "contentSub", "mw-navigation", "footer", "mw-panel", "mw-head"}
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_BLOCKS = {
    *("p", "div", "section", "ul", "ol", "li", "dl", "blockquote", "center", "pre", "main", "article", "details"),
    *("summary", "aside", "tr", "caption", "address", "fieldset"),
}
_CONTENT = (
    "//*[contains(concat(' ', normalize-space(@class), ' '), ' mw-parser-output ')]",
    "//*[@id='mw-content-text']",
    "//main",
    "//article",
    "//body",
)
_TITLES = ("//*[@id='firstHeading']", "//h1", "//title")
_SITE_NAME = re.compile(r"\s+[-–—|_]\s+.*$")
_BLANKS = re.compile(r"\s+")
# A line break inside a Chinese sentence is no blank.
_WIDE_BREAK = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\s*\n\s*(?=[\u3000-\u9fff\uff00-\uffef])")
# Beyond this libxml2 itself gives up; Python's own stack holds less than a thousand calls.
_DEEPEST = 150


@dataclass(frozen=True)
class WebPage:
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
        raise WikiError(f"page {fallback!r} is not HTML ({error}): save it from the browser again") from error
    title = next((text for text in map(_title, _found(root, _TITLES)) if text), fallback)
    content = next(_found(root, _CONTENT), root)
    return WebPage(title, _children(content, 0))


def _found(root: etree._Element, paths: tuple[str, ...]) -> Iterator[etree._Element]:
    """The first element of each path that has one."""
    return (found[0] for path in paths if (found := root.xpath(path)))


def _title(element: etree._Element) -> str:
    text = one_line(_children(element, 0))
    return _SITE_NAME.sub("", without_marks(text)) if element.tag == "title" else without_marks(text)


def _children(element: etree._Element, depth: int) -> str:
    """Text of all that stands in an element."""
    parts = [_text(element.text)]
    for child in element:
        parts += [_element(child, depth + 1), _text(child.tail)]
    return "".join(parts)


def _text(text: str | None) -> str:
    return _BLANKS.sub(" ", _WIDE_BREAK.sub("", text)) if text else ""


def _element(element: etree._Element, depth: int) -> str:
    name = element.tag
    if not isinstance(name, str) or name in _DROPPED or _is_furniture(element):
        return ""
    if depth > _DEEPEST:
        return _text("".join(element.itertext()))
    if name in _RENDERERS:
        return _RENDERERS[name](element, depth)
    text = _children(element, depth)
    return f"\n{text}\n" if name in _BLOCKS else text


def _is_furniture(element: etree._Element) -> bool:
    return bool(
        _DROPPED_CLASSES.search(element.get("class") or "")
        or element.get("id") in _DROPPED_IDS
        or element.get("role") in ("navigation", "banner", "contentinfo", "search")
        or _HIDDEN.search(element.get("style") or "")
    )


def _heading(element: etree._Element, depth: int) -> str:
    """A heading mark; the first-level heading is the page's title and not a part of it."""
    level = int(element.tag[1])
    text = one_line(_children(element, depth))
    return heading_line(level, text) if level > 1 and text else "\n"


def _table(element: etree._Element, depth: int) -> str:
    rows = [[_cell(cell, depth) for cell in row if cell.tag in ("td", "th")] for row in _rows(element)]
    lines = [without_marks(one_line(_children(caption, depth))) for caption in element.findall("caption")]
    lines += table_lines(row for row in rows if row)
    return block(lines) if _is_infobox(element) else "\n" + "\n".join(lines) + "\n"


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    for child in table:
        if child.tag in ("tbody", "thead", "tfoot"):
            yield from (row for row in child if row.tag == "tr" and not _is_furniture(row))
        elif child.tag == "tr" and not _is_furniture(child):
            yield child


def _cell(element: etree._Element, depth: int) -> Cell:
    text = without_marks(one_line(_children(element, depth + 1)))
    return Cell(text, header=element.tag == "th", rows=rows_spanned(element.get("rowspan") or ""))


def _is_infobox(table: etree._Element) -> bool:
    return "info" in (table.get("class") or "").lower()


def _aside(element: etree._Element, depth: int) -> str:
    """A portable infobox: its label and value pairs; any other aside is read as text."""
    lines = []
    for item in element.xpath(".//*[contains(@class, 'pi-data') and .//*[contains(@class, 'pi-data-label')]]"):
        label, value = (_classed(item, name, depth) for name in ("pi-data-label", "pi-data-value"))
        lines += [f"{label}: {value}"] if label and value else []
    return block(lines) if lines else f"\n{_children(element, depth)}\n"


def _classed(item: etree._Element, name: str, depth: int) -> str:
    found = item.xpath(f".//*[contains(@class, '{name}')]")
    return without_marks(one_line(_children(found[0], depth + 1))) if found else ""


def _term(element: etree._Element, depth: int) -> str:
    return f"\n{one_line(_children(element, depth))}: "


def _definition(element: etree._Element, depth: int) -> str:
    return f"{one_line(_children(element, depth))}\n"


def _bold(element: etree._Element, depth: int) -> str:
    text = _children(element, depth)
    return text if MARK in text else bold(text)


def _reading(element: etree._Element, depth: int) -> str:
    text = _children(element, depth).strip()
    return f"（{text}）" if text else ""


_RENDERERS: dict[str, Callable[[etree._Element, int], str]] = {
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), _heading),
    **dict.fromkeys(("b", "strong"), _bold),
    "table": _table,
    "aside": _aside,
    "dt": _term,
    "dd": _definition,
    "rt": _reading,
    "br": lambda element, depth: "\n",
}
