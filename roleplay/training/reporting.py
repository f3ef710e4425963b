"""Where the figures of a run go besides ``metrics.jsonl``: TensorBoard or trackio, each only if it is asked for.

report = reporter("tensorboard", folder, settings={"batch": 4})
report(32, {"eval_loss": 4.31})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from roleplay.errors import TrainingError

Report = Callable[[int, Mapping[str, float]], None]
"""Step, and the figures of that step by name."""

REPORTERS = ("none", "tensorboard", "trackio")


def reporter(kind: str, folder: Path, settings: Mapping[str, Any]) -> Report:
    """What takes a run's figures.

    Args:
        kind: one of :data:`REPORTERS`.
        folder: the run's; TensorBoard's files go to ``tensorboard/`` in it, trackio's run takes its name.

    Raises:
        TrainingError: an unknown kind, or its package is not installed.
    """
    if kind not in REPORTERS:
        raise TrainingError(f"report_to must be one of {' '.join(REPORTERS)}, not {kind!r}")
    try:
        return {"none": _nowhere, "tensorboard": _tensorboard, "trackio": _trackio}[kind](folder, settings)
    except ImportError as error:
        raise TrainingError(f"--report_to {kind} needs a package: `pip install {kind}` ({error})") from error


def _nowhere(folder: Path, settings: Mapping[str, Any]) -> Report:
    return lambda step, figures: None


def _tensorboard(folder: Path, settings: Mapping[str, Any]) -> Report:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder / "tensorboard"))

    def report(step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return report


def _trackio(folder: Path, settings: Mapping[str, Any]) -> Report:
    import trackio

    trackio.init(project="roleplay", name=folder.name, config=dict(settings))
    return lambda step, figures: trackio.log(dict(figures), step=step)
