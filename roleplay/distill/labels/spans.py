"""A chunk as numbered spans, and labels -> script lines: the model labels, the code copies.

    spans = number_spans(text, chunks)[0]
    # [Piece(number=1, quote=False, span=(0, 5), core=(0, 5)), Piece(2, True, (5, 12), (6, 11))]
    lines_of(text, chunks[0], spans, {2: Label(n=2, kind="say", speaker="闻筝", confidence=0.9)})

The spans of a chunk tile it. ``core`` is what a line copies: a quote without its marks, narration
without white space; ``None`` where a line would say nothing (a pure cue, a heading, the rest of a
quote of the chunk before). Without a label a quote is spoken by nobody known, and the rest is
narration: nothing is lost.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Self

from roleplay.distill.rules.turns import spoken_quotes, trimmed
from roleplay.novel.paragraphs import paragraph_spans
from roleplay.novel.quotes import Quote
from roleplay.records import UNKNOWN, Chunk, Kind, Line, Record, Span

LabelKind = Literal["say", "think", "act", "narration"]

NO_LABEL = "the model gave no label"


class Label(Record):
    """What a model says of one span; ``speaker`` is None where none is known or there is none."""

    n: int
    kind: LabelKind
    speaker: str | None = None
    expression: str | None = None
    confidence: float = 0.5
    source: str = "llm"
    reason: str | None = None

    def told(self, speaker: str | None, confidence: float, source: str, why: str = "") -> Self:
        """The label with another speaker, who says so, and why nobody is named."""
        update = {"speaker": speaker, "confidence": confidence, "source": source}
        return self.model_copy(update={**update, "reason": why or None})


@dataclass(frozen=True)
class Piece:
    """A numbered span of a chunk, in offsets of the novel; numbers count from 1 in each chunk."""

    number: int
    quote: bool
    span: Span
    core: Span | None


def number_spans(
    text: str, chunks: Sequence[Chunk], rules: Sequence[Line] | None = None
) -> list[list[Piece]]:
    """The pieces of each chunk; of narration what the ``rules`` leave: no cues, no headings."""
    quotes, breaks = spoken_quotes(text), [end for _, end in paragraph_spans(text)]
    told = [line.span for line in rules or () if line.kind == "info" and line.span]
    cores = None if rules is None else sorted(told)
    made = []
    for chunk in chunks:
        found = enumerate(_cut(chunk.span, quotes, breaks), 1)
        made.append(
            [Piece(n, bool(q), span, _core(text, q, span, cores)) for n, (q, span) in found]
        )
    return made


def lines_of(
    text: str, chunk: Chunk, pieces: Sequence[Piece], labels: Mapping[int, Label]
) -> list[Line]:
    """The script lines of a chunk: every piece that has a core, in the novel's order."""
    lines = []
    for piece, core in ((piece, piece.core) for piece in pieces if piece.core):
        label = labels.get(piece.number)
        row: dict[str, Any] = {"kind": _kind(piece, label), "text": text[slice(*core)]}
        row |= {"span": core, "src_id": chunk.id}
        if row["kind"] != "info":
            row |= {"char": UNKNOWN, "confidence": 0.0, "reason": NO_LABEL}
            row |= label.model_dump(include={"expression", "source", "reason"}) if label else {}
            if label and label.speaker:
                row |= {"char": label.speaker, "confidence": label.confidence}
        lines.append(Line.model_validate(row))
    return lines


def _kind(piece: Piece, label: Label | None) -> Kind:
    """A quote stays speech or thought whatever the model says; an act is somebody's."""
    if label and label.kind == "think" and (piece.quote or label.speaker):
        return "think"
    if piece.quote:
        return "say"
    return "act" if label and label.kind == "act" and label.speaker else "info"


def _cut(
    span: Span, quotes: Sequence[Quote], breaks: Sequence[int]
) -> Iterator[tuple[Quote | None, Span]]:
    """(quote or None, span): quotes clipped to ``span``, the paragraphs' pieces between them."""
    at, stop = span
    first = bisect_right(quotes, at, key=lambda quote: quote.outer[1])
    last = bisect_left(quotes, stop, key=lambda quote: quote.outer[0])
    for quote in quotes[first:last]:
        start, end = max(at, quote.outer[0]), min(quote.outer[1], stop)
        yield from _gaps(at, start, breaks)
        yield quote, (start, end)
        at = end
    yield from _gaps(at, stop, breaks)


def _gaps(start: int, stop: int, breaks: Sequence[int]) -> Iterator[tuple[None, Span]]:
    inner = breaks[bisect_right(breaks, start) : bisect_left(breaks, stop)]
    yield from ((None, (a, b)) for a, b in pairwise([start, *inner, stop]) if a < b)


def _core(text: str, quote: Quote | None, span: Span, cores: Sequence[Span] | None) -> Span | None:
    """A quote that goes on in the next chunk is whole in its first piece, the others empty."""
    core = trimmed(text, quote.span if quote else span)
    # Without a letter, nor a mark that says something alone (“……”), there is no line.
    if not re.search(r"[\w…？！?!—]", text[slice(*core)]) or (quote and span[0] != quote.outer[0]):
        return None
    if cores is None or quote:
        return core
    inside = cores[bisect_left(cores, (span[0], 0)) : bisect_left(cores, (span[1], 0))]
    return (inside[0][0], min(inside[-1][1], span[1])) if inside else None
