"""Two processes share the rows of a step, and give the losses of one."""

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import tiny

from roleplay import files
from roleplay.records import Passage, Segment
from roleplay.training import parallel
from tests import children

FLAGS = ["--adapter", "prefix", "--pre-seq-len", "4", "--batch", "4", "--max-steps", "8"]
FLAGS += ["--eval-steps", "4", "--log-steps", "2", "--learning-rate", "0.3"]


def passage(answer: str, weight: float = 1.0) -> Passage:
    segments = (
        Segment(text="【雨停了。】\n"),
        Segment(text="阿灯："),
        Segment(text=f"{answer}\n", weight=weight),
    )
    return Passage(task="scene", chapter=0, segments=segments)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eight rows, unlike so that a mean of means would differ; three held out."""
    answers = (
        "灯",
        "灯亮着。",
        "灯灭了，船来了。",
        "船",
        "灯还亮着。",
        "船走了。",
        "点灯。",
        "等船等灯。",
    )
    learnt = [
        passage(answer, weight=0.3 if place % 3 else 1.0) for place, answer in enumerate(answers)
    ]
    test = [passage("灯亮了。"), passage("船"), passage("灯灭了灯灭了。")]
    for part, found in (("train", learnt), ("test", test)):
        files.write_jsonl(
            tmp_path / "data" / f"{part}.passages.jsonl", (row.model_dump() for row in found)
        )
    return tmp_path / "data"


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def run(launcher: list[str], world: Path, data: Path, model: Path, out: Path, *more: str) -> Any:
    flags = ["--world", world, "--data-dir", data, "--model", model, "--output-dir", out]
    python, *script = children.command("train_roleplaying", *flags, *FLAGS, *more)
    return subprocess.run(
        [python, *launcher, *script],
        env=children.environment(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1"),
        capture_output=True,
        text=True,
        timeout=500,
    )


def launcher(port: str) -> list[str]:
    flags = (
        "--multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no"
    )
    return ["-m", "accelerate.commands.launch", *flags.split(), "--main_process_port", port]


def losses(folder: Path) -> list[float]:
    rows = [
        json.loads(line)
        for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    return [
        row[key]
        for row in rows
        for key in ("base_loss", "loss", "grad_norm", "eval_loss")
        if key in row
    ]


def test_two_processes_have_the_curve_of_one(
    data: Path, gemma_folder: Path, tmp_path: Path
) -> None:
    world = tiny.write_world(tmp_path / "toy")
    done = run([], world, data, gemma_folder, tmp_path / "one")
    assert done.returncode == 0, done.stderr
    done = run(launcher(free_port()), world, data, gemma_folder, tmp_path / "two")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("held-out loss") == 1, "one process speaks"
    one, two = (losses(tmp_path / name) for name in ("one", "two"))
    assert len(one) == 1 + 2 * 4 + 2 and one[-1] < one[0] - 0.1
    assert two == pytest.approx(one, abs=2e-4)
    results = [
        files.read_json(tmp_path / name / "adapter.json")["result"] for name in ("one", "two")
    ]
    assert results[1] == pytest.approx(results[0], abs=2e-4)


def test_a_batch_that_cannot_be_shared(data: Path, gemma_folder: Path, tmp_path: Path) -> None:
    world = tiny.write_world(tmp_path / "toy")
    done = run(launcher(free_port()), world, data, gemma_folder, tmp_path / "out", "--batch", "3")
    assert done.returncode != 0
    assert (
        "error: --batch 3 cannot be shared by 2 processes: give a multiple of them" in done.stderr
    )


def test_one_process_alone() -> None:
    assert (parallel.count(), parallel.rank(), parallel.is_first()) == (1, 0, True)
    assert parallel.sums([1.5, 2.0]) == [1.5, 2.0]
