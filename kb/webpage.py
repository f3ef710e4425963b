"""HTML to the same marked text as wikitext: saved web pages of wikis, and the HTML of Markdown.

    >>> render_page("<h1>沈灯</h1><p><b>沈灯</b>是灯匠。</p><h2>喜好</h2>糕", fallback="页")
    WebPage(title='沈灯', text='...', left_out=False)

Headings, paragraphs, lists, tables and infoboxes stay; scripts, menus, edit links, references,
contents lists, navigation boxes and hidden parts go. The page's own content area is read where it
has one (MediaWiki, Fandom, wikidot, <main>), else its body. Nothing is loaded: no picture or
script.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from lxml import etree, html  # type: ignore[import-untyped]

from kb.errors import WikiError
from kb.sections import WORDS, block, bold, heading_line, one_line, without_marks

# Whole class names: 'toc' must not take 'stock' with it.
_DROPPED_CLASSES = re.compile(rf"(?:^|\s)(?:{'|'.join(WORDS['html-dropped-classes'])})(?:\s|$)")
_HIDDEN = re.compile(r"display\s*:\s*none", re.I)
# What a click shows is hidden in a saved page, and is text: folds, and tabs but the open one.
_FOLDED = re.compile(r"collaps|fold|spoiler|panel|(?<![a-z])tab(?!le)|heimu", re.I)
# '沈灯 - 灯百科', '沈灯_百度百科': what follows the dash in a window's title is the site.
_SITE_NAME = re.compile(r"\s+[-–—|_｜－]\s+.*$|[_|｜-][^_|｜-]*(?:百科|[Ww]iki|维基)[^_|｜]*$")
_BLANKS = re.compile(r"\s+")
# A line break inside a Chinese sentence is no blank.
_WIDE = r"[\u3000-\u9fff\uff00-\uffef]"
_WIDE_BREAK = re.compile(rf"(?<={_WIDE})\s*\n\s*(?={_WIDE})")
# A portable infobox holds single facts, and groups whose labels stand before all their values.
_PORTABLE = re.compile(r"(?:^|\s)pi-(?:data|smart-group|horizontal-group)(?:\s|$)")
# Links that lead elsewhere and say nothing: so many, and so much of a box.
_MANY_LINKS, _LINK_SHARE = 12, 0.85
_NAMESPACE = re.compile(r"(?:^|\s)ns-(-?\d+)(?:\s|$)")
# MediaWiki's own namespaces end here; what a wiki adds may hold articles, on even numbers.
_OWN_NAMESPACES = 16
# '<font color=red>' on every line of a page, and no end of any.
_OPENED = re.compile(r"<([a-zA-Z]{1,10})(?=[\s>])(?<!li|dt|dd|tr|td|th|br|hr)(?<!<p)")
_CLOSED = re.compile(r"</([a-zA-Z]{1,10})\s*>")
_MOST_UNCLOSED = 50
# What nests deeper is read as its text: Python's own stack holds less than a thousand calls.
_DEEPEST = 150
_MOST_CANDIDATES, _LONGEST_VALUE = 20, 20
# Real tables span fewer; a page that asks for a million rows or columns is broken or hostile.
_MOST_SPANNED, _MOST_COLUMNS = 100, 64
# Characters that may be repeated in the rows below, beside four times what the table holds.
_REPEATED, _REPEATED_SHARE = 2_000, 4


class Cell(NamedTuple):
    """One cell; `rows` and `columns` are how far it reaches, `bold` that all of it is bold."""

    text: str
    header: bool = False
    rows: int = 1
    columns: int = 1
    bold: bool = False


# Column -> the cell that begins there.
_Row = dict[int, Cell]


class WebPage(NamedTuple):
    """A page's title, its text with the marks of `kb.sections`, and whether it is no article."""

    title: str
    text: str
    left_out: bool = False


