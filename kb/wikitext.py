"""MediaWiki markup to plain sections, by way of HTML: what a reader sees, without the furniture.

    >>> page = "'''沈灯'''是{{黑幕|灯匠}}。\\n== 喜好 ==\\n* [[桂花糕|糕]]"
    >>> split_sections(render_markup(page, title="沈灯"))
    [((), '沈灯是灯匠。'), (('喜好',), '糕')]

Templates and links are `kb.templates`'; here lines become headings, lists and tables, and what
shows nothing goes. A source whose tags were escaped is unescaped first. One pass over the text
each, so that marks that never close cost no more than others.
"""

import html
import logging
import re
from collections.abc import Sequence

from kb.errors import Message
from kb.names import simplified
from kb.sections import WORDS, without_marks
from kb.webpage import render_fragment

_log = logging.getLogger(__name__)

# -{zh-cn:甲;zh-tw:乙}-: bounded, or thousands of '-{' without an end take minutes.
_VARIANT = re.compile(r"-\{(?:([^{}|]{0,40})\|)?([^{}]{0,2000})\}-")
_BEHAVIOUR_SWITCH = re.compile(r"__[A-Z\u4e00-\u9fff]+__")
_BAR = re.compile(r"\{\{\s*!\s*\}\}")
_BAR_END = re.compile(r"^[ \t]*\{\{\s*!\s*\}\}\}", re.M)
_TAGS = "|".join(WORDS["html-tags"])
_WRITTEN_TAG = re.compile(rf"</?(?:{_TAGS})[\s/>]", re.I)
_ESCAPED_TAG = re.compile(rf"&(?:amp;)*(?:lt|#60);/?(?:{_TAGS})(?:\s|/|&)", re.I)
_COMMENT = re.compile(r"<!--(?:(?!<!--).)*?-->|<!--", re.S)
_VERBATIM = re.compile(r"<(nowiki|pre)\b[^<>]*>((?:(?!<nowiki|<pre).)*?)</\1\s*>", re.S | re.I)
_MARKS = re.compile(r"[\[\]{}|='*#:;!<>&_~-]")
_CLOSED_AT_ONCE = re.compile(r"<(?!br|hr)[a-zA-Z][\w-]*\b[^<>]*/>")
# Each up to its own end and over no second beginning: one that never closes takes no text with it.
_DROPPED = [
    re.compile(rf"<{tag}\b[^<>]*>(?:(?!<{tag}\b).)*?</{tag}\s*>|</?{tag}\b[^<>]*>", re.S | re.I)
    for tag in WORDS["dropped-tags"]
]
_HEADING = re.compile(r"(={1,6})\s*(.+?)\s*\1\s*")
_LIST = re.compile(r"^[*#:;]+\s*|^-{4,}")
_TERM = re.compile(r"([^:]{1,40}?)(?:\s*:\s+(.*))?")
_BOLD, _QUOTES = re.compile(r"'''(?=[^'])(.+?)'''"), re.compile(r"'{2,}")
_ADDRESS = re.compile(r"\[(?:[a-z]+:)?//[^\s\[\]]{0,2000}(?:\s+([^\[\]\n]{0,500}))?\]?")
_ATTRIBUTES = re.compile(r"([^|\[\]{}<>]*=[^|\[\]{}<>]*|\s*)\|(?!\|)")
# What is left of an infobox or a table that never closed: '|姓名=沈灯', '|-', '| 晨醒 || 三枚'.
_LEFT_KEY = re.compile(r"\|\s*([^\s=|<>]{1,20})\s*=\s*(.*)")
_LEFT_ROW = re.compile(r"[|!][-+}]?\s*")

