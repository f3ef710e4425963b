"""MediaWiki markup to plain sections: what a reader sees, without the furniture.

    >>> markup_to_sections("'''沈灯'''是{{黑幕|灯匠}}。\\n== 喜好 ==\\n* [[桂花糕|糕]]", title="沈灯")
    [((), '沈灯是灯匠。'), (('喜好',), '糕')]

Infobox parameters become 'key: value' lines in a section of their own, table rows one line each
('header: cell，header: cell'), spoiler templates their text, links their label, furigana a parenthesis; references,
galleries, files, categories and comments go. Templates are never expanded: an unknown one stays as its plain texts.
"""

import logging
import re
from collections.abc import Callable

import mwparserfromhell
from mwparserfromhell import nodes
from mwparserfromhell.wikicode import Wikicode

from kb.markup import mend_markup
from kb.sections import Section, block, bold, heading_line, one_line, split_sections, without_marks
from kb.tables import Cell, rows_spanned, table_lines

_log = logging.getLogger(__name__)

_SPOILERS = {"黑幕", "剧透", "heimu", "spoiler", "防剧透"}
_FOLDS = {"隐藏", "折叠", "hide", "collapse", "折叠面板", "cquote", "quote", "引用", "tabs"}
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
_FURNITURE = {
    "reflist",
    "来源请求",
    "cn",
    "who",
    "toc",
    "clear",
    "navbox",
    "大家族",
    "#invoke",
    "#tag",
    "#seo",
    "#vardefine",
}
_CONDITIONS = ("#if", "#switch", "#ifeq", "#ifexist", "#ifexpr")
_INFOBOX = re.compile(r"infobox|信息|资料|人物卡|角色卡|简介")
_RUBY = {"ruby", "注音", "振假名", "photrans"}
_PAGE_NAMES = {"pagename", "fullpagename", "subpagename"}
_DROPPED_TAGS = {
    *("ref", "references", "gallery", "imagemap", "timeline", "math", "hr"),
    *("style", "templatestyles", "script", "rp", "indicator"),
}
_BLOCK_TAGS = {"div", "p", "blockquote", "center", "poem", "ul", "ol", "dl", "section"}
_HIDDEN_LINK = re.compile(r"\s*(file|image|media|category|文件|檔案|档案|图像|圖像|图片|分类|分類)\s*:", re.IGNORECASE)
_INTERLANGUAGE = re.compile(
    r"\s*(ar|ca|cs|da|de|el|en|eo|es|et|fa|fi|fr|he|hi|hr|hu|id|it|ja|ko|la|lt|ms|nl|no|pl|pt|ro|ru|sk|sr|sv|th|tr|uk|vi"
    r"|zh|yue|lzh|wuu|simple)(-[a-z]+)*\s*:"
)
_STYLE_KEY = re.compile(
    r".*(style|class|width|height|align|color|colour|颜色|底色|背景色|字色|宽度|高度|图片大小)", re.IGNORECASE
)
_NOT_A_FACT = re.compile(
    r"(|.*\.(png|jpe?g|gif|svg|webp)(\|.*)?|#[0-9a-f]{3,8}|\d+(\.\d+)?(px|em|%)|transparent)", re.IGNORECASE
)
_VARIANT = re.compile(r"-\{(?:([^{}|]{0,40})\|)?([^{}]{0,2000})\}-")
_BEHAVIOUR_SWITCH = re.compile(r"__[A-Z\u4e00-\u9fff]+__")
_LEFT_KEY = re.compile(r"\|\s*([^\s=|<>]{1,20})\s*=\s*(.*)")
_LEFT_ROW = re.compile(r"[|!][-+}]?\s*")


def markup_to_sections(markup: str, *, title: str) -> list[Section]:
    """Sections of one page in reading order, as (heading path, text); empty ones are left out.

    `title` is what {{PAGENAME}} stands for. Markup that does not close is kept as text; nothing is raised.
    """
    return split_sections(render_markup(markup, title=title))


def render_markup(markup: str, *, title: str) -> str:
    """The page as text with the marks of `kb.sections`; one warning when something in it never closes."""
    mended = mend_markup(_VARIANT.sub(_choose_variant, without_marks(markup)))
    if mended.unclosed:
        _log.warning(
            "page %r: %d templates, links, tables or tags never close, read as text: mend the page",
            title,
            mended.unclosed,
        )
    try:
        text = _Renderer(title).render(mwparserfromhell.parse(mended.text))
    except mwparserfromhell.parser.ParserError as error:
        _log.warning("page %r: its markup cannot be parsed (%s), read as text: mend the page", title, error)
        text = mended.text
    return _BEHAVIOUR_SWITCH.sub("", text)


def is_fact(value: str) -> bool:
    """False for what infoboxes hold for the eye only: picture names, colours, widths, nothing at all."""
    return not _NOT_A_FACT.fullmatch(value)


def _choose_variant(match: re.Match[str]) -> str:
    """-{zh-cn:甲;zh-tw:乙}- gives the simplified wording, -{甲}- its text; rules (-{H|…}-, -{T|…}-) show nothing."""
    if (match[1] or "").strip().upper() in ("H", "T", "-"):
        return ""
    wordings = dict(part.split(":", 1) for part in match[2].split(";") if ":" in part)
    wordings = {language.strip(): wording for language, wording in wordings.items()}
    chosen = next((wordings[key] for key in ("zh-hans", "zh-cn", "zh") if key in wordings), None)
    return chosen if chosen is not None else match[2].split(";")[0].split(":")[-1]