def render_page(source: str, *, fallback: str) -> WebPage:
    """Reads one HTML document; `fallback` is its title where it names none.

    Raises WikiError when it has text but no element can be made of it.
    """
    if not source.strip():
        return WebPage(fallback, "")
    root = _parsed(source, fallback)
    heading, title = _title(root)
    if heading is not None:
        # The title is no part of the text; what follows it in its element is.
        heading.clear(keep_tail=True)
    # An area without text was to be filled by a script: the next one is tried.
    text = next(filter(str.strip, (_children(area) for area in _areas(root))), "")
    number = _NAMESPACE.search(" ".join(root.xpath("//body/@class")))
    namespace = int(number[1]) if number else 0
    no_article = namespace % 2 == 1 or namespace < 0 or 0 < namespace < _OWN_NAMESPACES
    return WebPage(title or fallback, text, no_article or bool(_first(root, "html-disambiguation")))


def render_fragment(source: str) -> str:
    """The marked text of HTML without a page around it; its first-level headings stay."""
    return _children(_parsed(f"<div>{source}</div>", "")) if source.strip() else ""


def _parsed(source: str, title: str) -> etree._Element:
    opened, closed = Counter(_OPENED.findall(source)), Counter(_CLOSED.findall(source))
    for tag in [tag for tag, count in opened.items() if count - closed[tag] > _MOST_UNCLOSED]:
        # The parser nests each in the one before, and gives up with all that follows.
        source = re.sub(rf"</?{tag}(?:\s[^<>]*)?>", "<br>", source)
    options = {"remove_comments": True, "remove_pis": True, "huge_tree": True}
    parser = html.HTMLParser(encoding="utf-8", **options)
    try:
        root = html.document_fromstring(without_marks(source).encode(), parser=parser)
    except (etree.LxmlError, ValueError) as error:
        raise WikiError("wiki.no-html", title=title, detail=error) from error
    for element in root.xpath(f"//*[count(ancestor::*) > {_DEEPEST}]"):
        element.drop_tag()
    return root


def _first(root: etree._Element, words: str) -> list[etree._Element]:
    """What the first path of the list finds that finds anything."""
    return next(filter(None, map(root.xpath, WORDS[words])), [])


def _areas(root: etree._Element) -> Iterator[etree._Element]:
    """Where the text may stand, likeliest first; of several of a kind the one with most text."""
    for path in WORDS["html-contents"]:
        if found := root.xpath(path)[:_MOST_CANDIDATES]:
            yield max(found, key=lambda area: sum(map(len, area.itertext())))
    yield root


def _title(root: etree._Element) -> tuple[etree._Element | None, str]:
    """The heading that names the page, and the name; a site's own heading is none."""
    window = _SITE_NAME.sub("", _text(" ".join(root.xpath("//title[1]//text()"))).strip())
    marked = _first(root, "html-titles")
    for heading in (*marked[:1], *root.xpath("//h1")[:_MOST_CANDIDATES]):
        text = _line(heading)
        if text and (marked or not window or text in window or window in text):
            return heading, text
    return None, window


def _children(element: etree._Element) -> str:
    """Text of all that stands in an element."""
    parts = [_text(element.text)]
    for child in element:
        parts += [_element(child), _text(child.tail)]
    return "".join(parts)


def _line(element: etree._Element) -> str:
    """The same in one line, without any mark."""
    return without_marks(one_line(_children(element)))


def _text(text: str | None) -> str:
    return _BLANKS.sub(" ", _WIDE_BREAK.sub("", text)) if text else ""


def _element(element: etree._Element) -> str:
    name = element.tag
    if not isinstance(name, str) or name in WORDS["html-dropped"] or _is_furniture(element):
        return ""
    if name in _RENDERERS:
        return _RENDERERS[name](element)
    text = _children(element)
    return f"\n{text}\n" if name in WORDS["html-blocks"] else text


