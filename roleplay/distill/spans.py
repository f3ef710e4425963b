"""A chunk as numbered spans, and labels by number -> script lines: the model labels, the code copies.

    spans = number_spans(text, chunks)[0]
    # [Piece(number=1, quote=False, span=(0, 5), core=(0, 5)), Piece(number=2, quote=True, span=(5, 12), core=(6, 11))]
    lines_of(text, chunks[0], spans, {2: Label(n=2, kind="say", speaker="闻筝", confidence=0.9)})

The spans of a chunk tile it. ``core`` is what a line copies: a quote without its marks, narration without white
space; ``None`` where a line would say nothing (a pure cue, a heading, the rest of a quote that began in the chunk
before). A quote without a label is spoken by nobody known, other spans without one are narration: nothing is
lost, and nothing is in a line that is not in the novel.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from roleplay.novel.paragraphs import paragraph_spans
from roleplay.novel.quotes import Quote, find_quotes
from roleplay.records import UNKNOWN, Chunk, Kind, Line, Record, Span

LabelKind = Literal["say", "think", "act", "narration"]

NO_LABEL = "the model gave no label"


class Label(Record):
    """What a model says of one span; ``speaker`` is None where it does not know or there is none."""

    n: int
    kind: LabelKind
    speaker: str | None = None
    expression: str | None = None
    confidence: float = 0.5
    source: str = "llm"
    reason: str | None = None


@dataclass(frozen=True)
class Piece:
    """A numbered span of a chunk, in offsets of the novel; numbers count from 1 in each chunk."""

    number: int
    quote: bool
    span: Span
    core: Span | None


def number_spans(text: str, chunks: Sequence[Chunk], rules: Sequence[Line] | None = None) -> list[list[Piece]]:
    """The pieces of each chunk.

    With the ``rules``' lines a narration is what they leave of it: no cues, no headings.
    """
    quotes = [quote for quote in find_quotes(text) if quote.kind != "term"]
    breaks = [end for _, end in paragraph_spans(text)]
    cores = None if rules is None else sorted(line.span for line in rules if line.kind == "info" and line.span)
    ends = [quote.outer[1] for quote in quotes]
    starts = [quote.outer[0] for quote in quotes]
    return [
        _pieces(text, chunk.span, quotes[bisect_right(ends, a) : bisect_left(starts, b)], breaks, cores)
        for chunk in chunks
        for a, b in [chunk.span]
    ]


def lines_of(text: str, chunk: Chunk, pieces: Sequence[Piece], labels: Mapping[int, Label]) -> list[Line]:
    """The script lines of a chunk: every piece that has a core, in the novel's order."""
    return [_line(text, chunk, piece, labels.get(piece.number)) for piece in pieces if piece.core]


def _line(text: str, chunk: Chunk, piece: Piece, label: Label | None) -> Line:
    assert piece.core is not None
    kind = _kind(piece, label)
    if kind == "info":
        return Line(kind=kind, text=text[slice(*piece.core)], span=piece.core, src_id=chunk.id)
    known = label is not None and label.speaker is not None
    return Line(
        kind=kind,
        text=text[slice(*piece.core)],
        char=label.speaker if label and label.speaker else UNKNOWN,
        expression=label.expression if label else None,
        span=piece.core,
        src_id=chunk.id,
        source=label.source if label else None,
        confidence=label.confidence if label and known else 0.0,
        reason=label.reason if label else NO_LABEL,
    )


def _kind(piece: Piece, label: Label | None) -> Kind:
    """A quote stays speech or thought whatever the model says; narration is an act only with a person."""
    if piece.quote:
        return "think" if label and label.kind == "think" else "say"
    if label and label.speaker and label.kind in ("act", "think"):
        return "act" if label.kind == "act" else "think"
    return "info"


def _pieces(
    text: str, span: Span, quotes: Sequence[Quote], breaks: Sequence[int], cores: Sequence[Span] | None
) -> list[Piece]:
    found: list[Piece] = []
    for quote, start, end in _cut(span, quotes, breaks):
        core = _narration(text, (start, end), cores) if quote is None else _spoken(text, quote, start)
        found.append(Piece(len(found) + 1, quote is not None, (start, end), core))
    return found


def _cut(span: Span, quotes: Sequence[Quote], breaks: Sequence[int]) -> Iterator[tuple[Quote | None, int, int]]:
    """(quote or None, start, end): quotes clipped to ``span``, and the paragraphs' pieces between them."""
    at, stop = span
    for quote in quotes:
        yield from _gaps(at, max(at, quote.outer[0]), breaks)
        end = min(quote.outer[1], stop)
        yield quote, max(at, quote.outer[0]), end
        at = end
    yield from _gaps(at, stop, breaks)


def _gaps(start: int, stop: int, breaks: Sequence[int]) -> Iterator[tuple[None, int, int]]:
    inner = breaks[bisect_right(breaks, start) : bisect_left(breaks, stop)]
    edges = [start, *inner, stop]
    yield from ((None, a, b) for a, b in pairwise(edges) if a < b)


def _spoken(text: str, quote: Quote, start: int) -> Span | None:
    """The whole quote, also where it goes on in the next chunk; its other pieces have no core."""
    return _strip(text, quote.span) if start == quote.outer[0] else None


def _narration(text: str, span: Span, cores: Sequence[Span] | None) -> Span | None:
    core = _strip(text, span)
    if cores is None or core is None:
        return core
    inside = cores[bisect_left(cores, (span[0], 0)) : bisect_left(cores, (span[1], 0))]
    return (inside[0][0], min(inside[-1][1], span[1])) if inside else None


def _strip(text: str, span: Span) -> Span | None:
    """The span without white space at its ends; None without a letter or a digit and without …, ？ or ！."""
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return (start, end) if re.search(r"[\w…？！?!—]", text[start:end]) else None
