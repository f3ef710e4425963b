"""The notebooks, run from top to bottom on a toy world and a tiny model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import tiny
from nbclient import NotebookClient
from nbformat import reads

ROOT = Path(__file__).resolve().parents[2]
NOVEL = "第一章 灯\n\n" + "阿灯说：“灯亮着。”\n小舟说：“船来了。”\n“谁的船？”\n河上起了雾。\n" * 40
NOVEL += "\n第二章 船\n\n" + "小舟说：“船走了。”\n阿灯问道：“灯灭了吗？”\n“还没有。”\n" * 40


@pytest.fixture
def places(tmp_path: Path, gemma_folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a notebook reads from the environment."""
    (tmp_path / "book.txt").write_text(NOVEL, encoding="utf-8")
    world = tiny.write_world(tmp_path / "toy")
    (world / "wiki").mkdir()
    (world / "wiki" / "阿灯.md").write_text("# 阿灯\n\n阿灯最爱吃菱角。阿灯在渡口点灯。\n", "utf-8")
    found = {"WORLD": str(world), "MODEL": str(gemma_folder), "NOVEL": str(tmp_path / "book.txt")}
    found |= {"TARGET": str(tmp_path / "new"), "DATA": str(tmp_path / "data"), "STEPS": "2"}
    found |= {"OUT": str(tmp_path / "adapter"), "QUESTION": "阿灯爱吃什么？"}
    found |= {"ROLEPLAY_SMOKE": "1", "CHECKPOINT": "none"}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


def run(name: str) -> str:
    """All that the cells print."""
    notebook = reads((ROOT / "notebooks" / f"{name}.ipynb").read_text("utf-8"), as_version=4)
    place = {"metadata": {"path": str(ROOT / "notebooks")}}
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources=place).execute()
    cells = (cell.get("outputs", ()) for cell in notebook.cells)
    return "".join(str(part.get("text", "")) for outputs in cells for part in outputs)


def test_distilling_shows_lines_with_their_speakers(places: dict[str, str]) -> None:
    assert '"char": "阿灯"' in run("distill_dialogues")


def test_background_finds_the_page(places: dict[str, str]) -> None:
    assert "阿灯最爱吃菱角" in run("build_knowledge_base")


def test_preparing_and_training_leave_an_adapter(places: dict[str, str]) -> None:
    run("prepare_seq2seq_training")
    assert json.loads(Path(places["OUT"], "adapter.json").read_text("utf-8"))["world"] == "toy"


def test_samples_are_printed_for_questions_and_a_scene(places: dict[str, str]) -> None:
    told = run("test_dialogue")
    assert told.count("你是谁？") >= 1 and "雨停了" in told
    assert not (ROOT / "scene.txt").exists()


def test_colab_goes_from_a_novel_to_replies(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WORLD", str(tmp_path / "colab"))
    told = run("colab")
    assert Path(places["OUT"], "adapter.json").exists()
    assert "你是谁？" in told and "me" in told
    assert os.environ["WORLD"] in told
