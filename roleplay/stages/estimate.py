"""How long a training will take on this machine, told before it begins.

    guess = estimate(library, "gemma3-270m", "short")
    guess.seconds, guess.measured

Where a run of the same model has left its times, by those; else by how fast this machine multiplies
matrices: a step reads its tokens forwards once and backwards about twice, two operations a weight.
"""

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from roleplay.adapters.checkpoint import public_name
from roleplay.models import bundled, loading, memory
from roleplay.stages import runs
from roleplay.stages.library import Library
from roleplay.stages.making import EVALUATIONS, TRAINED, Length

_TOKENS = 4 * 420
"""Of a usual step: four passages."""

_OPERATIONS = 6
"""For a token and a weight: two forwards, four backwards."""

_SHARE = 0.45
"""Of the speed of large matrices that training reaches, as measured with the bundled model."""

_READING = 25.0
"""Seconds for all before the first step: libraries, weights, the base model's losses."""

_EVALUATION = 2.5
"""An evaluation with its saving and its samples takes as long as so many steps."""

_WEIGHTS = {bundled.NAME: 268_000_000}


@dataclass(frozen=True)
class Estimate:
    """Seconds of a training of so many steps; ``measured`` by a run before, or by arithmetic."""

    seconds: float
    steps: int
    measured: bool


def estimate(library: Library, model: str, length: Length) -> Estimate:
    """How long a training of that length takes; for a model that cannot be told, as the bundled."""
    steps = TRAINED[length]
    known = _step_of_a_run(library, model)
    step = known or _step_by_arithmetic(model)
    seconds = _READING + step * (steps + _EVALUATION * EVALUATIONS)
    return Estimate(seconds, steps, known is not None)


def _step_of_a_run(library: Library, model: str) -> float | None:
    """Seconds a step of the newest run with that model, evaluations taken out."""
    found = sorted(
        library.checkpoints.glob("*/metrics.jsonl"), key=lambda one: -one.stat().st_mtime
    )
    for path in found:
        folder = path.parent
        # The states of a run stay where it ran: a shipped adapter tells of another machine.
        if public_name(model) not in folder.name or not (folder / "trainer").exists():
            continue
        seconds, steps, evaluations = runs.pace(folder)
        if seconds and steps:
            return seconds / (steps + _EVALUATION * evaluations)
    return None


def _step_by_arithmetic(model: str) -> float:
    return _TOKENS * _OPERATIONS * _weights(model) / (_speed() * _SHARE)


@cache
def _weights(model: str) -> int:
    """How many numbers a model has; of one that is no folder those of the bundled."""
    if model in _WEIGHTS or not Path(model).is_dir():
        return _WEIGHTS[bundled.NAME]
    files = memory.weight_files(model)
    count = sum(numbers for file in files for _, numbers, _ in memory.stored_tensors(file))
    return count or _WEIGHTS[bundled.NAME]


@cache
def _speed() -> float:
    """Operations a second of this machine, in the numbers that it trains with."""
    where, kind = loading.device(), loading.training_dtype()
    left = torch.randn(512, 1024, device=where, dtype=kind)
    right = torch.randn(1024, 2048, device=where, dtype=kind)
    (left @ right).sum().item()  # the first one also loads the library
    begun, rounds = time.perf_counter(), 0
    while time.perf_counter() - begun < 0.2:
        (left @ right).sum().item()
        rounds += 1
    return rounds * 2 * 512 * 1024 * 2048 / (time.perf_counter() - begun)
