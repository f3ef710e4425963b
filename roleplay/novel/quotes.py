"""The quotes of a novel: “” ‘’ 「」 『』 and ASCII "", also nested, unclosed and over wrapped lines.

    find_quotes("闻筝说：“人们管它叫‘雨舌’。”")
    # [Quote(span=(5, 15), outer=(4, 16), mark="“", kind="speech", continues=False)]

Only the outermost quote counts. An unclosed one ends with its paragraph, unless the very next mark of the
text closes it (a poem inside a speech). In a book that marks its speech with dashes at the head of a paragraph
(——漏了，快来！——他喊道。) those are its quotes, with the mark "—". ``kind`` is a first judgement by form: ``thought`` for ‘…’,
``term`` for a short quote built into a sentence (人们管它叫“雨舌”。), else ``speech``. Who speaks is told
elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from roleplay.novel.paragraphs import paragraph_spans
from roleplay.records import Span

QuoteKind = Literal["speech", "thought", "term"]

_PAIRS = {"“": "”", "‘": "’", "「": "」", "『": "』", '"': '"'}
_MARK = re.compile(r"[“”‘’「」『』\"]")
_ANY_CLOSER = '”’」』"'
_DASHED = re.compile(r"[ \t　]*(——?)(?!—)[ \t　]*([^—\n]*[^—\s])")
_ENOUGH_DASHED = 5
_TITLE = re.compile(r"《[^》]*》")
_LONGEST_GAP = 3000
_LONGEST_TERM = 16
_SAID = re.compile(r"[。！？!?…～~]")
_TERM_TAIL = re.compile(r"(?:[一二两三四]个)?字(?!正|斟)|[的之](?!一声)|二字|一词|者也|是[^，]|就是|这|那|和|与|、")
_SOUND_TAIL = re.compile(r"[了的地]?(?:大叫|叫|喊)?一声|地")
_SPEAKS = re.compile(r"(?:[说道曰问答喝骂喊云言]|[叫喊喝][道了]?[几数一两]?声)$")
_WRITTEN = re.compile(r"(?:字|大书|上书|上刻|名曰|号曰)[：:]?\s*$")


@dataclass(frozen=True)
class Quote:
    """A quote: ``span`` lies between its marks, ``outer`` includes them; ``continues`` the one before it."""

    span: Span
    outer: Span
    mark: str
    kind: QuoteKind
    continues: bool = False


def find_quotes(text: str, paragraphs: Sequence[Span] | None = None) -> list[Quote]:
    """The quotes of ``text`` in order; ``paragraphs`` as :func:`paragraph_spans` gives them."""
    quotes: list[Quote] = []
    paragraphs = paragraph_spans(text) if paragraphs is None else paragraphs
    for start, end in paragraphs:
        if quotes and quotes[-1].outer[1] > start:
            start = min(quotes[-1].outer[1], end)
        found = list(_paragraph_quotes(text, start, end))
        if quotes and found and _goes_on(text, quotes[-1], found[0], start):
            found[0] = replace(found[0], continues=True)
        quotes += found
    dashed = _dashed(text, paragraphs)
    if len(dashed) < _ENOUGH_DASHED or len(dashed) <= len(quotes):
        return quotes
    inside = [quote for quote in dashed if not any(mark in text[slice(*quote.outer)] for mark in _PAIRS)]
    return sorted([*quotes, *inside], key=lambda quote: quote.outer)


def _dashed(text: str, paragraphs: Sequence[Span]) -> list[Quote]:
    """What stands behind a dash at the head of a paragraph, up to the next dash."""
    found = (_DASHED.match(text, *span) for span in paragraphs)
    return [Quote(match.span(2), (match.start(1), match.end(2)), "—", "speech") for match in found if match]


def _goes_on(text: str, last: Quote, first: Quote, start: int) -> bool:
    """Whether ``first`` opens a paragraph anew after ``last`` was left open at the end of the one before."""
    left_open = last.span[1] == last.outer[1]
    return left_open and first.mark == last.mark and not text[last.outer[1] : first.outer[0]].strip()


def _paragraph_quotes(text: str, start: int, end: int) -> Iterator[Quote]:
    scanner = _Scanner(text, start, end)
    if scanner.opener == "‘":
        scanner = _Scanner(text, start, end, ignored="‘’")
    for inner, outer, mark in scanner.spans():
        if text[slice(*inner)].strip():
            yield Quote(inner, outer, mark, _kind(text, inner, outer, mark, start))


class _Scanner:
    """Reads the marks of one paragraph from left to right; ``stack`` holds the marks that are open."""

    def __init__(self, text: str, start: int, end: int, *, ignored: str = "") -> None:
        self.text, self.start, self.end = text, start, end
        self.stack: list[str] = []
        self.opened = start
        self.last = start
        self.found: list[tuple[Span, Span, str]] = []
        for match in _MARK.finditer(text, start, end):
            if match[0] not in ignored and not _apostrophe(text, match.start()):
                self._read(match[0], match.start())

    @property
    def opener(self) -> str | None:
        """The outermost mark that is still open."""
        return self.stack[0] if self.stack else None

    def spans(self) -> list[tuple[Span, Span, str]]:
        """(between the marks, with the marks, opening mark) of each quote."""
        if not self.stack:
            return self.found
        close = _closed_later(self.text, self.end, _PAIRS[self.stack[0]])
        if close is not None:
            return [*self.found, ((self.opened + 1, close), (self.opened, close + 1), self.stack[0])]
        end = self.start + len(self.text[self.start : self.end].rstrip())
        return [*self.found, ((self.opened + 1, end), (self.opened, end), self.stack[0])]

    def _read(self, mark: str, at: int) -> None:
        if mark == '"' and self.opener not in (None, '"'):
            return
        if mark == '"' and self.stack:
            self._close(mark, at)
        elif mark in _PAIRS:
            self._open(mark, at)
        else:
            self._close(mark, at)

    def _open(self, mark: str, at: int) -> None:
        if len(self.stack) == 1 and mark == self.stack[0]:
            if self.text[at - 1] in "。！？" and at - 1 > self.opened:  # “ typed for ”
                self._end(at, at + 1)
                return
            if self.text[at - 1] in "：:":  # a new cue: the quote before was never closed
                self._end_before_cue(at)
        if not self.stack:
            self.opened = at
        self.stack.append(mark)

    def _close(self, mark: str, at: int) -> None:
        opening = next((o for o, c in _PAIRS.items() if c == mark), mark)
        if opening in self.stack:
            while self.stack.pop() != opening:
                pass
            if not self.stack:
                self._end(at, at + 1, opening)
        elif not self.stack and mark != "’":
            self._recover(opening, at)

    def _end(self, inner_end: int, outer_end: int, mark: str | None = None) -> None:
        mark = mark or self.stack[0]
        self.found.append(((self.opened + 1, inner_end), (self.opened, outer_end), mark))
        self.stack.clear()
        self.last = outer_end

    def _end_before_cue(self, at: int) -> None:
        """Close at the last sentence end before the cue at ``at`` (悟空道：“), if there is one."""
        ends = [self.text.rfind(c, self.opened + 1, at) for c in "。！？"]
        if max(ends) > self.opened:
            self._end(max(ends) + 1, max(ends) + 1)

    def _recover(self, opening: str, at: int) -> None:
        """A closing mark without an opening one: it was typed for one, or that after a colon is lost."""
        if self.text[at - 1] in "：:":
            self.opened = at
            self.stack.append(opening)
            return
        colon = max(self.text.rfind("：", self.last, at), self.text.rfind(":", self.last, at))
        if colon >= self.last and self.text[colon + 1 : at].strip():
            self.found.append(((colon + 1, at), (colon + 1, at + 1), opening))
        self.last = at + 1


def _apostrophe(text: str, at: int) -> bool:
    around = text[at - 1 : at] + text[at + 1 : at + 2]
    return text[at] in "‘’" and len(around) == 2 and around.isascii() and around.isalpha()


def _closed_later(text: str, end: int, closer: str) -> int | None:
    """The place of the closing mark, if it is the next mark of the text and not too far."""
    match = _MARK.search(text, end, end + _LONGEST_GAP)
    return match.start() if match and match[0] == closer and closer != '"' else None


def _kind(text: str, inner: Span, outer: Span, mark: str, start: int) -> QuoteKind:
    if _is_term(text, inner, outer, start):
        return "term"
    return "thought" if mark == "‘" else "speech"


def _is_term(text: str, inner: Span, outer: Span, start: int) -> bool:
    """Whether the quote is a title, a word or a sign built into a sentence."""
    if _TITLE.fullmatch(text, *inner):
        return True
    if inner[1] - inner[0] > _LONGEST_TERM or _SAID.search(text, *inner):
        return False
    before, after = text[max(start, outer[0] - 30) : outer[0]].strip(), text[outer[1] : outer[1] + 8]
    if _SOUND_TAIL.match(after):
        return False
    if _TERM_TAIL.match(after) or _WRITTEN.search(before):
        return True
    if not before or before[-1] in "：:，,。！？!?…—；;～" + _ANY_CLOSER:
        return False
    return not _SPEAKS.search(before)
