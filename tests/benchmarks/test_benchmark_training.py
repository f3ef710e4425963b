"""benchmarks/training.py at toy size: both ways learn the same sizes; figures do not matter."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "roleplay"))
import tiny

from benchmarks import training
from scripts import prepare_seq2seq_training


def test_both_ways_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny.save(
        tiny.gemma("sliding_attention", "full_attention", *["sliding_attention"] * 2),
        tmp_path / "model",
    )
    world = tiny.write_world(tmp_path / "toy")
    common = ["--world", str(world), "--model", str(model)]
    assert prepare_seq2seq_training.main([*common, "--scene-tokens", "40"]) == 0
    assert training.main([*common, "--tokens", "60"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert "| supervised tokens a second | " in "\n".join(printed)
    found = json.loads(printed[-1])
    assert found["ratio"] > 0 and found["plain"]["before"] == pytest.approx(
        found["packed"]["before"], rel=5e-3
    )
    assert all(
        60 <= found[way]["tokens"] < 200 and found[way]["after"] < found[way]["before"]
        for way in training.WAYS
    )
