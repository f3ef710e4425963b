"""scripts/build_knowledge_base.py, as a function and as a command."""

import subprocess
from pathlib import Path

import pytest

from kb.snippets import read_snippets
from roleplay.stages.background import BackgroundError
from scripts import build_knowledge_base
from tests import children


@pytest.fixture
def world(tmp_path: Path) -> Path:
    (tmp_path / "wiki").mkdir()
    (tmp_path / "wiki" / "沈灯.wiki").write_text(
        "沈灯是灯匠。\n== 喜好 ==\n最喜欢桂花糕。", encoding="utf-8"
    )
    return tmp_path


def test_builds_and_answers(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build_knowledge_base.main(["--world", str(world), "--query", "沈灯喜欢吃什么"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 pages -> 2 snippets: 2 embedded with 'bundled', 0 as before")
    assert lines[1].endswith("沈灯：最喜欢桂花糕。  [沈灯 / 喜好, 沈灯.wiki]")


def test_second_run_embeds_nothing(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_knowledge_base.main(["--world", str(world)])
    assert build_knowledge_base.main(["--world", str(world)]) == 0
    assert "0 embedded with 'bundled', 2 as before" in capsys.readouterr().out


def test_error_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_knowledge_base.main(["--world", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: no wiki at") and error.count("\n") == 1


def test_debug_lets_the_error_through(tmp_path: Path) -> None:
    with pytest.raises(BackgroundError, match="no wiki at"):
        build_knowledge_base.main(["--world", str(tmp_path), "--debug"])


def test_runs_as_a_file_from_any_folder(tmp_path: Path) -> None:
    result = subprocess.run(
        children.command("build_knowledge_base", "--world", "nowhere", "--embedder", "nope"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=children.environment(),
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: no embedder is called 'nope'")


def test_summaries_are_read_where_they_are(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = '{"chapter": 2, "character": "沈灯", "summary": "沈灯要去修漏雨。"}\n'
    (world / "summaries.jsonl").write_text(row, encoding="utf-8")
    assert build_knowledge_base.main(["--world", str(world)]) == 0
    assert "1 pages, 1 notes of the plot -> 3 snippets" in capsys.readouterr().out
    last = read_snippets(world / "kb" / "snippets.jsonl")[-1]
    assert (last.text, last.chapter, last.people) == ("沈灯要去修漏雨。", 2, ("沈灯",))


def test_without_summaries_the_script_tells_the_plot(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chunk = '{"id": 0, "chapter": 1, "text": "第一章　雨\\n她说。", "span": [0, 9]}\n'
    line = '{"char": "沈灯", "say": "雨停了。", "src_id": 0}\n'
    (world / "chunks.jsonl").write_text(chunk, encoding="utf-8")
    (world / "script.jsonl").write_text(line * 3, encoding="utf-8")
    assert build_knowledge_base.main(["--world", str(world)]) == 0
    assert "1 pages, 2 notes of the plot -> 4 snippets" in capsys.readouterr().out
    (world / "summaries.jsonl").write_text(
        '{"chapter": 1, "summary": "雨停。"}\n', encoding="utf-8"
    )
    assert build_knowledge_base.main(["--world", str(world)]) == 0
    assert "1 pages, 1 notes of the plot -> 3 snippets" in capsys.readouterr().out
    assert build_knowledge_base.main(["--world", str(world), "--sources", "plot"]) == 0
    assert capsys.readouterr().out.startswith("2 notes of the plot -> 2 snippets")


def test_sources_can_be_chosen(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (world / "summaries.jsonl").write_text(
        '{"chapter": 2, "summary": "雨停了。"}\n', encoding="utf-8"
    )
    assert build_knowledge_base.main(["--world", str(world), "--sources", "wiki"]) == 0
    assert "1 pages -> 2 snippets" in capsys.readouterr().out


def test_a_source_asked_for_must_be_there(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build_knowledge_base.main(["--world", str(world), "--sources", "wiki", "lines"]) == 2
    assert "script.jsonl is missing" in capsys.readouterr().err
    assert not (world / "kb").exists()


def test_pages_without_any_text_are_an_error(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "wiki" / "沈灯.wiki").write_text("{{stub}}", encoding="utf-8")
    assert build_knowledge_base.main(["--world", str(world)]) == 2
    assert "there is no text in wiki of" in capsys.readouterr().err
    assert not (world / "kb").exists()


def test_adding_a_page_embeds_that_page_only(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_knowledge_base.main(["--world", str(world)])
    (world / "wiki" / "一灯.wiki").write_text("一灯是沈灯的师父。", encoding="utf-8")
    (world / "wiki" / "小灯.wiki").write_text("#REDIRECT [[沈灯]]", encoding="utf-8")
    assert build_knowledge_base.main(["--world", str(world)]) == 0
    assert (
        "2 pages -> 3 snippets: 1 embedded with 'bundled', 2 as before" in capsys.readouterr().out
    )
