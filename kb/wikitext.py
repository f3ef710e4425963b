"""MediaWiki markup to plain sections: what a reader sees, without the furniture.

    >>> markup_to_sections("'''沈灯'''是{{黑幕|灯匠}}。\\n== 喜好 ==\\n* [[桂花糕|糕]]", title="沈灯")
    [((), '沈灯是灯匠。'), (('喜好',), '糕')]

Infobox parameters become 'key: value' lines in a section of their own, table rows one line each
('header: cell，header: cell'), spoiler templates their text, links their label; references, galleries,
files, categories and comments go. Templates are never expanded: an unknown one stays as its plain texts.
"""

import re
from collections.abc import Callable
from typing import TypeAlias

import mwparserfromhell
from mwparserfromhell import nodes
from mwparserfromhell.wikicode import Wikicode

Section: TypeAlias = tuple[tuple[str, ...], str]

# A line that starts with this mark and a level is a heading; with '+' it only opens a new section.
_MARK = "\x02"

_SPOILERS = {"黑幕", "剧透", "heimu", "spoiler", "隐藏", "折叠", "防剧透"}
_LAST_TEXT = {"lang", "color", "font", "size", "彩色", "颜色", "字体", "大小", "jpn", "ja", "lj"}
_NOTICES = {
    "main",
    "主条目",
    "seealso",
    "参见",
    "另见",
    "about",
    "关于",
    "stub",
    "小作品",
    "消歧义",
    "需要完善",
}
_FURNITURE = {"reflist", "来源请求", "cn", "who", "toc", "clear", "navbox", "大家族"}
_RUBY = {"ruby", "注音", "振假名", "photrans"}
_PAGE_NAMES = {"pagename", "fullpagename", "subpagename"}
_DROPPED_TAGS = {
    *("ref", "references", "gallery", "imagemap", "timeline", "math", "hr"),
    *("style", "templatestyles", "script", "rt", "rp", "indicator"),
}
_BLOCK_TAGS = {"div", "p", "blockquote", "center", "poem", "ul", "ol", "dl", "section"}
_HIDDEN_LINK = re.compile(r"\s*(file|image|media|category|文件|檔案|档案|图像|圖像|图片|分类|分類)\s*:", re.IGNORECASE)
_INTERLANGUAGE = re.compile(r"\s*[a-z]{2,3}(-[a-z]+)?\s*:", re.IGNORECASE)
_NOT_A_FACT = re.compile(
    r"(|.*\.(png|jpe?g|gif|svg|webp)(\|.*)?|#[0-9a-f]{3,8}|\d+(\.\d+)?(px|em|%)|transparent)", re.IGNORECASE
)
_VARIANT = re.compile(r"-\{(?:[^{}|]*\|)?([^{}]*)\}-")
_BEHAVIOUR_SWITCH = re.compile(r"__[A-Z\u4e00-\u9fff]+__")
_BLANKS = re.compile(r"[ \t\u00a0\u3000]+")


def markup_to_sections(markup: str, *, title: str) -> list[Section]:
    """Sections of one page in reading order, as (heading path, text); empty ones are left out.

    `title` is what {{PAGENAME}} stands for. Markup that does not close is kept as text; nothing is raised.
    """
    text = _Renderer(title).render(mwparserfromhell.parse(_VARIANT.sub(_choose_variant, markup)))
    return split_sections(_BEHAVIOUR_SWITCH.sub("", text))


def heading_line(level: int, text: str) -> str:
    """The line that `split_sections` takes for a heading of this level (1 is the highest)."""
    return f"\n{_MARK}{level} {text.strip()}\n"


def split_sections(text: str) -> list[Section]:
    """Cuts text at its `heading_line`s and joins what stands under one heading; blank lines go."""
    sections: list[Section] = []
    path: list[tuple[int, str]] = []
    lines: list[str] = []

    def close() -> None:
        if lines:
            sections.append((tuple(name for _, name in path), "\n".join(lines)))
            lines.clear()

    for line in text.splitlines():
        if line.startswith(_MARK):
            close()
            _descend(path, line[len(_MARK) :])
        elif tidy := tidy_line(line):
            lines.append(tidy)
    close()
    return sections


