"""The chapters of a novel, found by their headings.

    find_chapters("第一章　漏雨的早晨\\n晨醒雨晚了三分钟。\\n第二章　水务司来的人\\n……")
    # [Chapter(index=1, title="第一章　漏雨的早晨", span=(0, 20)), Chapter(index=2, ...)]

The spans tile the text. Chapters with a heading are numbered from 1; text before the first heading
is chapter 0, "front matter". A heading with nothing under it (a volume's title) opens the chapter
that follows; a line of a table of contents opens none. A text without headings is one chapter.
"""

import re
from collections import Counter
from dataclasses import dataclass

from roleplay.records import Chapter

FRONT_MATTER = "front matter"
WHOLE_BOOK = "whole book"

_NUMBER = r"[0-9０-９零〇○一二三四五六七八九十百千万两廿卅壹贰叁肆伍陆柒捌玖拾]{1,9}"
# What sites put before a heading: 《书名》目录 第一回, 正文 第一章, 【第一章】.
_PREFIX = r"[ \t　]*(?:《[^》\n]{0,30}》[ \t　]*)?(?:(?:目录|正文)[ \t　]*)?[【\[]?"
_SEPARATED = r"(?=[ \t　:：.．、·—\-】\]（(]|$)"
_NUMBERED = rf"第[ \t]*{_NUMBER}[ \t]*[卷章回话話节節集幕]"
_NAMED = (
    r"(?:序章|序幕|序言|序|楔子|引子|前言|终章|終章|最终章|尾声|尾聲|后记|後記|番外篇?|外传|外傳|"
    rf"间章|間章|幕间)(?:[ \t]*{_NUMBER})?"
)
_ENGLISH = r"(?i:chapter[ \t]+(?:\d{1,4}|[ivxlc]{1,7}|[a-z]{3,12})|prologue|epilogue)"
_TITLE_START = re.compile(rf"{_NUMBERED}|{_NAMED}|{_ENGLISH}")
# "tight": the name follows without a blank (第一章漏雨的早晨), as a sentence may begin, too.
_HEADING = re.compile(
    rf"^{_PREFIX}(?:(?:{_TITLE_START.pattern}){_SEPARATED}|(?P<tight>{_NUMBERED}))"
    r"[^\n]{0,60}$",
    re.M,
)
_PAGE_NUMBER = re.compile(r"[\s.…·—\-]*[0-9０-９]*$")
_LONGEST, _LONGEST_TIGHT = 40, 25
_MID_SENTENCE = "，,。；;、："
_ENDS = "。！？…”’」』》）)—-*"
# A sentence: a Chinese full stop, or an English one that is no dot behind a number (Chapter IV.).
_NO_TITLE = re.compile(r"。|[.!?] |[a-z]\.$")
_NO_TIGHT_TITLE = re.compile(rf"[{_MID_SENTENCE}“”「」『』\"！？!?]")


@dataclass(frozen=True)
class _Heading:
    """A heading line; ``bare``: no text stands under it."""

    start: int
    title: str
    bare: bool


def find_chapters(text: str) -> list[Chapter]:
    """The chapters of ``text``, in order and without gaps; none for an empty text."""
    if not text:
        return []
    openings = _openings(_headings(text))
    if not openings:
        return [Chapter(index=1, title=WHOLE_BOOK, span=(0, len(text)))]
    first = 0 if text[: openings[0][0]].strip() else 1
    if first == 0:
        openings.insert(0, (0, FRONT_MATTER))
    starts = [0, *(start for start, _ in openings[1:]), len(text)]
    return [
        Chapter(index=first + i, title=title, span=(starts[i], starts[i + 1]))
        for i, (_, title) in enumerate(openings)
    ]


def _headings(text: str) -> list[_Heading]:
    found = [(match, _title(match[0])) for match in _HEADING.finditer(text)]
    found = [(match, title) for match, title in found if _is_heading(match, title)]
    stops = [*(match.start() for match, _ in found[1:]), len(text)]
    return [
        _Heading(match.start(), title, bare=not text[match.end() : stop].strip())
        for (match, title), stop in zip(found, stops, strict=False)
    ]


def _title(line: str) -> str:
    match = _TITLE_START.search(line)
    return line[match.start() if match else 0 :].strip(" \t　】]")


def _is_heading(match: re.Match[str], title: str) -> bool:
    """Whether the line is a title, no sentence."""
    if match["tight"] is None:
        goes_on = title[-1] in _MID_SENTENCE or _NO_TITLE.search(title)
        return len(title) <= _LONGEST and not goes_on
    if len(title) > _LONGEST_TIGHT or _NO_TIGHT_TITLE.search(title):
        return False
    # A wrapped line of prose follows one that is not blank and ends in mid-sentence.
    before = match.string[max(0, match.start() - 200) : match.start()].rstrip(" \t　")
    return before in ("", "\n") or before.endswith("\n\n") or before[-2:-1] in _ENDS


def _openings(headings: list[_Heading]) -> list[tuple[int, str]]:
    """(start, title) of each chapter: contents lines go, other bare headings join the next."""
    # A line of the table of contents is the same but for its page number.
    keys = [_PAGE_NUMBER.sub("", heading.title) for heading in headings]
    later = Counter(keys)
    openings: list[tuple[int, str]] = []
    waiting: list[_Heading] = []
    for heading, key in zip(headings, keys, strict=True):
        later[key] -= 1
        if heading.bare and later[key]:
            continue
        waiting.append(heading)
        if not heading.bare:
            openings.append((waiting[0].start, " ".join(item.title for item in waiting)))
            waiting = []
    return openings + [(item.start, item.title) for item in waiting[:1]]
