"""A novel's script with a model's help: labels by span number, checked against the rules.

    book = Book(text, chunks, rules, {"闻筝": ("小筝",)})
    lines = await label_book(book, client, "gpt-4o-mini", progress=print)

For each chunk: one request about its spans; then a focused one about the lines where the rules say
nothing or something else, or the model is unsure; then a vote (votes.py). Numbers without a
readable label are asked for once more. A chunk that the endpoint refuses keeps what the rules say.
A name that neither the cast nor the chunk has is no name. Requests depend on the novel and the
world alone: every run asks the same, chunks in parallel.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from roleplay.background import Retriever
from roleplay.distill.labels.spans import NO_LABEL, Label, Piece, lines_of, number_spans
from roleplay.distill.labels.votes import Ruling, ruling, settled, voted
from roleplay.distill.llm.client import NOT_ASKED, REFUSED_BY, ROOM, CachedClient, PendingError
from roleplay.distill.llm.ledger import CUT, REFUSED
from roleplay.distill.llm.replies import is_empty, read_labels
from roleplay.distill.llm.requests import LLMRequest, request_for
from roleplay.distill.rules.cues import Cast, Names
from roleplay.records import UNKNOWN, Chunk, Line, Span

_TOKENS_PER_LABEL = 45
# How often numbers without a readable label are asked for; costs.py counts on it.
_ROUNDS = 2
_BEFORE = 300
_OPENING = 60
# 接线员 may be a name that the cast lacks; a longer text is a description.
_LONGEST_NAME = 12
_SNIPPETS = 3
_CUT_SHORT = "the answer was cut before this label"
_NOTHING = "（无）"
_AGAIN = "（上次的回答缺少这些编号，请重新标注）"
_Labels = dict[int, Label]
T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Takes how many pieces are done, and of how many."""


@dataclass(frozen=True)
class Book:
    """What labelling works on; ``summaries`` is chunk id -> what came before, if known."""

    text: str
    chunks: Sequence[Chunk]
    rules: Sequence[Line]
    cast: Cast
    retriever: Retriever | None = None
    summaries: dict[int, str] = field(default_factory=dict)
    shown: Cast | None = None
    """The cast in prompts, if that is not ``cast``: aliases found later change no request."""

    background: dict[int, str] = field(default_factory=dict)
    """What was found for a chunk: the estimate's search is the run's too."""

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
        rows = (f"{name}：{' '.join(aliases)}" for name, aliases in shown.items())
        return "\n".join(rows) or _NOTHING


async def label_book(
    book: Book, client: CachedClient, model: str, *, progress: Progress | None = None
) -> list[Line]:
    """The script. Chunks whose answers are pending keep what the rules know.

    Raises ModelError: the endpoint failed, a limit was reached, or the ledger cannot be written.
    """
    work = [_Part(book, i, model).lines(client) for i in range(len(book.chunks))]
    return [line for lines in await gather(work, progress) for line in lines]


async def gather(
    work: Sequence[Coroutine[Any, Any, T]], progress: Progress | None = None
) -> list[T]:
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


def spans_text(book: Book, i: int) -> str:
    """The numbered spans of a chunk, one a line; those without a letter are left out."""
    rows = []
    for piece in book.pieces[i]:
        if text := " ".join(book.text[slice(*piece.span)].split()):
            rows.append(f"{piece.number} {'Q' if piece.quote else 'N'} {text}")
    return "\n".join(rows)


