"""The rules-only distiller: free, offline, less complete than a model, and honest about it.

    lines = distil_rules(text, chapters, chunks, {"闻筝": ("小筝",), "铜婆": ()})
    lines[3]
    # Line(kind="say", char="闻筝", text="修不好不收钱。", src_id=0, span=(52, 59), cue="before",
    #      source="rules", confidence=1.0)

Every line is a slice of the novel: ``text[span[0]:span[1]] == line.text``. ``cue`` is the rule that
names the speaker: before, after, inside (a cue beside the quote), pronoun, action (who acts in the
paragraph), continued, alternation, voice (words that the cued lines give to one person), nearest.
Under the threshold of ``confidence`` the speaker is ``unknown`` and ``reason`` tells why. Speakers
outside the cast (:mod:`minor_speakers`) have at most 0.9, and a ``reason`` as well.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from roleplay.distill.rules.calibration import calibrated
from roleplay.distill.rules.cast import find_people, language_of
from roleplay.distill.rules.chinese import CHINESE
from roleplay.distill.rules.cues import GROUP, Cast, Names
from roleplay.distill.rules.people import People
from roleplay.distill.rules.simplify import simplified
from roleplay.distill.rules.speakers import Verdict, tell_speakers
from roleplay.distill.rules.turns import Block, read_blocks, trimmed, unwrapped
from roleplay.novel.quotes import Quote
from roleplay.records import UNKNOWN, Chapter, Chunk, Kind, Line, Span

AT_LEAST = 0.5
"""The confidence under which a speaker is ``unknown``."""

T = TypeVar("T", Chapter, Chunk)

OUTSIDE = "not of the cast: found by the cues of the book"
"""The reason in a line whose speaker no cast names."""

LEFT_OUT = "a name that was deleted from world.json"
"""The reason in a line whose speaker a person has deleted."""

_MINOR_AT_MOST = 0.9
_HEAD_CLAUSE = re.compile(r"\s*[^，。！？!?：:；…]+[，。！？!?：:；…]*")
_TAIL_CLAUSE = re.compile(r"[^，。！？!?；…”’」』]+[，：:\s]*$")
_NEAR = 60
_EDGES = "，,：:；;"
# Characters around a heading that belong to its line: its number, banners.
_HEADING_ROOM = 40


def distil_rules(
    text: str,
    chapters: Sequence[Chapter],
    chunks: Sequence[Chunk],
    cast: Cast,
    *,
    genders: Mapping[str, str | None] | None = None,
    at_least: float = AT_LEAST,
    language: str | None = None,
    deleted: Container[str] = (),
) -> list[Line]:
    """The script of the novel by rules; without a cast its names are discovered first.

    ``genders`` ("f", "m" by name) are learned from the text where they are not given; ``language``
    ("zh", "ja", "en") is told by the text by default; nobody is called by a name of ``deleted``.
    """
    found = read_speakers(text, cast, genders=genders, language=language)
    plain, people, minor, grammar = found.plain, found.people, found.minor, found.people.grammar
    blocks, verdicts = found.blocks, found.verdicts
    by_quote = {quote.span: verdict for verdict in verdicts for quote in verdict.turn.quotes}
    lines = []
    for span, quote in (piece for block in blocks for piece in _pieces(plain, block, people)):
        chunk = _last_before(chunks, span)
        copied = {"text": text[slice(*span)], "span": span, "src_id": chunk and chunk.id}
        if quote:
            told = _told(quote, by_quote[quote.span], minor, at_least)
            told["char"] = grammar.group if told["char"] == GROUP else told["char"]
            if told["char"] in deleted:
                told |= {"char": UNKNOWN, "cue": None, "reason": LEFT_OUT}
            lines.append(Line.model_validate(copied | told))
        elif not _is_heading(text[slice(*span)], span, _last_before(chapters, span)):
            lines.append(Line.model_validate(copied | {"kind": "info"}))
    return lines


@dataclass(frozen=True)
class Speakers:
    """Who speaks in a text: its characters simplified, its paragraphs and turns, its people.

    ``minor`` are the speakers outside the cast with the number of their cues.
    """

    plain: str
    blocks: list[Block]
    people: People
    minor: Counter[str]
    verdicts: list[Verdict]


def read_speakers(
    text: str,
    cast: Cast,
    *,
    genders: Mapping[str, str | None] | None = None,
    language: str | None = None,
) -> Speakers:
    """Each turn's verdict; the arguments are those of :func:`distil_rules`."""
    rules = language_of(text, language)
    cast = cast or {person.name: person.aliases for person in find_people(text, language)}
    grammar = rules.grammar if rules else CHINESE
    # Traditional and simplified are one language; offsets stay, and names are the caller's own.
    common = simplified if grammar is CHINESE else str
    plain = common(text)
    forms = {name: tuple(map(common, (name, *more))) for name, more in cast.items()}
    minor = rules.minor(plain, Names(forms)) if rules else Counter[str]()
    own = {name: text[at : at + len(name)] for name in minor if (at := plain.find(name)) >= 0}
    minor = Counter({own.get(name, name): count for name, count in minor.items()})
    people = People({**forms, **{name: (common(name),) for name in minor}}, genders, grammar)
    people.learn_pronouns(plain)
    blocks = read_blocks(plain)
    return Speakers(plain, blocks, people, minor, tell_speakers(plain, blocks, people, book=True))


