"""The quotes of a novel: “” ‘’ 「」 『』 〝〞 ﹁﹂ ｢｣ «» and ASCII "" '', also nested or unclosed.

    find_quotes("闻筝说：“人们管它叫‘雨舌’。”")
    # [Quote(span=(5, 15), outer=(4, 16), mark="“", kind="speech", continues=False)]

Only the outermost quote counts. An unclosed one ends with its paragraph, unless the very next mark
of the text closes it (a poem inside a speech). In a book that marks its speech with dashes at the
head of a paragraph (——漏了，快来！——他喊道。) those are its quotes, with the mark "—". ``kind`` is a
first judgement by form: ``thought`` for ‘…’ and （…） that stand apart, ``term`` for a word, a sign,
a sound or a verse (人们管它叫“雨舌”。), else ``speech``. Who speaks is told elsewhere.
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
# Rarer marks, each read as the common one that does the same; offsets stay.
_SAME_MARKS = str.maketrans("〝〞〟﹁﹂﹃﹄｢｣＂«»", '“””「」『』「」"“”')
_MARK = re.compile(r"[“”‘’「」『』\"]")
_DASH = r"(?:——?|―{1,2}|–|-{1,2}(?=[ \t　]))"
_DASHED = re.compile(rf"[ \t　]*({_DASH})(?![—―])[ \t　]*([^—―\n]*?[^—―\s])(?=\s*(?:{_DASH}|\n|$))")
# The speech goes on after the cue: — Come, — said Anna. — It is late.
_DASHED_ON = re.compile(rf"\s*{_DASH}\s*[^—―\n]{{1,60}}[.。，,]\s*({_DASH})\s*([^—―\n]*[^—―\s])")
_ENOUGH_DASHED = 5  # fewer are asides of a book that quotes otherwise
_LONGEST_GAP = 3000  # of characters to the mark that closes a quote in a later paragraph
_LONGEST_TERM = 16
# 'Come in,' he said: opens at a word's head, closes behind a stop; don't is neither.
_OPENS = re.compile(r"(?:^|(?<=[\s(—–-]))'(?=\w[^'\n]*)", re.M)
_CLOSES = re.compile(r"(?<=[.,!?;:…—–-])'(?=[\s)—–,.;]|$)", re.M)
# 'The dogs’ tails': behind a letter and before another word ’ is no closing mark.
_POSSESSIVE = re.compile(r"[a-z]’ [a-z]")
_TITLE = re.compile(r"《[^》]*》")
_SAID = re.compile(r"[。！？!?…～~]")
# What follows a term: “铁”字, “不好意思”的声音, “甲”和“乙”; but no 的一声, which follows a sound (“哼”的一声).
_TERM_TAIL = re.compile(
    r"(?:[一二两兩三四]个?)?[个個]?字(?!正|斟)|[的之](?!一[声聲])|二字|一[词詞]|者也|是[^，]|就是|[这這]|那|和|与|與|、"
)
_SOUND_TAIL = re.compile(r"[了的地]?(?:大叫|叫|喊)?一[声聲]|地")
# 「呀」的一声开了: what a thing does, not a voice.
_NOISE_TAIL = re.compile(
    r"[的地]?(?:[一几几][声聲响響]|响|響)[，,]?[^，。]{0,3}[开開关關响響断斷裂碎倒掉落炸撞合弹彈打推]"
)
# What stands before speech without a colon (他喊“救命”), and before a text that is written somewhere.
_SPEAKS = re.compile(
    r"(?:[说說道曰问問答喝骂罵喊云言喚唤]|[叫喊喝][道了]?[几幾数數一两兩]?[声聲])$"
)
_WRITTEN = re.compile(r"(?:字|大[书書]|上[书書]|上刻|名曰|[号號]曰)[：:]?\s*$")
_WRITTEN_LONG = re.compile(
    r"(?:[写寫刻题題印贴貼绣繡署][着著了有的上道]|[写寫刻题題][^说說，。]{0,4}|(?<![说說喊问問讲講想答])[的句]是|[忽叫称稱唤喚][作做成为為])"
    r"[^说說想，。：]{0,4}[：:]?\s*$"
)
# Two or more lines of five or seven characters each.
_VERSE = re.compile(r"(?:[^\W\d_]{5}[，。；！？]?){2,}|(?:[^\W\d_]{7}[，。；！？]?){2,}")
_VERSE_CUE = re.compile(r"[诗詩词詞偈联聯赞贊]|[写寫刻题題]")
# Japanese: と彫った板, という字, とだけある; English: "..." was all it said.
_JA_TERM_TAIL = re.compile(
    r"と(?:[彫書記題刻呼名印]|だけ(?!言)|ある)|という(?!の[はがも]|[声叫返])|[をにのがは](?!、)|も|と[、「]"
)
_EN_TERM_TAIL = re.compile(r"\s+(?:was|were|is|are|had been)\b")
_EN_SPEAKS = re.compile(
    r"(?:said|cried|shouted|called|asked|answered|replied|whispered|muttered|of|:|,|\.)\s*$"
)
_LATIN, _KANA = re.compile("[A-Za-z]"), re.compile("[ぁ-ヺ]")
# （…） that stands apart is a thought, （完） and （注：…） are not.
_BRACKETED = re.compile(r"（([^（）\n]{2,80})）")
_NO_THOUGHT = re.compile(r"注|完$|未完|待续|待續|本章|一$|二$|三$|上$|下$|中$|[0-9０-９]")
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
    text, single = _common_marks(text)
    for start, end in paragraphs:
        if quotes:
            start = max(start, min(quotes[-1].outer[1], end))
        found = list(_paragraph_quotes(text, start, end, single=single))
        if quotes and found:
            # The paragraph before left its quote open, and this one begins with the same mark anew.
            last, first = quotes[-1], found[0]
            left_open = last.span[1] == last.outer[1] and first.mark == last.mark
            blank = not text[last.outer[1] : first.outer[0]].strip()
            found[0] = replace(first, continues=left_open and blank)
        quotes += found
    dashed = [quote for span in paragraphs for quote in _dashed(text, span)]
    if len(dashed) < _ENOUGH_DASHED or len(dashed) <= len(quotes):
        return quotes
    quotes += [quote for quote in dashed if _PAIRS.keys().isdisjoint(text[slice(*quote.outer)])]
    return sorted(quotes, key=lambda quote: quote.outer)


def _common_marks(text: str) -> tuple[str, bool]:
    """The text with its rarer marks as common ones, and whether ‘…’ is its main speech."""
    text = text.translate(_SAME_MARKS)
    double = sum(text.count(mark) for mark in "“「『") + text.count('"') // 2
    # Only where nothing else marks speech: in most books ' is an apostrophe.
    if len(_CLOSES.findall(text)) > max(_ENOUGH_DASHED, 2 * double):
        text = _CLOSES.sub("’", _OPENS.sub("‘", text))
    opened = len(re.findall(r"(?:^|[\s：:，,。])‘", text, re.M))
    return text, opened > max(_ENOUGH_DASHED, 2 * double)


def _dashed(text: str, span: Span) -> Iterator[Quote]:
    """The speech of a paragraph that a dash opens, and what follows a cue between dashes."""
    head = _DASHED.match(text, *span)
    while head:
        yield Quote(head.span(2), (head.start(1), head.end(2)), "—", "speech")
        head = _DASHED_ON.match(text, head.end(), span[1])


def _paragraph_quotes(text: str, start: int, end: int, *, single: bool) -> Iterator[Quote]:
    scanner = _Scanner(text, start, end)
    if scanner.stack[:1] == ["‘"] and not single:  # an apostrophe, or typed for another mark
        scanner = _Scanner(text, start, end, ignored="‘’")
    spans = scanner.spans()
    found, last = [], None
    for inner, outer, mark in spans:
        if text[slice(*inner)].strip():
            said: QuoteKind = "thought" if mark == "‘" and not single else "speech"
            is_term = _is_term(text, inner, outer, start, last)
            last = Quote(inner, outer, mark, "term" if is_term else said)
            found.append(last)
    yield from sorted([*found, *_thoughts(text, start, end, found)], key=lambda one: one.outer)


def _thoughts(text: str, start: int, end: int, quotes: Sequence[Quote]) -> Iterator[Quote]:
    """What stands in （…） as a sentence of its own: 「…」（なぜだ）; no gloss in a sentence."""
    for match in _BRACKETED.finditer(text, start, end):
        before, after = text[start : match.start()].strip(), text[match.end() : end].strip()
        inside = any(one.outer[0] < match.start() < one.outer[1] for one in quotes)
        apart = not before or before[-1] in "。！？…」”』"
        japanese = bool(_KANA.search(match[1]))
        alone = not after and bool(_SAID.search(match[1]))
        if apart and not inside and (alone or japanese) and not _NO_THOUGHT.search(match[1]):
            yield Quote(match.span(1), match.span(), "（", "thought")


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
        if len(self.stack) == 1 and opening not in self.stack and mark in "”」』":
            # “…」: typed for the right one, unless that still comes before anything else opens.
            rest = _MARK.search(self.text, at + 1, self.end)
            if rest is None or rest[0] != _PAIRS[self.stack[0]]:
                opening = self.stack[0]
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
    inside = len(around) == 2 and around.isascii() and around.isalpha()
    return text[at] in "‘’" and (inside or bool(_POSSESSIVE.match(text[at - 1 : at + 3])))


def _is_term(text: str, inner: Span, outer: Span, start: int, last: Quote | None) -> bool:
    """Whether the quote is a title, a word, a sign, a sound or a verse, not spoken."""
    said = text[slice(*inner)]
    if _TITLE.fullmatch(said):
        return True
    before = text[max(start, outer[0] - 30) : outer[0]].strip()
    after = text[outer[1] : outer[1] + 12]
    if _LATIN.search(said) and not re.search("[一-鿿ぁ-ヺ]", said):
        return _is_english_term(before, after, said)
    if _WRITTEN_LONG.search(before) or (_VERSE.fullmatch(said) and _VERSE_CUE.search(before[-8:])):
        return True
    if inner[1] - inner[0] > _LONGEST_TERM or _SAID.search(said):
        return False
    if _NOISE_TAIL.match(after):
        return True
    if _KANA.search(before + after):
        return bool(_JA_TERM_TAIL.match(after))
    if _SOUND_TAIL.match(after):
        return False
    # 忽悠成“塔的恩赐”，“守钟之人”。: a list of terms goes on.
    listed = last is not None and last.kind == "term" and last.outer[0] >= start
    if listed and last and re.fullmatch("[，、和与與或及]?", text[last.outer[1] : outer[0]]):
        return True
    if _TERM_TAIL.match(after) or _WRITTEN.search(before):
        return True
    return bool(before) and before[-1] not in _APART and not _SPEAKS.search(before)


def _is_english_term(before: str, after: str, said: str) -> bool:
    """Built into a sentence (the "Jolly Cooper"), which speech never is without a comma before."""
    if _EN_TERM_TAIL.match(after):
        return True
    built_in = bool(before) and before[-1].isalnum() and not _EN_SPEAKS.search(before)
    return built_in and not re.search(r"[!?]$", said)
