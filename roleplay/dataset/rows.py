r"""Prompt/response rows, one a line of a character: what sequence-to-sequence trainers (and the seed's) read.

One row of ``train.json`` (JSON Lines, the field names of the seed)::

    {"prompt": "【窗外飘来一股热气】\n郝婶：小筝，椒盐的出笼咯！\n闻筝：", "response": "焦的那头是我的，没得商量！",
     "character": "闻筝", "task": "scene", "chapter": 0, "weight": 1.0}

The prompt is cut from the end: the cue and the newest lines stay, the oldest go. With ``forms`` the line before the cue
asks for what follows: ``【请发言】``, ``【请行动】`` or ``【请思考】``.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from roleplay import prompts
from roleplay.dataset.interviews import Asked, Group, row_background
from roleplay.dataset.scenes import Chapters, Piece, Weights, cut_pieces, scene_background
from roleplay.dataset.settings import Materials
from roleplay.errors import DatasetError, PromptError
from roleplay.prompts import Budget, Snippet
from roleplay.records import Example, Line
from roleplay.script import format_body, format_cue

FORMS = {"say": "【请发言】\n", "act": "【请行动】\n", "think": "【请思考】\n"}
"""What asks for a kind of line, where rows have it."""

_LONGEST_HISTORY = 60
"""Lines: more never fit a prompt and would only be counted."""


def scene_rows(chapters: Chapters, weights: Weights, materials: Materials, *, budget: Budget) -> Iterator[Example]:
    """A row for every line to be learnt, with as much of its chapter before it as the budget holds."""
    for piece in cut_pieces(chapters, weights, materials):
        lines = chapters[piece.scene.chapter]
        for place, (line, weight) in enumerate(zip(piece.scene.lines, piece.weights, strict=True), piece.start):
            history = lines[max(0, place - _LONGEST_HISTORY) : place]
            row = _scene_row(line, history, piece, materials, budget) if weight else None
            if row:
                yield row.model_copy(update={"weight": weight})


def _scene_row(
    line: Line, history: Sequence[Line], piece: Piece, materials: Materials, budget: Budget
) -> Example | None:
    """The row of a line, or None where the line before it alone is longer than the budget."""
    character = line.char or ""
    form = FORMS[line.kind] if materials.settings.forms else ""
    try:
        prompt = prompts.scene_prompt(
            character,
            history,
            count=materials.count,
            background=scene_background(piece, (character,), materials),
            budget=replace(budget, prompt=budget.prompt - materials.count(form)),
            profile=materials.profiles.get(character, "") if piece.profiles else "",
        )
    except PromptError:
        return None
    text = "".join((*prompt.segments[:-1], form, format_cue(character)))
    return Example(
        prompt=text, response=format_body(line), character=character, task="scene", chapter=piece.scene.chapter
    )


def question_rows(asked: Iterable[Asked], materials: Materials, *, budget: Budget) -> Iterator[Example]:
    """A row for every question; one that is longer than the budget is left out."""
    settings = materials.settings
    chance = random.Random(settings.seed)
    for row in asked:
        wanted = chance.random() < settings.interview_background_share
        shown = chance.random() >= settings.profile_drop
        found = row_background(row, materials) if wanted else ()
        profile = materials.profiles.get(row.character, "") if shown else ""
        yield from _question_row(row, found, materials, budget, profile=profile)


def reading_rows(groups: Iterable[Group], materials: Materials, *, budget: Budget) -> Iterator[Example]:
    """As :func:`question_rows`, for groups that bring their background; a row of an invented person is of no character."""
    for group in groups:
        for row in group.asked:
            yield from _question_row(row, group.background, materials, budget)


def _question_row(
    row: Asked, background: Sequence[Snippet], materials: Materials, budget: Budget, *, profile: str = ""
) -> Iterator[Example]:
    """The row, or none where the question is longer than the budget."""
    try:
        prompt = prompts.question_prompt(
            row.character,
            row.question,
            count=materials.count,
            background=background,
            budget=budget,
            profile=profile,
        )
    except PromptError:
        return
    character = row.character if row.character in materials.characters else ""
    yield Example(
        prompt=prompt.text,
        response=prompts.one_line(row.answer),
        character=character,
        task=row.task,
        chapter=row.chapter,
    )


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
