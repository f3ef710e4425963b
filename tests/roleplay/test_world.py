"""The folder of one novel: names and aliases, and messages that tell the next step."""

import json
import re
from pathlib import Path

import pytest

from roleplay.errors import WorldError
from roleplay.records import Chunk, Line
from roleplay.world import World, chapter_finder

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
def test_a_missing_file_names_the_command_that_makes_it(
    folder: Path, name: str, command: str
) -> None:
    step = re.escape(f"make it with `python scripts/{command} --world {folder}`")
    with pytest.raises(WorldError, match=rf"{re.escape(name)} is missing: {step}"):
        World.load(folder).file(name)


def test_data_that_was_prepared_elsewhere_is_looked_for_there(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    step = re.escape(f"prepare_seq2seq_training.py --world {folder} --data-dir {data}`")
    with pytest.raises(
        WorldError, match=rf"{re.escape(str(data / 'train.json'))} is missing: .*{step}"
    ):
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
        ("{}", r"world\.json: title: is missing: mend this field"),
        ("[]", r"world\.json: '\[\]' is no object: mend this field"),
        ('{"title": "雨", "characters": [{"name": ""}]}', r"characters\.0\.name: is empty"),
        ('{"title": "雨", "genre": "x"}', "genre: is no known field"),
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
    with pytest.raises(
        WorldError, match=r"no novel\.txt or novel\.epub in .*: put the novel there"
    ):
        world.novel()
    write(folder / "novel.epub", "x")
    assert world.novel() == folder / "novel.epub"


def test_old_script_items_are_split(folder: Path) -> None:
    write(folder / "script.jsonl", '{"char": "闻筝", "say": "漏了。", "act": "抬头"}\n')
    assert [line.kind for line in World.load(folder).read_script()] == ["act", "say"]


@pytest.mark.parametrize(
    "row", ['{"char": "闻筝"}', "[1]", '{"say": "哼", "char": "闻筝", "expression": "生气"}']
)
def test_a_broken_script_is_one_line(folder: Path, row: str) -> None:
    write(folder / "script.jsonl", row + "\n")
    with pytest.raises(WorldError, match=r"script\.jsonl: row 1: .*mend or remove") as caught:
        World.load(folder).read_script()
    assert "\n" not in str(caught.value)


def test_interviews_may_be_absent_but_not_broken(folder: Path) -> None:
    world = World.load(folder)
    assert world.read_interviews() == []
    whole = {"id": "i1", "character": "闻筝", "question": "几岁？", "answer": "十六。"}
    broken = {"id": "i2", "character": "闻筝"}
    write(folder / "interviews.jsonl", f"{json.dumps(whole)}\n{json.dumps(broken)}\n")
    with pytest.raises(
        WorldError, match=r"interviews\.jsonl: row 2: question: is missing: mend or remove the row"
    ):
        world.read_interviews()


def placed(text: str, chunk: int | None) -> Line:
    return Line(kind="info", text=text, src_id=chunk)


def test_the_chapter_of_a_line_is_that_of_its_chunk() -> None:
    chapter_of = chapter_finder([Chunk(id=4, chapter=2, text="雨", span=(0, 1))])
    found = [chapter_of(placed("雨停了", chunk)) for chunk in (4, 0, None)]
    assert found == [2, None, None]


def test_lines_are_by_chapter_and_those_of_no_known_chunk_are_counted(folder: Path) -> None:
    rows = [
        {"id": i, "chapter": chapter, "text": "雨", "span": (i, i + 1)}
        for i, chapter in enumerate((3, 1, 3))
    ]
    lines = [placed(str(n), chunk) for n, chunk in enumerate((0, 1, 2, 7, None))]
    write(folder / "chunks.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    write(folder / "script.jsonl", "".join(f"{json.dumps(line.to_json())}\n" for line in lines))
    world = World.load(folder)
    chapters = world.lines_by_chapter()
    assert list(chapters) == [1, 3]
    assert {i: [line.text for line in found] for i, found in chapters.items()} == {
        1: ["1"],
        3: ["0", "2"],
    }


def test_a_world_says_what_it_has(folder: Path) -> None:
    world = World.load(folder)
    assert world.is_there("world.json") and not world.is_there("kb")


def test_a_world_tells_its_errors_in_chinese(folder: Path) -> None:
    world = World.load(folder)
    with pytest.raises(WorldError) as caught:
        world.file("kb")
    assert caught.value.text("zh") == (
        f"缺少 {folder / 'kb'}：请用 `python scripts/build_knowledge_base.py --world {folder}` 生成"
    )
