"""How long a training takes: told at once, and as many steps as fit the minutes that are given."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny

from roleplay.models.loading import load_causal, load_tokenizer
from roleplay.training import steps, trainer
from roleplay.training.data import TokenRow
from roleplay.training.recording import Watch
from roleplay.training.settings import TrainSettings

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
ROWS = [TokenRow((1, 5 + n, 6, 7), (0.0, 0.0, 1.0, 1.0)) for n in range(12)]


def test_rows_are_spread_and_always_the_same() -> None:
    assert [row.ids[1] for row in steps.spread(ROWS, 4)] == [5, 8, 11, 14]
    assert steps.spread(ROWS, 99) == ROWS


def test_minutes_give_the_steps_that_fit_and_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer.steps, "seconds_a_pass", lambda model, rows, size: 0.5 * size)
    told: list[tuple[int, float]] = []
    watch = Watch(on_time=lambda total, seconds: told.append((total, seconds)))
    timed = trainer._timed(None, ROWS, TrainSettings(minutes=1.0, batch=4, micro_batch=2), watch)
    assert timed.max_steps == 30 and told == [(30, 2.0)]
    assert trainer._timed(None, ROWS, TrainSettings(epochs=2, batch=4), watch).max_steps == -1
    assert told[-1] == (6, 2.0)


def test_a_timed_pass_learns_nothing(tmp_path: Path) -> None:
    folder = tiny.save(tiny.llama(), tmp_path / "model")
    model = steps.family_of(load_tokenizer(str(folder))).new_adapter(
        load_causal(str(folder)), ROWS, TrainSettings(lora_rank=2)
    )
    before = {name: part.detach().clone() for name, part in model.named_parameters()}
    assert steps.seconds_a_pass(model, ROWS, 4) > 0
    assert all((part == before[name]).all() for name, part in model.named_parameters())
    assert all(part.grad is None for part in model.parameters())


def test_several_rows_in_one_pass_are_as_each_alone(tmp_path: Path) -> None:
    model = load_causal(str(tiny.save(tiny.llama(), tmp_path / "model")))
    rows = [
        TokenRow((1, 5, 6), (0.0, 0.0, 1.0)),
        TokenRow((1, 5, 6, 7, 8), (0.0, 0.0, 1.0, 0.5, 1)),
    ]
    together = steps.target_states(model, steps.collate(rows))
    alone = [steps.target_states(model, steps.collate([row])) for row in rows]
    assert together[1].tolist() == [label for part in alone for label in part[1].tolist()]
    assert together[2].tolist() == [weight for part in alone for weight in part[2].tolist()]
    for at, state in enumerate([state for part in alone for state in part[0]]):
        assert together[0][at].tolist() == pytest.approx(state.tolist(), abs=1e-5)
