"""Summaries and lines of a world as notes, with who knows them and from when."""

import json
from pathlib import Path

import pytest

from kb.snippets import PlotNote
from roleplay.errors import WorldError
from roleplay.stages.plot import line_notes, read_plot, script_notes, summary_notes

CHUNKS = [
    {"id": 0, "chapter": 1, "text": "第一章　漏雨\n沈灯说话了。\n", "span": [0, 15]},
    {"id": 1, "chapter": 1, "text": "杜若走了。\n", "span": [15, 21]},
]
SCRIPT = [
    {"info": "雨停了。", "src_id": 0},
    {"char": "沈灯", "say": "走吧。", "src_id": 0},
    {"char": "unknown", "say": "谁？", "src_id": 0},
    {"char": "杜若", "act": "点头", "src_id": 0},
    {"char": "沈灯", "say": "我修好它了，又漏了。" * 30, "src_id": 1},
    {"char": "沈灯", "say": "没有章节的话。"},
]
SUMMARIES = [
    {"chapter": 1, "summary": "沈灯修好了漏雨，闻笛没有来。"},
    {
        "chapter": 1,
        "character": "沈灯",
        "summary": "沈灯修漏雨。",
        "goal": "修好漏雨",
        "plan": "爬上屋顶",
    },
]


def rows(folder: Path, name: str, values: list[dict]) -> None:
    lines = (json.dumps(value, ensure_ascii=False) + "\n" for value in values)
    (folder / name).write_text("".join(lines), encoding="utf-8")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    rows(tmp_path, "chunks.jsonl", CHUNKS)
    rows(tmp_path, "script.jsonl", SCRIPT)
    rows(tmp_path, "summaries.jsonl", SUMMARIES)
    return tmp_path


def test_a_chapter_is_known_to_those_who_act_in_it(world: Path) -> None:
    assert summary_notes(read_plot(world))[0] == PlotNote(
        "沈灯修好了漏雨，闻笛没有来。",
        "第一章　漏雨",
        1,
        people=("杜若", "沈灯"),
        source="summaries.jsonl",
    )


def test_those_whom_a_summary_names_know_it_too(world: Path) -> None:
    info = {"title": "灯", "characters": [{"name": "闻笛"}]}
    (world / "world.json").write_text(json.dumps(info), encoding="utf-8")
    assert summary_notes(read_plot(world))[0].people == ("杜若", "沈灯", "闻笛")


def test_aims_are_known_to_their_character_alone(world: Path) -> None:
    note = summary_notes(read_plot(world))[1]
    assert (note.title, note.heading, note.people) == ("沈灯", "第一章　漏雨", ("沈灯",))
    assert note.text == "沈灯修漏雨。\n沈灯的目标: 修好漏雨\n沈灯的打算: 爬上屋顶"


def test_lines_name_their_speaker_and_the_people_of_their_scene(world: Path) -> None:
    first, *rest = line_notes(read_plot(world))
    assert (first.text, first.chapter, first.people) == ("沈灯：“走吧。”", 1, ("杜若", "沈灯"))
    assert {note.people for note in rest} == {("沈灯",)}


def test_a_long_saying_repeats_its_speaker(world: Path) -> None:
    texts = [note.text for note in line_notes(read_plot(world))[1:]]
    assert len(texts) > 1 and all(text.startswith("沈灯：“") and len(text) <= 170 for text in texts)


def test_lines_without_a_chapter_are_left_out(world: Path) -> None:
    assert "没有章节" not in "".join(note.text for note in line_notes(read_plot(world)))


def test_a_row_that_is_no_summary_is_named(world: Path) -> None:
    rows(world, "summaries.jsonl", [{"chapter": 1, "summary": "甲", "mood": "x"}])
    with pytest.raises(WorldError, match=r"summaries\.jsonl: .*mend or remove the row"):
        summary_notes(read_plot(world))


def test_missing_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"summaries\.jsonl is missing"):
        summary_notes(read_plot(tmp_path))
    with pytest.raises(WorldError, match=r"script\.jsonl is missing"):
        line_notes(read_plot(tmp_path))