def _last_before(parts: Sequence[T], span: Span) -> T | None:
    """The chapter or chunk that a span begins in."""
    at = bisect_right(parts, span[0], key=lambda part: part.span[0]) - 1
    return parts[at] if at >= 0 else None


def _is_heading(line: str, span: Span, chapter: Chapter | None) -> bool:
    """Whether narration is the heading line of its chapter."""
    longest = len(chapter.title) + _HEADING_ROOM if chapter else 0
    if chapter is None or span[0] - chapter.span[0] > longest:
        return False
    return line in chapter.title or (chapter.title in line and len(line) <= longest)


def _pieces(text: str, block: Block, people: People) -> Iterator[tuple[Span, Quote | None]]:
    """The spans of a paragraph's lines in order; of narration without a quote."""
    for i, gap in enumerate(block.gaps):
        quote = block.quotes[i] if i < len(block.quotes) else None
        if span := _narration(text, people, gap, after=i > 0, before=quote is not None):
            yield span, None
        if quote:
            yield trimmed(text, quote.span), quote


def _told(quote: Quote, verdict: Verdict, minor: Container[str], least: float) -> dict[str, Any]:
    """Kind, speaker and the rest of a quote's line; ``unknown`` with the reason."""
    confidence = round(calibrated(verdict.rule, verdict.chances[verdict.best]), 3)
    row: dict[str, Any] = {"kind": _kind(quote, verdict), "char": verdict.best, "source": "rules"}
    row |= {"cue": verdict.rule, "confidence": confidence}
    if doubt := _doubt(verdict, confidence, least):
        return row | {"char": UNKNOWN, "cue": None, "reason": doubt}
    if verdict.best in minor or verdict.best == GROUP:
        return row | {"confidence": min(confidence, _MINOR_AT_MOST), "reason": OUTSIDE}
    return row


def _doubt(verdict: Verdict, confidence: float, at_least: float) -> str | None:
    """Why nobody is named, if nobody is."""
    cue = verdict.turn.cue
    if not verdict.best:
        other = cue is not None and cue.who is None
        return "the cue names nobody of the cast" if other else "nobody of the cast fits"
    if confidence >= at_least:
        return None
    ranked = sorted(verdict.chances.items(), key=lambda item: -item[1])[:2]
    shown = (f"{who or 'somebody else'} {chance:.2f}" for who, chance in ranked)
    return f"unsure: {', '.join(shown)}"


def _kind(quote: Quote, verdict: Verdict) -> Kind:
    """A thought has a verb of thought, or ‘…’ and no cue that leads to speech (闻筝说：‘…’)."""
    cue = verdict.turn.cue
    unsaid = quote.kind == "thought" and (cue is None or cue.rule != "before")
    return "think" if unsaid or verdict.turn.thought else "say"


def _narration(text: str, people: People, gap: Span, *, after: bool, before: bool) -> Span | None:
    """The gap without the pure cues next to its quotes; ``None`` if nothing is left."""
    start, end = gap
    head = _HEAD_CLAUSE.match(text, start, min(end, start + _NEAR))
    if after and head and people.grammar.is_pure_cue(unwrapped(head[0]).strip(), people.names):
        start = head.end()
    near = max(start, end - _NEAR)
    tail = _TAIL_CLAUSE.search(text[near:end])
    if before and tail and people.grammar.is_pure_cue(unwrapped(tail[0]), people.names):
        end = near + tail.start()
    span = trimmed(text, (start, end), _EDGES)
    return span if re.search(r"\w", text[slice(*span)]) else None
