"""Questions to a character and their answers: which are learnt, in which groups, with what before.

    kept = choose(asked, most_tokens=9_000, context=context)     # evenly over the characters
    for group in groups(kept, context): ...                      # 1 to 3 questions to one character

An interview whose answer stands in a sentence of its ``evidence`` is a **fact**: where it has
background at all, that sentence is in it, so that reading the answer off it is learnt as well.
"""

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Self, TypeVar

from roleplay import prompts
from roleplay.background import Query, Snippet
from roleplay.dataset.settings import BuildContext
from roleplay.records import Interview, Task

T = TypeVar("T")

_MOST_BACKGROUNDS = 2  # Questions whose background stands before a group: more hides the talk.


@dataclass(frozen=True)
class Asked:
    """A question, its answer, and what that teaches; ``chapter`` is where the novel has it."""

    character: str
    question: str
    answer: str
    task: Task = "question"
    evidence: str = ""
    chapter: int | None = None

    @classmethod
    def of(cls, row: Interview) -> Self:
        """An interview as a question, or as a fact where it has evidence."""
        task: Task = "fact" if row.evidence else "question"
        return cls(row.character, row.question, row.answer, task, row.evidence or "")


@dataclass(frozen=True)
class Group:
    """Questions that are asked one after the other, and what stands before them.

    ``searches``: chance gave it background, which :func:`with_background` puts in; ``facts`` are in
    it always. ``follows``: each question knows the ones before it.
    """

    asked: tuple[Asked, ...]
    background: tuple[Snippet, ...] = ()
    profile: str = ""
    searches: bool = False
    facts: tuple[str, ...] = ()
    follows: bool = False


def take(
    rows: Iterable[T],
    most: float,
    tokens: Callable[[T], int],
    enough: Callable[[Sequence[T]], object] = bool,
) -> list[T]:
    """The first rows whose ``tokens`` fit ``most`` together, or more until they are ``enough``."""
    kept: list[T] = []
    for row in rows:
        most -= tokens(row)
        if most < 0 and enough(kept):
            break
        kept.append(row)
    return kept


def take_of_each(
    rows: Iterable[Asked], names: Collection[str], most: float, context: BuildContext
) -> list[Asked]:
    """As :func:`take`, with one row of each of ``names`` at least."""

    def has_all(kept: Sequence[Asked]) -> bool:
        return {row.character for row in kept} >= set(names)

    return take(rows, most, lambda row: answer_tokens([row], context), has_all)


def choose(asked: Sequence[Asked], *, most_tokens: float, context: BuildContext) -> list[Asked]:
    """Up to ``most_tokens`` of answers, but one of each character: in turns, in random order."""
    shuffled = _shuffled(asked, lambda row: row.character, random.Random(context.settings.seed))
    rows = filter(None, chain.from_iterable(zip_longest(*shuffled)))
    return take_of_each(rows, {row.character for row in asked}, most_tokens, context)


def _shuffled(
    asked: Iterable[Asked], key: Callable[[Asked], object], chance: random.Random
) -> list[list[Asked]]:
    """The rows of each key, in random order; the keys in the order of their first rows."""
    found: dict[object, list[Asked]] = {}
    for row in asked:
        found.setdefault(key(row), []).append(row)
    for rows in found.values():
        chance.shuffle(rows)
    return list(found.values())


def answer_tokens(asked: Iterable[Asked], context: BuildContext) -> int:
    """What is learnt of rows: their answers and the line breaks."""
    return sum(context.count(f"{prompts.one_line(row.answer)}\n") for row in asked)


def groups(asked: Iterable[Asked], context: BuildContext) -> Iterator[Group]:
    """1 to ``interviews_a_passage`` questions of one character and task each, in random order."""
    chance = random.Random(context.settings.seed)
    for rows in _shuffled(asked, lambda row: (row.task, row.character), chance):
        while rows:
            size = chance.randint(1, context.settings.interviews_a_passage)
            yield _drawn(rows[:size], chance, context)
            rows = rows[size:]


def singles(asked: Iterable[Asked], context: BuildContext) -> Iterator[Group]:
    """Every question alone, in order."""
    chance = random.Random(context.settings.seed)
    return (_drawn([row], chance, context) for row in asked)


def _drawn(asked: Sequence[Asked], chance: random.Random, context: BuildContext) -> Group:
    searches = chance.random() < context.settings.interview_background_share
    shown = chance.random() >= context.settings.profile_drop
    profile = context.profiles.get(asked[0].character, "") if shown else ""
    return Group(tuple(asked), (), profile, searches and context.retriever is not None)


def group_queries(group: Group, context: BuildContext) -> list[tuple[Query, Asked]]:
    """A search for each of its questions that has background, and the question."""
    # A line of the novel finds what is known before its chapter: later, the plot it is part of.
    most, found = context.settings.snippets, []
    for row in group.asked if group.searches and context.retriever else ():
        text = prompts.question_query(row.question, row.character)
        chapter = None if row.chapter is None else row.chapter - 1
        found.append((Query(text, most, row.character, chapter), row))
    return found


def with_background(group: Group, context: BuildContext) -> Group:
    """The group with what its questions found, each snippet once, and the evidence of facts."""
    if not group.searches:
        return group
    best = {text: Snippet(text, source="evidence") for text in group.facts}
    best |= {snippet.text: snippet for snippet in group.background}
    for query, row in group_queries(group, context):
        found = context.snippets(query)
        if row.evidence and not any(row.evidence in snippet.text for snippet in found):
            found = [Snippet(row.evidence, source="evidence"), *found][: query.k]
        for snippet in found:
            best.setdefault(snippet.text, snippet)
    tokens = context.settings.background_tokens * min(len(group.asked), _MOST_BACKGROUNDS)
    kept = prompts.fit_background(list(best.values()), context.count, tokens)
    return replace(group, background=tuple(kept))
