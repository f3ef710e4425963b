"""Prompt/response rows, one a line of a character: what sequence-to-sequence trainers (and the seed's) read.

One row of ``train.json`` (JSON Lines, the field names of the seed)::

    {"prompt": "【窗外飘来一股热气】\\n郝婶：小筝，椒盐的出笼咯！\\n闻筝：", "response": "焦的那头是我的，没得商量！",
     "character": "闻筝", "task": "scene", "chapter": 0, "weight": 1.0}

The prompt is cut from the end: the cue and the newest lines stay, the oldest go.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence

from roleplay import prompts
from roleplay.dataset.passages import DatasetSettings, cut_scenes, line_weight
from roleplay.errors import DatasetError, PromptError
from roleplay.prompts import Budget, Count, Lookup, Snippet
from roleplay.records import Example, Interview, Line
from roleplay.script import format_body, format_script

_LONGEST_HISTORY = 60
"""Lines: more never fit a prompt and would only be counted."""


def scene_rows(
    chapters: dict[int, list[Line]],
    characters: Collection[str],
    *,
    count: Count,
    budget: Budget,
    settings: DatasetSettings,
    lookup: Lookup | None = None,
) -> Iterator[Example]:
    """A row for every line to be learnt, with as much of its chapter before it as the budget holds."""
    chance = random.Random(settings.seed)
    for chapter, lines in chapters.items():
        place = 0
        for scene in cut_scenes(lines, chapter=chapter, count=count, max_tokens=settings.scene_tokens):
            wanted = lookup and chance.random() < settings.background_share
            found = lookup(format_script(scene.lines), settings.snippets) if lookup and wanted else ()
            for line in scene.lines:
                history = lines[max(0, place - _LONGEST_HISTORY) : place]
                place += 1
                weight = line_weight(line, characters, settings.interjection_weight)
                row = _scene_row(line, history, found, weight, chapter, count, budget) if weight else None
                if row:
                    yield row


def _scene_row(
    line: Line,
    history: Sequence[Line],
    background: Sequence[Snippet],
    weight: float,
    chapter: int,
    count: Count,
    budget: Budget,
) -> Example | None:
    """The row of a line, or None where the line before it alone is longer than the budget."""
    character = line.char or ""
    try:
        prompt = prompts.scene_prompt(character, history, count=count, background=background, budget=budget)
    except PromptError:
        return None
    return Example(
        prompt=prompt.text,
        response=format_body(line),
        character=character,
        task="scene",
        chapter=chapter,
        weight=weight,
    )


def question_rows(
    interviews: Iterable[Interview],
    characters: Collection[str],
    *,
    count: Count,
    budget: Budget,
    settings: DatasetSettings,
    lookup: Lookup | None = None,
) -> Iterator[Example]:
    """A row for every interview of a wanted character."""
    chance = random.Random(settings.seed)
    for row in interviews:
        if row.character not in characters:
            continue
        wanted = lookup and chance.random() < settings.interview_background_share
        query = prompts.question_query(row.question, row.character)
        found = lookup(query, settings.snippets) if lookup and wanted else ()
        prompt = prompts.question_prompt(row.character, row.question, count=count, background=found, budget=budget)
        answer = prompts.one_line(row.answer)
        yield Example(prompt=prompt.text, response=answer, character=row.character, task="question")


def split_chapters(chapters: Collection[int], share: float, seed: int) -> tuple[list[int], list[int]]:
    """(train, test) chapter numbers: whole chapters are held out, never single lines.

    Raises:
        DatasetError: fewer than two chapters have lines.
    """
    numbers = sorted(chapters)
    if len(numbers) < 2:
        raise DatasetError(f"{len(numbers)} chapters have lines to learn, a split needs 2: give a longer novel")
    held = max(1, min(len(numbers) - 1, round(len(numbers) * share)))
    test = sorted(random.Random(seed).sample(numbers, held))
    return [number for number in numbers if number not in test], test
