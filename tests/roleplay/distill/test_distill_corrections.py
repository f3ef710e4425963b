"""A person's corrections: kept forever, stronger than every other source."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from roleplay.distill.corrections import (
    FILE,
    add_correction,
    apply_corrections,
    doubtful,
    read_corrections,
)
from roleplay.errors import WorldError
from roleplay.files import write_json, write_jsonl
from roleplay.records import UNKNOWN, Line
from scripts.review_speakers import main

LINES = [
    Line(kind="info", text="天晴。", span=(0, 3)),
    Line(kind="say", char=UNKNOWN, text="哟。", span=(4, 6), reason="no two agree", confidence=0.0),
    Line(kind="say", char="闻筝", text="漏了。", span=(8, 11), confidence=0.4),
    Line(kind="say", char="闻筝", text="修。", span=(12, 14), confidence=0.9),
]


@pytest.fixture
def world(tmp_path: Path) -> Path:
    write_json(
        tmp_path / "world.json",
        {"title": "x", "characters": [{"name": "铜婆", "aliases": ["婆婆"]}]},
    )
    write_jsonl(tmp_path / "script.jsonl", [line.to_json() for line in LINES])
    return tmp_path


def test_the_last_correction_counts(tmp_path: Path) -> None:
    add_correction(tmp_path / FILE, LINES[1], "铜婆")
    add_correction(tmp_path / FILE, LINES[1], "闻筝")
    line = apply_corrections(LINES, read_corrections(tmp_path / FILE))[1]
    assert (line.char, line.source, line.confidence, line.reason) == ("闻筝", "person", 1.0, None)
    assert len((tmp_path / FILE).read_text(encoding="utf-8").splitlines()) == 2


def test_a_correction_follows_a_text_that_moved() -> None:
    assert apply_corrections(LINES, {((40, 42), "哟。"): "铜婆"})[1].char == "铜婆"
    assert apply_corrections([*LINES, LINES[1]], {((40, 42), "哟。"): "铜婆"})[1].char == UNKNOWN


def test_a_correction_needs_a_span_and_a_name(tmp_path: Path) -> None:
    with pytest.raises(
        WorldError, match="a correction needs a line with a span and a name"
    ) as told:
        add_correction(tmp_path / FILE, LINES[1], " ")
    assert "更正需要" in told.value.text("zh") and not (tmp_path / FILE).exists()
    with pytest.raises(WorldError, match="cannot write .*no such file"):
        add_correction(tmp_path / "nowhere" / FILE, LINES[1], "铜婆")


def test_a_broken_row_is_told_with_its_file(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"span": [1, 2], "text": "哟。"}\n', encoding="utf-8")
    with pytest.raises(WorldError, match=f"{FILE}: speaker: is missing: mend or remove the row"):
        read_corrections(tmp_path / FILE)


def test_doubtful_lines_are_unknown_or_unsure() -> None:
    assert doubtful(LINES) == [1, 2]
    assert doubtful(LINES, 0.3) == [1]


def test_the_list_shows_the_scene(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--world", str(world)]) == 0
    told = capsys.readouterr().out
    assert "    2 unknown？ 哟。    (no two agree)\n      闻筝：漏了。" in told
    assert told.endswith("2 of 4 lines are doubtful\n")


def test_an_alias_becomes_the_name(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--world", str(world), "--answer", "2", "婆婆"]) == 0
    assert read_corrections(world / FILE) == {((4, 6), "哟。"): "铜婆"}
    assert main(["--world", str(world)]) == 0
    assert "1 of 4 lines are doubtful" in capsys.readouterr().out


def test_answers_are_asked_one_after_another(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n铜婆\n"))
    assert main(["--world", str(world), "--interactive"]) == 0
    assert read_corrections(world / FILE) == {((8, 11), "漏了。"): "铜婆"}


@pytest.mark.parametrize(
    ("number", "told"), [("9", "lines 1 to 4"), ("1", "narration"), ("x", "no line x")]
)
def test_a_wrong_number(
    world: Path, number: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--world", str(world), "--answer", number, "铜婆"]) == 2
    assert told in capsys.readouterr().err
