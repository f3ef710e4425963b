r"""Prompt/response rows, one a line of a character: what sequence-to-sequence trainers read.

One row of ``train.json`` (JSON Lines, the field names of the seed)::

    {"prompt": "【窗外飘来一股热气】\n郝婶：小筝，椒盐的出笼咯！\n闻筝：",
     "response": "焦的那头是我的，没得商量！",
     "character": "闻筝", "task": "scene", "chapter": 0, "weight": 1.0}

The prompt is cut from the end: the cue and the newest lines stay, the oldest go. With ``forms`` the
line before the cue asks for what follows: ``【请发言】``, ``【请行动】`` or ``【请思考】``.
"""

import random
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from roleplay import prompts
from roleplay.dataset.conversations import history
from roleplay.dataset.interviews import Group
from roleplay.dataset.scenes import Chapters, Piece, scene_background
from roleplay.dataset.settings import BuildContext
from roleplay.errors import DatasetError, PromptError
from roleplay.prompts import Budget
from roleplay.records import Example
from roleplay.script import format_body, format_cue

_FORMS = {"say": "【请发言】\n", "act": "【请行动】\n", "think": "【请思考】\n"}
_LONGEST_HISTORY = 60  # Lines: more never fit a prompt and would only be counted.


def scene_rows(
    chapters: Chapters, pieces: Iterable[Piece], context: BuildContext, *, budget: Budget
) -> Iterator[Example]:
    """A row for every line to be learnt that fits the budget, with as much before it as does."""
    for piece in pieces:
        for place, (line, weight) in enumerate(piece.lines, piece.start):
            if not weight:
                continue
            character = line.char or ""
            form = _FORMS[line.kind] if context.settings.forms else ""
            try:
                prompt = prompts.scene_prompt(
                    character,
                    chapters[piece.chapter][max(0, place - _LONGEST_HISTORY) : place],
                    count=context.count,
                    background=scene_background(piece, (character,), context),
                    budget=replace(budget, prompt=budget.prompt - context.count(form)),
                    profile=context.profiles.get(character, "") if piece.profiles else "",
                )
            except PromptError:
                continue
            yield Example(
                prompt="".join((*prompt.segments[:-1], form, format_cue(character))),
                response=format_body(line),
                character=character,
                task="scene",
                chapter=piece.chapter,
                weight=weight,
            )


def question_rows(
    groups: Iterable[Group], context: BuildContext, *, budget: Budget
) -> Iterator[Example]:
    """A row for every question that fits the budget; those of invented people have no character."""
    for group in groups:
        for place, row in enumerate(group.asked):
            try:
                prompt = prompts.question_prompt(
                    row.character,
                    row.question,
                    count=context.count,
                    history=history(group, place),
                    background=group.background,
                    budget=budget,
                    profile=group.profile,
                )
            except PromptError:
                continue
            yield Example(
                prompt=prompt.text,
                response=prompts.one_line(row.answer),
                character=row.character if row.character in context.characters else "",
                task=row.task,
                chapter=row.chapter,
            )


def split_chapters(
    chapters: Collection[int], share: float, seed: int
) -> tuple[list[int], list[int]]:
    """(train, test) chapter numbers: whole chapters are held out, never single lines.

    Raises:
        DatasetError: fewer than two chapters have lines.
    """
    numbers = sorted(chapters)
    if len(numbers) < 2:
        raise DatasetError("dataset.few-chapters", count=len(numbers))
    held = max(1, min(len(numbers) - 1, round(len(numbers) * share)))
    test = sorted(random.Random(seed).sample(numbers, held))
    return [number for number in numbers if number not in test], test
