"""A reading sheet: blind, of several models, and its marks with their intervals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roleplay.errors import DatasetError
from roleplay.evaluation.sheet import Marks, add_to_sheet, marks_table, read_marks, wilson

ROWS = [{"character": "闻筝", "said": ["在吗？"], "reply": f"第{n}句。"} for n in range(20)]


def marked(path: Path, mark: str) -> None:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    text = "\n".join(json.dumps(row | {"mark": mark}) for row in rows)
    path.write_text(text, encoding="utf-8")


def test_whose_a_reply_is_stands_in_the_key_alone(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jsonl"
    assert add_to_sheet(sheet, ROWS, source="one") == 20
    assert add_to_sheet(sheet, ROWS, source="two") == 40
    assert add_to_sheet(sheet, ROWS, source="two") == 40
    assert '"one"' not in sheet.read_text("utf-8") and "good" in (
        tmp_path / "sheet.rubric.txt"
    ).read_text("utf-8")
    key = json.loads((tmp_path / "sheet.key.json").read_text("utf-8"))
    order = [key[json.loads(line)["id"]] for line in sheet.read_text("utf-8").splitlines()]
    assert sorted(order) != order != sorted(order, reverse=True)


def test_marks_are_counted_by_source(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jsonl"
    add_to_sheet(sheet, ROWS, source="one")
    assert read_marks([sheet]) == {"one": Marks(unread=20)}
    marked(sheet, "Good ")
    assert read_marks([sheet, sheet]) == {"one": Marks(good=40)}
    assert "| one | 40 | 40 (100%, 91%-100%) | 0 (0%, 0%-9%) |" in marks_table(
        read_marks([sheet] * 2)
    )
    marked(sheet, "fine")
    with pytest.raises(DatasetError, match="line 1: the mark is fine"):
        read_marks([sheet])


def test_the_interval_is_wilsons() -> None:
    low, high = wilson(18, 60)
    assert (round(low, 3), round(high, 3)) == (0.199, 0.425)
