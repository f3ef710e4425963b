"""The chapters of a novel: by the titles that its file names, by its headings, or by length.

    find_chapters("第一章　漏雨的早晨\\n晨醒雨晚了三分钟。\\n第二章　水务司来的人\\n……")
    # [Chapter(index=1, title="第一章　漏雨的早晨", span=(0, 20)), Chapter(index=2, ...)]

The spans tile the text. Chapters are numbered from 1 through all parts of a book; text before the
first is chapter 0, "front matter". The title of a part with nothing under it is a chapter of its own;
another heading with nothing under it opens the chapter that follows, and a line of a printed table
of contents opens none. A long text without headings is cut into pieces titled "1/9", "2/9" ...
"""

import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence

from roleplay.novel.headings import Heading, find_headings
from roleplay.records import Chapter

FRONT_MATTER = "front matter"
WHOLE_BOOK = "whole book"

_Opening = tuple[int, str]  # (start, title) of a chapter
_PAGE_NUMBER = re.compile(r"[\s.…·—\-]*[0-9０-９]*$")
_LONGEST_PIECE, _USUAL_PIECE = 8000, 7500
_PARAGRAPH_END, _SENTENCE_END = re.compile(r"\n\s*"), re.compile(r"[。！？!?.…]+[”’」』）)]*")
_LONG, _MOST = 20_000, 0.7  # a chapter that is longer and so much of the book leaves no second one
_NEAR = 80  # characters in which the heading of a title in the contents stands


def find_chapters(text: str, titles: Sequence[_Opening] = ()) -> list[Chapter]:
    """The chapters of ``text``, in order and without gaps; none for an empty text.

    ``titles``: (start, title) of those that the book's table of contents names (Novel.titles).
    """
    headings = find_headings(text)
    openings = _openings([one for one in headings if one.sure or len(titles) < 2], text)
    if len(titles) > 1:
        openings = _with_contents(titles, openings)
    openings = openings or [(0, WHOLE_BOOK)]
    first = 0 if text[: openings[0][0]].strip() else 1
    if first == 0:
        openings.insert(0, (0, FRONT_MATTER))
    openings = _long_ones_cut(text, openings)
    starts = [0, *(start for start, _ in openings[1:]), len(text)]
    return [
        Chapter(index=first + i, title=title, span=(starts[i], starts[i + 1]))
        for i, (_, title) in enumerate(openings if text else ())
    ]


def _openings(headings: Sequence[Heading], text: str) -> list[_Opening]:
    """Contents lines go; of headings with nothing under them only parts stay apart."""
    ends = [*(one.start for one in headings[1:]), len(text)]
    bare = [not text[one.end : end].strip() for one, end in zip(headings, ends, strict=False)]
    # A line of the table of contents is the same but for its page number, or has the same number.
    keys = [(one.kind, one.number or _PAGE_NUMBER.sub("", one.title)) for one in headings]
    later = Counter(keys)
    openings: list[_Opening] = []
    waiting: list[Heading] = []
    listed, part = 0, ""
    for i, one in enumerate(headings):
        later[keys[i]] -= 1
        # Some books repeat the part above each chapter; the contents may end with a preface.
        in_list = (bare[i] and (one.kind != "part" or all(bare[i : i + 2]))) or listed > 1
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
            openings.append((waiting[0].start, " ".join(names)))
            waiting = []
    return openings + [(item.start, item.title) for item in waiting[:1]]


def _with_contents(titles: Sequence[_Opening], found: Sequence[_Opening]) -> list[_Opening]:
    """The titles of the contents, with the headings between them where it names only the parts."""
    starts = [start for start, _ in titles]
    apart = [
        one for one in found if one[0] - starts[bisect(starts, one[0]) - 1] not in range(_NEAR)
    ]
    return sorted([*titles, *(apart if len(found) >= 2 * len(titles) else ())])


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
