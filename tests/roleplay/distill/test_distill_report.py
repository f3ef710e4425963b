"""The report of a distillation: what is counted, and that it can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roleplay import files
from roleplay.distill.report import coverage, summarize, to_markdown, write_report
from roleplay.records import Chunk, Line

TEXT = "“船来了。”小舟说。\n“灯亮着。”\n门上写着“码头”二字。\n"
SAID = [
    Line(
        kind="say", char="小舟", text="船来了。", span=(1, 5), src_id=0, cue="after", source="rules"
    ),
    Line(kind="say", char="unknown", text="灯亮着。", span=(12, 16), src_id=0, reason="no cue"),
]
CHUNKS = [Chunk(id=0, chapter=1, text=TEXT, span=(0, len(TEXT)))]


@pytest.fixture
def report() -> dict[str, Any]:
    return summarize(
        TEXT, CHUNKS, SAID, cost={"calls": 3, "usd": 0.01}, disagreements=["11..15 小舟 / 阿灯"]
    )


def test_what_is_counted(report: dict[str, Any]) -> None:
    assert (report["spoken"], report["unknown"], report["with_speaker"]) == (2, 1, 0.5)
    assert report["cues"] == {"after": 1, "none": 1} and report["sources"] == {
        "rules": 1,
        "none": 1,
    }
    assert report["unknown_reasons"] == {"no cue": 1} and report["speakers"] == {"小舟": 1}
    assert report["spoken_by_chapter"] == {1: 2}


def test_a_line_of_an_unknown_chunk_counts_to_no_chapter() -> None:
    lines = [
        SAID[0],
        *(line.model_copy(update={"src_id": at}) for line in SAID for at in (None, 7)),
    ]
    assert summarize(TEXT, CHUNKS, lines)["spoken_by_chapter"] == {1: 1}


def test_speech_that_is_not_in_the_script_lowers_the_coverage() -> None:
    assert coverage(TEXT, SAID) == {"in_novel": 8, "in_script": 8, "coverage": 1.0}
    assert coverage(TEXT, SAID[:1])["coverage"] == 0.5


def test_a_page_a_picture_and_the_numbers(report: dict[str, Any], tmp_path: Path) -> None:
    write_report(tmp_path, report, extra={"backend": "rules"})
    assert files.read_json(tmp_path / "distill.json")["backend"] == "rules"
    page = (tmp_path / "distill.md").read_text(encoding="utf-8")
    assert (
        "| after | 1 |" in page
        and "Rules and model disagreed 1 times" in page
        and "| usd | 0.01 |" in page
    )
    assert (tmp_path / "distill.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_is_shown_of_what_there_is_none() -> None:
    page = to_markdown(summarize("没有引号。", [], []))
    assert "Cost" not in page and "disagreed" not in page and "100.0%" in page
