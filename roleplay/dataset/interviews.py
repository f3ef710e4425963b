"""Questions to a character and their answers: which are learnt, in which groups, and with what background.

    kept = choose(asked, most_tokens=9_000, materials=materials)     # evenly over the characters, the seed's choice
    for group in groups(kept, materials): ...                        # 1 to 3 questions to one character

An interview whose answer stands in a sentence of its ``evidence`` is a **fact**: where it has background at all, that
sentence is in it, so that reading the answer off the background is learnt as well.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from roleplay import prompts
from roleplay.dataset.settings import Materials
from roleplay.prompts import Snippet
from roleplay.records import Interview, Task


@dataclass(frozen=True)
class Asked:
    """A question to a character, what it answers, and what that teaches; ``chapter`` is where the novel has it."""

    character: str
    question: str
    answer: str
    task: Task = "question"
    evidence: str = ""
    chapter: int | None = None

    @classmethod
    def of(cls, row: Interview) -> Asked:
        """An interview as a question, or as a fact where it has evidence."""
        task: Task = "fact" if row.evidence else "question"
        return cls(row.character, row.question, row.answer, task, row.evidence or "")


@dataclass(frozen=True)
class Evidence:
    """The sentence that holds an answer, as a snippet of background."""

    text: str
    score: float = 1.0
    source: str = "evidence"


@dataclass(frozen=True)
class Group:
    """Questions that one passage asks, and what stands before them."""

    asked: tuple[Asked, ...]
    background: tuple[Snippet, ...]
    profile: str


def choose(asked: Sequence[Asked], *, most_tokens: float, materials: Materials) -> list[Asked]:
    """As many as ``most_tokens`` of answers hold, but one of each character at least: in turns, in the seed's order."""
    kept: list[Asked] = []
    names = {row.character for row in asked}
    for row in in_turns(asked, random.Random(materials.settings.seed)):
        most_tokens -= answer_tokens(row, materials)
        if most_tokens < 0 and {other.character for other in kept} == names:
            break
        kept.append(row)
    return kept


def in_turns(asked: Iterable[Asked], chance: random.Random) -> Iterator[Asked]:
    """One of each character, then the next of each, each character's own in random order."""
    by_character: dict[str, list[Asked]] = {}
    for row in asked:
        by_character.setdefault(row.character, []).append(row)
    for rows in by_character.values():
        chance.shuffle(rows)
    for number in range(max(map(len, by_character.values()), default=0)):
        yield from (rows[number] for rows in by_character.values() if number < len(rows))


def answer_tokens(row: Asked, materials: Materials) -> int:
    """What is learnt of a row: its answer and the line break."""
    return materials.count(f"{prompts.one_line(row.answer)}\n")


def groups(asked: Iterable[Asked], materials: Materials) -> Iterator[Group]:
    """Groups of 1 to ``interviews_a_passage`` questions of one character and task, in random order."""
    settings = materials.settings
    chance = random.Random(settings.seed)
    for rows in _by_character(asked, chance):
        while rows:
            size = chance.randint(1, settings.interviews_a_passage)
            group, rows = tuple(rows[:size]), rows[size:]
            wanted = chance.random() < settings.interview_background_share
            shown = chance.random() >= settings.profile_drop
            found = group_background(group, materials) if wanted else []
            profile = materials.profiles.get(group[0].character, "") if shown else ""
            yield Group(group, tuple(found), profile)


def _by_character(asked: Iterable[Asked], chance: random.Random) -> list[list[Asked]]:
    found: dict[tuple[str, str], list[Asked]] = {}
    for row in asked:
        found.setdefault((row.task, row.character), []).append(row)
    for rows in found.values():
        chance.shuffle(rows)
    return list(found.values())


def group_background(group: Sequence[Asked], materials: Materials) -> list[Snippet]:
    """Snippets for all questions of a group, each once, within a budget that grows with the group."""
    best: dict[str, Snippet] = {}
    for row in group:
        for snippet in row_background(row, materials):
            best.setdefault(snippet.text, snippet)
    tokens = materials.settings.background_tokens * len(group)
    return prompts.fit_background(list(best.values()), materials.count, tokens)


def row_background(row: Asked, materials: Materials) -> list[Snippet]:
    """What is found for a question, best first; a fact's evidence is among it, or no background is used at all.

    A line of the novel has none: what it finds is the plot that it is part of.
    """
    if materials.lookup is None or row.chapter is not None:
        return []
    query = prompts.question_query(row.question, row.character)
    found = materials.fitting(materials.lookup(query, materials.settings.snippets, character=row.character))
    if row.evidence and not any(row.evidence in snippet.text for snippet in found):
        found = [Evidence(row.evidence), *found][: materials.settings.snippets]
    return found
