"""Wikitext that a parser can read in linear time: whatever never closes, or nests too deep, loses its marks.

    >>> mend_markup("{{人物信息|姓名=沈灯")
    Mended(text='人物信息|姓名=沈灯', unclosed=1)
    >>> mend_markup("{{黑幕|[[灯匠]]}}")
    Mended(text='{{黑幕|[[灯匠]]}}', unclosed=0)

mwparserfromhell tries every reading of an opening mark; a page with thousands that never close, or forty templates
inside one another, takes it minutes. Real pages nest five or six deep. Only marks go, never a text between them.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

_DEEPEST = 16
_TOKEN = re.compile(
    r"(?P<comment><!--)"
    r"|<(?P<slash>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9]*)(?P<rest>(?:[\s/][^<>]{0,2000})?)>"
    r"|(?P<open>\{{2,})|(?P<close>\}{2,})"
    r"|(?P<link>\[\[)|(?P<unlink>\]\])"
    r"|^[ \t:]*(?P<table>\{\|)|^[ \t]*(?P<untable>\|\}(?!\}(?!\})))",
    re.MULTILINE,
)
_VERBATIM = {"nowiki", "pre", "math", "source", "syntaxhighlight", "gallery", "timeline", "score"}
_NEVER_CLOSED = {"br", "hr", "wbr", "img", "meta", "link", "li", "dt", "dd", "tr", "td", "th"}
_LONG_LIST_MARK = re.compile(r"^([*#:;]{8})[*#:;]+", re.MULTILINE)
_OPEN_ADDRESS = re.compile(r"\[(?=(?:[a-z]+:)?//)(?![^\n\]]{0,2000}\])")


@dataclass(frozen=True)
class Mended:
    """The markup that can be parsed, and how many marks in it opened and never closed."""

    text: str
    unclosed: int


@dataclass(frozen=True)
class _Opening:
    """An opening mark that waits for its end; one that stands `deep` goes, and its end with it."""

    kind: str
    start: int
    end: int
    deep: bool


@dataclass
class _Balance:
    """Opening marks not yet closed, and the spans that are to go."""

    waiting: list[_Opening] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    gone: list[tuple[int, int]] = field(default_factory=list)
    unclosed: int = 0

    def open(self, kind: str, start: int, end: int) -> None:
        """Notes an opening mark."""
        self.waiting.append(_Opening(kind, start, end, len(self.waiting) >= _DEEPEST))
        self.kinds[kind] += 1

    def close(self, kind: str, start: int, end: int) -> int:
        """Closes the newest opening of this kind; what was opened after it never closed. Gives the mark's end."""
        if not self.kinds[kind]:
            self.gone.append((start, end))
            return end
        while (opening := self._pop()).kind != kind:
            self._drop(opening)
        width = opening.end - opening.start
        if kind == "brace" and (used := min(end - start, width)):
            end = start + used
            self.gone.append((opening.start, opening.end - used))
        if opening.deep:
            self.gone += [(opening.start, opening.end), (start, end)]
        return end

    def finish(self) -> None:
        """Gives up on what is still open."""
        while self.waiting:
            self._drop(self._pop())

    def _pop(self) -> _Opening:
        opening = self.waiting.pop()
        self.kinds[opening.kind] -= 1
        return opening

    def _drop(self, opening: _Opening) -> None:
        self.gone.append((opening.start, opening.end))
        self.unclosed += 1


def mend_markup(markup: str) -> Mended:
    """Takes out the marks of templates, links, tables and tags that have no partner or nest deeper than 16."""
    markup = _OPEN_ADDRESS.sub("", _LONG_LIST_MARK.sub(r"\1", markup))
    balance = _Balance()
    position = 0
    while match := _TOKEN.search(markup, position):
        position = _take(markup, match, balance)
    balance.finish()
    return Mended(_without(markup, balance.gone), balance.unclosed)


def _take(markup: str, match: re.Match[str], balance: _Balance) -> int:
    """Notes one token; gives the place to go on from."""
    start, end = match.span()
    if match["comment"]:
        return _past(markup, "-->", match, balance)
    if match["tag"]:
        return _take_tag(markup, match, balance)
    if match["open"]:
        _open_braces(start, end, balance)
    elif match["close"]:
        while end - start > 1:
            start = balance.close("brace", start, end)
    elif match["link"] or match["unlink"]:
        (balance.open if match["link"] else balance.close)("link", start, end)
    elif match["table"]:
        balance.open("table", *match.span("table"))
    else:
        balance.close("table", *match.span("untable"))
    return end


def _take_tag(markup: str, match: re.Match[str], balance: _Balance) -> int:
    name = match["tag"].lower()
    if name in _NEVER_CLOSED or match["rest"].endswith("/"):
        return match.end()
    if match["slash"]:
        balance.close(f"<{name}", *match.span())
    elif name in _VERBATIM:
        return _past(markup, f"</{name}", match, balance)
    else:
        balance.open(f"<{name}", *match.span())
    return match.end()


def _past(markup: str, ending: str, match: re.Match[str], balance: _Balance) -> int:
    """The end of what is not looked into; an opening without an ending goes, and is searched for only once."""
    never = f"no {ending}"
    if not balance.kinds[never]:
        found = markup.find(ending, match.end())
        if found >= 0:
            closed = markup.find(">", found)
            return closed + 1 if closed >= 0 else len(markup)
        balance.kinds[never] = 1
    balance.gone.append(match.span())
    balance.unclosed += 1
    return match.end()


def _open_braces(start: int, end: int, balance: _Balance) -> None:
    """'{{' opens a template, '{{{' an argument; longer runs are templates, an odd brace before them goes."""
    if end - start == 3:
        balance.open("brace", start, end)
        return
    if (end - start) % 2:
        balance.gone.append((start, start + 1))
        start += 1
    for place in range(start, end, 2):
        balance.open("brace", place, place + 2)


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """The text without these spans, which may overlap."""
    kept = []
    position = 0
    for start, end in sorted(spans):
        kept.append(text[position:start])
        position = max(position, end)
    return "".join([*kept, text[position:]])
