"""Interviews, summaries, expressions, aliases of a model: checked names, evidence, edits kept."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from roleplay.distill import tables
from roleplay.distill.llm import tasks
from roleplay.distill.llm.client import CachedClient
from roleplay.distill.llm.costs import Meter
from roleplay.distill.llm.endpoint import Endpoint, EndpointSettings
from roleplay.distill.llm.ledger import Ledger
from roleplay.distill.llm.requests import read_prompt, read_schema
from roleplay.errors import WorldError
from roleplay.files import digest, read_json, read_jsonl, write_json, write_jsonl
from roleplay.novel.chapters import find_chapters
from roleplay.records import EXPRESSIONS
from roleplay.world import World
from scripts.distill_dialogues import main
from tests.roleplay.distill.loopback import Answer, Reply, error_body, serve
from tests.roleplay.distill.test_distill_labelling import book_of

TEXT = "第一章 雨\n闻筝没好气地说：“漏了。”\n小筝是街坊对闻筝的叫法。\n铜婆笑道：“哟。”\n"
CAST: dict[str, tuple[str, ...]] = {"闻筝": (), "铜婆": ("婆婆",)}
PROMPTS = {"interviews": "interview", "summaries": "summary"}


def made(task: str, answer: Answer, folder: Path) -> list[dict[str, Any]]:
    book = book_of(TEXT, CAST)

    async def go() -> list[dict[str, Any]]:
        with serve(answer) as server:
            endpoint = Endpoint(EndpointSettings("m", server.url, "k", pause=0.01))
            async with CachedClient(
                Ledger(folder / "ledger.jsonl"), Meter("m", {}), endpoint
            ) as client:
                return await tasks.run(task, book, find_chapters(TEXT), client, "m")

    return asyncio.run(go())


def says(*rows: dict[str, Any]) -> Answer:
    return lambda body: Reply(json.dumps({"items": rows}, ensure_ascii=False))


def test_an_interview_has_a_character_of_the_cast_and_the_novels_words_as_evidence(
    tmp_path: Path,
) -> None:
    good = {"character": "婆婆", "question": "雨呢？", "answer": "哟。", "evidence": 7}
    rows = made(
        "interviews",
        says({**good, "character": "孙悟空"}, {**good, "evidence": 900}, good),
        tmp_path,
    )
    assert [(row["id"], row["character"], row["evidence"], row["generated"]) for row in rows] == [
        ("g0-1", "铜婆", "哟。", True)
    ]


def test_a_summary_tells_of_the_chapter_and_of_its_characters(tmp_path: Path) -> None:
    chapter = {"character": None, "summary": "下雨。", "goal": None}
    person = {
        "character": "闻筝",
        "summary": "她修雨。",
        "goal": "修好",
        "obstacle": "漏",
        "plan": None,
        "role": "主角",
    }
    rows = made("summaries", says(chapter, person, {"character": "某人", "summary": "x"}), tmp_path)
    assert rows == [
        {"chapter": 1, "summary": "下雨。"},
        {
            "chapter": 1,
            "character": "闻筝",
            "summary": "她修雨。",
            "goal": "修好",
            "obstacle": "漏",
            "role": "主角",
        },
    ]


def test_expression_words_come_from_the_novel(tmp_path: Path) -> None:
    assert tasks.manner_words(TEXT, book_of(TEXT, CAST).names) == ["没好气", "笑"]
    rows = made(
        "expressions",
        says({"word": "没好气", "label": "微怒"}, {"word": "别的", "label": "微笑"}),
        tmp_path,
    )
    assert rows == [{"word": "没好气", "label": "微怒"}]


def test_an_alias_must_stand_in_its_evidence(tmp_path: Path) -> None:
    good = {"name": "闻筝", "alias": "小筝", "evidence": 5}
    rows = made("aliases", says(good, {**good, "alias": "阿筝"}, {**good, "evidence": 3}), tmp_path)
    assert rows == [{"name": "闻筝", "alias": "小筝", "evidence": "小筝是街坊对闻筝的叫法。"}]


@pytest.mark.parametrize("task", tasks.TASKS)
def test_a_parrot_adds_nothing(tmp_path: Path, task: str) -> None:
    example = read_prompt(PROMPTS.get(task, task)).partition("\n---\n")[0]
    rows = made(task, lambda body: Reply(example), tmp_path)
    assert rows == []


def test_a_cut_answer_is_asked_for_once_more(tmp_path: Path) -> None:
    replies = [Reply("{", finish="length"), Reply('{"character": null, "summary": "下雨。"}')]
    assert made("summaries", lambda body: replies.pop(0), tmp_path) == [
        {"chapter": 1, "summary": "下雨。"}
    ]


def test_an_edited_table_is_kept(tmp_path: Path) -> None:
    row = {"name": "闻筝", "alias": "小筝", "evidence": "x"}
    path = tmp_path / "aliases.json"
    assert str(tables.write("aliases", [row, row], tmp_path)) == f"1 rows -> {path}"
    assert read_json(path)["aliases"] == [{**row, "count": 2}]
    assert str(tables.write("aliases", [row], tmp_path)) == f"1 rows -> {path}"
    write_json(path, {"format": 1, "aliases": [{"name": "闻筝", "alias": "阿筝"}]})
    told = tables.write("aliases", [row], tmp_path)
    assert "was edited and is kept" in str(told) and "已保留" in told.text("zh")
    assert tables.read_aliases(path) == [("闻筝", "阿筝")]
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        "aliases.json",
        "aliases.manifest.json",
    ]


@pytest.mark.parametrize("edited", [False, True])
def test_a_table_of_an_older_version_is_kept_if_it_was_edited(tmp_path: Path, edited: bool) -> None:
    path, row = tmp_path / "aliases.json", {"name": "闻筝", "alias": "小筝", "evidence": "x"}
    write_json(path, {"format": 1, "aliases": []})
    old = {"format": 1, "stage": "distill", "settings": {}, "inputs": digest(path.read_bytes())}
    write_json(tmp_path / "aliases.json.meta.json", old)
    if edited:
        write_json(path, {"format": 1, "aliases": [{"name": "闻筝", "alias": "阿筝"}]})
    told = str(tables.write("aliases", [row], tmp_path))
    assert ("was edited and is kept" in told) == edited
    assert tables.read_aliases(path) == [("闻筝", "阿筝" if edited else "小筝")]
    assert (tmp_path / "aliases.json.meta.json").exists() == edited


def test_a_table_that_somebody_else_wrote_is_kept(tmp_path: Path) -> None:
    write_json(tmp_path / "expressions.json", {"expressions": []})
    told = tables.write("expressions", [{"word": "笑", "label": "微笑"}], tmp_path)
    assert told.key == "distill.table-kept"


def test_the_forms_of_the_answers_know_the_thirteen_expressions() -> None:
    label = read_schema("label")["properties"]["labels"]["items"]["properties"]["expression"]
    word = read_schema("expressions")["properties"]["items"]["items"]["properties"]["label"]
    assert label["enum"] == word["enum"] == [*EXPRESSIONS, None]
    assert read_schema("focus") == read_schema("label")


def test_rows_of_another_form_are_told_with_their_file(tmp_path: Path) -> None:
    path = tmp_path / "summaries.jsonl"
    path.write_text('{"summary": "雨"}\n', encoding="utf-8")
    with pytest.raises(WorldError, match=r"summaries.jsonl: chapter: is missing: mend or remove"):
        tables.summaries_before(path, [])
    write_json(path, {"aliases": [{"name": "闻筝"}]})
    with pytest.raises(WorldError, match='rows look like {"name": "悟空", "alias": "行者"}'):
        tables.read_aliases(path)


def test_interviews_that_people_wrote_stay(tmp_path: Path) -> None:
    old = {"id": "i1", "character": "闻筝", "question": "谁？", "answer": "我。"}
    new = {**old, "id": "g0-1", "generated": True}
    (tmp_path / "interviews.jsonl").write_text(
        json.dumps(old) + "\n" + json.dumps(new) + "\n", encoding="utf-8"
    )
    tables.write("interviews", [{**new, "id": "g1-1"}], tmp_path)
    assert [row["id"] for row in read_jsonl(tmp_path / "interviews.jsonl")] == ["i1", "g1-1"]


def test_all_tasks_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "novel.txt").write_text(TEXT, encoding="utf-8")
    characters = [{"name": name, "aliases": list(aliases)} for name, aliases in CAST.items()]
    write_json(tmp_path / "world.json", {"title": "x", "characters": characters})
    rows = {
        "character": "闻筝",
        "question": "谁？",
        "answer": "我。",
        "evidence": 5,
        "summary": "她修雨。",
    }
    words = {"word": "没好气", "label": "微怒", "name": "闻筝", "alias": "小筝"}
    with serve(says({**rows, **words})) as server:
        command = [
            "--world",
            str(tmp_path),
            "--backend",
            server.url,
            "--model",
            "m",
            "--tasks",
            *tasks.TASKS,
        ]
        assert main(command) == 0 and main(command) == 0
    assert len(server.requests) == 4
    assert World.load(tmp_path).read_interviews()[0].generated
    assert next(read_jsonl(tmp_path / "summaries.jsonl"))["character"] == "闻筝"
    assert read_json(tmp_path / "expressions.json")["expressions"][0]["label"] == "微怒"
    assert tables.read_aliases(tmp_path / "aliases.json") == [("闻筝", "小筝")]
    assert "interviews 1 generated" in capsys.readouterr().out


def test_summaries_tell_a_chunk_what_came_before(tmp_path: Path) -> None:
    rows = [
        {"chapter": 1, "summary": "下雨。"},
        {"chapter": 1, "character": "闻筝", "summary": "她修雨。"},
    ]
    tables.write("summaries", rows, tmp_path)
    book = book_of("第一章 雨\n雨。\n第二章 晴\n晴。\n", CAST)
    assert tables.summaries_before(tmp_path / "summaries.jsonl", book.chunks) == {1: "下雨。"}
    assert tables.summaries_before(tmp_path / "nothing.jsonl", book.chunks) == {}


@pytest.mark.parametrize(
    "reply",
    [
        Reply("", finish="length"),
        Reply("I cannot.", finish="content_filter"),
        Reply(status=400, body=error_body("content management policy", "content_filter")),
    ],
)
def test_answers_without_anything_end_with_a_line_and_keep_what_was_there(
    tmp_path: Path, reply: Reply, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "novel.txt").write_text(TEXT, encoding="utf-8")
    characters = [{"name": name, "aliases": list(aliases)} for name, aliases in CAST.items()]
    write_json(tmp_path / "world.json", {"title": "x", "characters": characters})
    write_jsonl(tmp_path / "summaries.jsonl", [{"chapter": 1, "summary": "下雨。"}])
    with serve(lambda body: reply) as server:
        flags = ["--world", str(tmp_path), "--backend", server.url, "--model", "m"]
        assert main([*flags, "--tasks", "summaries", "aliases"]) == 2
    assert len(server.requests) <= 4
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert "no answer of 'm' held anything that could be read (summaries aliases)" in told
    assert [row["summary"] for row in read_jsonl(tmp_path / "summaries.jsonl")] == ["下雨。"]


def test_half_an_emoji_and_odd_values_are_written_or_left_out(tmp_path: Path) -> None:
    odd = [{"character": 7, "summary": ["x"]}, {"character": None, "summary": 7, "goal": {}}]
    good = {"character": None, "summary": "下雨\ud83d。", "goal": None}
    rows = made("summaries", lambda body: Reply(json.dumps([*odd, good])), tmp_path)
    assert rows == [{"chapter": 1, "summary": "下雨\ufffd。"}]
    tables.write("summaries", rows, tmp_path)
