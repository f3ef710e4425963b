"""What ends a run before its time, and how it goes on: no number, a full disk, Ctrl-C, patience."""

import json
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import tiny

from roleplay import files
from roleplay.errors import TrainingError
from roleplay.training.data import TokenRow
from roleplay.training.settings import TrainSettings
from roleplay.training.steps import last_state
from roleplay.training.trainer import train
from scripts import prepare_seq2seq_training, train_roleplaying
from tests import children

FAST: dict[str, Any] = {
    "pre_seq_len": 4,
    "batch": 2,
    "warmup_steps": 1,
    "log_steps": 5,
    "adapter": "prefix",
}
FLAGS = ["--samples", "0", "--adapter", "prefix", "--pre-seq-len", "16", "--batch", "2"]
FLAGS += ["--max-steps", "12", "--eval-steps", "4", "--log-steps", "4", "--learning-rate", "0.3"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, gemma_folder: Path) -> Path:
    path = tiny.write_world(tmp_path_factory.mktemp("worlds") / "toy")
    command = ["--world", str(path), "--model", str(gemma_folder), "--scene-tokens", "40"]
    assert prepare_seq2seq_training.main(command) == 0
    return path


def command(world: Path, model: Path, out: Path, *more: str) -> list[str]:
    return ["--world", str(world), "--model", str(model), "--output-dir", str(out), *FLAGS, *more]


def rows(*weights: float) -> list[TokenRow]:
    return [
        TokenRow((1, 5 + place, 9, 11), (0.0, 1.0, 1.0, weight))
        for place, weight in enumerate(weights)
    ]


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def test_a_loss_that_is_no_number_stops_at_once(gemma: Any, tokenizer: Any, tmp_path: Path) -> None:
    """Of sixteen rows one has a weight that is no number; all states are of steps before it."""
    settings = TrainSettings(**FAST, max_steps=8, eval_steps=1, seed=8)
    learnt = rows(*[1.0] * 15, float("nan"))
    with pytest.raises(
        TrainingError, match=r"the loss became nan in step \d, .*--learning-rate 0\.0075"
    ) as caught:
        train(gemma, tokenizer, learnt, rows(1.0), settings, folder=tmp_path)
    found = re.search(
        r"in step (\d), the state of step (\d) is kept in .*checkpoint-\d:", str(caught.value)
    )
    assert found and int(found[1]) == int(found[2]) + 1
    assert f"第 {found[1]} 步的损失变成了 nan，第 {found[2]} 步的存档还在" in caught.value.text(
        "zh"
    )
    kept = last_state(tmp_path / "trainer")
    assert kept and kept.name == f"checkpoint-{found[2]}"


def test_a_held_out_loss_that_is_no_number_is_never_saved(
    gemma: Any, tokenizer: Any, tmp_path: Path
) -> None:
    settings = TrainSettings(**FAST, max_steps=8, eval_steps=1, learning_rate=1e38)
    with pytest.raises(TrainingError, match="became (nan|inf) in step"):
        train(gemma, tokenizer, rows(1.0, 1.0), rows(1.0), settings, folder=tmp_path)
    assert all("eval_loss" not in row or row["eval_loss"] < 1e6 for row in metrics(tmp_path))


def test_a_run_goes_on_with_a_lower_rate(world: Path, gemma_folder: Path, tmp_path: Path) -> None:
    assert train_roleplaying.main(command(world, gemma_folder, tmp_path)) == 0
    rates = [row["learning_rate"] for row in metrics(tmp_path) if "learning_rate" in row]
    for path in [tmp_path / "trainer" / "checkpoint-12", tmp_path / "last"]:
        shutil.rmtree(path)
    state = last_state(tmp_path / "trainer")
    begun = int(state.name.split("-")[1]) if state else 0
    assert (
        train_roleplaying.main(command(world, gemma_folder, tmp_path, "--learning-rate", "0.03"))
        == 0
    )
    found = [row for row in metrics(tmp_path) if "learning_rate" in row]
    assert [row["step"] for row in found] == [4, 8, 12]
    expected = [
        rate if row["step"] <= begun else rate / 10 for rate, row in zip(rates, found, strict=True)
    ]
    assert [row["learning_rate"] for row in found] == pytest.approx(expected)


