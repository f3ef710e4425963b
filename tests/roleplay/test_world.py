"""The folder of one novel: names and aliases, and messages that tell the next step."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from roleplay.errors import WorldError
from roleplay.world import World

CAST = [{"name": "闻筝", "aliases": ["小筝", "闻师傅"]}, {"name": "陆迟"}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "worlds" / "雨"
    path.mkdir(parents=True)
    write(path / "world.json", json.dumps({"format": 1, "title": "第十三场雨", "characters": CAST}))
    return path


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def test_names_are_in_the_order_of_the_file(folder: Path) -> None:
    world = World.load(folder)
    assert (world.name, world.info.title, world.names) == ("雨", "第十三场雨", ["闻筝", "陆迟"])


@pytest.mark.parametrize("name", ["闻筝", "小筝", "闻师傅"])
def test_an_alias_is_its_character(folder: Path, name: str) -> None:
    assert World.load(folder).character(name).name == "闻筝"


def test_an_unknown_character_lists_the_known(folder: Path) -> None:
    with pytest.raises(WorldError, match="no character '夏娜' in .*: known are 闻筝 陆迟"):
        World.load(folder).character("夏娜")


def test_an_unknown_world_lists_the_known(folder: Path) -> None:
    with pytest.raises(WorldError, match="no world folder .*none: known worlds are 雨$"):
        World.load(folder.parent / "none")


def test_the_first_world_has_no_neighbours(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=re.escape(f"known worlds are none in {tmp_path}")):
        World.load(tmp_path / "mine")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("script.jsonl", "distill_dialogues.py"),
        ("chunks.jsonl", "distill_dialogues.py"),
        ("train.json", "prepare_seq2seq_training.py"),
        ("kb", "build_knowledge_base.py"),
    ],
)
def test_a_missing_file_names_the_command_that_makes_it(folder: Path, name: str, command: str) -> None:
    step = re.escape(f"make it with `python scripts/{command} --world {folder}`")
    with pytest.raises(WorldError, match=rf"{re.escape(name)} is missing: {step}"):
        World.load(folder).file(name)


def test_data_that_was_prepared_elsewhere_is_looked_for_there(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    step = re.escape(f"prepare_seq2seq_training.py --world {folder} --data_dir {data}`")
    with pytest.raises(WorldError, match=rf"{re.escape(str(data / 'train.json'))} is missing: .*{step}"):
        World.load(folder).file("train.json", data)
    data.mkdir()
    (data / "train.json").touch()
    assert World.load(folder).file("train.json", data) == data / "train.json"


def test_a_missing_file_that_nothing_makes_is_to_be_put_there(folder: Path) -> None:
    with pytest.raises(WorldError, match=r"questions\.jsonl is missing: put it there"):
        World.load(folder).read_questions()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", r"world\.json: title: Field required: mend this field"),
        ("[]", r"world\.json: content: Input should be a valid dictionary"),
        ('{"title": "雨", "characters": [{"name": ""}]}', r"characters\.0\.name: String should have at least 1"),
        ('{"title": "雨", "genre": "x"}', "genre: Extra inputs are not permitted"),
        ('{"title": "雨", "format": 2}', "format 2, this program reads 1: update it"),
        ('{"title": ', r"world\.json: not JSON at line 1"),
    ],
)
def test_a_broken_world_file_names_the_field(folder: Path, text: str, reason: str) -> None:
    write(folder / "world.json", text)
    with pytest.raises(WorldError, match=reason):
        World.load(folder)


def test_create_makes_a_folder_and_leaves_an_existing_one(tmp_path: Path, folder: Path) -> None:
    made = World.create(tmp_path / "worlds" / "新书", "新书")
    assert (made.info.title, made.names) == ("新书", [])
    assert World.create(folder, "别的题目").info.title == "第十三场雨"


def test_the_novel_is_text_or_epub(folder: Path) -> None:
    world = World.load(folder)
    with pytest.raises(WorldError, match=r"no novel\.txt or novel\.epub in .*: put the novel there"):
        world.novel()
    write(folder / "novel.epub", "x")
    assert world.novel() == folder / "novel.epub"


def test_old_script_items_are_split(folder: Path) -> None:
    write(folder / "script.jsonl", '{"char": "闻筝", "say": "漏了。", "act": "抬头"}\n')
    assert [line.kind for line in World.load(folder).read_script()] == ["act", "say"]


@pytest.mark.parametrize("row", ['{"char": "闻筝"}', "[1]", '{"say": "哼", "char": "闻筝", "expression": "生气"}'])
def test_a_broken_script_is_one_line(folder: Path, row: str) -> None:
    write(folder / "script.jsonl", row + "\n")
    with pytest.raises(WorldError, match=r"script\.jsonl: .*mend it or distil again") as caught:
        World.load(folder).read_script()
    assert "\n" not in str(caught.value)


def test_interviews_may_be_absent_but_not_broken(folder: Path) -> None:
    world = World.load(folder)
    assert world.read_interviews() == []
    write(folder / "interviews.jsonl", '{"id": "i1"}\n')
    with pytest.raises(WorldError, match=r"interviews\.jsonl: Field required: mend or remove the row"):
        world.read_interviews()
