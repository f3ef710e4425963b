"""The rules-only distiller: free, offline, less complete than a model, and honest about it.

    lines = distil_rules(text, chapters, chunks, {"闻筝": ("小筝",), "铜婆": ()})
    lines[3]
    # Line(kind="say", char="闻筝", text="修不好不收钱。", src_id=0, span=(52, 59), cue="before",
    #      source="rules", confidence=1.0)

Every line is a slice of the novel: ``text[span[0]:span[1]] == line.text``. ``cue`` is the rule that names the
speaker: before, after, inside (a cue beside the quote), pronoun, action (who acts in the paragraph),
continued, alternation, voice (words that the book's cued lines give to one person), nearest. Where
``confidence`` is under the threshold the speaker is ``unknown`` and ``reason`` tells why. Speakers outside the cast
(:mod:`strangers`) have a confidence of at most 0.9, and a ``reason`` as well.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Container, Iterator, Mapping, Sequence

from roleplay.distill.aliases import merge_aliases
from roleplay.distill.cast import discover_cast
from roleplay.distill.cues import Cast, Names, is_pure_cue
from roleplay.distill.people import People
from roleplay.distill.speakers import Verdict, tell_speakers
from roleplay.distill.strangers import find_strangers
from roleplay.distill.turns import Block, plain, read_blocks
from roleplay.novel.paragraphs import paragraph_spans
from roleplay.novel.quotes import Quote
from roleplay.records import UNKNOWN, Chapter, Chunk, Kind, Line, Span

__all__ = ["AT_LEAST", "discover_cast", "distil_rules"]

AT_LEAST = 0.5
"""The confidence under which a speaker is ``unknown``."""

OUTSIDE = "not of the cast: found by the cues of the book"
"""The reason in a line whose speaker no cast names."""

_STRANGER = 0.9
_HEAD_CLAUSE = re.compile(r"\s*[^，。！？!?：:；…]+[，。！？!?：:；…]*")
_TAIL_CLAUSE = re.compile(r"[^，。！？!?；…”’」』]+[，：:\s]*$")
_WRAP = re.compile(r"(?<![ \t　])[ \t　]*\n[ \t　]*")
_NEAR = 60
_EDGES = " \t\n　，,：:；;"


def distil_rules(
    text: str,
    chapters: Sequence[Chapter],
    chunks: Sequence[Chunk],
    cast: Cast,
    *,
    genders: Mapping[str, str | None] | None = None,
    at_least: float = AT_LEAST,
) -> list[Line]:
    """The script of the novel by rules; without a cast its names are discovered first.

    ``genders`` ("f", "m" by name) are learned from the text where they are not given.
    """
    cast = cast or _discovered(text)
    strangers = find_strangers(text, Names(cast))
    people = People({**cast, **dict.fromkeys(strangers, ())}, genders)
    people.learn_pronouns(text)
    blocks = read_blocks(text, paragraph_spans(text))
    verdicts = tell_speakers(text, blocks, people, book=True)
    by_quote = {quote.span: verdict for verdict in verdicts for quote in verdict.turn.quotes}
    headings = _Headings(text, chapters)
    starts = [chunk.span[0] for chunk in chunks]
    return [
        line.model_copy(update={"src_id": _id_at(starts, chunks, line.span or (0, 0))})
        for line in _lines(text, blocks, by_quote, people.names, at_least, strangers)
        if line.kind != "info" or line.span is None or line.span not in headings
    ]


def _discovered(text: str) -> dict[str, tuple[str, ...]]:
    """The cast that the cues of the text give away, sure aliases merged."""
    return {person.name: person.aliases for person in merge_aliases(text, discover_cast(text))}


def _id_at(starts: Sequence[int], chunks: Sequence[Chunk], span: Span) -> int | None:
    at = bisect_right(starts, span[0]) - 1
    return chunks[at].id if at >= 0 else None


def _lines(
    text: str,
    blocks: Sequence[Block],
    verdicts: Mapping[Span, Verdict],
    names: Names,
    at_least: float,
    strangers: Container[str],
) -> Iterator[Line]:
    """The lines in the order of the novel."""
    for block in blocks:
        for i, gap in enumerate(block.gaps):
            if span := _narration(text, names, gap, after=i > 0, before=i < len(block.quotes)):
                yield Line(kind="info", text=text[slice(*span)], span=span)
            if i < len(block.quotes):
                line = _spoken(text, block.quotes[i], verdicts[block.quotes[i].span], at_least)
                yield _as_stranger(line) if line.char in strangers else line


def _spoken(text: str, quote: Quote, verdict: Verdict, at_least: float) -> Line:
    """The line of a quote: its speaker, or ``unknown`` with the reason."""
    span = _strip(text, quote.span, " \t\n　")
    name, chance = verdict.best, verdict.chances[verdict.best]
    reason = _doubt(verdict, at_least)
    return Line(
        kind=_kind(quote, verdict),
        char=UNKNOWN if reason else name,
        text=text[slice(*span)],
        span=span,
        cue=None if reason else verdict.rule,
        source="rules",
        confidence=round(chance, 3),
        reason=reason,
    )


def _as_stranger(line: Line) -> Line:
    """The line of somebody outside the cast: less sure, and it tells why the name is there."""
    return line.model_copy(update={"confidence": min(line.confidence or 0.0, _STRANGER), "reason": OUTSIDE})


def _doubt(verdict: Verdict, at_least: float) -> str | None:
    """Why nobody is named, if nobody is."""
    name, chance = verdict.best, verdict.chances[verdict.best]
    if not name:
        cue = verdict.turn.cue
        return "the cue names nobody of the cast" if cue and cue.who is None else "nobody of the cast fits"
    if chance < at_least:
        ranked = sorted(verdict.chances.items(), key=lambda item: -item[1])[:2]
        return "unsure: " + ", ".join(f"{who or 'somebody else'} {chance:.2f}" for who, chance in ranked)
    return None


def _kind(quote: Quote, verdict: Verdict) -> Kind:
    """Thoughts have a verb of thought, or ‘…’ without a cue that leads to speech (闻筝说：‘…’)."""
    cue = verdict.turn.cue
    if verdict.turn.thought:
        return "think"
    return "think" if quote.kind == "thought" and (cue is None or cue.rule != "before") else "say"


def _narration(text: str, names: Names, gap: Span, *, after: bool, before: bool) -> Span | None:
    """The gap without the pure cues that stand next to its quotes; ``None`` if nothing is left."""
    start, end = gap
    head = _HEAD_CLAUSE.match(text, start, min(end, start + _NEAR))
    if after and head and is_pure_cue(plain(text, head.span()), names):
        start = head.end()
    near = max(start, end - _NEAR)
    tail = _TAIL_CLAUSE.search(text[near:end])
    if before and tail and is_pure_cue(_WRAP.sub("", tail[0]), names):
        end = near + tail.start()
    span = _strip(text, (start, end), _EDGES)
    return span if re.search(r"\w", text[slice(*span)]) else None


def _strip(text: str, span: Span, edges: str) -> Span:
    """The span without the characters of ``edges`` at its ends, nor any other white space."""
    start, end = span
    while start < end and (text[start] in edges or text[start].isspace()):
        start += 1
    while start < end and (text[end - 1] in edges or text[end - 1].isspace()):
        end -= 1
    return start, end


class _Headings:
    """The heading lines of the chapters: they are no narration."""

    def __init__(self, text: str, chapters: Sequence[Chapter]) -> None:
        self._text = text
        self._titles = {chapter.span[0]: chapter.title for chapter in chapters}
        self._starts = sorted(self._titles)

    def __contains__(self, span: Span) -> bool:
        at = bisect_right(self._starts, span[0]) - 1
        if at < 0:
            return False
        title, line = self._titles[self._starts[at]], self._text[slice(*span)]
        near = span[0] - self._starts[at] <= len(title) + 40
        return near and (line in title or (title in line and len(line) <= len(title) + 40))
