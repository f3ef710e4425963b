"""scripts/distill_dialogues.py: one stage, run from the command line."""

import json
from pathlib import Path

import pytest

from roleplay.world import World
from scripts.distill_dialogues import main

NOVEL = "第一章 雨\n闻筝说：“漏了。”\n铜婆说：“哟。”\n" * 5


@pytest.fixture
def novel(tmp_path: Path) -> Path:
    path = tmp_path / "雨.txt"
    path.write_bytes(NOVEL.encode("gb18030"))
    return path


@pytest.fixture
def world(tmp_path: Path, novel: Path) -> Path:
    path = tmp_path / "worlds" / "mine"
    assert main(["--world", str(path), "--novel", str(novel)]) == 0
    return path


def test_a_new_world_is_made_from_a_novel(world: Path, novel: Path) -> None:
    made = World.load(world)
    assert (world / "novel.txt").read_bytes() == novel.read_bytes()
    assert (made.info.title, made.names) == ("雨", ["闻筝", "铜婆"])
    assert "".join(chunk.text for chunk in made.read_chunks()) == NOVEL
    assert [line.char for line in made.read_script()] == ["闻筝", "铜婆"] * 5


def test_what_was_lost_and_how_the_book_was_cut_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "雨.txt"
    line = "闻筝说：“漏了。”\n".encode("gb18030")
    path.write_bytes(line * 3000 + b"\xff" + line + "本书由某某网整理制作\n".encode("gb18030"))
    assert main(["--world", str(tmp_path / "mine"), "--novel", str(path)]) == 0
    out = capsys.readouterr().out
    assert "1 bytes could not be read: lines 3001" in out
    assert "1 lines of a site's advertising were left out: lines 3002" in out
    assert "no chapter headings found: the book is cut into 5 pieces" in out
    assert len({chunk.chapter for chunk in World.load(tmp_path / "mine").read_chunks()}) == 5


def test_the_report_is_honest(world: Path) -> None:
    report = json.loads((world / "report" / "distill.json").read_text(encoding="utf-8"))
    assert (report["chapters"], report["spoken"], report["unknown"], report["with_speaker"]) == (
        5,
        10,
        0,
        1.0,
    )
    assert report["speakers"] == {"闻筝": 5, "铜婆": 5}


def test_what_is_done_is_skipped(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (world / "script.jsonl").stat().st_mtime_ns
    assert main(["--world", str(world)]) == 0
    assert "nothing changed" in capsys.readouterr().out
    assert (world / "script.jsonl").stat().st_mtime_ns == before


def test_another_setting_is_done_anew(world: Path) -> None:
    assert main(["--world", str(world), "--max_chars", "9"]) == 0  # a flag as it was spelled before
    assert max(len(chunk.text) for chunk in World.load(world).read_chunks()) == 9


def test_the_same_command_goes_on_after_a_stop(world: Path, novel: Path) -> None:
    (world / "script.jsonl").unlink()
    assert main(["--world", str(world), "--novel", str(novel)]) == 0
    assert (world / "script.jsonl").exists()


def test_another_novel_does_not_replace_the_first(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("天晴。", encoding="utf-8")
    assert main(["--world", str(world), "--novel", str(other)]) == 2
    assert "is there already: leave --novel out" in capsys.readouterr().err


def test_a_gold_script_is_kept(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (world / "distill.manifest.json").unlink()
    (world / "script.jsonl").write_text("", encoding="utf-8")
    assert main(["--world", str(world)]) == 2
    assert "was not written by this stage" in capsys.readouterr().err
    assert (world / "script.jsonl").read_text(encoding="utf-8") == ""


def test_force_overwrites_a_gold_script(world: Path) -> None:
    (world / "distill.manifest.json").unlink()
    assert main(["--world", str(world), "--force"]) == 0
    assert (world / "distill.manifest.json").exists()


def test_the_output_folder_leaves_the_world_alone(world: Path, tmp_path: Path) -> None:
    (world / "distill.manifest.json").unlink()
    assert main(["--world", str(world), "--output-dir", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.jsonl")) == [
        "chunks.jsonl",
        "script.jsonl",
    ]


def test_an_unknown_backend_lists_the_known(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--world", str(world), "--backend", "gpt"]) == 2
    known = "known are rules, openai, or an address like http://host/v1"
    assert capsys.readouterr().err == f"error: unknown backend 'gpt': {known}\n"


def test_an_unreadable_novel_makes_no_world(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_bytes(b"%PDF-1.7")
    assert main(["--world", str(tmp_path / "w"), "--novel", str(tmp_path / "a.txt")]) == 2
    assert "PDF: convert it to txt or epub" in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--max-chars", "0"], "--max-chars must be at least 1, not 0"),
        (["--limit", "-1"], "--limit must be at least 0, not -1"),
    ],
)
def test_numbers_out_of_range(
    world: Path, flags: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--world", str(world), *flags]) == 2
    assert capsys.readouterr().err == f"error: {told}\n"


def test_a_novel_without_quotes_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plain.txt").write_text("雨停了。他走了。", encoding="utf-8")
    assert main(["--world", str(tmp_path / "w"), "--novel", str(tmp_path / "plain.txt")]) == 0
    assert "no quoted speech found: put it into “”" in capsys.readouterr().out
