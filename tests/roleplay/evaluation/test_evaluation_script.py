"""scripts/evaluate.py on a toy world, and the program of the experiments on its results."""

import json
from pathlib import Path
from typing import Any

import pytest
import tiny

from benchmarks import experiments
from scripts import evaluate, prepare_seq2seq_training

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
FEW = ["--roles", "4", "--probes", "2", "--scenes", "2", "--candidates", "2"]
FEW += ["--talk", "3", "--talk-candidates", "2"]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(world, model): prepared, with one question that the wiki answers."""
    home = tmp_path_factory.mktemp("toy")
    world, model = tiny.write_world(home / "toy"), tiny.save(tiny.llama(), home / "model")
    row = {"id": "q1", "character": "阿灯", "question": "你点什么？"}
    row |= {"expected": ["灯"], "source": "wiki"}
    (world / "questions.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    flags = ["--world", str(world), "--model", str(model), "--scene-tokens", "40"]
    assert prepare_seq2seq_training.main(flags) == 0
    return world, model


def run(toy: tuple[Path, Path], *more: str) -> int:
    world, model = toy
    flags = ["--world", str(world), "--model", str(model), "--checkpoint", "none"]
    return evaluate.main([*flags, *FEW, *more])


def test_every_figure_is_written(
    toy: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(toy, "--characters", "阿灯", "小舟", "--output", str(tmp_path / "base.json")) == 0
    found = json.loads((tmp_path / "base.json").read_text("utf-8"))
    figures: dict[str, Any] = found["figures"]["all"]
    assert figures["loss"] > 0 and figures["general_loss"] > 0
    assert all(
        0 <= figures[name] <= 1
        for name in ("role", "identity", "facts", "facts_without", "small_talk", "form")
    )
    assert len(found["read"]["阿灯"]["replies"]) == 2 and found["checkpoint"] == "none"
    kinds = [row["kind"] for row in found["read"]["阿灯"]["answers"]]
    probes = ["identity", "identity", "facts", "facts_without", "remark", "remark", "unknown"]
    assert kinds == probes
    assert "| role choice | identity |" in capsys.readouterr().out


def test_without_a_knowledge_base_background_changes_nothing(
    toy: tuple[Path, Path], tmp_path: Path
) -> None:
    assert run(toy, "--output", str(tmp_path / "base.json")) == 0
    answers = json.loads((tmp_path / "base.json").read_text("utf-8"))["read"]["阿灯"]["answers"]
    with_, without = (
        [row["answer"] for row in answers if row["kind"] == kind]
        for kind in ("facts", "facts_without")
    )
    assert with_ == without


def test_an_unknown_character_is_one_line(
    toy: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(toy, "--characters", "阿火") == 2
    assert capsys.readouterr().err.startswith("error: no character '阿火'")


def test_a_world_without_data_names_the_command_that_makes_it(
    toy: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(toy, "--data-dir", str(tmp_path)) == 2
    command = "python scripts/prepare_seq2seq_training.py"
    told = f"make it with `{command} --world {toy[0]} --data-dir {tmp_path}`"
    assert told in capsys.readouterr().err


def test_the_experiments_table_has_the_means_over_the_seeds(tmp_path: Path) -> None:
    runs = [
        ("base-many", None, 0.5),
        ("many-interviews-background-7", 3.25, 0.5),
        ("many-interviews-background-8", 3.75, 0.25),
        ("one-7", 3.5, 0.5),
    ]
    for name, loss, role in runs:
        (tmp_path / name / "adapter").mkdir(parents=True)
        figures = {"all": {"general_loss": 3.0, "role": role}, "阿灯": {"role": role / 2}}
        (tmp_path / name / "evaluation.json").write_text(
            json.dumps({"figures": figures}), encoding="utf-8"
        )
        if loss:
            info = {"result": {"test_loss": loss}}
            (tmp_path / name / "adapter" / "adapter.json").write_text(
                json.dumps(info), encoding="utf-8"
            )
    one, everybody = "\n".join(experiments.report(tmp_path, "阿灯")).split("### all six")
    assert "| one | 3.500 | 3.000 | 25.0% |" in one and "| one |" not in everybody
    assert "| many-interviews-background | 3.500 | 3.000 | 37.5% |" in everybody
    assert "| two seeds apart, at most | 0.500 | 0.000 | 25.0% |" in everybody
    assert "| base-many | - | 3.000 | 50.0% |" in everybody


@pytest.mark.parametrize(
    ("mode", "interviews", "background", "differences"),
    [
        ("many", True, True, 0),
        ("one", True, True, 1),
        ("many", False, True, 1),
        ("profile", True, False, 2),
    ],
)
def test_how_far_a_run_is_from_the_fullest(
    mode: str, interviews: bool, background: bool, differences: int
) -> None:
    assert experiments.Run(mode, interviews, background, 7).differences == differences