def _is_furniture(element: etree._Element) -> bool:
    named = element.get("id") in WORDS["html-dropped-ids"]
    named = named or element.get("role") in WORDS["html-dropped-roles"]
    if named or _DROPPED_CLASSES.search(element.get("class", "")):
        return True
    if not _HIDDEN.search(element.get("style", "")):
        return False
    names = element.xpath("@id | @class | ../@class | ../../@class")
    return not _FOLDED.search(" ".join(names))


def _is_navigation(element: etree._Element) -> bool:
    """A table or list of little but links to places of this page; a table of many links."""
    links = element.xpath(".//a[@href]")
    linked = sum(len("".join(link.itertext())) for link in links)
    inside = len(links) > 1 and all(link.get("href").startswith("#") for link in links)
    if not inside and (element.tag != "table" or len(links) < _MANY_LINKS):
        return False
    written = len(re.sub(r"[\s\d.·|•/、]", "", "".join(element.itertext())))
    return linked >= _LINK_SHARE * written


def _list(element: etree._Element) -> str:
    # Lists inside lists are looked at with the outer one: each link is counted once.
    outer = element.xpath("boolean(ancestor::ul | ancestor::ol)")
    return "" if not outer and _is_navigation(element) else f"\n{_children(element)}\n"


def _table(element: etree._Element) -> str:
    outer = element.xpath("boolean(ancestor::table)")
    if not outer and _is_navigation(element):
        return ""
    rows = [
        [_cell(cell) for cell in row if cell.tag in ("td", "th")]
        for row in element.xpath("./tr | ./tbody/tr | ./thead/tr | ./tfoot/tr")
        if not _is_furniture(row)
    ]
    if not any(rows):
        return f"\n{_children(element)}\n"
    lines = [_line(caption) for caption in element.findall("caption")]
    lines += table_lines(filter(None, rows))
    is_infobox = "info" in element.get("class", "").lower()
    return block(lines) if is_infobox and not outer else "\n" + "\n".join(lines) + "\n"


def _cell(element: etree._Element) -> Cell:
    rows, columns = (spanned(element.get(name)) for name in ("rowspan", "colspan"))
    text = _children(element)
    line = without_marks(one_line(text))
    is_bold = bool(line) and text.strip() == bold(line)
    return Cell(line, element.tag == "th", rows, columns, is_bold)


def _aside(element: etree._Element) -> str:
    """A portable infobox: its labels and values; any other aside is read as text."""
    lines = list(_portable_facts(element))
    return block(lines) if lines else f"\n{_children(element)}\n"


def _portable_facts(element: etree._Element) -> Iterator[str]:
    """'label: value' of each fact, none looked for inside another."""
    for child in element:
        if not isinstance(child.tag, str) or _is_furniture(child):
            continue
        if not _PORTABLE.search(child.get("class", "")):
            yield from _portable_facts(child)
            continue
        labels, values = (
            [_line(one) for one in child.xpath(f".//*[contains(@class, '{name}')]")]
            for name in ("pi-data-label", "pi-data-value")
        )
        pairs = zip(labels or [""] * len(values), values, strict=False)
        yield from (": ".join(filter(None, pair)) for pair in pairs if pair[1])


def _term(element: etree._Element) -> str:
    """A term before its definition; before a long text it is as good as a heading."""
    text, definition = one_line(_children(element)), element.getnext()
    told = len("".join(definition.itertext())) if definition is not None else 0
    return f"\n{bold(text)}\n" if told > _LONGEST_VALUE else f"\n{text}: "


def table_lines(rows: Iterable[Sequence[Cell]]) -> list[str]:
    """One line for every row with a text: 'header: cell，header: cell'."""
    headers: dict[int, str] = {}
    lines: list[str] = []
    under_headers = False
    for number, row in enumerate(_placed(rows)):
        heads = [cell.header or (number == 0 and cell.bold) for cell in row.values()]
        if is_head := len(row) > 1 and all(heads):
            # A second row of headers says more of the columns that the first one spans: 尺寸·长.
            above = headers if under_headers else {}
            own = {at + n: cell.text for at, cell in row.items() for n in range(cell.columns)}
            headers = {at: _joined("·", (above.get(at), own.get(at))) for at in above | own}
        elif line := _under(row, headers) if headers else _labelled([*row.values()]):
            lines.append(line)
        under_headers = is_head
    # Headers with nothing under them are all that the table says.
    return lines or [_joined("、", headers.values())]


