"""The shipped example world: large enough, true to its source, its questions fair."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from roleplay.dataset.texts import items
from roleplay.records import Interview, Line, Question
from roleplay.script import parse_body
from roleplay.stages.example import read_paragraph
from roleplay.world import World
from scripts import build_example_world

FOLDER = Path(__file__).resolve().parents[1] / "worlds" / "chuiyan"
CUES = {
    "before",
    "after",
    "inside",
    "action",
    "pronoun",
    "alternation",
    "group",
    "thought",
    "phone",
    "letter",
}


@pytest.fixture(scope="module")
def world() -> World:
    return World.load(FOLDER)


@pytest.fixture(scope="module")
def novel() -> str:
    return (FOLDER / "novel.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script(world: World) -> list[Line]:
    return world.read_script()


@pytest.fixture(scope="module")
def questions(world: World) -> list[Question]:
    return world.read_questions()


@pytest.fixture(scope="module")
def interviews(world: World) -> list[Interview]:
    return world.read_interviews()


def spoken(script: list[Line]) -> list[Line]:
    return [line for line in script if line.kind in ("say", "think")]


def squeezed(text: str) -> str:
    """Only letters and digits: a question is the same with another mark or blank."""
    return "".join(filter(str.isalnum, text))


def test_the_novel_is_long_enough(world: World, novel: str) -> None:
    assert len(squeezed(novel)) >= 25_000
    assert len({chunk.chapter for chunk in world.read_chunks()}) >= 8


def test_enough_characters_have_enough_lines(world: World, script: list[Line]) -> None:
    lines = Counter(line.char for line in spoken(script))
    assert sum(lines.values()) >= 700
    assert sum(lines[name] >= 40 for name in world.names) >= 5


def test_every_kind_of_cue_is_present(script: list[Line]) -> None:
    assert {line.cue for line in script if line.kind != "info"} == CUES


def test_no_line_is_without_its_speaker(script: list[Line]) -> None:
    assert [line.text for line in script if line.char == "unknown"] == []


def test_every_line_stands_verbatim_at_its_span(script: list[Line], novel: str) -> None:
    assert [
        line.text for line in script if line.span is None or novel[slice(*line.span)] != line.text
    ] == []


def test_lines_are_in_the_order_of_the_novel_and_in_their_chunk(
    world: World, script: list[Line]
) -> None:
    starts = [line.span[0] for line in script if line.span]
    assert starts == sorted(starts)
    spans = {chunk.id: chunk.span for chunk in world.read_chunks()}
    assert all(
        spans[line.src_id or 0][0] <= start < spans[line.src_id or 0][1]
        for line, start in zip(script, starts, strict=True)
    )


def test_the_chunks_are_the_novel(world: World, novel: str) -> None:
    chunks = world.read_chunks()
    assert "".join(chunk.text for chunk in chunks) == novel
    assert all(novel[slice(*chunk.span)] == chunk.text for chunk in chunks)


def test_novel_and_script_are_what_the_source_makes(tmp_path: Path) -> None:
    shutil.copytree(FOLDER / "source", tmp_path / "source")
    assert build_example_world.main(["--world", str(tmp_path)]) == 0
    for name in ("novel.txt", "script.jsonl", "chunks.jsonl"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), (
            f"{name}: build the world again"
        )


def test_marks_of_the_source_do_not_reach_the_novel(novel: str) -> None:
    assert [mark for mark in "{}|[]" if mark in novel] == []


def test_a_world_without_source_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_example_world.main(["--world", str(tmp_path)]) == 2
    assert (
        capsys.readouterr().err
        == f"error: no chapters in {tmp_path / 'source'}: write them as NN.txt\n"
    )


def test_a_marked_paragraph_is_read() -> None:
    marked = "铜婆[铜婆|一动也没动]。“又漏了。”{闻筝|after|白眼}闻筝说，人们管它叫“雨舌”{-}。"
    plain, lines = read_paragraph(marked, start=100)
    assert plain == "铜婆一动也没动。“又漏了。”闻筝说，人们管它叫“雨舌”。"
    acted, said = (line for line in lines if line.kind != "info")
    assert (acted.kind, acted.char, acted.span) == ("act", "铜婆", (102, 107))
    assert (said.char, said.cue, said.expression, said.span) == (
        "闻筝",
        "after",
        "白眼",
        (109, 113),
    )


def test_there_are_enough_questions_for_people_of_the_world(
    world: World, questions: list[Question]
) -> None:
    assert len(questions) >= 80
    assert len({row.id for row in questions}) == len(questions)
    assert {row.character for row in questions} <= set(world.names)
    assert sum(row.source == "wiki" for row in questions) * 2 >= len(questions)


def test_every_wiki_question_has_its_answer_on_its_page(questions: list[Question]) -> None:
    pages = {
        path.stem: path.read_text(encoding="utf-8") for path in (FOLDER / "wiki").glob("*.wiki")
    }
    asked = [row for row in questions if row.source == "wiki"]
    assert [
        row.id for row in asked if not any(text in pages[row.page or ""] for text in row.expected)
    ] == []


def test_every_novel_question_has_an_expected_answer(questions: list[Question]) -> None:
    assert [
        row.id for row in questions if not all(map(squeezed, row.expected)) or not row.expected
    ] == []


def test_no_interview_repeats_a_question(
    questions: list[Question], interviews: list[Interview]
) -> None:
    asked = {squeezed(row.question) for row in questions}
    assert len(interviews) > 0
    assert [row.id for row in interviews if squeezed(row.question) in asked] == []


def test_the_answers_of_wiki_questions_are_not_trained_on(
    questions: list[Question], interviews: list[Interview]
) -> None:
    evidence = "\n".join(f"{row.evidence or ''}\n{row.answer}" for row in interviews)
    held_out = [text for row in questions if row.source == "wiki" for text in row.expected]
    assert [text for text in held_out if text in evidence] == []


def test_no_words_stand_in_a_gesture(world: World) -> None:
    """What comes after a gesture would be shown and read as part of it: words stand before."""
    written = [
        (row.character, answer) for row in world.read_conversations() for _, answer in row.turns
    ]
    registers = [row for row in items("registers") if row["language"] == "zh"]
    written += [(row["register"], row["answer"]) for row in registers]
    gestures = [
        line.text
        for name, answer in written
        for line in parse_body(answer, name)
        if line.kind == "act"
    ]
    assert len(gestures) > 300
    assert not [text for text in gestures if re.search(r"[^\x00-\x7f] +[^\x00-\x7f]", text)]
