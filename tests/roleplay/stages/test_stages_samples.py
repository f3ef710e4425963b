"""Samples: the scene that characters act in is read from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from roleplay.errors import DialogueError, WorldError
from roleplay.stages.samples import read_scene


def test_a_scene_is_script_text(tmp_path: Path) -> None:
    (tmp_path / "scene.txt").write_text("\ufeff【雨停了】\n陆迟：我来晚了。", encoding="utf-8")
    assert [line.kind for line in read_scene(tmp_path / "scene.txt").lines] == ["info", "say"]


def test_a_scene_that_is_missing_or_broken_is_told(tmp_path: Path) -> None:
    with pytest.raises(DialogueError, match="no scene file"):
        read_scene(tmp_path / "scene.txt")
    (tmp_path / "scene.txt").write_text("没有冒号", encoding="utf-8")
    with pytest.raises(DialogueError, match="line 1"):
        read_scene(tmp_path / "scene.txt")


def test_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "scene.txt").write_bytes("【雨停了】".encode("gb18030"))
    with pytest.raises(WorldError, match="is not UTF-8"):
        read_scene(tmp_path / "scene.txt")
