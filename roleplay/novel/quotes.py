"""The quotes of a novel: “” ‘’ 「」 『』 and ASCII "", also nested, unclosed and over wrapped lines.

    find_quotes("闻筝说：“人们管它叫‘雨舌’。”")
    # [Quote(span=(5, 15), outer=(4, 16), mark="“", kind="speech", continues=False)]

Only the outermost quote counts. An unclosed one ends with its paragraph, unless the very next mark
of the text closes it (a poem inside a speech). In a book that marks its speech with dashes at the
head of a paragraph (——漏了，快来！——他喊道。) those are its quotes, with the mark "—". ``kind`` is a
first judgement by form: ``thought`` for ‘…’, ``term`` for a short quote built into a sentence
(人们管它叫“雨舌”。), else ``speech``. Who speaks is told elsewhere.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from roleplay.novel.paragraphs import paragraph_spans
from roleplay.records import Span

QuoteKind = Literal["speech", "thought", "term"]

_PAIRS = {"“": "”", "‘": "’", "「": "」", "『": "』", '"': '"'}
_OPENING = {closer: opener for opener, closer in _PAIRS.items()}
_MARK = re.compile(r"[“”‘’「」『』\"]")
_DASHED = re.compile(r"[ \t　]*(——?)(?!—)[ \t　]*([^—\n]*[^—\s])")
_ENOUGH_DASHED = 5  # fewer are asides of a book that quotes otherwise
_LONGEST_GAP = 3000  # of characters to the mark that closes a quote in a later paragraph
_LONGEST_TERM = 16
_TITLE = re.compile(r"《[^》]*》")
_SAID = re.compile(r"[。！？!?…～~]")
# What follows a term: “铁”字, “不好意思”的声音, “甲”和“乙”; but no 的一声, which follows a sound (“哼”的一声).
_TERM_TAIL = re.compile(
    r"(?:[一二两三四]个)?字(?!正|斟)|[的之](?!一声)|二字|一词|者也|是[^，]|就是|这|那|和|与|、"
)
_SOUND_TAIL = re.compile(r"[了的地]?(?:大叫|叫|喊)?一声|地")
# What stands before speech without a colon (他喊“救命”), and before a text that is written somewhere.
_SPEAKS = re.compile(r"(?:[说道曰问答喝骂喊云言]|[叫喊喝][道了]?[几数一两]?声)$")
_WRITTEN = re.compile(r"(?:字|大书|上书|上刻|名曰|号曰)[：:]?\s*$")
# Behind one of these a quote stands apart, not built into its sentence.
_APART = '：:，,。！？!?…—；;～”’」』"'


@dataclass(frozen=True)
class Quote:
    """A quote: ``span`` between its marks, ``outer`` with them; ``continues`` the one before it."""

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
        if quotes:
            start = max(start, min(quotes[-1].outer[1], end))
        found = list(_paragraph_quotes(text, start, end))
        if quotes and found:
            # The paragraph before left its quote open, and this one begins with the same mark anew.
            last, first = quotes[-1], found[0]
            left_open = last.span[1] == last.outer[1] and first.mark == last.mark
            blank = not text[last.outer[1] : first.outer[0]].strip()
            found[0] = replace(first, continues=left_open and blank)
        quotes += found
    heads = filter(None, (_DASHED.match(text, *span) for span in paragraphs))
    dashed = [Quote(head.span(2), (head.start(1), head.end(2)), "—", "speech") for head in heads]
    if len(dashed) < _ENOUGH_DASHED or len(dashed) <= len(quotes):
        return quotes
    quotes += [quote for quote in dashed if _PAIRS.keys().isdisjoint(text[slice(*quote.outer)])]
    return sorted(quotes, key=lambda quote: quote.outer)


def _paragraph_quotes(text: str, start: int, end: int) -> Iterator[Quote]:
    scanner = _Scanner(text, start, end)
    if scanner.stack[:1] == ["‘"]:  # never closed: an apostrophe, or typed for another mark
        scanner = _Scanner(text, start, end, ignored="‘’")
    for inner, outer, mark in scanner.spans():
        if text[slice(*inner)].strip():
            said: QuoteKind = "thought" if mark == "‘" else "speech"
            is_term = _is_term(text, inner, outer, start)
            yield Quote(inner, outer, mark, "term" if is_term else said)


class _Scanner:
    """Reads the marks of one paragraph from left to right; ``stack`` holds the marks that are open.

    ``found``: (between the marks, with the marks, opening mark) of each quote.
    """

    def __init__(self, text: str, start: int, end: int, *, ignored: str = "") -> None:
        self.text, self.start, self.end = text, start, end
        self.stack: list[str] = []
        self.opened = start
        self.last = start
        self.found: list[tuple[Span, Span, str]] = []
        for match in _MARK.finditer(text, start, end):
            mark, at = match[0], match.start()
            if mark in ignored or _apostrophe(text, at):
                continue
            if mark == '"' and self.stack[:1] not in ([], ['"']):
                continue  # it has no direction: inside other marks it tells nothing
            if mark in _PAIRS and not (mark == '"' and self.stack):
                self._open(mark, at)
            else:
                self._close(mark, at)

    def spans(self) -> list[tuple[Span, Span, str]]:
        """What was found; an open quote ends with its paragraph, or where a later one closes it."""
        if not self.stack:
            return self.found
        end = self.start + len(self.text[self.start : self.end].rstrip())
        inner, outer = (self.opened + 1, end), (self.opened, end)
        later = _MARK.search(self.text, self.end, self.end + _LONGEST_GAP)
        if later and later[0] == _PAIRS[self.stack[0]] and later[0] != '"':
            inner, outer = (self.opened + 1, later.start()), (self.opened, later.end())
        return [*self.found, (inner, outer, self.stack[0])]

    def _open(self, mark: str, at: int) -> None:
        if self.stack == [mark]:
            before = self.text[at - 1]
            if before in "。！？" and at - 1 > self.opened:  # “ typed for ”
                self._end(at, at + 1, mark)
                return
            if (
                before in "：:"
            ):  # a new cue (悟空道：“): the quote was never closed, and ended before it
                last = max(self.text.rfind(c, self.opened + 1, at) for c in "。！？")
                if last > self.opened:
                    self._end(last + 1, last + 1, mark)
        if not self.stack:
            self.opened = at
        self.stack.append(mark)

    def _close(self, mark: str, at: int) -> None:
        opening = _OPENING[mark]
        if opening in self.stack:
            while self.stack.pop() != opening:
                pass
            if not self.stack:
                self._end(at, at + 1, opening)
        elif not self.stack and mark != "’":
            self._recover(opening, at)

    def _end(self, inner_end: int, outer_end: int, mark: str) -> None:
        self.found.append(((self.opened + 1, inner_end), (self.opened, outer_end), mark))
        self.stack.clear()
        self.last = outer_end

    def _recover(self, opening: str, at: int) -> None:
        """A closing mark alone: it was typed for an opening one, or that after a colon is lost."""
        if self.text[at - 1] in "：:":
            self.opened = at
            self.stack.append(opening)
            return
        colon = max(self.text.rfind(c, self.last, at) for c in "：:")
        if colon >= self.last and self.text[colon + 1 : at].strip():
            self.found.append(((colon + 1, at), (colon + 1, at + 1), opening))
        self.last = at + 1


def _apostrophe(text: str, at: int) -> bool:
    around = text[at - 1 : at] + text[at + 1 : at + 2]
    return text[at] in "‘’" and len(around) == 2 and around.isascii() and around.isalpha()


def _is_term(text: str, inner: Span, outer: Span, start: int) -> bool:
    """Whether the quote is a title, a word or a sign built into a sentence."""
    if _TITLE.fullmatch(text, *inner):
        return True
    if inner[1] - inner[0] > _LONGEST_TERM or _SAID.search(text, *inner):
        return False
    before = text[max(start, outer[0] - 30) : outer[0]].strip()
    after = text[outer[1] : outer[1] + 8]
    if _SOUND_TAIL.match(after):
        return False
    if _TERM_TAIL.match(after) or _WRITTEN.search(before):
        return True
    return bool(before) and before[-1] not in _APART and not _SPEAKS.search(before)
