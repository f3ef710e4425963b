"""From chapters to scenes, from scenes to views: what stands in a scene's passage, and who may read it.

A **view** is a scene as one pass may show it. Where one trained character speaks, it is that character's: its own
thoughts stand in it, those of others do not. Where several do, the scene is shared and holds nobody's thoughts, since
what one thinks the others must not read; each of their thinkers then gets a view of its own, which ends with its last
thought and in which only its thoughts are learnt.

The background of a view is what all its characters may know before the scene's chapter: what a summary of that chapter
or a line of it says is what is to be learnt, or tomorrow's plot.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from roleplay import prompts
from roleplay.dataset.settings import Materials
from roleplay.prompts import Count, Snippet
from roleplay.records import Line, Scene
from roleplay.script import format_script

MOST_PROFILES = 3
"""Profiles before a shared scene; more would push the scene out of the model's sight."""

_WIDER = 4
"""How many times more snippets are looked up where several must know them."""

Chapters = Mapping[int, Sequence[Line]]
Weights = Mapping[int, Sequence[float]]
"""By chapter, parallel to its lines: how much each counts in the loss; 0 is context."""


@dataclass(frozen=True)
class Piece:
    """A scene of a chapter: ``start`` is the place of its first line; what chance gave it."""

    scene: Scene
    start: int
    weights: tuple[float, ...]
    background: bool
    profiles: bool


@dataclass(frozen=True)
class View:
    """Lines with their weights, and the characters that learn from them, those with most lines first."""

    lines: tuple[Line, ...]
    weights: tuple[float, ...]
    characters: tuple[str, ...]


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


def cut_pieces(chapters: Chapters, weights: Weights, materials: Materials) -> Iterator[Piece]:
    """The scenes of all chapters; the seed draws which have background and which have profiles."""
    settings = materials.settings
    # Two sources of chance: the draws of background stay the same in all modes.
    for_background, for_profiles = random.Random(settings.seed), random.Random(f"profiles {settings.seed}")
    for chapter, lines in chapters.items():
        start = 0
        for scene in cut_scenes(lines, chapter=chapter, count=materials.count, max_tokens=settings.scene_tokens):
            end = start + len(scene.lines)
            with_background = for_background.random() < settings.background_share
            with_profiles = for_profiles.random() >= settings.profile_drop
            yield Piece(scene, start, tuple(weights[chapter][start:end]), with_background, with_profiles)
            start = end


def views(piece: Piece) -> Iterator[View]:
    """What is learnt from a scene, each in one pass; nothing where no line of it has a weight."""
    pairs = list(zip(piece.scene.lines, piece.weights, strict=True))
    counted = Counter(line.char for line, weight in pairs if weight and line.char)
    names = tuple(name for name, _ in counted.most_common())
    if len(names) == 1:
        yield _view(_seen_by(names[0], pairs), names)
    elif names:
        shared = [(line, weight) for line, weight in pairs if line.kind != "think"]
        if any(weight for _, weight in shared):
            yield _view(shared, tuple(name for name in names if any(w and row.char == name for row, w in shared)))
        yield from _thoughts(pairs, names)


def _thoughts(pairs: Sequence[tuple[Line, float]], names: Sequence[str]) -> Iterator[View]:
    """The view of each thinker, up to the last thought that is learnt."""
    for name in names:
        seen = [(line, weight if line.kind == "think" else 0.0) for line, weight in _seen_by(name, pairs)]
        last = max((place for place, (_, weight) in enumerate(seen) if weight), default=-1)
        if last >= 0:
            yield _view(seen[: last + 1], (name,))


def _seen_by(name: str, pairs: Sequence[tuple[Line, float]]) -> list[tuple[Line, float]]:
    return [(line, weight) for line, weight in pairs if line.kind != "think" or line.char == name]


def _view(pairs: Sequence[tuple[Line, float]], names: tuple[str, ...]) -> View:
    return View(tuple(line for line, _ in pairs), tuple(weight for _, weight in pairs), names)


def scene_background(piece: Piece, names: Sequence[str], materials: Materials) -> list[Snippet]:
    """The background of a scene for ``names``, best first, within the settings' budget; none where chance gave none.

    It is searched with what all can see, so that one scene is one query whoever speaks in it.
    """
    if materials.lookup is None or not piece.background:
        return []
    query = format_script(line for line in piece.scene.lines if line.kind != "think")
    found = known_to_all(query, names, chapter=piece.scene.chapter - 1, materials=materials)
    return prompts.fit_background(found, materials.count, materials.settings.background_tokens)


def known_to_all(query: str, names: Sequence[str], *, chapter: int, materials: Materials) -> list[Snippet]:
    """The best snippets that each of ``names`` may know."""
    lookup, most = materials.lookup, materials.settings.snippets
    if lookup is None:
        return []
    # As many for one name as for several, so that a caching lookup answers passages and rows alike.
    first, *others = [
        materials.fitting(lookup(query, most * _WIDER, character=name, chapter=chapter)) for name in names
    ]
    known = [{snippet.text for snippet in found} for found in others]
    return [snippet for snippet in first if all(snippet.text in texts for texts in known)][:most]


def view_profiles(view: View, materials: Materials) -> list[str]:
    """The profiles of a view's characters as segments, at most three."""
    named = [name for name in view.characters if materials.profiles.get(name)][:MOST_PROFILES]
    return [prompts.profile_segment(name, materials.profiles[name]) for name in named]