def test_a_higher_rate_is_another_run(
    world: Path, gemma_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_roleplaying.main(command(world, gemma_folder, tmp_path)) == 0
    assert (
        train_roleplaying.main(command(world, gemma_folder, tmp_path, "--learning-rate", "0.4"))
        == 2
    )
    assert "learning_rate 0.3 -> 0.4" in capsys.readouterr().err


def test_a_full_disk_is_one_line_and_the_run_goes_on(
    world: Path, gemma_folder: Path, tmp_path: Path
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "full"
    assert train_roleplaying.main(command(world, gemma_folder, whole)) == 0
    shutil.copytree(whole, out)
    for path in (out / "trainer" / "checkpoint-12", out / "last"):
        shutil.rmtree(path)
    (out / "adapter.json").unlink()
    before = last_state(out / "trainer")
    run = subprocess.run(
        children.command("train_roleplaying", *command(world, gemma_folder, out), disk=7000),
        env=children.environment(OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        timeout=300,
    )
    errors = [line for line in run.stderr.splitlines() if line.startswith("error:")]
    assert run.returncode == 2 and len(errors) == 1 and "Traceback" not in run.stderr, run.stderr
    failed = (
        r"the state of step \d+ could not be saved in \S*checkpoint-\d+ \(.+\), the state of step"
    )
    assert re.search(failed + r" \d+ is kept in \S+: free some space and run the same", errors[0])
    assert before and last_state(out / "trainer") == before
    assert train_roleplaying.main(command(world, gemma_folder, out)) == 0
    results = [
        files.read_json(folder / "adapter.json")["result"]["test_loss"] for folder in (whole, out)
    ]
    assert results[0] == pytest.approx(results[1], abs=1e-4)


def test_ctrl_c_is_one_line_and_the_run_goes_on(
    world: Path, gemma_folder: Path, tmp_path: Path
) -> None:
    more = ("--max-steps", "400")
    run = subprocess.Popen(
        children.command("train_roleplaying", *command(world, gemma_folder, tmp_path, *more)),
        env=children.environment(OMP_NUM_THREADS="1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts background jobs with SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not last_state(tmp_path / "trainer") and run.poll() is None:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 130
    assert "stopped; run the same command again to go on" in errors and "Traceback" not in errors
    assert last_state(tmp_path / "trainer")


def test_half_a_state_is_none(tmp_path: Path) -> None:
    for number, text in ((2, "{}"), (4, '{"half'), (6, None)):
        folder = tmp_path / f"checkpoint-{number}"
        folder.mkdir()
        if text is not None:
            (folder / "trainer_state.json").write_text(text, encoding="utf-8")
    assert last_state(tmp_path) == tmp_path / "checkpoint-2"


def test_a_row_of_metrics_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    from roleplay.training.recording import StepLog

    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"st', encoding="utf-8")
    log = StepLog(tmp_path / "metrics.jsonl", begun=2)
    log.write({"step": 3})
    assert metrics(tmp_path) == [{"step": 1}, {"step": 2}, {"step": 3}]


def test_patience_ends_a_run_and_keeps_the_best(gemma: Any, tokenizer: Any, tmp_path: Path) -> None:
    """Trained on one answer and tested on another, the held-out loss soon rises."""
    settings = TrainSettings(**FAST, max_steps=60, eval_steps=2, patience=2, learning_rate=2.0)
    kept: list[dict[str, Any]] = []
    learnt, test = (
        [TokenRow((1, 5, 6, 7), (0.0, 1.0, 1.0, 1.0))],
        [TokenRow((1, 9, 12, 4), (0.0, 1.0, 1.0, 1.0))],
    )
    _, result = train(
        gemma,
        tokenizer,
        learnt,
        test,
        settings,
        folder=tmp_path,
        on_last=lambda model, found: kept.append(found),
    )
    losses = [row["eval_loss"] for row in metrics(tmp_path) if "eval_loss" in row]
    assert result["steps"] < 60 and len(losses) - 1 - losses.index(min(losses)) == 2
    assert result["best_step"] == 2 * (losses.index(min(losses)) + 1)
    assert result["test_loss"] == pytest.approx(min(losses), abs=1e-6)
    assert kept[0]["test_loss"] == losses[-1] and kept[0]["steps"] == result["steps"]
