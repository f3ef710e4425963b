"""Role choice: the shared context gives the same losses as every prompt alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

from roleplay.backends.likelihood import losses
from roleplay.backends.local import LocalBackend
from roleplay.evaluation.roles import Place, choose_role, role_places
from roleplay.models import causal
from roleplay.prompts import Budget, Prompt, scene_prompt
from roleplay.records import Line

NAMES = ["阿灯", "小舟", "雨"]
LINES = [
    Line(kind="info", text="雨停了。"),
    Line(kind="say", char="阿灯", text="灯亮着。"),
    Line(kind="say", char="小舟", text="船来了。"),
    Line(kind="say", char="阿灯", text="灯。"),
    Line(kind="act", char="小舟", text="推开船"),
]


def prompt_of(backend: LocalBackend, place: Place, name: str) -> Prompt:
    return scene_prompt(name, place.before, count=backend.count, budget=Budget(512, 0))


def losses_alone(backend: LocalBackend, place: Place) -> dict[str, float]:
    """Each cue in a forward pass of its own, by transformers' loss."""
    found = {}
    for name in NAMES:
        prompt = prompt_of(backend, place, name)
        ids = causal.encode_prompt(backend.tokenizer, (*prompt.segments, f"{place.line.text}\n"))
        body = len(causal.encode_prompt(backend.tokenizer, (f"{place.line.text}\n",))) - 1
        labels = torch.tensor([[-100] * (len(ids) - body) + ids[-body:]])
        with torch.inference_mode():
            found[name] = float(backend.model(input_ids=torch.tensor([ids]), labels=labels).loss)
    return found


@pytest.mark.parametrize(
    "make", [tiny.llama, lambda: tiny.gemma(*["full_attention"] * 4)], ids=["llama", "gemma"]
)
def test_the_likeliest_cue_is_chosen(make: Any, tmp_path: Path) -> None:
    backend = LocalBackend.load(str(tiny.save(make(), tmp_path / "model")))
    for place in role_places([LINES], NAMES, most=9):
        alone = losses_alone(backend, place)
        assert choose_role(backend, place, NAMES) == min(alone, key=lambda name: alone[name])
        context = prompt_of(backend, place, "雨").segments[:-1]
        body = f"{place.line.text}\n"
        shared = losses(backend, context, [(f"{name}：", body) for name in NAMES])
        length = len(place.line.text) + 1
        assert [loss / length for loss in shared] == pytest.approx(
            [alone[name] for name in NAMES], rel=1e-4
        )


def test_places_are_lines_that_are_said_and_long_enough() -> None:
    places = role_places([LINES, LINES], NAMES, most=9)
    assert [place.line.text for place in places] == ["灯亮着。", "船来了。"] * 2
    assert [len(place.before) for place in places] == [1, 2] * 2


def test_places_are_spread_over_the_chapters() -> None:
    assert [len(role_places([LINES] * 10, NAMES, most=number)) for number in (1, 7, 20, 99)] == [
        1,
        7,
        20,
        20,
    ]
