"""The seed's published output: every fault that it has, each with a line of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roleplay.distill.legacy_data import (
    chapter_of,
    clean_content,
    clean_interviews,
    read_expressions,
    read_old,
)
from roleplay.errors import ScriptError
from roleplay.world import World
from scripts import import_old_data


def texts(content: Any) -> list[tuple[str, str | None, str]]:
    return [(line.kind, line.char, line.text) for line in clean_content(content).lines]


def test_merged_keys_become_lines() -> None:
    content = [
        {
            "char": "小舟",
            "say": "船来了。",
            "act": "推开船",
            "think": None,
            "expression": "高兴",
            "src_id": 4,
        }
    ]
    cleaned = clean_content(content)
    assert [(line.kind, line.text, line.src_id) for line in cleaned.lines] == [
        ("act", "推开船", 4),
        ("say", "船来了。", 4),
    ]
    assert cleaned.lines[1].expression == "微笑"
    assert cleaned.counts == {"merged keys split": 1, "expression mapped to one of the 13": 1}


@pytest.mark.parametrize("name", [None, "", "unknown", "未知", "Unknown"])
def test_speakers_that_nobody_knows(name: str | None) -> None:
    cleaned = clean_content([{"char": name, "say": "谁在那里？"}])
    assert cleaned.lines[0].char == "unknown" and cleaned.counts["unknown speaker"] == 1


def test_the_narrator_does_not_speak() -> None:
    assert texts([{"char": "旁白", "say": "雨停了。"}]) == [("info", None, "雨停了。")]


@pytest.mark.parametrize("text", ["……", "？！", "——"])
def test_marks_alone_are_no_line(text: str) -> None:
    cleaned = clean_content([{"char": "小舟", "say": text}])
    assert not cleaned.lines and cleaned.counts["punctuation only"] == 1


@pytest.mark.parametrize(
    "reply",
    [
        '[{"char": "小舟", "say": "船来了。"}\n{"info": "雨停了。"}]',
        '{"char": "小舟" "say": "船来了。"}, {"info": "雨停了。"}',
        '```json\n[{"char": "小舟", "say": "船来了。"}, {"info": "雨停了。"},]\n```\n以上就是全部内容。',
        '[{"char": "小舟", "say": "船来了。"}, {"info": "雨停了。"}, {"char": "阿灯", "sa',
    ],
)
def test_replies_that_are_no_json(reply: str) -> None:
    assert texts([reply]) == [("say", "小舟", "船来了。"), ("info", None, "雨停了。")]


def test_what_cannot_be_read_is_told_with_its_place() -> None:
    cleaned = clean_content([[{"info": "雨停了。"}], '{"char": "小舟", say', 7, None])
    assert len(cleaned.lines) == 1
    assert cleaned.problems == ["chunk 1: a cut object", "chunk 2: '7' is no item"]
    assert cleaned.counts["null in place of an item"] == 1


def test_lists_a_chunk_and_dicts_by_chunk() -> None:
    lists = [[{"info": "雨停了。"}], [{"info": "天亮了。"}]]
    for content in (lists, {"0": lists[0], "1": lists[1]}):
        assert [line.src_id for line in clean_content(content).lines] == [0, 1]


def test_the_leaked_example_goes_and_a_catchphrase_stays() -> None:
    example = [{"char": "甲", "say": "例子的第一句。"}, {"char": "乙", "say": "例子的第二句。"}]
    chunks = [
        [*example, {"char": "小舟", "say": f"第{n}句话。"}, {"char": "阿灯", "say": "没完没了！"}]
        for n in range(4)
    ]
    cleaned = clean_content(chunks)
    assert cleaned.counts["leaked from the prompt's example"] == 8
    assert {line.char for line in cleaned.lines} == {"小舟", "阿灯"} and len(cleaned.lines) == 8


def test_expressions_beyond_the_thirteen() -> None:
    cleaned = clean_content(
        [{"char": "甲", "say": "好。", "expression": word} for word in ("大怒", "有些惊讶", "蓝色")]
    )
    assert [line.expression for line in cleaned.lines] == ["大怒", "惊讶", None]
    assert cleaned.counts["expression dropped"] == 1


def test_narration_with_speech_is_counted() -> None:
    assert clean_content([{"info": "他说：“我走了。”"}]).counts["narration with quoted speech"] == 1


def test_interviews_in_several_spellings() -> None:
    cleaned = clean_interviews(
        [
            {"question": "你点什么？", "char": "阿灯", "answer": "点灯。"},
            [{"问": "你等什么？", "name": "小舟", "答": "等船。"}],
            {"question": "谁？", "char": None, "answer": "不知道。"},
            {"question": "空的？", "char": "阿灯", "answer": None},
        ]
    )
    assert [(row.id, row.character, row.answer) for row in cleaned.interviews] == [
        ("old-0", "阿灯", "点灯。"),
        ("old-1", "小舟", "等船。"),
    ]
    assert cleaned.counts["interview without a character"] == 1 and len(cleaned.problems) == 1


def test_interviews_as_the_author_published_them() -> None:
    row = {"respondent": "小舟", "ask": "你等什么？", "answer": "等船。", "src_id": 4}
    cleaned = clean_interviews([row, {**row, "answer": ""}])
    assert [(one.character, one.question, one.answer) for one in cleaned.interviews] == [
        ("小舟", "你等什么？", "等船。")
    ]
    assert (cleaned.given, cleaned.kept, cleaned.counts) == (2, 1, {})


def test_the_authors_own_map_of_expressions(tmp_path: Path) -> None:
    path = tmp_path / "expression_map.json"
    path.write_text('{"冷笑": "微怒", "空洞": null, "心痛": "微哀"}', encoding="utf-8")
    words = ("冷笑", "空洞", "心痛", "None", "平静", "蓝色")
    rows = [{"char": "甲", "say": f"{word}了。", "expression": word} for word in words]
    cleaned = clean_content(rows, read_expressions(path))
    found = [line.expression for line in cleaned.lines]
    assert found == ["微怒", None, "悲哀", None, "平静", None]
    assert cleaned.counts == {
        "expression mapped to one of the 13": 2,
        "expression that the map leaves out": 1,
        "expression dropped": 1,
    }


@pytest.mark.parametrize("text", ["[1]", '{"冷笑": 7}', '"微怒"', "{"])
def test_a_map_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScriptError, match='an expression map looks like {"愤怒": "大怒"'):
        read_expressions(path)


def test_chapters_name_their_chunks() -> None:
    known = {3: 0, 4: 0, 9: 1}
    assert [chapter_of(chunk, known) for chunk in (3, 5, 9, 12)] == [0, 0, 1, 1]
    assert (chapter_of(45), chapter_of(1, known)) == (2, 0)


def test_json_lines_and_broken_files(tmp_path: Path) -> None:
    path = tmp_path / "all_content.json"
    path.write_text('{"info": "雨停了。"}\n{"info": "天亮了。"}\n', encoding="utf-8")
    assert len(clean_content(read_old(path)).lines) == 2
    path.write_text('[{"info": "雨停了。"}, {"info": "天亮', encoding="utf-8")
    assert len(clean_content(read_old(path)).lines) == 1
    path.write_text(" ", encoding="utf-8")
    with pytest.raises(ScriptError, match="is empty"):
        read_old(path)
    path.write_bytes("雨".encode("gb18030"))
    with pytest.raises(ScriptError, match="is not UTF-8"):
        read_old(path)
    with pytest.raises(ScriptError, match=r"cannot be read \(no such file\)"):
        read_old(tmp_path / "nothing.json")


def test_a_world_is_made_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chunks = [
        [{"char": "小舟", "say": f"第{n}句话。"}, {"info": f"第{n}场雨。"}] for n in range(45)
    ]
    content, asked = tmp_path / "all_content.json", tmp_path / "all_interview.json"
    content.write_text(json.dumps(chunks, ensure_ascii=False), encoding="utf-8")
    asked.write_text('[{"question": "谁？", "char": "小舟", "answer": "我。"}]', encoding="utf-8")
    arguments = [
        "--world",
        str(tmp_path / "mine"),
        "--content",
        str(content),
        "--interview",
        str(asked),
    ]
    assert import_old_data.main(arguments) == 0
    world = World.load(tmp_path / "mine")
    assert (
        world.names == ["小舟"]
        and len(world.read_script()) == 90
        and len(world.read_interviews()) == 1
    )
    assert {chunk.chapter for chunk in world.read_chunks()} == {0, 1, 2}
    assert "90 lines, 1 interviews, 1 names" in (world.path / "report" / "import.md").read_text(
        encoding="utf-8"
    )
    assert import_old_data.main(arguments) == 2
    assert "script.jsonl is there already: name another --world" in capsys.readouterr().err