# {{!}} is a bar to whoever reads the template's text, and none that ends a parameter.
_BAR_MARK, _END_MARK = "\x05", "\x06"
# Real pages nest five or six deep; what is opened deeper is read as its text.
_DEEPEST = 40
# '|}' ends a table, but in '|}}' the bar is an empty parameter's.
_TOKEN = re.compile(
    r"(?P<argument>\{\{\{)(?!\{)|(?P<template>\{\{)|(?P<ends>\}\}\}?)"
    r"|(?P<link>\[\[)|(?P<unlink>\]\])"
    r"|^[ \t:]*(?P<table>\{\|)|(?P<untable>\|\}(?!\}(?!\})))|(?P<bar>\|)|(?P<equals>=)",
    re.M,
)
# A template whose name holds one of these lists facts; every wiki names its own.
_INFOBOX = re.compile(r"infobox|信息|资料|资讯|人物卡|角色卡|简介")
_NAVIGATION = re.compile(r"navbox|导航|大家族|sidebar|侧边栏")
_HIDDEN_LINK = re.compile(rf"\s*({'|'.join(WORDS['hidden-links'])})\s*[:：]", re.I)
# Lower case only and known codes only: [[Re:第一夜]] is a page like any other.
_INTERLANGUAGE = re.compile(rf"\s*({'|'.join(WORDS['languages'])})(-[a-z]+)*\s*:")
_STYLE_KEY = re.compile(rf".*({'|'.join(WORDS['style-keys'])})", re.I)
# What infoboxes hold for the eye only: pictures, colours, widths, nothing at all.
_NOT_A_FACT = re.compile(
    r"(\s*|.*\.(png|jpe?g|gif|svg|webp)(\|.*)?|#[0-9a-f]{3,8}|\d+(\.\d+)?(px|em|%)|transparent)",
    re.I,
)
# Label and data of a row: label1/data1, 标签1/内容1, or label/data of a template that is one row.
_ROW_KEY = re.compile(
    rf"(?:(?P<label>{'|'.join(WORDS['row-labels'])})|(?P<data>{'|'.join(WORDS['row-data'])})"
    rf"|(?P<header>{'|'.join(WORDS['row-headers'])}))[\s_-]*(?P<number>\d{{0,3}})",
    re.I,
)

# (name or None, text) of a parameter.
_Parameter = tuple[str | None, str]


def render_markup(markup: str, *, title: str) -> str:
    """The page as text with the marks of `kb.sections`; `title` is what {{PAGENAME}} stands for.

    Markup that does not close is kept as text, with one warning; nothing is raised.
    """
    page = _Page(title)
    text = page.expand(_prepared(without_marks(markup)))
    if page.unclosed:
        _log.warning(Message("wiki.unclosed", title=title, count=page.unclosed))
    return render_fragment(_to_html(text))


def _to_html(text: str) -> str:
    """Lines of markup without templates and links as HTML on one line."""
    found = []
    tables, rows = 0, False
    for line in text.replace(_BAR_MARK, "|").replace(_END_MARK, "|}").split("\n"):
        bare = line.strip()
        if bare.lstrip(": ").startswith("{|"):
            tables, rows = tables + 1, False
            found.append(f"<table {bare.lstrip(': ')[2:].replace('>', '')}>")
        elif tables and bare.startswith("|}"):
            tables -= 1
            found.append(f"</table>{_inline(bare[2:])}")
        elif tables and bare.startswith(("|", "!")):
            # The first row of a table need not be begun.
            found.append(_row(bare, begin="" if rows else "<tr>"))
            rows = rows or not bare.startswith("|+")
        elif heading := _HEADING.fullmatch(bare):
            level = len(heading[1])
            found.append(f"<h{level}>{_inline(heading[2])}</h{level}>")
        else:
            found.append(f"{_inline(_listed(_leftover(bare)))}<br>")
    return "".join(found)


def _prepared(markup: str) -> str:
    """The markup as its author wrote it, without what shows nothing."""
    while len(_ESCAPED_TAG.findall(markup)) > len(_WRITTEN_TAG.findall(markup)):
        markup = without_marks(html.unescape(markup))
    for pattern in (_COMMENT, _CLOSED_AT_ONCE):
        markup = pattern.sub("", markup)
    markup = _VERBATIM.sub(
        lambda tag: _MARKS.sub(lambda mark: f"&#{ord(mark[0])};", tag[2]), markup
    )
    for pattern in _DROPPED:
        markup = pattern.sub("", markup)
    if markup.count("<div") > markup.count("</div"):
        # What a hidden part that never closes hides would be the rest of the page.
        markup = re.sub(r"display\s*:\s*none", "", markup)
    markup = markup.replace("|-|", "\n") if "<tabber" in markup else markup
    # '{{!}}}' at the start of a line ends a table, whatever braces follow.
    markup = _BAR_END.sub(_END_MARK, markup)
    return _BAR.sub(_BAR_MARK, _VARIANT.sub(_choose_variant, _BEHAVIOUR_SWITCH.sub("", markup)))