class _Renderer:
    """Turns a parsed page into text with heading marks; holds the page's title for {{PAGENAME}}."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._methods: dict[type, Callable[..., str]] = {
            nodes.Text: lambda node: _without_leftovers(str(node.value)),
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
        name = _template_name(template)
        texts = [self.render(parameter.value).strip() for parameter in template.params if not parameter.showkey]
        if name in _PAGE_NAMES:
            return self.title
        if name == "!":
            return "|"
        if name in _NOTICES | _FURNITURE or name.startswith("defaultsort:"):
            return ""
        if name in _CONDITIONS:
            return texts[0] if texts else ""
        if name in _RUBY and len(texts) > 1:
            return f"{texts[0]}（{texts[1]}）"
        if name in _SPOILERS or name in _LAST_TEXT:
            return texts[-1 if name in _LAST_TEXT else 0] if texts else self._named(template, ("1", "text", "内容"))
        if name in _FOLDS and texts:
            return "\n" + "\n".join(texts) + "\n"
        return self._other(template, name, texts)

    def _other(self, template: nodes.Template, name: str, texts: list[str]) -> str:
        """An infobox gives its facts and texts; any other template its texts if it has any (names beside them are style)."""
        texts = [text for text in texts if is_fact(without_marks(text))]
        if any(texts) and not _INFOBOX.search(name):
            return texts[0] if len(texts) == 1 else "、".join(texts)
        return self._facts(template) + "、".join(texts)

    def _named(self, template: nodes.Template, keys: tuple[str, ...]) -> str:
        """The first of these parameters that the template has, written as key=value."""
        return next((self.render(template.get(key).value).strip() for key in keys if template.has(key)), "")

    def _facts(self, template: nodes.Template) -> str:
        """'key: value' lines of an infobox as a section of their own; '' when no parameter has a name."""
        lines = []
        for parameter in template.params:
            key = one_line(self.render(parameter.name))
            value = without_marks(one_line(self.render(parameter.value)))
            if parameter.showkey and is_fact(value) and not _STYLE_KEY.match(key):
                lines.append(f"{key}: {value}")
        return block(lines)

    def _tag(self, tag: nodes.Tag) -> str:
        name = str(tag.tag).strip().lower()
        if name in _DROPPED_TAGS:
            return ""
        if name == "br":
            return "\n"
        if name == "nowiki":
            return str(tag.contents)
        if name == "table":
            return "\n" + "\n".join(table_lines(self._rows(tag))) + "\n"
        text = self.render(tag.contents)
        if name in _SHAPES:
            return _SHAPES[name](text)
        return f"\n{text}\n" if name in _BLOCK_TAGS else text

    def _rows(self, table: nodes.Tag) -> list[list[Cell]]:
        """The cells of every row, the caption first."""
        tags = _tags(table.contents)
        loose = [tag for tag in tags if str(tag.tag) in ("td", "th")]
        captions = [[tag] for tag in loose if str(tag).startswith("|+")]
        first = [tag for tag in loose if not str(tag).startswith("|+")]
        rows = [*captions, first, *(_tags(tag.contents) for tag in tags if str(tag.tag) == "tr")]
        return [[self._cell(tag) for tag in row] for row in rows if row]

    def _cell(self, tag: nodes.Tag) -> Cell:
        text = without_marks(one_line(self.render(tag.contents))).lstrip("+ ")
        rows = rows_spanned(str(tag.get("rowspan").value)) if tag.has("rowspan") else 1
        return Cell(text, header=str(tag.tag) == "th", rows=rows)


_SHAPES: dict[str, Callable[[str], str]] = {
    "b": bold,
    "strong": bold,
    "rt": lambda text: f"（{text.strip()}）" if text.strip() else "",
    "tabber": lambda text: "\n" + text.replace("|-|", "\n") + "\n",
}


def _template_name(template: nodes.Template) -> str:
    """Lower case, without 'Template:' and without what a parser function is asked ('#if: x' -> '#if')."""
    name = str(template.name).strip().lower().replace("_", " ")
    name = name.removeprefix("template:").removeprefix("模板:").strip()
    return name.split(":")[0] if name.startswith("#") else name


def _without_leftovers(text: str) -> str:
    """Text in which the rows of an infobox or table that never closed are lines as they would have become."""
    if "|" not in text and "!" not in text:
        return text
    return "\n".join(map(_leftover, text.split("\n")))


def _leftover(line: str) -> str:
    if match := _LEFT_KEY.fullmatch(line.strip()):
        return f"{match[1]}: {match[2]}" if is_fact(match[2]) else ""
    if not line.startswith(("|", "!")):
        return line
    cells = re.split(r"\|\||!!", _LEFT_ROW.sub("", line, count=1))
    return "、".join(filter(None, map(str.strip, cells)))


def _tags(code: Wikicode | None) -> list[nodes.Tag]:
    """Tags directly in `code`, those inside <tbody> and <thead> in their place."""
    found: list[nodes.Tag] = []
    for node in code.nodes if code is not None else []:
        if isinstance(node, nodes.Tag):
            found.extend(_tags(node.contents) if str(node.tag) in ("tbody", "thead") else [node])
    return found