@dataclass(frozen=True)
class _Part:
    """Chunk ``i`` of a book on its way from requests to lines."""

    book: Book
    i: int
    model: str

    @cached_property
    def numbers(self) -> list[int]:
        """The spans that the model is asked about: those that can become a line."""
        return [piece.number for piece in self.book.pieces[self.i] if piece.core]

    async def lines(self, client: CachedClient) -> list[Line]:
        pieces = self.book.pieces[self.i]
        try:
            labels = await self._checked(client)
        except PendingError as error:
            labels = self._by_rules([piece for piece in pieces if piece.quote], str(error))
        found = lines_of(self.book.text, self.book.chunks[self.i], pieces, labels)
        return [self._with_cue(line) for line in found]

    def _with_cue(self, line: Line) -> Line:
        """The line with the rules' cue where it names the same speaker."""
        ruled = self.book.ruled.get(line.span) if line.span else None
        if not ruled or not ruled.cue or line.char in (None, UNKNOWN) or ruled.char != line.char:
            return line
        return line.model_copy(update={"cue": ruled.cue})

    def _by_rules(self, quotes: Sequence[Piece], why: str) -> _Labels:
        labels = {}
        for piece in quotes:
            rule, line = self._ruling(piece), self.book.ruled.get(piece.core or piece.span)
            label = Label(n=piece.number, kind="think" if line and line.kind == "think" else "say")
            sure = rule.confidence if rule.speaker else 0.0
            # What is asked in a later run is told of open lines alone.
            told = "" if rule.speaker and why == NOT_ASKED else why
            labels[piece.number] = label.told(rule.speaker, sure, "rules", told)
        return labels

    def _ruling(self, piece: Piece) -> Ruling:
        """What the rules say of a quote; of narration: the only person whom it names."""
        if piece.quote:
            return ruling(self.book.ruled.get(piece.core) if piece.core else None)
        told = self.book.text[slice(*piece.span)]
        named = {name for _, _, name in self.book.names.find(told)}
        return Ruling(named.pop() if len(named) == 1 else None)

    async def _checked(self, client: CachedClient) -> _Labels:
        """The labels of the chunk after the cross-check."""
        first, why = await self._labels(client, "label", self.numbers)
        acts = {n for n, label in first.items() if label.kind == "act"}
        pieces = [piece for piece in self.book.pieces[self.i] if piece.core]
        checked = [piece for piece in pieces if piece.quote or piece.number in acts]
        rules = {piece.number: self._ruling(piece) for piece in checked}
        labels = {n: label for n in rules if (label := settled(rules[n], first.get(n)))}
        doubtful, focused = [n for n in rules if n not in labels], _Labels()
        try:
            # Who had no room for the first word has none for another question either.
            if first or why != _CUT_SHORT:
                focused, why = await self._labels(client, "focus", doubtful)
        except PendingError as error:
            if str(error) == NOT_ASKED:
                raise
            quotes = [piece for piece in checked if piece.quote and piece.number in doubtful]
            return labels | self._by_rules(quotes, str(error))
        for n in doubtful:
            label = voted(n, rules[n], first.get(n), focused.get(n))
            unread = n not in first and n not in focused
            labels[n] = label.model_copy(update={"reason": why}) if unread else label
        return labels

    async def _labels(
        self, client: CachedClient, task: str, numbers: list[int]
    ) -> tuple[_Labels, str]:
        """What the model says of ``numbers``, and why it says nothing of the others.

        Raises PendingError: it was not asked, or would not answer.
        """
        labels: _Labels = {}
        quotes = {piece.number for piece in self.book.pieces[self.i] if piece.quote}
        why, room = NO_LABEL, 0
        for attempt in range(_ROUNDS):
            if not numbers:
                break
            request = replace(self.request(task, numbers, attempt), room=room)
            entry = await client.ask(request)
            found = read_labels(entry.text, set(numbers)).labels
            known = {n: label for n, one in found.items() if (label := self._known(one))}
            client.count(entry, found=bool(found), used=bool(known))
            if entry.finish == REFUSED:
                raise PendingError(REFUSED_BY)
            if entry.finish == CUT:
                why, room = _CUT_SHORT, ROOM
            labels |= known
            if is_empty(entry):
                break
            numbers = [n for n in numbers if n not in labels and (n in quotes or task == "focus")]
        return labels, why

    def _known(self, label: Label) -> Label | None:
        """The label with its speaker's one name; None for a name not in the cast or the chunk."""
        name = label.speaker
        if name is None or label.kind == "narration":
            return label
        if own := self.book.names.canonical.get(name):
            return label.model_copy(update={"speaker": own})
        chunk = self.book.chunks[self.i].text
        return label if len(name) <= _LONGEST_NAME and name in chunk else None

    def request(self, task: str, numbers: list[int], attempt: int = 0) -> LLMRequest:
        """The request about ``numbers``; each attempt has its own text, so its own answer."""
        slots = {
            "cast": self.book.cast_text,
            "spans": spans_text(self.book, self.i),
            "numbers": " ".join(map(str, numbers)) + _AGAIN * attempt,
        }
        if task == "label":
            slots |= self._known_before()
        tokens = _TOKENS_PER_LABEL * len(numbers)
        return request_for(task, self.model, slots, expected_tokens=tokens)

    def _known_before(self) -> dict[str, str]:
        """What the knowledge base has on the chunk's people and opening; what came before it."""
        book, chunk = self.book, self.book.chunks[self.i]
        if book.retriever and self.i not in book.background:
            names = dict.fromkeys(name for _, _, name in book.names.find(chunk.text))
            query = f"{' '.join(names)} {chunk.text[:_OPENING]}"
            found = (snippet.text for snippet in book.retriever(query, _SNIPPETS))
            book.background[self.i] = "\n".join(found)
        last = book.text[max(0, chunk.span[0] - _BEFORE) : chunk.span[0]].strip()
        before = f"{book.summaries.get(chunk.id, '')}\n{last}".strip()
        return {"background": book.background.get(self.i) or _NOTHING, "before": before or _NOTHING}
