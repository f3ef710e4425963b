"""The terminal: flags in both spellings, errors in one line, exit statuses, events drawn."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from roleplay import cli, stages
from roleplay.errors import WorldError
from roleplay.messages import message
from roleplay.stages.progress import Event

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("--max_cost", "--max-cost"),
        ("--data_dir=a_b", "--data-dir=a_b"),
        ("--max-cost", "--max-cost"),
        ("worlds/a_b", "worlds/a_b"),
        ("-1", "-1"),
    ],
)
def test_flags_of_earlier_versions_are_understood(given: str, normal: str) -> None:
    assert cli.normal(given) == normal


@pytest.mark.parametrize("name", stages.SCRIPTS)
def test_every_stage_has_a_short_script_of_its_own(name: str) -> None:
    source = ROOT / "scripts" / f"{stages.SCRIPTS[name]}.py"
    assert len(source.read_text(encoding="utf-8").splitlines()) <= 120
    assert f'"{name}"' in source.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_help_is_in_the_language(language: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main("distill", ["--language", language, "--help"])
    told = capsys.readouterr().out
    assert ("小说的文件夹" in told) == (language == "zh")
    assert ("把小说变成剧本" in told) == (language == "zh")
    assert "--max-chars" in told and "_" not in told.split("--max-chars")[1][:20]


def test_an_error_is_one_line_in_the_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--world", str(tmp_path / "no")]
    assert cli.main("distill", [*argv, "--language", "zh"]) == 2
    assert capsys.readouterr().err.startswith("出错了：")
    assert cli.main("distill", [*argv, "--language", "en"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_debug_shows_where(tmp_path: Path) -> None:
    with pytest.raises(WorldError):
        cli.main("distill", ["--world", str(tmp_path / "no"), "--debug"])


def test_ctrl_c_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise KeyboardInterrupt

    assert cli.run(work, debug=False) == 130
    assert "run the same command again" in capsys.readouterr().err


def test_a_systems_error_is_told_in_our_words(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        Path("/no/such/file").read_text(encoding="utf-8")

    assert cli.run(work, debug=False) == 2
    assert capsys.readouterr().err == "error: no such file /no/such/file\n"


def test_lines_are_printed_and_kept_for_a_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with cli.Screen(tmp_path) as screen:
        screen.show(Event("distill", message("files.missing", path="x")))
        screen.show(Event("distill", message("knowledge.embedding"), 1, 2))
    assert capsys.readouterr().out == "x is missing\n"
    rows = [
        json.loads(line) for line in (tmp_path / "events.jsonl").read_text("utf-8").splitlines()
    ]
    assert [row["key"] for row in rows] == ["files.missing", "knowledge.embedding"]


def test_output_never_fails_on_a_character(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("闻筝说：“漏了。”\n" * 30, encoding="utf-8")
    command = [sys.executable, "scripts/distill_dialogues.py", "--world", str(tmp_path / "w")]
    command += ["--novel", str(tmp_path / "book.txt")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, env={"PYTHONIOENCODING": "ascii", "PATH": ""}
    )
    assert done.returncode == 0 and b"Traceback" not in done.stderr


def test_the_console_command_knows_all_stages() -> None:
    command = Path(sys.executable).parent / "roleplay"
    if not command.exists():
        pytest.skip("the package is not installed in place: `pip install -e .`")
    told = subprocess.run([command, "--help"], capture_output=True, text=True).stdout
    assert all(name in told for name in stages.SCRIPTS)
    told = subprocess.run([command, "distill", "--help"], capture_output=True, text=True).stdout
    assert "--max-chars" in told