def _choose_variant(match: re.Match[str]) -> str:
    """-{zh-cn:甲;zh-tw:乙}- gives 甲, -{甲}- its text; rules (-{H|…}-, -{T|…}-) show nothing."""
    if (match[1] or "").strip().upper() in ("H", "T", "-"):
        return ""
    parts = match[2].split(";")
    pairs = (part.split(":", 1) for part in parts if ":" in part)
    wordings = {language.strip(): wording for language, wording in pairs}
    chosen = next((wordings[key] for key in ("zh-hans", "zh-cn", "zh") if key in wordings), None)
    return chosen if chosen is not None else parts[0].split(":")[-1]


def _inline(line: str) -> str:
    line = _ADDRESS.sub(lambda address: address[1] or "", line) if "//" in line else line
    return _QUOTES.sub("", _BOLD.sub(r"<b>\1</b>", line.replace("'''''", "'''")))


def _listed(line: str) -> str:
    """A list item without its marks; '; 丁 : 戊' gives '丁: 戊', and '; 丁' alone is as good as bold."""
    term = _TERM.fullmatch(line.lstrip("; ")) if line.startswith(";") else None
    if term and term[1]:
        return f"{term[1]}: {term[2]}" if term[2] else f"'''{term[1]}'''"
    return _LIST.sub("", line)


def _row(line: str, begin: str) -> str:
    """A line of a table: '|-', a caption, or cells, none of which closes before the next begins."""
    if line.startswith(("|-", "|+")):
        return "<tr>" if line[1] == "-" else f"<caption>{_inline(_cell(line[2:])[1])}</caption>"
    tag, ends = ("th", r"!!|\|\|") if line[0] == "!" else ("td", r"\|\|")
    cells = (_cell(cell) for cell in re.split(ends, line[1:]))
    told = (f"<{tag} {attributes}>{_inline(_listed(text))}<br>" for attributes, text in cells)
    return begin + "".join(told)


def _cell(text: str) -> tuple[str, str]:
    """(attributes, text) of 'rowspan=2 | 三枚'."""
    match = _ATTRIBUTES.match(text)
    return (match[1], text[match.end() :].strip()) if match else ("", text.strip())


def _leftover(line: str) -> str:
    """A row of an infobox or table that never closed as a line like any table's."""
    if not line.startswith(("|", "!")):
        return line
    if match := _LEFT_KEY.fullmatch(line):
        return f"{match[1]}: {match[2]}" if _is_fact(match[1], match[2]) else ""
    cells = re.split(r"\|\||!!", _LEFT_ROW.sub("", line, count=1))
    return "、".join(filter(None, map(str.strip, cells)))


def _is_fact(key: str, text: str) -> bool:
    """False for a parameter that is empty, or there for the eye only."""
    return not _NOT_A_FACT.fullmatch(text) and not _STYLE_KEY.match(key)


