"""Markdown, with HTML in it or not, to marked text; a page for every first-level heading.

    >>> pages = read_markdown("# 沈灯\\n**灯匠**。\\n## 喜好\\n- 糕")
    >>> [(title, split_sections(text)) for title, text in pages]
    [('', []), ('沈灯', [((), '灯匠。'), (('喜好',), '糕')])]

It goes through HTML, so that both are read by one set of rules. Read beyond CommonMark: headings
without a blank (##喜好), bold beside Chinese marks, Obsidian's links and front matter. Indented lines
are paragraphs, for Chinese ones are indented, and every line end counts, for fans write one fact a
line.
"""

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt

from kb.sections import MARK, tidy_line, without_marks
from kb.webpage import render_fragment

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.{0,20000}?)\n---[ \t]*\n", re.S)
_FRONT_TITLE = re.compile(r"^title\s*:\s*[\"']?(.+?)[\"']?\s*$", re.M)
# ##喜好; #喜好 only where no heading is written with a blank, for it may be a tag.
_TIGHT_HEADING = re.compile(r"^#{2,6}(?=[^#\s])", re.M)
_TIGHT_FIRST = re.compile(r"^#(?=[^#\s!。，]{1,30}$)", re.M)
_FIRST = re.compile(r"^#[ \t]+\S", re.M)
# == 喜好 ==, from whoever knows wikitext as well.
_WIKI_HEADING = re.compile(r"^(={2,5})[ \t]*([^=\n]{1,60}?)[ \t]*\1[ \t]*$", re.M)
# A short line between a blank one and a rule is a heading; a rule under a paragraph is only a rule.
_UNDERLINED = re.compile(
    r"(?:\A|(?<=\n\n))([^\n|#>。！？-][^\n|。！？]{0,40})\n(=|-)\2{2,}[ \t]*$", re.M
)
# Rules of =, and fences: what fans put between them is a form or a text, no code.
_RULE = re.compile(r"^[ \t]*(?:[=_—]{3,}|(?:`{3,}|~{3,})[\w-]{0,20})[ \t]*$", re.M)
# CommonMark takes no star for bold that stands between a Chinese mark and a character.
_BOLD = re.compile(r"\*\*(?=\S)([^*\n]{1,80}?)(?<=\S)\*\*")
_WIKI_LINK = re.compile(r"!?\[\[([^\[\]|#\n]*)(?:#[^\[\]|\n]*)?(?:\|([^\[\]\n]*))?\]\]")
_HIGHLIGHT = re.compile(r"==(?=\S)([^=\n]{1,80}?)(?<=\S)==")
# Footnote marks, boxes to tick, kinds of callouts.
_NOTE = re.compile(r"\[\^[^\[\]\n]{1,20}\]:?|(?<=[-*+] )\[[ xX]\] |\[![a-zA-Z]{1,20}\][+-]?")
# Markdown inside these goes on, where HTML alone would end at a blank line only.
_TAG_LINE = re.compile(
    r"^([ \t]*</?(?:div|details|summary|center|section|font|span|p|blockquote|big|small|"
    r"[abius]|su[bp]|strong|em)(?:\s[^<>\n]*)?>(?:.*>)?)[ \t]*$",
    re.M | re.I,
)
_BLOCK_END = re.compile(r"(</(?:table|div|pre|ul|ol)>)[ \t]*\n(?=\S)", re.I)
# A row of what is no table: it has no line of dashes under it.
_ROW = re.compile(r"^\|(.*)\|$")
# Stars that touched no word, and what indents in a wiki.
_LEFT_MARK = re.compile(r"\*\*|^:+(?=\S)")
_ENTRY = re.compile(r"^\s*【([^】]+)】[:：]?\s*(.*)$")
_PARSER = (
    MarkdownIt("commonmark", {"breaks": True, "html": True})
    .enable(["table", "strikethrough"])
    .disable(["code", "lheading"])
)


def read_markdown(text: str) -> Iterator[tuple[str, str]]:
    """(title, marked text) of what stands above the first heading, and of each first-level one."""
    title = ""
    if front := _FRONT_MATTER.match(text):
        text = text[front.end() :]
        named = _FRONT_TITLE.search(front[1])
        title = named[1].strip() if named else ""
    page = ""
    first_level = f"{MARK}1 "
    for line in render_fragment(_PARSER.render(_common(without_marks(text)))).split("\n"):
        if line.startswith(first_level):
            # The name of a note is none of a page where the first heading says another.
            yield title if page.strip() else "", page
            title, page = without_marks(line[len(first_level) :]).strip(), ""
        else:
            page += _LEFT_MARK.sub("", _ROW.sub(_cells, line.strip())) + "\n"
    yield title, page


def read_marked_text(text: str) -> Iterator[tuple[str, str]]:
    """(title, text) of what stands above the first line that begins with 【词条】, and of each."""
    title, page = "", ""
    for line in without_marks(text).split("\n"):
        if mark := _ENTRY.match(line):
            yield title, page
            title, page, line = tidy_line(mark[1]), "", mark[2]
        page += line + "\n"
    yield title, page


def _cells(row: re.Match[str]) -> str:
    return "、".join(filter(None, map(str.strip, row[1].split("|"))))


def _common(text: str) -> str:
    """The text with what CommonMark does not know rewritten to what it does."""
    text = _UNDERLINED.sub(lambda match: f"{'#' if match[2] == '=' else '##'} {match[1]}", text)
    for tight in (_TIGHT_HEADING, *(() if _FIRST.search(text) else (_TIGHT_FIRST,))):
        text = tight.sub(lambda match: f"{match[0]} ", text)
    text = _WIKI_HEADING.sub(lambda match: f"{'#' * len(match[1])} {match[2]}", text)
    text = _RULE.sub("", text)
    text = _BOLD.sub(r"<b>\1</b>", _WIKI_LINK.sub(lambda match: match[2] or match[1], text))
    text = _HIGHLIGHT.sub(r"\1", _NOTE.sub("", text))
    return _BLOCK_END.sub(r"\1\n\n", _TAG_LINE.sub(r"\n\1\n\n", text))
