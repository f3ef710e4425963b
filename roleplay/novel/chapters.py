"""The chapters of a novel: by the titles that its file names, by its headings, or by length.

    find_chapters("★第一章　漏雨★\\n晨醒雨晚了三分钟。\\n第二章　水务司来的人\\n……")
    # [Chapter(index=1, title="第一章　漏雨", span=(0, 19)), Chapter(index=2, ...)]

The spans tile the text. Chapters are numbered from 1 through all parts; text before the first is
chapter 0. A part's title with nothing under it is a chapter of its own; another heading with none
under it opens the chapter that follows, and a line of a printed table of contents none. A heading
that may be a sentence, and a bare numeral (二, II., （2）, 006 灯), count only where they continue the
numbers of others; a bare numeral inside a numbered chapter is a section.
"""

import re
import unicodedata
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from roleplay.novel import pattern, table
from roleplay.records import Chapter

FRONT_MATTER = "front matter"
WHOLE_BOOK = "whole book"

_Opening = tuple[int, str]  # (start, title) of a chapter
_LONGEST_PIECE, _USUAL_PIECE = 8000, 7500
_PARAGRAPH_END, _SENTENCE_END = re.compile(r"\n\s*"), re.compile(r"[。！？!?.…]+[”’」』）)]*")
_LONG, _MOST = 20_000, 0.7  # a chapter that is longer and so much of the book leaves no second one