class _Opened:
    """A mark whose end has not come yet, and the parameters so far: a name, and pieces of text."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.parts: list[tuple[list[str], list[str]]] = [([], [])]

    @property
    def text(self) -> list[str]:
        return self.parts[-1][1]

    def parameters(self) -> list[_Parameter]:
        return [
            ("".join(name).strip() if name else None, "".join(text)) for name, text in self.parts
        ]

    def as_typed(self) -> str:
        return "|".join("".join((*name, "=" if name else "", *text)) for name, text in self.parts)


class _Page:
    """One page's templates and links, and how many marks of it never closed."""

    def __init__(self, title: str) -> None:
        self.unclosed = 0
        self._title = title
        self._opened = [_Opened("page")]

    def expand(self, markup: str) -> str:
        """The markup with what its templates and links show; marks without a partner go."""
        position = 0
        while token := _TOKEN.search(markup, position):
            self._opened[-1].text.append(markup[position : token.start(token.lastgroup or 0)])
            position = token.start(token.lastgroup or 0) + self._take(token)
        self._opened[-1].text.append(markup[position:])
        self._give_up_above(self._opened[0])
        return self._opened[0].as_typed()

    def _take(self, token: re.Match[str]) -> int:
        """Acts on one mark; gives how many characters of it are used."""
        kind, written = token.lastgroup or "", token[token.lastgroup or 0]
        top = self._opened[-1]
        if kind in ("argument", "template", "link", "table"):
            if len(self._opened) < _DEEPEST:
                self._opened.append(_Opened(kind))
            # A table's mark is for whoever reads the lines.
            self._opened[-1].text.extend(["{|"] if kind == "table" else [])
        elif kind == "ends":
            wanted = "argument" if len(written) == 3 and top.kind == "argument" else "template"
            return self._close(wanted, 3 if wanted == "argument" else 2)
        elif kind == "unlink":
            return self._close("link", 2)
        elif kind == "untable" and top.kind == "table":
            top.text.append("|}")
            return self._close("table", 2)
        elif kind in ("bar", "untable") and top.kind in ("template", "argument", "link"):
            top.parts.append(([], []))
            return 1
        elif (
            kind == "equals"
            and top.kind == "template"
            and len(top.parts) > 1
            and not top.parts[-1][0]
        ):
            top.parts[-1] = (["".join(top.text)], [])
        else:
            top.text.append(written)
        return len(written)

    def _close(self, kind: str, length: int) -> int:
        """Ends the newest mark of a kind; what was opened after it never closed."""
        opened = next((one for one in reversed(self._opened) if one.kind == kind), None)
        if opened:
            self._give_up_above(opened)
            self._opened.pop()
            show = {"template": self._template, "link": _link}.get(kind)
            default = opened.as_typed() if kind == "table" else "".join(opened.parts[-1][1])
            self._opened[-1].text.append(show(opened.parameters()) if show else default)
        return length

    def _give_up_above(self, opened: _Opened) -> None:
        while self._opened[-1] is not opened:
            left = self._opened.pop()
            self._opened[-1].text.append(left.as_typed())
            self.unclosed += 1

    def _template(self, parameters: Sequence[_Parameter]) -> str:
        name = simplified(parameters[0][1]).strip().lower().replace("_", " ")
        name = re.sub(r"^(?:template|模板)\s*[:：]\s*", "", name)
        values = parameters[1:]
        texts = [text.strip() for key, text in values if key is None]
        if name.startswith("#"):
            # A parser function, without what it is asked: '#if: x' -> '#if'.
            name = name.split(":")[0]
        if name in WORDS["page-names"]:
            return self._title
        if name in WORDS["left-out"] or name.startswith("defaultsort:") or _NAVIGATION.search(name):
            return ""
        if name in WORDS["conditions"]:
            return texts[0] if texts else ""
        if name in WORDS["furigana"] and len(texts) > 1:
            return f"{texts[0]}（{texts[1]}）"
        if (last := name in WORDS["last-text"]) or name in WORDS["spoilers"]:
            named = [text.strip() for key, text in values if key in ("1", "text", "内容")]
            return texts[-1 if last else 0] if texts else next(iter(named), "")
        if name in WORDS["folds"] and texts:
            return "\n" + "\n".join(texts) + "\n"
        # Any other: an infobox gives facts and texts; beside the texts of others, names are style.
        texts = [text for text in texts if not _NOT_A_FACT.fullmatch(text)]
        facts = self._facts(values) if not texts or _INFOBOX.search(name) else ""
        lines = any("\n" in text or text.startswith("{") for text in texts)
        return facts + ("\n" + "\n".join(texts) + "\n" if lines else "、".join(texts))

    def _facts(self, values: Sequence[_Parameter]) -> str:
        """The named parameters as a table of one row each; '' where there are none."""
        facts = [
            (key, text) for key, text in values if key is not None and _is_fact(key, text.strip())
        ]
        rows = (
            f"<tr><th>{key}</th><td>{_to_html(text).replace(chr(10), ' ')}</td></tr>"
            for key, text in self._in_pairs(facts)
        )
        return f'<table class="infobox">{"".join(rows)}</table>' if facts else ""

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
        texts = dict(zip(roles, (text.strip() for _, text in facts), strict=True))
        found = []
        group = ""
        for (role, number), (key, text) in zip(roles, facts, strict=True):
            if role == "header":
                group = text.strip()
            elif role == "data":
                found.append((texts.get(("label", number), group), text))
            elif role != "label" and text.strip() != self._title:
                found.append((key, text))
        return found


def _link(parameters: Sequence[_Parameter]) -> str:
    target, label = parameters[0][1], parameters[-1][1].strip()
    if _HIDDEN_LINK.match(target) or (len(parameters) == 1 and _INTERLANGUAGE.match(target)):
        return ""
    shown = target.lstrip(":").split("#")[0].replace("_", " ").strip()
    inside = "#" if target.startswith("#") else "w"
    return f'<a href="{inside}">{label if len(parameters) > 1 and label else shown}</a>'
