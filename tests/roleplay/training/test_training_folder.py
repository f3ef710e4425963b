"""A person can read a run's folder, a program finds the best adapter and the last one in it."""

import json
from pathlib import Path
from typing import Any

import pytest
import tiny

from roleplay import files
from roleplay.adapters.checkpoint import load_adapter, read_info
from roleplay.models import loading
from roleplay.training.data import encode_passages, read_passages
from roleplay.training.steps import mean_loss
from scripts import prepare_seq2seq_training, train_roleplaying

FLAGS = ["--adapter", "lora", "--lora-rank", "2", "--batch", "2", "--max-steps", "9"]
FLAGS += ["--eval-steps", "4", "--log-steps", "3", "--samples", "2"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, gemma_folder: Path) -> Path:
    """A run of one character on data that lies beside its world."""
    home = tmp_path_factory.mktemp("home")
    world = tiny.write_world(home / "toy")
    common = ["--world", str(world), "--data-dir", str(home / "data"), "--model", str(gemma_folder)]
    one = ["--mode", "one", "--characters", "小舟", "--scene-tokens", "40"]
    assert prepare_seq2seq_training.main([*common, *one]) == 0
    assert train_roleplaying.main([*common, "--output-dir", str(home / "run"), *FLAGS]) == 0
    return home / "run"


def losses(run: Path, model: Path) -> dict[str, float]:
    """Held-out losses of the adapters in a run's folder, measured anew in float32."""
    tokenizer = loading.load_tokenizer(str(model))
    rows = encode_passages(
        tokenizer, read_passages(run.parent / "data" / "test.passages.jsonl"), max_tokens=1024
    )
    adapters = {"best": run, "last": run / "last"}
    base = {name: loading.load_causal(str(model)) for name in adapters}
    return {
        name: mean_loss(load_adapter(base[name], folder, name=model.name)[0], rows)
        for name, folder in adapters.items()
    }


def test_mode_and_characters_come_from_the_data(run: Path) -> None:
    info = read_info(run)
    assert (info.mode, info.characters, info.world) == ("one", ("小舟",), "toy")
    assert read_info(run / "last").mode == "one"


def test_an_older_checkpoint_has_mode_many(run: Path, tmp_path: Path) -> None:
    old = files.read_json(run / "adapter.json")
    del old["mode"]
    files.write_json(tmp_path / "adapter.json", old)
    assert read_info(tmp_path).mode == "many"


def test_best_and_last_are_both_kept(run: Path, gemma_folder: Path) -> None:
    best, last = read_info(run).result, read_info(run / "last").result
    assert best["best_step"] in (4, 8, 9) and last["steps"] == 9
    assert best["last_loss"] == last["test_loss"] >= best["test_loss"]
    found = losses(run, gemma_folder)
    assert found["best"] == pytest.approx(best["test_loss"], abs=0.02)
    assert found["last"] == pytest.approx(last["test_loss"], abs=0.02)


def test_the_last_step_is_evaluated(run: Path) -> None:
    rows = [
        json.loads(line)
        for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert [row["step"] for row in rows if "eval_loss" in row] == [4, 8, 9]


def test_the_readme_says_what_it_is(run: Path) -> None:
    text = (run / "README.md").read_text(encoding="utf-8")
    result: dict[str, Any] = read_info(run).result
    assert text.startswith(
        "# run\n\n- adapter: lora, mode one\n- base model: tiny-gemma (model_type gemma3_text"
    )
    assert "- characters: 小舟\n" in text and "- data: " in text
    assert f"| base model, held-out chapters | {result['base_loss']:.3f} |" in text
    assert f"| best step, general text | {result['general_loss']:.3f} |" in text
    assert "python scripts/train_roleplaying.py --world" in text and "--max-steps 9" in text
    for name in ("settings.json", "data_report.json", "curves.png", "samples.md"):
        assert name in text and (run / name).stat().st_size > 0


def test_the_data_report_is_a_copy(run: Path) -> None:
    report = run.parent / "data" / "report" / "dataset.json"
    assert (run / "data_report.json").read_bytes() == report.read_bytes()


def test_data_that_is_not_there_names_the_command(
    run: Path, gemma_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, data = run.parent / "toy", tmp_path / "none"
    command = ["--world", str(world), "--data-dir", str(data), "--model", str(gemma_folder)]
    assert train_roleplaying.main([*command, "--output-dir", str(tmp_path / "out")]) == 2
    assert (
        f"prepare_seq2seq_training.py --world {world} --data-dir {data}`" in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


def test_data_with_nothing_to_learn(
    run: Path, gemma_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("train", "test"):
        rows = list(files.read_jsonl(run.parent / "data" / f"{part}.passages.jsonl"))
        silent = [
            row | {"segments": [segment | {"weight": 0.0} for segment in row["segments"]]}
            for row in rows
        ]
        files.write_jsonl(tmp_path / f"{part}.passages.jsonl", silent)
    command = [
        "--world",
        str(run.parent / "toy"),
        "--data-dir",
        str(tmp_path),
        "--model",
        str(gemma_folder),
    ]
    assert train_roleplaying.main([*command, "--output-dir", str(tmp_path / "out")]) == 2
    assert (
        "error: no passage has a line to learn: check the characters' names"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()