def spanned(value: str | None) -> int:
    """The number in a rowspan or colspan attribute; 1 where it is none."""
    value = (value or "").strip(" \"'")
    return max(min(int(value), _MOST_SPANNED), 1) if value.isdecimal() and len(value) < 6 else 1


def _placed(rows: Iterable[Sequence[Cell]]) -> Iterator[_Row]:
    """The rows with the cells that reach down into them, each in its column."""
    reaching: dict[int, tuple[int, Cell]] = {}  # column -> (rows left, cell)
    written = repeated = 0
    for cells in rows:
        row: _Row = {}
        column = 0
        # None: what reaches down behind the last cell of a row counts too.
        for cell in (*cells, None):
            while column in reaching:
                left, above = reaching.pop(column)
                repeated += len(above.text)
                if left > 1 and repeated <= _REPEATED + _REPEATED_SHARE * written:
                    reaching[column] = (left - 1, above)
                row[column] = above
                column += above.columns
            if cell is not None:
                written += len(cell.text)
                if cell.rows > 1 and column < _MOST_COLUMNS:
                    reaching[column] = (cell.rows - 1, cell)
                row[column] = cell
                column += cell.columns
        if cells:
            yield row


def _under(row: _Row, headers: dict[int, str]) -> str:
    """'名: 甲，字: 乙' under headers; one cell under all of them is a title between rows."""
    parts = []
    for column, cell in row.items():
        head = _joined("/", (headers.get(column + n) for n in range(cell.columns)))
        named = head and len(row) > 1 and head != cell.text
        parts += [f"{head}: {cell.text}" if named else cell.text] if cell.text else []
    return "，".join(parts)


def _labelled(cells: Sequence[Cell]) -> str:
    """'甲: 乙' for what follows header cells or a bold first one, '甲、乙' for the rest.

    A label whose values are empty goes with them: it is a field that nobody filled in.
    """
    parts: list[str] = [cells[0].text] if len(cells) == 1 else []
    label, texts, followed = "", list[str](), True
    for number, cell in enumerate((*cells, Cell("", header=True)) if len(cells) > 1 else ()):
        if not (cell.header or (cell.bold and number == 0 and not cells[-1].bold)):
            followed = True
            texts.append(cell.text)
        elif followed:
            value = "、".join(filter(None, texts))
            parts += [_joined(": ", (label, value))] if value else []
            label, texts, followed = cell.text, [], False
        else:
            label = _joined("·", (label, cell.text))
    return "，".join(parts)


def _joined(mark: str, texts: Iterable[str | None]) -> str:
    """The texts that are any, each once."""
    return mark.join(filter(None, dict.fromkeys(texts)))


_HEADINGS = {
    f"h{level}": lambda element, level=level: heading_line(level, one_line(_children(element)))
    for level in range(1, 7)
}
_RENDERERS: dict[str, Callable[[etree._Element], str]] = {
    **_HEADINGS,
    **dict.fromkeys(("b", "strong"), lambda element: bold(_children(element))),
    **dict.fromkeys(("ul", "ol"), _list),
    "table": _table,
    "aside": _aside,
    # Its line ends count.
    "pre": lambda element: "\n".join(
        ("", *map(_text, "".join(element.itertext()).split("\n")), "")
    ),
    "dt": _term,
    "dd": lambda element: f"{one_line(_children(element))}\n",
    "rt": lambda element: f"（{text}）" if (text := _children(element).strip()) else "",
    "br": lambda element: "\n",
}
