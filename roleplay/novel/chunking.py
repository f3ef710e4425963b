"""Chapters -> chunks: pieces of the novel small enough for one request to a model.

    chunk_chapters(text, find_chapters(text), max_chars=1200)[0]
    # Chunk(id=0, chapter=1, text="第一章　漏雨的早晨\\n晨醒雨晚了三分钟。\\n……", span=(0, 1187))

A chunk is cut at a paragraph's end, in a longer paragraph at a sentence's end, and where there is
neither, hard. The chunks tile the text. It takes linear time on a text of one line, too.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from roleplay.errors import FormError
from roleplay.novel.paragraphs import paragraph_spans
from roleplay.records import Chapter, Chunk, Span

_SENTENCE = re.compile(r"[。！？!?…]+[”’」』）)]*")


def chunk_chapters(text: str, chapters: Sequence[Chapter], max_chars: int = 1200) -> list[Chunk]:
    """The chunks of ``text``, none longer than ``max_chars`` and none across a chapter's end.

    Raises FormError: ``max_chars`` is under 1.
    """
    if max_chars < 1:
        raise FormError("novel.chunk-size", value=max_chars)
    ends = [end for _, end in paragraph_spans(text)]
    cut = [(row.index, span) for row in chapters for span in _cut(text, row.span, ends, max_chars)]
    return [
        Chunk(id=i, chapter=chapter, text=text[slice(*span)], span=span)
        for i, (chapter, span) in enumerate(cut)
    ]


def _cut(text: str, span: Span, ends: Sequence[int], max_chars: int) -> Iterator[Span]:
    start, stop = span
    while stop - start > max_chars:
        limit = start + max_chars
        end = ends[bisect_right(ends, limit) - 1] if ends[0] <= limit else start
        if end <= start:
            found = _SENTENCE.finditer(text, start, limit)
            end = max((match.end() for match in found), default=limit)
        yield start, end
        start = end
    if start < stop:
        yield start, stop
