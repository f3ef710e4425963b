"""From chapters to scenes, from scenes to views: what stands in a passage, and who may read it.

A **view** is a scene as one pass may show it. Where one trained character speaks, it is that
character's: its own thoughts stand in it, those of others do not. Where several do, the scene is
shared and holds nobody's thoughts, since what one thinks the others must not read; each of their
thinkers then gets a view of its own, in which only its thoughts are learnt.

    piece = cut_pieces({1: lines}, weights, context)[0]
    [view.characters for view in views(piece)]      # [("闻筝", "陆迟"), ("陆迟",)]

The background of a view is what all its characters may know before the scene's chapter: what a
summary of that chapter or a line of it says is what is to be learnt, or tomorrow's plot.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from roleplay import prompts
from roleplay.background import Query, Snippet
from roleplay.dataset.settings import BuildContext
from roleplay.prompts import Count
from roleplay.records import Line
from roleplay.script import format_script

_WIDER = 4  # So many times more snippets are searched for than shown: all must know those shown.

Chapters = Mapping[int, Sequence[Line]]
Weights = Mapping[int, Sequence[float]]
"""By chapter, parallel to its lines: how much each counts in the loss; 0 is context."""


@dataclass(frozen=True)
class Piece:
    """A scene: its lines with their weights, the place of the first, and what chance gave it."""

    chapter: int
    start: int
    lines: tuple[tuple[Line, float], ...]
    background: bool
    profiles: bool

    @property
    def learners(self) -> tuple[str, ...]:
        """Who has a line with a weight in it, those with most lines first."""
        counted = Counter(line.char for line, weight in self.lines if weight and line.char)
        return tuple(name for name, _ in counted.most_common())


@dataclass(frozen=True)
class View:
    """Lines with their weights, and who learns from them, those with most lines first."""

    lines: Sequence[tuple[Line, float]]
    characters: tuple[str, ...]


def cut_scenes(lines: Iterable[Line], count: Count, max_tokens: int) -> Iterator[list[Line]]:
    """One chapter in scenes of at most ``max_tokens``; a longer single line stands alone."""
    scene: list[Line] = []
    used = 0
    for line in lines:
        tokens = sum(map(count, prompts.line_segments(line)))
        if scene and used + tokens > max_tokens:
            yield scene
            scene, used = [], 0
        scene.append(line)
        used += tokens
    if scene:
        yield scene


def cut_pieces(chapters: Chapters, weights: Weights, context: BuildContext) -> list[Piece]:
    """The scenes of all chapters; the seed draws which have background and which have profiles."""
    settings, pieces = context.settings, []
    # Two sources of chance: the draws of background stay the same in all modes.
    for_background = random.Random(settings.seed)
    for_profiles = random.Random(f"profiles {settings.seed}")
    for chapter, lines in chapters.items():
        start = 0
        for scene in cut_scenes(lines, context.count, settings.scene_tokens):
            weighted = tuple(zip(scene, weights[chapter][start:], strict=False))
            background = for_background.random() < settings.background_share
            profiles = for_profiles.random() >= settings.profile_drop
            pieces.append(Piece(chapter, start, weighted, background, profiles))
            start += len(scene)
    return pieces


def views(piece: Piece) -> Iterator[View]:
    """What is learnt from a scene, each in one pass; nothing where no line of it has a weight."""
    names = piece.learners
    if len(names) == 1:
        yield View(_seen_by(names[0], piece), names)
        return
    shared = [(line, weight) for line, weight in piece.lines if line.kind != "think"]
    speakers = {line.char for line, weight in shared if weight}
    if speakers:
        yield View(shared, tuple(name for name in names if name in speakers))
    for name in names:
        seen = _seen_by(name, piece)
        thoughts = [(line, weight if line.kind == "think" else 0.0) for line, weight in seen]
        # Nothing is learnt from what stands after the last thought.
        end = max((place for place, (_, weight) in enumerate(thoughts, 1) if weight), default=0)
        if end:
            yield View(thoughts[:end], (name,))


def _seen_by(name: str, piece: Piece) -> list[tuple[Line, float]]:
    return [row for row in piece.lines if row[0].kind != "think" or row[0].char == name]


def target_tokens(pieces: Iterable[Piece], count: Count) -> int:
    """Tokens that scenes teach: the bodies of lines with a weight, in every view that has them."""
    found = (row for piece in pieces for view in views(piece) for row in view.lines)
    return sum(count(prompts.line_segments(line)[-1]) for line, weight in found if weight)


def scene_queries(piece: Piece, names: Iterable[str], context: BuildContext) -> list[Query]:
    """A search for each of ``names``; none where chance gave the scene no background.

    What all can see, and one width: so passages and rows of a scene share their searches.
    """
    if context.retriever is None or not piece.background:
        return []
    text = format_script(line for line, _ in piece.lines if line.kind != "think")
    most = context.settings.snippets * _WIDER
    return [Query(text, most, name, piece.chapter - 1) for name in names]


def scene_background(piece: Piece, names: Sequence[str], context: BuildContext) -> list[Snippet]:
    """What each of ``names`` may know of the background, best first, within the budget."""
    found = [context.snippets(query) for query in scene_queries(piece, names, context)]
    first, *others = found or [[]]
    known = [{snippet.text for snippet in snippets} for snippets in others]
    shared = [snippet for snippet in first if all(snippet.text in texts for texts in known)]
    best = shared[: context.settings.snippets]
    return prompts.fit_background(best, context.count, context.settings.background_tokens)
