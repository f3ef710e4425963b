"""The rules-only distiller: free, offline, less complete than a model, and honest about it.

    lines = distil_rules(text, chapters, chunks, {"闻筝": ("小筝",), "铜婆": ()})
    lines[3]    # Line(kind="say", char="闻筝", text="修不好不收钱。", src_id=0, span=(52, 59), cue="before")

Every line is a slice of the novel: ``text[span[0]:span[1]] == line.text``. A speaker is named only where a
cue names one; ``cue`` says which: before, after, inside (they stand beside the quote), action (the
paragraph's only named person acts), continued. Everybody else is ``unknown``. Pronouns and turns of a
conversation are not followed here.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from roleplay.distill.cast import discover_cast
from roleplay.distill.cues import (
    SHE,
    Cast,
    Names,
    ends_saying,
    first_subject,
    is_pure_cue,
    says,
    subject,
    subjects,
    thinks,
)
from roleplay.novel.paragraphs import paragraph_spans
from roleplay.novel.quotes import Quote, find_quotes
from roleplay.records import UNKNOWN, Chapter, Chunk, Kind, Line, Span

__all__ = ["discover_cast", "distil_rules"]

_SENTENCE = re.compile(r"[^。！？!?…]*[。！？!?…]+[”’」』]*|[^。！？!?…]+$")
_HEAD_CLAUSE = re.compile(r"\s*[^，。！？!?：:；…]+[，。！？!?：:；…]*")
_TAIL_CLAUSE = re.compile(r"[^，。！？!?；…”’」』]+[，：:\s]*$")
_WRAP = re.compile(r"(?<![ \t　])[ \t　]*\n[ \t　]*")
_NEXT_SPEAKER = re.compile(r"[”」』][^“”「」『』]{1,25}[曰道说云问][：:]")
_OPENING = re.compile(r"[“「『]")
_NEAR = 60
_SHARED_SHARE = 0.15
_EDGES = " \t\n　，,：:；;"


@dataclass
class _Block:
    """A paragraph: its quotes and the narration around them, one gap more than quotes."""

    quotes: list[Quote]
    gaps: list[Span]
    cues: list[_Cue | None] = field(default_factory=list)


@dataclass(frozen=True)
class _Cue:
    """What a cue tells: who speaks (``None``: somebody without a known name), by which rule, aloud or not."""

    name: str | None
    rule: str
    thought: bool = False


def distil_rules(text: str, chapters: Sequence[Chapter], chunks: Sequence[Chunk], cast: Cast) -> list[Line]:
    """The script of the novel by rules; without a cast its names are discovered first."""
    names = Names(cast or dict.fromkeys(discover_cast(text), ()))
    reader = _Reader(text, names)
    blocks = _blocks(text)
    reader.attribute(blocks)
    headings = _Headings(text, chapters)
    starts = [chunk.span[0] for chunk in chunks]
    return [
        Line(
            kind=kind,
            text=text[slice(*span)],
            char=char,
            span=span,
            cue=cue,
            src_id=_id_at(starts, chunks, span),
        )
        for kind, span, char, cue in _items(reader, blocks)
        if kind != "info" or span not in headings
    ]


def _id_at(starts: Sequence[int], chunks: Sequence[Chunk], span: Span) -> int | None:
    at = bisect_right(starts, span[0]) - 1
    return chunks[at].id if at >= 0 else None


def _blocks(text: str) -> list[_Block]:
    """The paragraphs of the text with their quotes; a quote over several paragraphs belongs to the first."""
    paragraphs = paragraph_spans(text)
    quotes = [quote for quote in find_quotes(text, paragraphs) if quote.kind != "term"]
    blocks, at, done = [], 0, 0
    for start, end in paragraphs:
        first = at
        while at < len(quotes) and quotes[at].outer[0] < end:
            at += 1
        edges = [max(start, done), *(edge for quote in quotes[first:at] for edge in quote.outer)]
        done = max(end, edges[-1])
        edges.append(done)
        blocks.append(_Block(quotes[first:at], list(zip(edges[::2], edges[1::2], strict=True))))
    return blocks


class _Reader:
    """Finds the cues of one novel; ``shared``: several persons speak in a paragraph, as in the classics."""

    def __init__(self, text: str, names: Names) -> None:
        self.text = text
        self.names = names
        openings = len(_OPENING.findall(text))
        self.shared = len(_NEXT_SPEAKER.findall(text)) > _SHARED_SHARE * max(openings, 1)

    def plain(self, span: Span) -> str:
        """The narration of a gap as one line."""
        return _WRAP.sub("", self.text[slice(*span)]).strip()

    def attribute(self, blocks: Sequence[_Block]) -> None:
        """Set the cues of every block."""
        lead, last = "", None
        for block in blocks:
            gaps = [self.plain(span) for span in block.gaps]
            opening = gaps[0] or (lead if lead.endswith(("：", ":")) else "")
            block.cues = self._explicit([opening, *gaps[1:]])
            if not self.shared:
                _spread(block.cues, gaps)
                self._act(block, gaps)
            for i, quote in enumerate(block.quotes):
                if quote.continues and block.cues[i] is None and last:
                    block.cues[i] = _Cue(last.name, "continued", last.thought)
                last = block.cues[i]
            lead = gaps[-1] or lead

    def _explicit(self, gaps: Sequence[str]) -> list[_Cue | None]:
        """The cue right before or right after each quote."""
        pairs = pairwise(gaps)
        return [self._before(before) or self._after(after) for before, after in pairs]

    def _before(self, gap: str) -> _Cue | None:
        sentences = _SENTENCE.findall(gap)
        if not sentences or not (gap.endswith(("：", ":")) or ends_saying(gap)) or gap[-1] in "。！？":
            return None
        name = subject(sentences[-1], self.names)
        return _Cue(name, "before" if name != SHE else "pronoun", thinks(sentences[-1]))

    def _after(self, gap: str) -> _Cue | None:
        first = next(iter(_SENTENCE.findall(gap)), "")
        if self.shared or not first or first.endswith(("：", ":")):
            return None
        aloud, thought = says(first), thinks(first)
        if not (aloud or thought):
            return None
        name = first_subject(first, self.names)
        return _Cue(name, "after" if name != SHE else "pronoun", thought)

    def _act(self, block: _Block, gaps: Sequence[str]) -> None:
        """Give quotes without a name to the only person who acts in the paragraph (she: that person)."""
        if not block.quotes or any(cue and cue.name is None for cue in block.cues):
            return
        actors = [name for gap in gaps for s in _SENTENCE.findall(gap) for name in subjects(s, self.names)]
        if not actors or actors[0] == SHE or len({*actors} - {SHE}) != 1:
            return
        for i, cue in enumerate(block.cues):
            if cue is None or cue.name == SHE:
                block.cues[i] = _Cue(actors[0], cue.rule if cue else "action", cue.thought if cue else False)


def _spread(cues: list[_Cue | None], gaps: Sequence[str]) -> None:
    """One utterance in two parts (“…”闻筝说，“…”) has one speaker: the gap between them ends no sentence."""
    for i in range(1, len(cues)):
        if gaps[i] and gaps[i][-1] in "。！？：:":
            continue
        one, two = cues[i - 1], cues[i]
        if one and (two is None or two.name in (None, one.name)):
            cues[i - 1], cues[i] = (_inside(one), _inside(one))
        elif two and one is None:
            cues[i - 1], cues[i] = _inside(two), _inside(two)


def _inside(cue: _Cue) -> _Cue:
    return _Cue(cue.name, "inside", cue.thought)


def _items(reader: _Reader, blocks: Sequence[_Block]) -> Iterator[tuple[Kind, Span, str | None, str | None]]:
    """(kind, span, speaker, rule) of each line, in the order of the novel."""
    for block in blocks:
        for i, gap in enumerate(block.gaps):
            if span := _narration(reader, gap, after=i > 0, before=i < len(block.quotes)):
                yield "info", span, None, None
            if i < len(block.quotes):
                cue = block.cues[i]
                span = _strip(reader.text, block.quotes[i].span, " \t\n　")
                name, rule = (cue.name, cue.rule) if cue and cue.name not in (None, SHE) else (UNKNOWN, None)
                yield _kind(block.quotes[i], cue), span, name, rule


def _kind(quote: Quote, cue: _Cue | None) -> Kind:
    """Thoughts have a verb of thought, or ‘…’ without a cue that leads to speech (闻筝说：‘…’)."""
    if cue is not None and cue.thought:
        return "think"
    return "think" if quote.kind == "thought" and (cue is None or cue.rule != "before") else "say"


def _narration(reader: _Reader, gap: Span, *, after: bool, before: bool) -> Span | None:
    """The gap without the pure cues that stand next to its quotes; ``None`` if nothing is left."""
    start, end = gap
    head = _HEAD_CLAUSE.match(reader.text, start, min(end, start + _NEAR))
    if after and head and is_pure_cue(reader.plain(head.span()), reader.names):
        start = head.end()
    near = max(start, end - _NEAR)
    tail = _TAIL_CLAUSE.search(reader.text[near:end])
    if before and tail and is_pure_cue(_WRAP.sub("", tail[0]), reader.names):
        end = near + tail.start()
    span = _strip(reader.text, (start, end), _EDGES)
    return span if re.search(r"\w", reader.text[slice(*span)]) else None


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
