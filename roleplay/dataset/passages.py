"""What a model is trained on: passages, whole scenes or interviews in which some segments are to be learnt.

One passage, as segments (weight, text)::

    (0, "【郝婶卖豆糕，住檐下巷四十一号。】\\n")      background, as chat shows it
    (0, "【窗外飘来一股热气】\\n")
    (0, "郝婶：") (1, "小筝，椒盐的出笼咯！\\n")
    (0, "闻筝：") (1, "焦的那头是我的，没得商量！ \\emoji 兴奋\\n")

A causal model learns every wanted line of the scene in one pass, where one row a line would read the same text again for
each. The segments are those of :mod:`roleplay.prompts`, so a trained line and a chatted line have the same ids before it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from roleplay import prompts
from roleplay.prompts import Count, Lookup, Snippet
from roleplay.records import UNKNOWN, Interview, Line, Passage, Scene, Segment
from roleplay.script import format_cue, format_script

_SAID = re.compile(r"[\w]")
_SHORT = 3


@dataclass(frozen=True)
class DatasetSettings:
    """How passages are cut. Lengths are tokens of the model that is trained."""

    scene_tokens: int = 448
    background_tokens: int = 160
    background_share: float = 0.6
    interview_background_share: float = 0.9
    snippets: int = 2
    interviews_a_passage: int = 3
    interjection_weight: float = 0.3
    test_share: float = 0.2
    seed: int = 7


def line_weight(line: Line, characters: Collection[str], interjection_weight: float) -> float:
    """How much a line counts in the loss: 0 if nobody wanted speaks, less than 1 for a bare interjection.

    A line of at most three letters or digits ("啊？", "哦。") teaches dullness; 8 % of a distilled book are such lines.
    """
    if line.kind == "info" or line.char == UNKNOWN or line.char not in characters:
        return 0.0
    short = line.kind == "say" and len(_SAID.findall(line.text)) <= _SHORT
    return interjection_weight if short else 1.0


def cut_scenes(lines: Sequence[Line], *, chapter: int, count: Count, max_tokens: int) -> Iterator[Scene]:
    """Consecutive lines of one chapter in scenes of at most ``max_tokens``; a longer single line stands alone."""
    scene: list[Line] = []
    used = 0
    for line in lines:
        tokens = sum(count(part) for part in prompts.line_segments(line))
        if scene and used + tokens > max_tokens:
            yield Scene(chapter=chapter, lines=tuple(scene))
            scene, used = [], 0
        scene.append(line)
        used += tokens
    if scene:
        yield Scene(chapter=chapter, lines=tuple(scene))


def scene_passage(
    scene: Scene, characters: Collection[str], background: Sequence[Snippet], settings: DatasetSettings
) -> Passage | None:
    """The passage of a scene, or None where nothing in it is to be learnt."""
    segments = [*_background(background)]
    for line in scene.lines:
        *before, body = prompts.line_segments(line)
        segments += [Segment(text=text) for text in before]
        weight = line_weight(line, characters, settings.interjection_weight)
        segments.append(Segment(text=body, weight=weight))
    if not any(segment.weight for segment in segments):
        return None
    return Passage(task="scene", chapter=scene.chapter, segments=tuple(segments))


def interview_passage(interviews: Sequence[Interview], background: Sequence[Snippet]) -> Passage:
    """Several questions to one character, one after the other, as a chat with history shows them."""
    segments = [*_background(background)]
    for interview in interviews:
        segments += [Segment(text=text) for text in prompts.question_segments(interview.question)]
        segments.append(Segment(text=format_cue(interview.character)))
        segments.append(Segment(text=f"{prompts.one_line(interview.answer)}\n", weight=1.0))
    return Passage(task="question", segments=tuple(segments))


def _background(snippets: Sequence[Snippet]) -> Iterator[Segment]:
    """Worst first, so that the best stands nearest to the scene, as in :func:`roleplay.prompts.scene_prompt`."""
    for snippet in reversed(snippets):
        yield Segment(text=prompts.background_segment(snippet))


def build_scenes(
    chapters: dict[int, list[Line]],
    characters: Collection[str],
    *,
    count: Count,
    lookup: Lookup | None,
    settings: DatasetSettings,
) -> list[Passage]:
    """The passages of whole chapters; a share of them has background, chosen by the settings' seed."""
    chance = random.Random(settings.seed)
    passages = []
    for chapter, lines in chapters.items():
        for scene in cut_scenes(lines, chapter=chapter, count=count, max_tokens=settings.scene_tokens):
            wanted = chance.random() < settings.background_share
            found = lookup(format_script(scene.lines), settings.snippets) if lookup and wanted else ()
            background = prompts.fit_background(found, count, settings.background_tokens)
            if passage := scene_passage(scene, characters, background, settings):
                passages.append(passage)
    return passages


def build_interviews(
    interviews: Iterable[Interview],
    characters: Collection[str],
    *,
    count: Count,
    lookup: Lookup | None,
    settings: DatasetSettings,
) -> list[Passage]:
    """Interviews in groups of one character, each group with the background found for its questions."""
    chance = random.Random(settings.seed)
    passages = []
    for group in _groups(interviews, characters, settings.interviews_a_passage, chance):
        wanted = lookup is not None and chance.random() < settings.interview_background_share
        found = _found(group, lookup, settings) if wanted and lookup else []
        background = prompts.fit_background(found, count, settings.background_tokens * len(group))
        passages.append(interview_passage(group, background))
    return passages


def _groups(
    interviews: Iterable[Interview], characters: Collection[str], most: int, chance: random.Random
) -> Iterator[list[Interview]]:
    """Groups of 1 to ``most`` interviews of one character, in random order."""
    by_character: dict[str, list[Interview]] = {}
    for interview in interviews:
        if interview.character in characters:
            by_character.setdefault(interview.character, []).append(interview)
    for rows in by_character.values():
        chance.shuffle(rows)
        while rows:
            size = chance.randint(1, most)
            group, rows = rows[:size], rows[size:]
            yield group


def _found(group: Sequence[Interview], lookup: Lookup, settings: DatasetSettings) -> list[Snippet]:
    """Snippets for all questions of a group, each once, in random order of use but best-scored first."""
    best: dict[str, Snippet] = {}
    for interview in group:
        for snippet in lookup(prompts.question_query(interview.question, interview.character), settings.snippets):
            best.setdefault(snippet.text, snippet)
    return list(best.values())
