"""The chapters of a novel, found by their headings.

    find_chapters("第一章　漏雨的早晨\\n晨醒雨晚了三分钟。\\n第二章　水务司来的人\\n……")
    # [Chapter(index=1, title="第一章　漏雨的早晨", span=(0, 20)), Chapter(index=2, ...)]

The spans tile the text. Chapters with a heading are numbered from 1; text before the first heading is
chapter 0, "front matter". A heading with nothing under it (a volume's title) opens the chapter that
follows; a line of a table of contents opens none. A text without headings is one chapter. Nothing is read
from an EPUB's own table of contents.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from roleplay.records import Chapter

FRONT_MATTER = "front matter"
WHOLE_BOOK = "whole book"

_NUMBER = r"[0-9０-９零〇○一二三四五六七八九十百千万两廿卅壹贰叁肆伍陆柒捌玖拾]{1,9}"
_PREFIX = r"[ \t　]*(?:《[^》\n]{0,30}》[ \t　]*)?(?:(?:目录|正文)[ \t　]*)?[【\[]?"
_SEPARATED = r"(?=[ \t　:：.．、·—\-】\]（(]|$)"
_NUMBERED = rf"第[ \t]*{_NUMBER}[ \t]*[卷章回话話節节集幕]"
_NAMED = (
    r"(?:序章|序幕|序言|序|楔子|引子|前言|终章|終章|最终章|尾声|尾聲|后记|後記|番外篇?|外传|外傳|间章|間章|幕间)"
    rf"(?:[ \t]*{_NUMBER})?"
)
_ENGLISH = r"(?i:chapter[ \t]+(?:\d{1,4}|[ivxlc]{1,7}|[a-z]{3,12})|prologue|epilogue)"
_HEADING = re.compile(
    rf"^{_PREFIX}(?:(?P<open>(?:{_NUMBERED}|{_NAMED}|{_ENGLISH}){_SEPARATED})|(?P<tight>{_NUMBERED}))[^\n]{{0,60}}$",
    re.M,
)
_TITLE_START = re.compile(rf"{_NUMBERED}|{_NAMED}|{_ENGLISH}")
_PAGE_NUMBER = re.compile(r"[\s.…·—\-]*[0-9０-９]*$")
_LONGEST, _LONGEST_TIGHT = 40, 25
_MID_SENTENCE = "，,。；;、："
_QUOTES = '“”「」『』"'


@dataclass(frozen=True)
class _Heading:
    """A heading line: its offsets, its title, and whether any text stands under it."""

    start: int
    end: int
    title: str
    bare: bool = False


def find_chapters(text: str) -> list[Chapter]:
    """The chapters of ``text``, in order and without gaps; none for an empty text."""
    if not text:
        return []
    openings = _openings(_mark_bare(text, _headings(text)))
    if not openings:
        return [Chapter(index=1, title=WHOLE_BOOK, span=(0, len(text)))]
    if text[: openings[0][0]].strip():
        openings.insert(0, (0, FRONT_MATTER))
    first = 0 if openings[0][1] == FRONT_MATTER else 1
    starts = [0, *(start for start, _ in openings[1:]), len(text)]
    return [
        Chapter(index=first + i, title=title, span=(starts[i], starts[i + 1])) for i, (_, title) in enumerate(openings)
    ]


def _headings(text: str) -> list[_Heading]:
    return [
        _Heading(match.start(), match.end(), _title(match[0]))
        for match in _HEADING.finditer(text)
        if _is_title(_title(match[0]), tight=match["tight"] is not None)
        and (match["tight"] is None or _after_an_end(text, match.start()))
    ]


def _title(line: str) -> str:
    match = _TITLE_START.search(line)
    return line[match.start() if match else 0 :].strip(" \t　】]")


def _is_title(title: str, *, tight: bool) -> bool:
    """Whether the line is a title, no sentence; ``tight``: nothing stands between its number and its name."""
    if tight:
        return len(title) <= _LONGEST_TIGHT and not re.search(rf"[{_MID_SENTENCE}{_QUOTES}！？!?]", title)
    return len(title) <= _LONGEST and title[-1] not in _MID_SENTENCE and not re.search(r"。|[.!?] |[a-z]\.$", title)


def _after_an_end(text: str, start: int) -> bool:
    """Whether the line before is blank or ends a sentence: a wrapped line of prose does not."""
    before = text[max(0, start - 200) : start].rstrip(" \t　")
    return before in ("", "\n") or before.endswith("\n\n") or before[-2:-1] in "。！？…”’」』》）)—-*"


def _mark_bare(text: str, headings: list[_Heading]) -> list[_Heading]:
    stops = [*(heading.start for heading in headings[1:]), len(text)][: len(headings)]
    return [
        _Heading(h.start, h.end, h.title, not text[h.end : stop].strip())
        for h, stop in zip(headings, stops, strict=True)
    ]


def _openings(headings: list[_Heading]) -> list[tuple[int, str]]:
    """(start, title) of each chapter: contents lines are dropped, other bare headings joined to the next."""
    later = Counter(_key(heading) for heading in headings)
    openings: list[tuple[int, str]] = []
    waiting: list[_Heading] = []
    for heading in headings:
        later[_key(heading)] -= 1
        if heading.bare and later[_key(heading)]:
            continue
        waiting.append(heading)
        if not heading.bare:
            openings.append((waiting[0].start, " ".join(item.title for item in waiting)))
            waiting = []
    return openings + [(item.start, item.title) for item in waiting[:1]]


def _key(heading: _Heading) -> str:
    return _PAGE_NUMBER.sub("", heading.title)
