"""Role choice: whose line is this? A model that knows its characters finds it likeliest after the
cue of the one who spoke it.

    places = role_places(chapter_lines, names, most=60)
    choices = [choose_role(backend, place, names) for place in places]      # names
    right = share([choice == place.line.char for choice, place in zip(choices, places)])

Only what stands before the line is read, never the line's own cue. Chance is 1 / len(names). Causal
models only.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from roleplay import prompts
from roleplay.backends.likelihood import losses
from roleplay.backends.local import LocalBackend
from roleplay.prompts import Budget
from roleplay.records import Line
from roleplay.script import format_body

_HISTORY = 8  # Lines before the one whose speaker is sought.
_SHORTEST = 4
_BUDGET = Budget(prompt=512, background=0)


@dataclass(frozen=True)
class Place:
    """A line of a known speaker, and the lines before it, oldest first."""

    before: tuple[Line, ...]
    line: Line


def role_places(
    chapters: Iterable[Sequence[Line]], names: Collection[str], *, most: int
) -> list[Place]:
    """At most ``most`` spoken lines of ``names``, spread evenly; very short ones tell nothing."""
    found = [
        Place(tuple(lines[max(0, number - _HISTORY) : number]), line)
        for lines in chapters
        for number, line in enumerate(lines)
        if number and line.kind == "say" and line.char in names and len(line.text) >= _SHORTEST
    ]
    step = max(len(found) / most, 1.0)
    return [found[int(number * step)] for number in range(int(len(found) / step))]


def choose_role(
    backend: LocalBackend,
    place: Place,
    names: Sequence[str],
    *,
    profiles: Mapping[str, str] | None = None,
) -> str:
    """The one of ``names`` after whose cue the line is likeliest.

    ``profiles``, by name, are what a model trained with profiles reads first.
    """
    known, made = profiles or {}, {}
    for name in names:
        more: dict[str, Any] = {"budget": _BUDGET, "profile": known.get(name, "")}
        made[name] = prompts.scene_prompt(name, place.before, count=backend.count, **more)
    body = f"{format_body(place.line)}\n"
    found: dict[str, float] = {}
    # Neighbours with one text before the cue share its pass; thoughts and profiles make it differ.
    for context, group in groupby(made.items(), key=lambda item: item[1].segments[:-1]):
        cues = {name: prompt.segments[-1] for name, prompt in group}
        scored = losses(backend, context, [(cue, body) for cue in cues.values()])
        found |= dict(zip(cues, scored, strict=True))
    return min(found, key=lambda name: found[name])
