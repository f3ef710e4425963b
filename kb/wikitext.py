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

from kb.errors import Message
from kb.sections import WORDS, without_marks
from kb.templates import BAR_MARK, END_MARK, Expander, is_fact
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


def render_markup(markup: str, *, title: str) -> str:
    """The page as text with the marks of `kb.sections`; `title` is what {{PAGENAME}} stands for.

    Markup that does not close is kept as text, with one warning; nothing is raised.
    """
    page = Expander(title, to_html)
    text = page.expand(_prepared(without_marks(markup)))
    if page.unclosed:
        _log.warning(Message("wiki.unclosed", title=title, count=page.unclosed))
    return render_fragment(to_html(text))


def to_html(text: str) -> str:
    """Lines of markup without templates and links as HTML on one line."""
    found = []
    tables, rows = 0, False
    for line in text.replace(BAR_MARK, "|").replace(END_MARK, "|}").split("\n"):
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
    markup = _BAR_END.sub(END_MARK, markup)
    return _BAR.sub(BAR_MARK, _VARIANT.sub(_choose_variant, _BEHAVIOUR_SWITCH.sub("", markup)))


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
        return f"{match[1]}: {match[2]}" if is_fact(match[1], match[2]) else ""
    cells = re.split(r"\|\||!!", _LEFT_ROW.sub("", line, count=1))
    return "、".join(filter(None, map(str.strip, cells)))