_WORDS, _ROMAN = table("numbers"), {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_LINE, _HEAD, _BARE, _SENTENCE, _TIGHT_SENTENCE, _RUN_IN, _PAGE_NUMBER = (
    pattern(f"chapters.{name}") for name in table("chapters")
)
_MARKS = table("parts")["marks"]
_SEPARATORS, _MID_SENTENCE = " \t　:：.．、·—-】]）(（–", "，,。；;、："
_LONGEST, _LONGEST_WESTERN, _LONGEST_TIGHT = 40, 120, 25
_BRACKETS = (*zip("（【([《〔", "）】)]》〕", strict=True),)
_STRONG = ("part", "chapter", "section", "named")
_ENOUGH = 3  # fewer bare numerals, or sentences that begin like a heading, are chance


class _Heading(NamedTuple):
    """``kind``: part, chapter, section, named, or a numeral's style; ``sure``: stands alone."""

    start: int
    end: int  # of its title, and behind it the text begins
    title: str
    kind: str
    number: int | None
    sure: bool


def find_chapters(text: str, titles: Sequence[_Opening] = ()) -> list[Chapter]:
    """The chapters of ``text``, in order and without gaps; none for an empty text.

    ``titles``: (start, title) of those that the book's table of contents names (Novel.titles).
    """
    headings = _headings(text)
    openings = _openings([one for one in headings if one.sure or len(titles) < 2], text)
    if len(titles) > 1:
        openings = _merged(text, titles, openings)
    openings = openings or [(0, WHOLE_BOOK)]
    before = [(0, FRONT_MATTER)] if text[: openings[0][0]].strip() else []
    openings = _long_ones_cut(text, before + openings)
    starts = [0, *(start for start, _ in openings[1:]), len(text)]
    return [
        Chapter(index=i + 1 - len(before), title=title, span=(starts[i], starts[i + 1]))
        for i, (_, title) in enumerate(openings if text else ())
    ]


def _openings(headings: Sequence[_Heading], text: str) -> list[_Opening]:
    """Contents lines go; of headings with nothing under them only parts stay apart."""
    ends = [*(one.start for one in headings[1:]), len(text)]
    bare = [not text[one.end : end].strip() for one, end in zip(headings, ends, strict=False)]
    # A line of the table of contents is the same but for its page number, or has the same number.
    keys = [(one.kind, one.number or _PAGE_NUMBER.sub("", one.title)) for one in headings]
    later = Counter(keys)
    openings: list[_Opening] = []
    waiting: list[_Heading] = []
    listed, part = 0, ""
    for i, one in enumerate(headings):
        later[keys[i]] -= 1
        # Some books repeat the part above each chapter, or each heading; the contents may end with
        # a preface.
        repeated = keys[i + 1 : i + 2] == [keys[i]] or (
            one.kind == "part" and not all(bare[i : i + 2])
        )
        in_list = (bare[i] and not repeated) or listed > 1
        listed = listed + 1 if in_list and later[keys[i]] else 0
        if listed:
            continue
        if one.kind == "part" and bare[i] and one.title != part and not waiting:
            part = one.title
            openings.append((one.start, part))
            continue
        waiting.append(one)
        if not bare[i]:
            names = [item.title for item in waiting if item.title != part or len(waiting) == 1]
            openings.append((waiting[0].start, " ".join(dict.fromkeys(names))))
            waiting = []
    return openings + [(item.start, item.title) for item in waiting[:1]]


def _merged(text: str, titles: Sequence[_Opening], found: Sequence[_Opening]) -> list[_Opening]:
    """The titles of the contents, with the headings between them where it names only the parts."""
    apart = []
    for start, title in found if len(found) >= 2 * len(titles) else ():
        place, name = titles[max(0, bisect(titles, (start, "\uffff")) - 1)]
        same = not text[place:start].strip() or title in name
        apart += [] if same else [(start, title)]
    return sorted([*titles, *apart])


def _long_ones_cut(text: str, openings: Sequence[_Opening]) -> list[_Opening]:
    """A book without headings, and a chapter that is most of a long book, in pieces."""
    cut: list[_Opening] = []
    for (start, title), (end, _) in zip(openings, [*openings[1:], (len(text), "")], strict=True):
        whole = title == WHOLE_BOOK
        longest = _LONGEST_PIECE if whole else max(_LONG, _MOST * len(text))
        places = list(_pieces(text, start, end)) if end - start > longest else [start]
        for n, place in enumerate(places, 1):
            name = f"{n}/{len(places)}" if whole and len(places) > 1 else title
            cut.append((place, name if whole or n == 1 else f"{title} ({n})"))
    return cut


def _pieces(text: str, start: int, end: int) -> Iterator[int]:
    """Where the pieces of a stretch begin: at paragraphs, else at sentences, else anywhere."""
    count, near = -(-(end - start) // _USUAL_PIECE), _USUAL_PIECE // 4
    yield start
    for target in (start + (end - start) * i // count for i in range(1, count)):
        around = text, target - near, target + near
        ends = [*_PARAGRAPH_END.finditer(*around)] or [*_SENTENCE_END.finditer(*around)]
        yield min((one.end() for one in ends), key=lambda at: abs(at - target), default=target)


def _headings(text: str) -> list[_Heading]:
    """The headings in order; lines of a printed table of contents are among them."""
    found = [one for line in _LINE.finditer(text) if (one := _strong(line) or _weak(line))]
    strong = [one for one in found if one.kind in _STRONG]
    weak = [one for one in found if one.kind not in _STRONG]
    kept = {one for one in strong if one.sure}
    for run in _runs(strong):
        kept.update(run if len(run) >= _ENOUGH else ())
    # Bare numerals that fill a gap between numbered headings: 5, (6, 7), 8.
    for run in _runs(sorted({*kept, *weak}), begin=False):
        last = max((i for i, one in enumerate(run) if one.sure), default=0)
        kept.update(run[:last])
    for kind in dict.fromkeys(one.kind for one in weak):
        before = sorted(one for one in kept if one.kind != "named")
        runs = _runs(one for one in weak if one.kind == kind)
        kept.update(one for run in runs if _is_series(run, before, text) for one in run)
    first = min((one.start for one in kept if one.kind == "chapter"), default=len(text))
    return sorted(one for one in kept if one.kind != "section" or one.start < first)


def number_of(numeral: str) -> int | None:
    """The number of 廿一, XIV, Twenty-one, １２ or ③; None: it is no numeral."""
    # NFKC makes 12, IV and 3 of １２, Ⅳ and ③; ○ and 两 have no number in Unicode.
    text = unicodedata.normalize("NFKC", numeral.replace("○", "〇").replace("两", "二"))
    text = text.strip().lower().removeprefix("the ")
    if re.fullmatch("[ivxlc]+", text):
        values = [_ROMAN[c] for c in text]
        return values[-1] + sum(a if a >= b else -a for a, b in pairwise(values))
    if words := re.findall("[a-z]+", text):
        known = [_WORDS.get(word) for word in words]
        return None if None in known else sum(filter(None, known))
    digits = [int(unicodedata.numeric(c, -1)) for c in text]
    total = digit = 0
    for value in digits:
        # 二十 is two tens, 十 and 廿 stand for themselves; 一二〇 is written as 120.
        more = value * (digit or 1) if value >= 10 else 0
        total, digit = total + more, 0 if more else digit * 10 + value
    return total + digit if digits and min(digits) >= 0 else None


def _strong(line: re.Match[str]) -> _Heading | None:
    """The heading that a line is by its own words."""
    text, start, end = line.string, line.start(1), line.end(1)
    found = _HEAD.match(text, start, end)
    if not found:
        return None
    head, after, kind = found["head"], found.end(), next(kind for kind in _STRONG if found[kind])
    numeral = next(filter(None, found.group(*"abcdefghi")), None)
    number = number_of(numeral) if numeral else None
    body, title = text[after:end], text[found.start("head") : end].rstrip(_MARKS)
    title += "".join(pair[1] for pair in _BRACKETS if pair[0] in title and pair[1] not in title)
    tight = body[:1] not in _SEPARATORS
    # "Part one of it" goes on in small letters.
    sentence = head.isascii() and body.lstrip()[:1].islower()
    if (numeral and number is None) or sentence or (tight and kind == "named"):
        return None
    if numeral and (run_in := _RUN_IN.match(body)):
        end = after + run_in.end(1)
        return _Heading(start, end, text[found.start("head") : end], kind, number, True)
    longest = _LONGEST_TIGHT if tight else _LONGEST_WESTERN if head.isascii() else _LONGEST
    sure = len(title) <= longest and line[1][-1] not in _MID_SENTENCE
    name = body.strip(_MARKS)
    sure &= not (_TIGHT_SENTENCE if tight else _SENTENCE).search(name)
    if not sure and (len(title) > _LONGEST_WESTERN or re.search("[，。；：“「]|[.!?] ", name)):
        title, end = head, after  # the text begins in the same line
    return _Heading(start, end, title, kind, number, sure) if sure or numeral else None


def _weak(line: re.Match[str]) -> _Heading | None:
    """The heading that a line may be if others go on counting: a numeral, and at most a title."""
    shown = line[1].strip(" \t　☆★●◆■※*#＝=~～—–-") if len(line[1]) <= _LONGEST_WESTERN else ""
    bare = _BARE.fullmatch(shown)
    number = number_of(bare["n"]) if bare else None
    if not bare or number is None:
        return None
    title, western = bare["title"], bare["n"].isascii() and bare["n"].isalpha()
    style = "1" if bare["n"][0].isdecimal() else "I" if western else "一"
    if title:
        apart = bare["sep"].strip() if western else bare["sep"] or bare["close"]
        longest = _LONGEST if title.isascii() else _LONGEST_TIGHT
        prose = _SENTENCE.search(title) or _TIGHT_SENTENCE.search(title.rstrip("！？!?"))
        if not apart or len(title) > longest or title[0].isdecimal() or prose:
            return None
    return _Heading(line.start(1), line.end(1), shown, style + bare["open"], number, False)


def _runs(headings: Iterable[_Heading], *, begin: bool = True) -> Iterator[list[_Heading]]:
    """Stretches that count on by one; what is not sure begins one only with 1, if ``begin``."""
    run: list[_Heading] = []
    for one in headings:
        if run and one.number == (run[-1].number or 0) + 1:
            run.append(one)
        elif run and one.sure and not run[-1].sure and one.number == run[-1].number:
            run[-1] = one  # the sentence before only named the chapter
        elif one.number is not None and (one.sure or (begin and one.number == 1)):
            yield run
            run = [one]
    yield run


def _is_series(run: Sequence[_Heading], kept: Sequence[_Heading], text: str) -> bool:
    """Whether bare numerals are chapters: they go on counting, with text, and in no chapter."""
    if len(run) < 2:
        return False
    place = bisect(kept, run[0])
    outer = kept[place - 1].kind if place else "part"
    bodies = [text[one.end : after.start] for one, after in pairwise(run)]
    full = [body for body in bodies if body.strip()]
    apart = len(run) >= _ENOUGH or all(body.lstrip(" \t　").startswith("\n\n") for body in full)
    return outer == "part" and apart and 2 * len(full) >= len(bodies)
