"""A novel's script with a model's help: labels by span number, checked against the rules line by line.

    book = Book(text, chunks, rules, {"闻筝": ("小筝",)})
    lines = await label_book(book, asker, "gpt-4o-mini", progress=print)

For each chunk: one question about its spans; then one focused question about the lines where the rules say nothing or
something else, or the model is unsure; then a vote (votes.py). A cut answer is never taken: its numbers are asked in
two halves. A name that is neither in the cast nor in the chunk is no name. What a question holds depends on the novel
and the world alone, not on other answers, so that chunks go in parallel and every run asks the same. Nothing is drawn
or stored here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from roleplay.distill.asking import Asker, PendingError
from roleplay.distill.cues import Cast, Names
from roleplay.distill.questions import Question, array_of, ask_for
from roleplay.distill.replies import read_labels
from roleplay.distill.spans import NO_LABEL, Label, LabelKind, Piece, lines_of, number_spans
from roleplay.distill.votes import Ruling, ruling, settled, voted
from roleplay.prompts import Lookup
from roleplay.records import EXPRESSIONS, UNKNOWN, Chunk, Line, Span

LABELS = array_of(
    "labels",
    n={"type": "integer"},
    kind={"type": "string", "enum": ["say", "think", "act", "narration"]},
    speaker={"type": ["string", "null"]},
    expression={"type": ["string", "null"], "enum": [*EXPRESSIONS, None]},
    confidence={"type": "number"},
)
TOKENS_PER_LABEL = 45
ROUNDS = 3
"""How often numbers without a readable label are asked for."""

_BEFORE = 300
_LONGEST_NAME = 12
_SNIPPETS = 3
_NOTHING = "（无）"
T = TypeVar("T")


@dataclass(frozen=True)
class Book:
    """What labelling works on; ``summaries`` is chunk id -> what came before, where somebody wrote it."""

    text: str
    chunks: Sequence[Chunk]
    rules: Sequence[Line]
    cast: Cast
    lookup: Lookup | None = None
    summaries: dict[int, str] = field(default_factory=dict)
    shown: Cast | None = None
    """The cast as prompts show it, where that is not ``cast``: aliases found later change no question."""

    @cached_property
    def pieces(self) -> list[list[Piece]]:
        """The numbered spans of each chunk."""
        return number_spans(self.text, self.chunks, self.rules)

    @cached_property
    def names(self) -> Names:
        """The cast as a matcher."""
        return Names(self.cast)

    @cached_property
    def ruled(self) -> dict[Span, Line]:
        """The rules' lines by span."""
        return {line.span: line for line in self.rules if line.span}

    @cached_property
    def cast_text(self) -> str:
        """The cast as prompts show it."""
        shown = self.cast if self.shown is None else self.shown
        return "\n".join(f"{name}：{' '.join(aliases)}" for name, aliases in shown.items()) or _NOTHING


async def label_book(
    book: Book, asker: Asker, model: str, *, progress: Callable[[int, int], None] | None = None
) -> list[Line]:
    """The script. Chunks whose answers are pending keep what the rules know.

    Raises:
        ModelError: the endpoint failed, a limit was reached, or the ledger cannot be written.
    """
    work = [_label_chunk(book, i, asker, model) for i in range(len(book.chunks))]
    return [line for lines in await gather(work, progress) for line in lines]


