"""The chapters of a novel: by the titles that its file names, by its headings, or by length.

    find_chapters("第一章　漏雨的早晨\\n晨醒雨晚了三分钟。\\n第二章　水务司来的人\\n……")
    # [Chapter(index=1, title="第一章　漏雨的早晨", span=(0, 20)), Chapter(index=2, ...)]

The spans tile the text. Chapters are numbered from 1 through all parts of a book; text before the
first is chapter 0, "front matter". The title of a part with nothing under it is a chapter of its own;
another heading with nothing under it opens the chapter that follows, and a line of a printed table
of contents opens none. A long text without headings is cut into pieces that are titled "1", "2" ...
"""

import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence

from roleplay.novel.headings import Heading, find_headings
from roleplay.records import Chapter

FRONT_MATTER = "front matter"
WHOLE_BOOK = "whole book"

_PAGE_NUMBER = re.compile(r"[\s.…·—\-]*[0-9０-９]*$")
_LONGEST_PIECE, _USUAL_PIECE = 8000, 7500
_PARAGRAPH_END, _SENTENCE_END = re.compile(r"\n\s*"), re.compile(r"[。！？!?.…]+[”’」』）)]*")
_BLOCK = 3  # lines of contents at least, where only the numbers come again
_BLOCK = 3  # lines of contents at least, where only the numbers come again
_LONG, _MOST = 20_000, 0.7  # a chapter that is longer and so much of the book leaves no second one
_NEAR = 80  # characters in which the heading of a title in the contents stands


def find_chapters(text: str, titles: Sequence[tuple[int, str]] = ()) -> list[Chapter]:
    """The chapters of ``text``, in order and without gaps; none for an empty text.

    ``titles``: (start, title) of those that the book's table of contents names (Novel.titles).
    """
    if not text:
        return []
    headings = find_headings(text)
    if len(titles) > 1:
        numbered = [one for one in headings if one.sure]
        openings = _with_contents(titles, _openings(numbered, text))
    else:
        openings = _openings(headings, text)
    if not openings:
        openings = [(0, WHOLE_BOOK)]
    first = 0 if text[: openings[0][0]].strip() else 1
    if first == 0:
        openings.insert(0, (0, FRONT_MATTER))
    openings = _long_ones_cut(text, openings)
    starts = [0, *(start for start, _ in openings[1:]), len(text)]
    return [
        Chapter(index=first + i, title=title, span=(starts[i], starts[i + 1]))
        for i, (_, title) in enumerate(openings)
    ]


def is_cut_by_length(text: str, chapters: Sequence[Chapter]) -> bool:
    """Whether the chapters are pieces of a book without headings."""
    last = chapters[-1] if len(chapters) > 1 else None
    return (
        bool(last)
        and last.title.isdecimal()
        and not text[last.span[0] :].lstrip().startswith(last.title)
    )


def _openings(headings: Sequence[Heading], text: str) -> list[tuple[int, str]]:
    """(start, title) of each chapter: contents lines go, other bare headings join the next."""
    openings: list[tuple[int, str]] = []
    waiting: list[Heading] = []
    part = ""
    for one, is_bare in _without_contents(headings, text):
        if one.kind == "part" and is_bare and not waiting and one.title != part:
            part = one.title
            openings.append((one.start, part))
            continue
        waiting.append(one)
        if not is_bare:
            # Some books repeat the part above each of its chapters.
            title = " ".join(item.title for item in waiting if item.title != part or is_bare)
            openings.append((waiting[0].start, title or part))
            waiting = []
    return openings + [(item.start, item.title) for item in waiting[:1]]


def _without_contents(headings: Sequence[Heading], text: str) -> list[tuple[Heading, bool]]:
    """(heading, is bare) without the lines of a printed table of contents.

    Those have nothing under them and come again, perhaps in other words with the same number.
    """
    ends = [*(one.start for one in headings[1:]), len(text)]
    bare = [not text[one.end : end].strip() for one, end in zip(headings, ends, strict=False)]
    # A line of the table of contents is the same but for its page number.
    keys = [_PAGE_NUMBER.sub("", one.title) or one.title for one in headings]
    numbers = [(one.kind, one.number or key) for one, key in zip(headings, keys, strict=True)]
    later, later_numbers = Counter(keys), Counter(numbers)
    kept: list[tuple[Heading, bool]] = []
    listed = 0  # how many lines of contents stand just before
    for i, one in enumerate(headings):
        later[keys[i]] -= 1
        later_numbers[numbers[i]] -= 1
        renumbered = later_numbers[numbers[i]] and (listed or all(bare[i : i + _BLOCK]))
        # The last line of the contents may have a preface under it.
        if (bare[i] or listed >= _BLOCK - 1) and (later[keys[i]] or renumbered):
            listed += 1
        else:
            listed = 0
            kept.append((one, bare[i]))
    return kept


def _with_contents(
    titles: Sequence[tuple[int, str]], found: Sequence[tuple[int, str]]
) -> list[tuple[int, str]]:
    """The titles of the contents, with the headings between them where it names only the parts."""
    if len(found) < 2 * len(titles):
        return list(titles)
    starts = [start for start, _ in titles]
    apart = [
        one for one in found if one[0] - starts[bisect(starts, one[0]) - 1] not in range(_NEAR)
    ]
    return sorted([*titles, *apart])


def _long_ones_cut(text: str, openings: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """A book without headings, and a chapter that is most of a long book, in pieces."""
    ends = [*(start for start, _ in openings[1:]), len(text)]
    cut: list[tuple[int, str]] = []
    for (start, title), end in zip(openings, ends, strict=True):
        whole, size = title == WHOLE_BOOK, end - start
        cut.append((start, title))
        if size > (_LONGEST_PIECE if whole else max(_LONG, _MOST * len(text))):
            cut[-1:] = [
                (place, str(n) if whole else f"{title} ({n})" if n > 1 else title)
                for n, place in enumerate(_pieces(text, start, end), 1)
            ]
    return cut


def _pieces(text: str, start: int, end: int) -> Iterator[int]:
    """Where the pieces of a stretch begin: at paragraphs, else at sentences, else anywhere."""
    count = -(-(end - start) // _USUAL_PIECE)
    breaks = [match.end() for match in _PARAGRAPH_END.finditer(text, start, end)]
    yield start
    for target in (start + (end - start) * i // count for i in range(1, count)):
        near = breaks[max(0, bisect(breaks, target) - 1) :][:2]
        best = min(near, key=lambda place: abs(place - target), default=end)
        if abs(best - target) > _USUAL_PIECE // 4:
            sentence = _SENTENCE_END.search(text, target, target + _USUAL_PIECE // 4)
            best = sentence.end() if sentence else target
        yield best
