"""Preparing and training by their scripts on a toy world, stopped and gone on with."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import tiny

from roleplay.training.data import read_passages
from scripts import prepare_seq2seq_training, train_roleplaying
from tests import children

FAST = ["--adapter", "prefix", "--pre-seq-len", "4", "--batch", "2", "--learning-rate", "0.3"]
FAST += ["--max-steps", "40", "--eval-steps", "10", "--log-steps", "10", "--warmup-steps", "2"]


def prepare(world: Path, model: Path, *more: str) -> int:
    plain = ["--scene-tokens", "40", "--protection", "0"]
    return prepare_seq2seq_training.main(
        ["--world", str(world), "--model", str(model), *plain, *more]
    )


def training(world: Path, model: Path, out: Path, *more: str) -> list[str]:
    return ["--world", str(world), "--model", str(model), "--output-dir", str(out), *FAST, *more]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, gemma_folder: Path) -> Path:
    path = tiny.write_world(tmp_path_factory.mktemp("worlds") / "toy")
    assert prepare(path, gemma_folder, "--max-source-tokens", "24") == 0
    return path


@pytest.fixture(scope="module")
def whole(world: Path, gemma_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a run that nobody stopped."""
    out = tmp_path_factory.mktemp("checkpoints") / "whole"
    assert train_roleplaying.main(training(world, gemma_folder, out)) == 0
    return out


def result(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "adapter.json").read_text(encoding="utf-8"))["result"])


def test_whole_chapters_are_held_out(world: Path) -> None:
    report = json.loads((world / "report" / "dataset.json").read_text(encoding="utf-8"))
    chapters = {
        part: {row["chapter"] for row in rows(world / f"{part}.json")} - {None}
        for part in ("train", "test")
    }
    assert chapters["test"] == set(report["test_chapters"])
    assert len(chapters["test"]) == 1
    assert chapters["train"] == {0, 1, 2} - chapters["test"]
    for part in ("train", "test"):
        passages = read_passages(world / f"{part}.passages.jsonl")
        assert {passage.chapter for passage in passages if passage.task == "scene"} == chapters[
            part
        ]


def test_rows_stay_within_the_budget_and_end_in_the_cue(world: Path, tokenizer: Any) -> None:
    found = rows(world / "train.json") + rows(world / "test.json")
    lengths = [len(tokenizer.encode(row["prompt"], add_special_tokens=False)) for row in found]
    assert 15 < max(lengths) <= 24
    assert all(row["prompt"].endswith(f"{row['character']}：") for row in found)
    assert {row["response"] for row in found} >= {"灯亮着。", "\\me 推开船", "点灯。"}


def test_interviews_are_for_training_only(world: Path) -> None:
    assert [row["prompt"] for row in rows(world / "train.json") if row["task"] == "question"] == [
        "问：你点什么？\n阿灯：",
        "问：你等什么？\n小舟：",
    ]
    assert {row["task"] for row in rows(world / "test.json")} == {"scene"}


def test_one_character_only(world: Path, gemma_folder: Path, tmp_path: Path) -> None:
    path = tiny.write_world(tmp_path / "one")
    assert prepare(path, gemma_folder, "--characters", "小舟") == 0
    assert {row["character"] for row in rows(path / "train.json")} == {"小舟"}


def test_a_missing_script_names_the_command(
    gemma_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny.write_world(tmp_path / "new")
    (path / "script.jsonl").unlink()
    assert prepare(path, gemma_folder) == 2
    command = f"python scripts/distill_dialogues.py --world {path}"
    assert f"script.jsonl is missing: make it with `{command}`" in capsys.readouterr().err


def test_missing_passages_name_the_command(
    gemma_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny.write_world(tmp_path / "new")
    assert train_roleplaying.main(training(path, gemma_folder, tmp_path / "out")) == 2
    assert (
        f"make it with `python scripts/prepare_seq2seq_training.py --world {path}`"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


def test_a_run_makes_a_checkpoint(whole: Path, world: Path) -> None:
    names = {path.name for path in whole.iterdir()}
    assert names >= {
        "adapter.json",
        "adapter_model.safetensors",
        "metrics.jsonl",
        "curves.png",
        "settings.json",
    }
    info = json.loads((whole / "adapter.json").read_text(encoding="utf-8"))
    assert (info["kind"], info["pre_seq_len"], info["world"]) == ("prefix", 4, "toy")
    assert info["characters"] == ["阿灯", "小舟"]
    assert info["result"]["steps"] == 40
    assert info["result"]["test_loss"] < info["result"]["base_loss"] - 0.2


def test_a_killed_run_goes_on_to_the_same_end(
    whole: Path, world: Path, gemma_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "killed"
    run = subprocess.Popen(
        children.command("train_roleplaying", *training(world, gemma_folder, out)),
        env=children.environment(OMP_NUM_THREADS="1"),
        stdout=subprocess.DEVNULL,
    )
    state = out / "trainer" / "checkpoint-10" / "trainer_state.json"
    # Until it is whole: a state that is half written is rightly passed over.
    while not (state.exists() and state.read_text().endswith("}\n")) and run.poll() is None:
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert not (out / "adapter.json").exists()
    assert train_roleplaying.main(training(world, gemma_folder, out)) == 0
    shown = capsys.readouterr().out
    assert "step 40/40" in shown and "step 10/40" not in shown
    assert result(out)["test_loss"] == pytest.approx(result(whole)["test_loss"], abs=1e-4)
    steps = [[row["step"] for row in rows(folder / "metrics.jsonl")] for folder in (out, whole)]
    assert steps[0] == steps[1]


def test_lora_goes_on_to_the_same_end(world: Path, gemma_folder: Path, tmp_path: Path) -> None:
    """Its dropout draws random numbers: they must go on as well."""
    command = training(
        world, gemma_folder, tmp_path, "--adapter", "lora", "--learning-rate", "0.01"
    )
    assert train_roleplaying.main(command) == 0
    before = result(tmp_path)
    (tmp_path / "adapter.json").unlink()
    shutil.rmtree(tmp_path / "trainer" / "checkpoint-40")
    assert list((tmp_path / "trainer").glob("checkpoint-*"))
    assert train_roleplaying.main(command) == 0
    assert result(tmp_path) == pytest.approx(before, abs=1e-4)


def test_other_settings_need_a_restart(
    whole: Path, world: Path, gemma_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (whole / "adapter.json").read_bytes()
    assert train_roleplaying.main(training(world, gemma_folder, whole, "--seed", "8")) == 2
    assert "other settings (seed 7 -> 8): give the same, or --restart" in capsys.readouterr().err
    assert (whole / "adapter.json").read_bytes() == before


def test_wrong_settings_are_one_line(
    world: Path, gemma_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--batch", "0", "--lora-rank", "0")
    assert train_roleplaying.main(training(world, gemma_folder, world / "no", *more)) == 2
    assert capsys.readouterr().err.strip() == (
        "error: --lora-rank must be at least 1, not 0; --batch must be at least 1, not 0"
    )
    with pytest.raises(SystemExit) as ended:
        train_roleplaying.main(["--world", str(world), "--adapter", "spell"])
    assert ended.value.code == 2 and "invalid choice: 'spell'" in capsys.readouterr().err
    assert not (world / "no").exists()