def tidy_line(line: str) -> str:
    """One space where several blanks stood, none at the ends or between two Chinese characters and a mark."""
    return _BLANKS.sub(" ", line).strip()


def is_fact(value: str) -> bool:
    """False for what infoboxes hold for the eye only: picture names, colours, widths, nothing at all."""
    return not _NOT_A_FACT.fullmatch(value)


def _descend(path: list[tuple[int, str]], mark: str) -> None:
    """Changes the heading path in place for one heading mark: '2 喜好' or '+'."""
    level_text, _, name = mark.partition(" ")
    if not level_text.isdigit():
        return
    level = int(level_text)
    while path and path[-1][0] >= level:
        path.pop()
    path.append((level, tidy_line(name)))


def _choose_variant(match: re.Match[str]) -> str:
    """-{zh-cn:甲;zh-tw:乙}- gives the simplified wording, -{甲}- its text."""
    wordings = dict(part.split(":", 1) for part in match[1].split(";") if ":" in part)
    wordings = {language.strip(): wording for language, wording in wordings.items()}
    chosen = next((wordings[key] for key in ("zh-hans", "zh-cn", "zh") if key in wordings), None)
    return chosen if chosen is not None else match[1].split(";")[0].split(":")[-1]


class _Renderer:
    """Turns a parsed page into text with heading marks; holds the page's title for {{PAGENAME}}."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._methods: dict[type, Callable[..., str]] = {
            nodes.Text: lambda node: str(node.value),
            nodes.Heading: lambda node: heading_line(node.level, self.render(node.title)),
            nodes.HTMLEntity: lambda node: str(node.normalize()),
            nodes.Wikilink: self._link,
            nodes.ExternalLink: lambda node: self.render(node.title),
            nodes.Template: self._template,
            nodes.Argument: lambda node: self.render(node.default),
            nodes.Tag: self._tag,
        }

    def render(self, code: Wikicode | None) -> str:
        """Text of every node in turn; comments and unknown kinds of node give nothing."""
        if code is None:
            return ""
        text = ""
        for node in code.nodes:
            if isinstance(node, nodes.Tag) and str(node.tag) == "dd" and text.strip() and text[-1] != "\n":
                text = text.rstrip() + ": "
            else:
                method = self._methods.get(type(node))
                text += method(node) if method else ""
        return text

    def _link(self, link: nodes.Wikilink) -> str:
        target = str(link.title)
        if _HIDDEN_LINK.match(target) or (link.text is None and _INTERLANGUAGE.match(target)):
            return ""
        label = self.render(link.text).strip()
        return label or target.lstrip(":").split("#")[0].replace("_", " ").strip()

    def _template(self, template: nodes.Template) -> str:
        name = str(template.name).strip().lower().removeprefix("template:").removeprefix("模板:")
        texts = [self.render(parameter.value).strip() for parameter in template.params if not parameter.showkey]
        if name in _PAGE_NAMES:
            return self.title
        if name in _NOTICES | _FURNITURE or name.startswith("defaultsort:"):
            return ""
        if name in _RUBY and len(texts) > 1:
            return f"{texts[0]}（{texts[1]}）"
        if name in _SPOILERS or name in _LAST_TEXT:
            return texts[-1 if name in _LAST_TEXT else 0] if texts else self._named(template, ("1", "text", "内容"))
        return self._facts(template) or (texts[0] if len(texts) == 1 else "、".join(filter(is_fact, texts)))

    def _named(self, template: nodes.Template, keys: tuple[str, ...]) -> str:
        """The first of these parameters that the template has, written as key=value."""
        return next((self.render(template.get(key).value).strip() for key in keys if template.has(key)), "")

    def _facts(self, template: nodes.Template) -> str:
        """'key: value' lines of an infobox as a section of their own; '' when no parameter has a name."""
        lines = []
        for parameter in template.params:
            value = _one_line(self.render(parameter.value))
            if parameter.showkey and is_fact(value):
                lines.append(f"{str(parameter.name).strip()}: {value}")
        return f"\n{_MARK}+\n" + "\n".join(lines) + f"\n{_MARK}+\n" if lines else ""

    def _tag(self, tag: nodes.Tag) -> str:
        name = str(tag.tag).strip().lower()
        if name in _DROPPED_TAGS:
            return ""
        if name == "br":
            return "\n"
        if name == "table":
            return "\n" + "\n".join(self._rows(tag)) + "\n"
        text = self.render(tag.contents)
        return f"\n{text}\n" if name in _BLOCK_TAGS else text

    def _rows(self, table: nodes.Tag) -> list[str]:
        """One line for every row: 'header: cell，header: cell', the caption first."""
        grid = [cells for cells in self._grid(table) if any(text for _, text in cells)]
        headers: list[str] = []
        lines = []
        for cells in grid:
            if all(is_header for is_header, _ in cells) and len(cells) > 1:
                headers = [text for _, text in cells]
            else:
                lines.append(_row_line(cells, headers))
        return lines

    def _grid(self, table: nodes.Tag) -> list[list[tuple[bool, str]]]:
        """Rows of (is a header, text), cells that span several rows repeated in each of them."""
        tags = _tags(table.contents)
        loose = [tag for tag in tags if str(tag.tag) in ("td", "th")]
        captions = [[tag] for tag in loose if str(tag).startswith("|+")]
        first = [tag for tag in loose if not str(tag).startswith("|+")]
        rows = [*captions, first, *(_tags(tag.contents) for tag in tags if str(tag.tag) == "tr")]
        carried: dict[int, tuple[int, tuple[bool, str]]] = {}
        return [self._cells(row, carried) for row in rows if row]

    def _cells(self, row: list[nodes.Tag], carried: dict[int, tuple[int, tuple[bool, str]]]) -> list[tuple[bool, str]]:
        """Cells of one row; `carried` (column -> rows left, cell) is updated by those that reach down."""
        cells: list[tuple[bool, str]] = []

        def fill_from_above() -> None:
            while len(cells) in carried:
                left, cell = carried.pop(len(cells))
                if left > 1:
                    carried[len(cells)] = (left - 1, cell)
                cells.append(cell)

        for tag in row:
            fill_from_above()
            cell = (str(tag.tag) == "th", _one_line(self.render(tag.contents)).lstrip("+ "))
            if (span := _span(tag)) > 1:
                carried[len(cells)] = (span - 1, cell)
            cells.append(cell)
        fill_from_above()
        return cells


def _row_line(cells: list[tuple[bool, str]], headers: list[str]) -> str:
    """'名: 甲，字: 乙' under headers; without them '甲: 乙' after a header cell, else '甲、乙'."""
    texts = [text for _, text in cells]
    if headers and len(texts) == len(headers):
        return "，".join(f"{head}: {text}" if head else text for head, text in zip(headers, texts, strict=True) if text)
    if cells[0][0] and len(texts) > 1:
        return f"{texts[0]}: " + "、".join(filter(None, texts[1:]))
    return "、".join(filter(None, texts))


def _tags(code: Wikicode | None) -> list[nodes.Tag]:
    """Tags directly in `code`, those inside <tbody> and <thead> in their place."""
    found: list[nodes.Tag] = []
    for node in code.nodes if code is not None else []:
        if isinstance(node, nodes.Tag):
            found.extend(_tags(node.contents) if str(node.tag) in ("tbody", "thead") else [node])
    return found


def _span(tag: nodes.Tag) -> int:
    """The rowspan of a cell, 1 where there is none or it is not a number."""
    value = str(tag.get("rowspan").value).strip() if tag.has("rowspan") else "1"
    return int(value) if value.isdigit() else 1


def _one_line(text: str) -> str:
    """Lines of a cell or parameter joined with '、'; marks of headings and sections inside it go."""
    lines = (tidy_line(line) for line in text.splitlines() if not line.startswith(_MARK))
    return "、".join(line for line in lines if line)
