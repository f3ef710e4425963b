"""Templates and links of MediaWiki markup: what they show, told by their names and parameters.

    >>> Expander("沈灯", to_html).expand("{{PAGENAME}}是{{黑幕|[[灯匠]]}}。{{ruby|漢字|かんじ}}")
    '沈灯是<a href="w">灯匠</a>。漢字（かんじ）'

Templates are never looked up. Known ones show their text, a choice or nothing; an infobox becomes a
table of facts; an unknown one stays as its texts. Tables inside templates keep their bars.
"""

import re
from collections.abc import Callable, Sequence

from kb.names import simplified
from kb.sections import WORDS

# {{!}} is a bar to whoever reads the template's text, and none that ends a parameter.
BAR_MARK, END_MARK = "\x05", "\x06"
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


def is_fact(key: str, text: str) -> bool:
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


class Expander:
    """One page's templates and links, and how many marks of it never closed."""

    def __init__(self, title: str, to_html: Callable[[str], str]) -> None:
        self.unclosed = 0
        self._title = title
        self._to_html = to_html
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
            (key, text) for key, text in values if key is not None and is_fact(key, text.strip())
        ]
        rows = (
            f"<tr><th>{key}</th><td>{self._to_html(text).replace(chr(10), ' ')}</td></tr>"
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