TWO_CHAPTERS = [
    {"id": 0, "chapter": 1, "text": "第一章　漏雨\n沈灯走进滴答铺。\n", "span": [0, 17]},
    {"id": 1, "chapter": 1, "text": "杜若在滴答铺，离开滴答铺。\n", "span": [17, 31]},
    {"id": 2, "chapter": 2, "text": "第二章　雨停\n雨停了。\n", "span": [31, 43]},
]
TALK = [
    {"info": "沈灯走进滴答铺，滴答铺里在滴答铺外。", "src_id": 0},
    {"char": "沈灯", "say": "有人吗？", "src_id": 0},
    {"char": "杜若", "say": "走吧。" * 40, "src_id": 0},
    {"char": "沈灯", "say": "好。", "src_id": 0},
    {"char": "沈灯", "say": "我一个人。", "src_id": 1},
    {"char": "路人", "say": "借过。", "src_id": 1},
    {"char": "杜若", "say": "雨停了。", "src_id": 2},
    {"char": "沈灯", "say": "停了。", "src_id": 2},
    {"char": "杜若", "say": "真的停了。", "src_id": 2},
]


@pytest.fixture
def played(tmp_path: Path) -> Path:
    rows(tmp_path, "chunks.jsonl", TWO_CHAPTERS)
    rows(tmp_path, "script.jsonl", TALK)
    return tmp_path


def test_rules_tell_who_is_there_where_and_who_talks(played: Path) -> None:
    note = script_notes(read_plot(played))[0]
    assert note == PlotNote(
        "《第一章　漏雨》里出场的有沈灯、杜若、路人。地点有滴答铺。说过话的有杜若和沈灯。",
        "第一章　漏雨",
        1,
        people=("杜若", "沈灯", "路人"),
        source="script.jsonl",
    )


def test_rules_tell_first_and_last_words_to_those_who_heard_them(played: Path) -> None:
    notes = script_notes(read_plot(played))
    first, second = (note for note in notes if note.title == "沈灯" and "最后一句话" in note.text)
    assert (
        first.text == "沈灯在《第一章　漏雨》里说的第一句话是“有人吗？”，最后一句话是“我一个人。”。"
    )
    assert (first.chapter, first.heading, first.people) == (1, "第一章　漏雨", ("沈灯",))
    assert (second.chapter, second.people) == (2, ("杜若", "沈灯"))
    assert not any("路人在" in note.text for note in notes), "who says one thing in a book"


def test_rules_tell_where_two_people_first_talk(played: Path) -> None:
    [note] = [note for note in script_notes(read_plot(played)) if "第一次见面说话" in note.text]
    assert (note.title, note.chapter, note.people) == ("沈灯", 1, ("杜若", "沈灯"))
    assert note.text.startswith(
        "沈灯和杜若第一次见面说话是在《第一章　漏雨》，沈灯说：“有人吗？”杜若说：“走吧。"
    )
    assert len(note.text) < 120, "a long saying is cut"


@pytest.mark.parametrize(
    ("language", "text"), [("en", " first talk in "), ("ja", "が初めて話すのは")]
)
def test_rules_tell_it_in_the_language_of_the_book(played: Path, language: str, text: str) -> None:
    info = json.dumps({"title": "灯", "language": language})
    (played / "world.json").write_text(info, encoding="utf-8")
    assert sum(text in note.text for note in script_notes(read_plot(played))) == 1


def test_rules_need_a_script(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"script\.jsonl is missing"):
        script_notes(read_plot(tmp_path))


def test_the_contents_of_the_book_name_its_chapters(tmp_path: Path) -> None:
    page = "<html><body><h2>漏雨的早晨</h2><p>雨停了。</p><h2>不寄的信</h2><p>沈灯走了。</p></body></html>"
    (tmp_path / "novel.txt").write_text(page, encoding="utf-8")
    text = "漏雨的早晨\n雨停了。\n不寄的信\n沈灯走了。"
    rows(tmp_path, "chunks.jsonl", [{"id": 0, "chapter": 1, "text": text, "span": [0, len(text)]}])
    assert read_plot(tmp_path).titles == {1: "漏雨的早晨", 2: "不寄的信"}


def test_a_number_is_no_title(tmp_path: Path) -> None:
    text = "沈灯走了。\n" * 3000
    rows(tmp_path, "chunks.jsonl", [{"id": 0, "chapter": 1, "text": text, "span": [0, len(text)]}])
    plot = read_plot(tmp_path)
    assert (plot.titles, plot.title(2)) == ({}, "第2章")
