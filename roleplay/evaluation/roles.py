"""Role choice: whose line is this? A model that knows its characters gives a line the highest likelihood after the cue of
the one who spoke it.

    places = role_places(chapter_lines, names, most=60)
    choices = [choose_role(player_backend, place, names) for place in places]      # names
    right = share([choice == place.line.char for choice, place in zip(choices, places)])

Only what stands before the line is read, never the line's own cue. Chance is 1 / len(names). Causal models only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch

from roleplay import prompts
from roleplay.backends.local import LocalBackend
from roleplay.models import causal
from roleplay.prompts import Budget, Prompt
from roleplay.records import Line
from roleplay.script import format_body
from roleplay.training.loss import token_losses

HISTORY = 8
"""Lines before the one whose speaker is sought."""

_SHORTEST = 4
_BUDGET = Budget(prompt=512, background=0)


@dataclass(frozen=True)
class Place:
    """A line of a known speaker, and the lines before it, oldest first."""

    before: tuple[Line, ...]
    line: Line


def role_places(chapters: Iterable[Sequence[Line]], names: Collection[str], *, most: int) -> list[Place]:
    """At most ``most`` spoken lines of ``names``, spread evenly; very short ones tell nothing and are left out."""
    found = [
        Place(tuple(lines[max(0, number - HISTORY) : number]), line)
        for lines in chapters
        for number, line in enumerate(lines)
        if number and line.kind == "say" and line.char in names and len(line.text) >= _SHORTEST
    ]
    step = max(len(found) / most, 1.0)
    return [found[int(number * step)] for number in range(int(len(found) / step))]


def choose_role(
    backend: LocalBackend, place: Place, names: Sequence[str], *, profiles: Mapping[str, str] | None = None
) -> str:
    """The name after whose cue the line is likeliest.

    Args:
        backend: of a causal model.
        names: who is chosen among.
        profiles: what a model trained with profiles reads first, by name.
    """
    made = [(name, _prompt(backend, place, name, (profiles or {}).get(name, ""))) for name in names]
    body = causal.encode_prompt(backend.tokenizer, (f"{format_body(place.line)}\n",))
    body = body[_start(backend) :]
    losses: dict[str, float] = {}
    for context, group in groupby(made, key=lambda item: item[1].segments[:-1]):
        group_names, cues = zip(*((name, prompt.segments[-1]) for name, prompt in group), strict=True)
        losses |= dict(zip(group_names, _losses(backend, context, cues, body), strict=True))
    return min(losses, key=lambda name: losses[name])


def _prompt(backend: LocalBackend, place: Place, name: str, profile: str) -> Prompt:
    more: dict[str, Any] = {"profile": profile} if profile else {}
    return prompts.scene_prompt(name, place.before, count=backend.count, budget=_BUDGET, **more)


def _start(backend: LocalBackend) -> int:
    """How many ids stand before the text of an encoded prompt."""
    return len(causal.encode_prompt(backend.tokenizer, ()))


def _losses(backend: LocalBackend, context: Sequence[str], cues: Sequence[str], body: list[int]) -> list[float]:
    """The summed cross entropy of ``body`` after the context and each cue, nats; the context runs once."""
    model, length = backend.model, backend.prefix_length
    encoded = [causal.encode_prompt(backend.tokenizer, (cue,))[_start(backend) :] for cue in cues]
    width = max(map(len, encoded)) + len(body)
    rows = torch.tensor([(ids + body + [0] * width)[:width] for ids in encoded], device=model.device)
    before = torch.tensor([causal.encode_prompt(backend.tokenizer, context)], device=model.device)
    with torch.inference_mode():
        cache = backend.new_cache()
        causal.hidden_states(model, before, cache=cache, prefix_length=length)
        cache.batch_repeat_interleave(len(cues))
        hidden = causal.hidden_states(model, rows, cache=cache, prefix_length=length)
        states = [hidden[row, len(ids) - 1 : len(ids) - 1 + len(body)] for row, ids in enumerate(encoded)]
        labels = torch.tensor(body * len(cues), device=model.device)
        found = token_losses(torch.cat(states), causal.head(model).weight, labels)
    return [float(part) for part in found.view(len(cues), -1).sum(dim=1)]
