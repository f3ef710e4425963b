"""MediaWiki markup to plain sections: what a reader sees, without the furniture.

    >>> page = "'''沈灯'''是{{黑幕|灯匠}}。\\n== 喜好 ==\\n* [[桂花糕|糕]]"
    >>> split_sections(render_markup(page, title="沈灯"))
    [((), '沈灯是灯匠。'), (('喜好',), '糕')]

Infobox parameters become 'key: value' lines in a section of their own, table rows one line each,
spoiler templates their text, links their label, furigana a parenthesis; references, galleries,
files, categories, navigation boxes and comments go. Templates are never expanded: an unknown one
stays as its texts. A source whose tags were escaped is unescaped first.
"""

import html
import logging
import re
from collections.abc import Callable

import mwparserfromhell
from mwparserfromhell import nodes
from mwparserfromhell.wikicode import Wikicode

from kb.errors import Message
from kb.markup import mend_markup
from kb.names import simplified
from kb.sections import WORDS, block, bold, heading_line, one_line, without_marks
from kb.tables import Cell, spanned, table_lines

_log = logging.getLogger(__name__)

# A template whose name holds one of these lists facts; every wiki names its own.
_INFOBOX = re.compile(r"infobox|信息|资料|资讯|人物卡|角色卡|简介")
_NAVIGATION = re.compile(r"navbox|导航|大家族|sidebar|侧边栏")
_HIDDEN_LINK = re.compile(rf"\s*({'|'.join(WORDS['hidden-links'])})\s*[:：]", re.IGNORECASE)
# Lower case only and known codes only: [[Re:第一夜]] is a page like any other.
_INTERLANGUAGE = re.compile(rf"\s*({'|'.join(WORDS['languages'])})(-[a-z]+)*\s*:")
_STYLE_KEY = re.compile(rf".*({'|'.join(WORDS['style-keys'])})", re.IGNORECASE)
# What infoboxes hold for the eye only: pictures, colours, widths, nothing at all.
_NOT_A_FACT = re.compile(
    r"(|.*\.(png|jpe?g|gif|svg|webp)(\|.*)?|#[0-9a-f]{3,8}|\d+(\.\d+)?(px|em|%)|transparent)",
    re.IGNORECASE,
)
# -{zh-cn:甲;zh-tw:乙}-: bounded, or thousands of '-{' without an end take minutes.
_VARIANT = re.compile(r"-\{(?:([^{}|]{0,40})\|)?([^{}]{0,2000})\}-")
_BEHAVIOUR_SWITCH = re.compile(r"__[A-Z\u4e00-\u9fff]+__")
# Label and data of a row: label1/data1, 标签1/内容1, or label/data of a template that is one row.
_ROW_KEY = re.compile(
    rf"(?:(?P<label>{'|'.join(WORDS['row-labels'])})|(?P<data>{'|'.join(WORDS['row-data'])})"
    rf"|(?P<header>{'|'.join(WORDS['row-headers'])}))[\s_-]*(?P<number>\d{{0,3}})",
    re.IGNORECASE,
)
# {{!}} is a bar to whoever reads the template's text, and none that ends a parameter.
_BAR, _BAR_MARK = re.compile(r"\{\{\s*!\s*\}\}"), "\x05"
_TAGS = "|".join(WORDS["html-tags"])
_WRITTEN_TAG = re.compile(rf"</?(?:{_TAGS})[\s/>]", re.IGNORECASE)
_ESCAPED_TAG = re.compile(rf"&(?:amp;)*(?:lt|#60);/?(?:{_TAGS})(?:\s|/|&)", re.IGNORECASE)
# '<li>灯匠<li>更夫': items that need not close, in a template that the parser would give up.
_LIST_TAG = re.compile(r"<\s*(/?)\s*(li|ul|ol|dl|dt|dd|br)\b[^<>]{0,500}>", re.IGNORECASE)
_TERM = re.compile(r"^;+[ \t]*([^:：\n;]{1,40}?)[ \t]*$", re.MULTILINE)
_QUOTES = re.compile(r"'{2,}")
# What is left of an infobox or a table that never closed: '|姓名=沈灯', '|-', '| 晨醒 || 三枚'.
_LEFT_KEY = re.compile(r"\|\s*([^\s=|<>]{1,20})\s*=\s*(.*)")
_LEFT_ROW = re.compile(r"[|!][-+}]?\s*")


