"""scripts/evaluate_attribution.py: labelled windows in, one JSON line out."""

import json
from pathlib import Path
from typing import Any

import pytest

from roleplay.distill.rules.windows import tell_window
from roleplay.stages.attribution import make_rows, nearest, read_rows, score
from roleplay.world import World
from scripts.evaluate_attribution import main

ROOT = Path(__file__).resolve().parents[1]
OWN = ROOT / "tests" / "data" / "attribution_own.jsonl"
ROW: dict[str, Any] = {
    "sentences": ["柳青看着周山。", "“走吧。”", "周山说。"],
    "target_index": 1,
    "candidates": [
        {"name": "柳青", "gender": "f"},
        {"name": "周山", "aliases": ["山子"], "gender": "m"},
    ],
    "speaker": "周山",
    "category": "explicit",
}


def written(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps({**ROW, **changes}, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def test_the_last_line_is_the_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = written(tmp_path / "a.jsonl")
    assert main([str(data), "--baseline", "nearest", "--abstain", "--wrong"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {
        "n": 1,
        "accuracy": 1.0,
        "by_category": {"explicit": 1.0},
        "answered": 1.0,
        "accuracy_answered": 1.0,
    }


def test_rules_beat_the_nearest_mention_on_our_own_scenes() -> None:
    rows = read_rows(OWN)
    rules, baseline = score(rows, tell_window, sure=0.93), score(rows, nearest)
    assert len(rows) >= 60
    assert rules["accuracy"] >= 0.9 > 0.7 > baseline["accuracy"]
    assert rules["by_category"]["explicit"] >= 0.95
    assert rules["accuracy_answered"] >= 0.95


def test_rows_are_made_from_a_gold_script() -> None:
    rows = list(make_rows(World.load(ROOT / "worlds" / "chuiyan")))
    assert len(rows) > 900
    assert all(len(row["sentences"]) == 21 and row["speaker"] for row in rows)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speaker": "张三"}, "row 1: speaker '张三' is none of the candidates 柳青 周山"),
        ({"target_index": 9}, "row 1: target_index 9 is outside the 3 sentences"),
        (
            {"category": "easy"},
            "row 1: category: 'easy' is none of 'explicit', 'implicit' or 'latent'",
        ),
        ({"candidates": []}, "row 1: candidates: is empty"),
    ],
)
def test_a_broken_row_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    assert main([str(written(tmp_path / "a.jsonl", **changes))]) == 2
    assert message in capsys.readouterr().err


def test_a_file_without_rows_and_a_line_that_is_no_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n", encoding="utf-8")
    assert main([str(path)]) == 2
    path.write_text("{oops\n", encoding="utf-8")
    assert main([str(path)]) == 2
    error = capsys.readouterr().err
    assert "has no rows: give one JSON object a line" in error and "row 1: is not JSON" in error


def test_an_unknown_backend_lists_the_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(written(tmp_path / "a.jsonl")), "--backend", "gpt"]) == 2
    assert "unknown backend 'gpt': known are rules" in capsys.readouterr().err


def test_a_line_break_of_another_kind_is_part_of_a_sentence(tmp_path: Path) -> None:
    row: dict[str, Any] = {"sentences": ["闻筝说：\u2028“漏了。”"], "target_index": 0}
    row |= {"candidates": [{"name": "闻筝"}], "speaker": "闻筝", "category": "explicit"}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    assert len(read_rows(path)) == 1
