"""Figures go to TensorBoard or trackio; where these are missing, it says what to install."""

import importlib.util
from pathlib import Path

import pytest

from roleplay.errors import TrainingError
from roleplay.training.recording import reporter


@pytest.mark.parametrize("kind", ["tensorboard", "trackio"])
def test_a_missing_package_is_named(kind: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(kind):
        pytest.skip(f"{kind} is installed")
    with pytest.raises(
        TrainingError, match=f"--report-to {kind} needs a package: `pip install {kind}`"
    ):
        reporter(kind, tmp_path, {})


def test_tensorboard_has_the_figures(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    report = reporter("tensorboard", tmp_path, {"batch": 4})
    report(5, {"loss": 2.5})
    report(10, {"loss": 2.0, "eval_loss": 3.0})
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [(row.step, row.value) for row in found.Scalars("loss")] == [(5, 2.5), (10, 2.0)]
    assert [(row.step, row.value) for row in found.Scalars("eval_loss")] == [(10, 3.0)]


def test_none_writes_nothing(tmp_path: Path) -> None:
    reporter("none", tmp_path, {})(1, {"loss": 1.0})
    assert not list(tmp_path.iterdir())