def render_markup(markup: str, *, title: str) -> str:
    """The page as text with the marks of `kb.sections`; `title` is what {{PAGENAME}} stands for.

    Markup that does not close is kept as text, with one warning; nothing is raised.
    """
    mended = mend_markup(_prepared(without_marks(markup)))
    if mended.unclosed:
        _log.warning(Message("wiki.unclosed", title=title, count=mended.unclosed))
    try:
        text = _Renderer(title).render(mwparserfromhell.parse(mended.text))
    except mwparserfromhell.parser.ParserError as error:
        _log.warning(Message("wiki.unparsed", title=title, detail=error))
        text = mended.text
    return _QUOTES.sub("", _BEHAVIOUR_SWITCH.sub("", text.replace(_BAR_MARK, "|")))


def _prepared(markup: str) -> str:
    """The markup as its author wrote it, with list tags as line breaks and terms in bold."""
    while len(_ESCAPED_TAG.findall(markup)) > len(_WRITTEN_TAG.findall(markup)):
        markup = without_marks(html.unescape(markup))
    markup = _LIST_TAG.sub(lambda tag: ": " if tag[1] + tag[2].lower() == "dd" else "<br>", markup)
    markup = _TERM.sub(r"'''\1'''", markup)
    return _VARIANT.sub(_choose_variant, _BAR.sub(_BAR_MARK, markup))


def _choose_variant(match: re.Match[str]) -> str:
    """-{zh-cn:甲;zh-tw:乙}- gives 甲, -{甲}- its text; rules (-{H|…}-, -{T|…}-) show nothing."""
    if (match[1] or "").strip().upper() in ("H", "T", "-"):
        return ""
    parts = match[2].split(";")
    pairs = (part.split(":", 1) for part in parts if ":" in part)
    wordings = {language.strip(): wording for language, wording in pairs}
    chosen = next((wordings[key] for key in ("zh-hans", "zh-cn", "zh") if key in wordings), None)
    return chosen if chosen is not None else parts[0].split(":")[-1]


