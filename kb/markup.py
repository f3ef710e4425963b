"""Wikitext that a parser reads in linear time: what never closes or nests too deep goes.

    >>> mend_markup("{{人物信息|姓名=沈灯")
    Mended(text='人物信息|姓名=沈灯', unclosed=1)
    >>> mend_markup("{{黑幕|[[灯匠]]}}")
    Mended(text='{{黑幕|[[灯匠]]}}', unclosed=0)

mwparserfromhell tries every reading of an opening mark; a page with thousands that never close, or
forty templates inside one another, takes it minutes. Real pages nest five or six deep. Only marks
go, never a text between them.
"""

import re
from collections import Counter
from typing import NamedTuple

_DEEPEST = 16
# The lookahead lets '|}}}' close a template after an empty parameter, and not a table.
_TOKEN = re.compile(
    r"(?P<comment><!--)"
    r"|<(?P<slash>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*)(?P<tag>(?:[\s/][^<>]{0,2000})?)>"
    r"|(?P<braces>\{{2,})|(?P<closing>\}{2,})"
    r"|(?P<link>\[\[)|(?P<unlink>\]\])"
    r"|^[ \t:]*(?P<table>\{\|)|^[ \t]*(?P<untable>\|\}(?!\}(?!\})))",
    re.MULTILINE,
)
_VERBATIM = {"nowiki", "pre", "math", "source", "syntaxhighlight", "gallery", "timeline", "score"}
_NEVER_CLOSED = {"br", "hr", "wbr", "img", "meta", "link", "li", "dt", "dd", "tr", "td", "th"}
# Each mark of a list line nests a tag more in the parser.
_LONG_LIST_MARK = re.compile(r"^([*#:;]{8})[*#:;]+", re.MULTILINE)
_OPEN_ADDRESS = re.compile(r"\[(?=(?:[a-z]+:)?//)(?![^\n\]]{0,2000}\])")


class Mended(NamedTuple):
    """The markup that can be parsed, and how many marks in it opened and never closed."""

    text: str
    unclosed: int


class _Opening(NamedTuple):
    """An opening mark that waits for its end; one that stands `deep` goes, and its end with it."""

    kind: str
    start: int
    end: int
    deep: bool


def mend_markup(markup: str) -> Mended:
    """Takes out the marks that have no partner or nest deeper than 16."""
    mender = _Mender(_OPEN_ADDRESS.sub("", _LONG_LIST_MARK.sub(r"\1", markup)))
    position = 0
    while token := _TOKEN.search(mender.markup, position):
        position = mender.take(token)
    return mender.finish()


class _Mender:
    """Opening marks that wait for their end, and the spans of the markup that are to go."""

    def __init__(self, markup: str) -> None:
        self.markup = markup
        self._waiting: list[_Opening] = []
        self._kinds: Counter[str] = Counter()
        self._gone: list[tuple[int, int]] = []
        self._unclosed = 0

    def take(self, token: re.Match[str]) -> int:
        """Notes one token; gives the place to go on from."""
        start, end = token.span()
        group = token.lastgroup or ""
        if group == "comment":
            return self._skip(token, "-->")
        if group == "tag":
            return self._take_tag(token)
        if group == "closing":
            while end - start > 1:
                start = self._close("brace", start, end)
        elif group != "braces":
            act = self._close if group.startswith("un") else self._open
            act(group.removeprefix("un"), *token.span(group))
        elif end - start == 3:
            # '{{{' opens an argument; longer runs are templates, and an odd brace goes.
            self._open("brace", start, end)
        else:
            odd = start + (end - start) % 2
            self._gone.append((start, odd))
            for place in range(odd, end, 2):
                self._open("brace", place, place + 2)
        return end

    def finish(self) -> Mended:
        """Gives up on what is still open; the markup without all that goes."""
        while self._waiting:
            self._drop(self._pop())
        kept = []
        position = 0
        for start, end in sorted(self._gone):
            kept.append(self.markup[position:start])
            position = max(position, end)
        return Mended("".join([*kept, self.markup[position:]]), self._unclosed)

    def _take_tag(self, token: re.Match[str]) -> int:
        name = token["name"].lower()
        if name not in _NEVER_CLOSED and not token["tag"].endswith("/"):
            if token["slash"]:
                self._close(f"<{name}", *token.span())
            elif name in _VERBATIM:
                return self._skip(token, f"</{name}")
            else:
                self._open(f"<{name}", *token.span())
        return token.end()

    def _skip(self, token: re.Match[str], ending: str) -> int:
        """The end of what is not looked into; an opening without an ending goes."""
        # An ending missing once is missing for good: searching anew each time takes minutes.
        never = f"no {ending}"
        if not self._kinds[never]:
            found = self.markup.find(ending, token.end())
            if found >= 0:
                return self.markup.find(">", found) + 1 or len(self.markup)
            self._kinds[never] = 1
        self._drop(_Opening(never, *token.span(), deep=False))
        return token.end()

    def _open(self, kind: str, start: int, end: int) -> None:
        self._waiting.append(_Opening(kind, start, end, len(self._waiting) >= _DEEPEST))
        self._kinds[kind] += 1

    def _close(self, kind: str, start: int, end: int) -> int:
        """Closes the newest opening of this kind; what was opened after it never closed.

        Gives the end of the mark: a run of braces may close more than one opening.
        """
        if not self._kinds[kind]:
            self._gone.append((start, end))
            return end
        while (opening := self._pop()).kind != kind:
            self._drop(opening)
        if kind == "brace":
            used = min(end - start, opening.end - opening.start)
            end = start + used
            self._gone.append((opening.start, opening.end - used))
        if opening.deep:
            self._gone += [(opening.start, opening.end), (start, end)]
        return end

    def _pop(self) -> _Opening:
        opening = self._waiting.pop()
        self._kinds[opening.kind] -= 1
        return opening

    def _drop(self, opening: _Opening) -> None:
        self._gone.append((opening.start, opening.end))
        self._unclosed += 1