async def gather(work: Sequence[Coroutine[Any, Any, T]], progress: Callable[[int, int], None] | None = None) -> list[T]:
    """All results in order; the first error stops what still runs and is raised as it is."""
    done = 0

    async def count(one: Coroutine[Any, Any, T]) -> T:
        nonlocal done
        result = await one
        done += 1
        if progress:
            progress(done, len(work))
        return result

    tasks = [asyncio.ensure_future(count(one)) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def first_questions(book: Book, model: str) -> list[Question]:
    """The first question of every chunk that has something to label: for the estimate."""
    return [_question(book, i, "label", model, n) for i in range(len(book.chunks)) if (n := _numbers(book, i))]


async def _label_chunk(book: Book, i: int, asker: Asker, model: str) -> list[Line]:
    chunk, pieces = book.chunks[i], book.pieces[i]
    try:
        labels = await _checked(book, i, asker, model)
    except PendingError:
        labels = {piece.number: _by_rules(book, piece) for piece in pieces if piece.quote}
    return [_with_cue(book, line) for line in lines_of(book.text, chunk, pieces, labels)]


def _with_cue(book: Book, line: Line) -> Line:
    """The line with the rules' cue where it names the same speaker."""
    ruled = book.ruled.get(line.span) if line.span else None
    same = ruled is not None and ruled.cue and line.char not in (None, UNKNOWN) and ruled.char == line.char
    return line.model_copy(update={"cue": ruled.cue}) if ruled and same else line


def _by_rules(book: Book, piece: Piece) -> Label:
    rule, line = _ruling(book, piece), book.ruled.get(piece.core or piece.span)
    kind: LabelKind = "think" if line and line.kind == "think" else "say"
    reason = None if rule.speaker else "not asked yet"
    confidence = rule.confidence if rule.speaker else 0.0
    return Label(n=piece.number, kind=kind, speaker=rule.speaker, confidence=confidence, source="rules", reason=reason)


async def _checked(book: Book, i: int, asker: Asker, model: str) -> dict[int, Label]:
    """The labels of a chunk after the cross-check."""
    numbers = _numbers(book, i)
    first = await _labels(book, i, asker, model, "label", numbers)
    by_number = {piece.number: piece for piece in book.pieces[i]}
    asked = [n for n in numbers if by_number[n].quote or (n in first and first[n].kind == "act")]
    rules = {n: _ruling(book, by_number[n]) for n in asked}
    labels = {n: label for n in asked if (label := settled(rules[n], first.get(n)))}
    open_numbers = [n for n in asked if n not in labels]
    focused = await _labels(book, i, asker, model, "focus", open_numbers)
    labels |= {n: _voted(n, rules[n], first, focused) for n in open_numbers}
    return labels


def _voted(n: int, rule: Ruling, first: dict[int, Label], focused: dict[int, Label]) -> Label:
    label = voted(n, rule, first.get(n), focused.get(n))
    unread = label.speaker is None and n not in first and n not in focused
    return label.model_copy(update={"reason": NO_LABEL}) if unread else label


async def _labels(book: Book, i: int, asker: Asker, model: str, task: str, numbers: Sequence[int]) -> dict[int, Label]:
    """What the model says of ``numbers``; quotes that it left out are asked for again, twice at most."""
    labels: dict[int, Label] = {}
    quotes = {piece.number for piece in book.pieces[i] if piece.quote}
    wanted = list(numbers)
    for attempt in range(ROUNDS):
        if not wanted:
            break
        labels |= await _ask(book, i, asker, model, task, wanted, attempt)
        wanted = [n for n in numbers if n not in labels and (n in quotes or task == "focus")]
    return labels


async def _ask(
    book: Book, i: int, asker: Asker, model: str, task: str, numbers: Sequence[int], attempt: int
) -> dict[int, Label]:
    entry = await asker.ask(_question(book, i, task, model, numbers, attempt))
    if entry.finish != "length":
        found = read_labels(entry.text, set(numbers)).labels
        return {n: label for n, one in found.items() if (label := _known(book, i, one))}
    if len(numbers) == 1:
        return {}
    half = len(numbers) // 2
    parts = [await _ask(book, i, asker, model, task, part, attempt) for part in (numbers[:half], numbers[half:])]
    return parts[0] | parts[1]


def _question(book: Book, i: int, task: str, model: str, numbers: Sequence[int], attempt: int = 0) -> Question:
    again = "（上次的回答缺少这些编号，请重新标注）" * attempt
    slots = {
        "cast": book.cast_text,
        "spans": spans_text(book, i),
        "numbers": " ".join(map(str, numbers)) + again,
    }
    if task == "label":
        slots |= {"background": _background(book, i), "before": _before(book, i)}
    return ask_for(task, model, slots, schema=LABELS, expected_tokens=TOKENS_PER_LABEL * len(numbers))


def spans_text(book: Book, i: int) -> str:
    """The numbered spans of a chunk, one a line; those without a letter are left out."""
    rows = [(piece, book.text[slice(*piece.span)].strip()) for piece in book.pieces[i]]
    return "\n".join(f"{p.number} {'Q' if p.quote else 'N'} {' '.join(text.split())}" for p, text in rows if text)


def _before(book: Book, i: int) -> str:
    """A summary of what came before, where there is one, and its last sentences."""
    start = book.chunks[i].span[0]
    summary = book.summaries.get(book.chunks[i].id, "")
    return f"{summary}\n{book.text[max(0, start - _BEFORE) : start].strip()}".strip() or _NOTHING


def _background(book: Book, i: int) -> str:
    """What the knowledge base has about the people and things that the chunk opens with."""
    if book.lookup is None:
        return _NOTHING
    text = book.chunks[i].text
    query = " ".join(dict.fromkeys(name for _, _, name in book.names.find(text))) + " " + text[:60]
    return "\n".join(snippet.text for snippet in book.lookup(query, _SNIPPETS)) or _NOTHING


def _numbers(book: Book, i: int) -> list[int]:
    """The spans that the model is asked about: those that can become a line."""
    return [piece.number for piece in book.pieces[i] if piece.core]


def _known(book: Book, i: int, label: Label) -> Label | None:
    """The label with its speaker's one name; None where the name is neither in the cast nor in the chunk."""
    name = label.speaker
    if name is None or label.kind == "narration":
        return label
    if name in book.names.canonical:
        return label.model_copy(update={"speaker": book.names.canonical[name]})
    return label if len(name) <= _LONGEST_NAME and name in book.chunks[i].text else None


def _ruling(book: Book, piece: Piece) -> Ruling:
    """What the rules say of a quote; of narration: the only person whom it names."""
    if piece.quote:
        return ruling(book.ruled.get(piece.core) if piece.core else None)
    named = {name for _, _, name in book.names.find(book.text[slice(*piece.span)])}
    return Ruling(named.pop()) if len(named) == 1 else Ruling(None)