class _Renderer:
    """Turns a parsed page into text with heading marks; holds the title for {{PAGENAME}}."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._methods: dict[type, Callable[..., str]] = {
            nodes.Text: lambda node: "\n".join(map(_leftover, str(node.value).split("\n"))),
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
        text = ""
        for node in code.nodes if code is not None else ():
            # '; 丁 : 戊' on one line: its colon is parsed as an empty tag of its own.
            is_definition = isinstance(node, nodes.Tag) and str(node.tag) == "dd"
            if is_definition and text.strip() and text[-1] != "\n":
                text = text.rstrip() + ": "
            elif method := self._methods.get(type(node)):
                text += method(node)
        return text

    def _link(self, link: nodes.Wikilink) -> str:
        target = str(link.title)
        if _HIDDEN_LINK.match(target) or (link.text is None and _INTERLANGUAGE.match(target)):
            return ""
        label = self.render(link.text).strip()
        return label or target.lstrip(":").split("#")[0].replace("_", " ").strip()

    def _template(self, template: nodes.Template) -> str:
        name = simplified(str(template.name)).strip().lower().replace("_", " ")
        name = re.sub(r"^(?:template|模板)\s*[:：]\s*", "", name)
        if name.startswith("#"):
            # A parser function, without what it is asked: '#if: x' -> '#if'.
            name = name.split(":")[0]
        if name in WORDS["page-names"]:
            return self.title
        if name in WORDS["left-out"] or name.startswith("defaultsort:") or _NAVIGATION.search(name):
            return ""
        # Each is rendered once: a template in a template in a template would double every time.
        values = [self._parameter(parameter) for parameter in template.params]
        texts = [text.strip() for key, text in values if key is None]
        if name in WORDS["conditions"]:
            return texts[0] if texts else ""
        if name in WORDS["furigana"] and len(texts) > 1:
            return f"{texts[0]}（{texts[1]}）"
        last = name in WORDS["last-text"]
        if last or name in WORDS["spoilers"]:
            if texts:
                return texts[-1 if last else 0]
            named = dict(values)
            return next((named[key].strip() for key in ("1", "text", "内容") if key in named), "")
        if name in WORDS["folds"] and texts:
            return "\n" + "\n".join(texts) + "\n"
        # Any other: an infobox gives facts and texts; beside the texts of others, names are style.
        texts = [text for text in texts if not _NOT_A_FACT.fullmatch(without_marks(text))]
        facts = self._facts(values) if not any(texts) or _INFOBOX.search(name) else ""
        return facts + "、".join(texts)

    def _parameter(self, parameter: nodes.extras.Parameter) -> tuple[str | None, str]:
        """(name or None, text) of a parameter; a table in it whose bars were hidden is one again."""
        key = one_line(self.render(parameter.name)) if parameter.showkey else None
        value = parameter.value
        if _BAR_MARK in (written := str(value)):
            mended = mend_markup(written.replace(_BAR_MARK, "|"))
            value = mwparserfromhell.parse(mended.text)
        return key, self.render(value)

    def _facts(self, values: list[tuple[str | None, str]]) -> str:
        """'key: value' lines of a template as a section; '' when no parameter has a name."""
        named = [(key, without_marks(one_line(text))) for key, text in values if key is not None]
        facts = [
            (key, text)
            for key, text in named
            if not _NOT_A_FACT.fullmatch(text) and not _STYLE_KEY.match(key)
        ]
        return block(f"{key}: {text}" if key else text for key, text in self._in_pairs(facts))

    def _in_pairs(self, facts: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The facts with a row's label and data as one; as they are where no label has its data."""
        keys = [_ROW_KEY.fullmatch(simplified(key)) for key, _ in facts]
        kinds = ("label", "data", "header")
        roles = [
            (next(kind for kind in kinds if match[kind]), match["number"]) if match else ("", "")
            for match in keys
        ]
        labels, data = ({n for role, n in roles if role == kind} for kind in ("label", "data"))
        if not labels & data:
            return facts
        texts = dict(zip(roles, (text for _, text in facts), strict=True))
        found = []
        group = ""
        for (role, number), (key, text) in zip(roles, facts, strict=True):
            if role == "header":
                group = text
            elif role == "data":
                found.append((texts.get(("label", number), group), text))
            elif role != "label" and text != self.title:
                found.append((key, text))
        return found

    def _tag(self, tag: nodes.Tag) -> str:
        name = str(tag.tag).strip().lower()
        if name in WORDS["dropped-tags"]:
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
        return f"\n{text}\n" if name in WORDS["block-tags"] else text

    def _rows(self, table: nodes.Tag) -> list[list[Cell]]:
        """The cells of every row, the caption first."""
        tags = _tags(table.contents)
        loose = [tag for tag in tags if str(tag.tag) in ("td", "th")]
        captions = [[tag] for tag in loose if str(tag).startswith("|+")]
        first = [tag for tag in loose if not str(tag).startswith("|+")]
        rows = [*captions, first, *(_tags(tag.contents) for tag in tags if str(tag.tag) == "tr")]
        return [[self._cell(tag) for tag in row] for row in rows if row]

    def _cell(self, tag: nodes.Tag) -> Cell:
        text = self.render(tag.contents).strip()
        line = without_marks(one_line(text)).lstrip("+ ")
        rows, columns = (
            spanned(str(tag.get(name).value)) if tag.has(name) else 1
            for name in ("rowspan", "colspan")
        )
        return Cell(line, str(tag.tag) == "th", rows, columns, bool(line) and text == bold(line))


_SHAPES: dict[str, Callable[[str], str]] = {
    "b": bold,
    "strong": bold,
    "rt": lambda text: f"（{text.strip()}）" if text.strip() else "",
    "tabber": lambda text: "\n" + text.replace("|-|", "\n") + "\n",
}


def _leftover(line: str) -> str:
    """A row of an infobox or table that never closed as a line like any table's."""
    if match := _LEFT_KEY.fullmatch(line.strip()):
        return "" if _NOT_A_FACT.fullmatch(match[2]) else f"{match[1]}: {match[2]}"
    if not line.startswith(("|", "!")):
        return line
    cells = re.split(r"\|\||!!", _LEFT_ROW.sub("", line, count=1))
    return "、".join(filter(None, map(str.strip, cells)))


def _tags(code: Wikicode | None) -> list[nodes.Tag]:
    """Tags directly in `code`, those inside <tbody> and <thead> in their place."""
    found: list[nodes.Tag] = []
    for node in code.nodes if code is not None else []:
        if isinstance(node, nodes.Tag):
            found += _tags(node.contents) if str(node.tag) in ("tbody", "thead") else [node]
    return found
