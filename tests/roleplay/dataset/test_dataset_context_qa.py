"""Context QA: answers that stand in the background, of people who are nobody's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roleplay.dataset.context_qa import context_qa_groups
from roleplay.dataset.interviews import Group
from roleplay.dataset.passages import group_passage
from roleplay.dataset.rows import question_rows
from roleplay.dataset.settings import BuildContext, DatasetSettings
from roleplay.dataset.texts import items, names
from roleplay.dataset.voice import Voice
from roleplay.prompts import Budget

NAMES = ("闻筝", "咕噜九号")
CONTEXT = BuildContext(NAMES, len, DatasetSettings())
VOICES = {"闻筝": Voice(), "咕噜九号": Voice(opening=("报告！", 1.0), self_word="本机")}
WORLDS = Path(__file__).resolve().parents[3] / "worlds"


def groups(most: float = 5_000) -> list[Group]:
    return context_qa_groups(VOICES, CONTEXT, most_tokens=most)


def test_every_answer_stands_in_the_background_or_is_the_name() -> None:
    seen = 0
    for group in groups():
        background = "".join(snippet.text for snippet in group.background)
        for row in group.asked:
            values = [
                value
                for item in items("context_qa")
                for value in item["values"]
                if value in row.answer
            ]
            assert any(value in background for value in values) or row.character in row.answer
            seen += bool(values)
    assert seen > 300


def test_invented_people_and_trained_characters_take_turns() -> None:
    tellers = [group.asked[0].character for group in groups()]
    assert all(name not in NAMES for name in tellers[::2])
    assert set(tellers[1::2]) == set(NAMES)
    assert len(set(tellers[::2])) > 20


def test_nobody_of_the_cast_is_told_a_thing_about() -> None:
    cast = BuildContext(("阿满", "望江楼"), len, DatasetSettings())
    voices = dict.fromkeys(cast.characters, Voice())
    text = "".join(
        s.text for g in context_qa_groups(voices, cast, most_tokens=9_000) for s in g.background
    )
    assert len(text) > 10_000 and "阿满" not in text and "望江楼" not in text


def test_an_invented_person_is_asked_about_itself_and_a_character_about_others() -> None:
    for group in groups():
        name = group.asked[0].character
        for row in group.asked:
            if name in NAMES:
                assert not row.question.startswith("你") and "我" not in row.answer
            else:
                assert name not in row.question


def test_the_name_alone_tells_two_people_apart() -> None:
    """Half of the groups are about two people with the same attributes; one is asked about."""
    people = set(names("context_qa_names", "person"))
    rivals = [
        group for group in groups() if {snippet.source for snippet in group.background} <= people
    ]
    assert 0.35 < len(rivals) / len(groups()) < 0.65
    asked = [(group, row) for group in rivals for row in group.asked if row.evidence]
    for group, row in asked:
        (whose,) = [s.source for s in group.background if s.source in row.question] or [
            row.character
        ]
        own, other = sorted(group.background, key=lambda snippet: snippet.source != whose)
        sentence = row.evidence.replace("{name}", "")
        assert sentence in own.text.replace(own.source, "") and sentence not in other.text.replace(
            other.source, ""
        )
    assert len({row.character in NAMES for _, row in asked}) == 2


def test_the_same_question_has_many_answers() -> None:
    answers: dict[str, set[str]] = {}
    for group in groups(40_000):
        for row in group.asked:
            answers.setdefault(row.question, set()).add(row.answer)
    assert len(answers["你几岁了？"]) > 5


def test_statements_without_their_subject_can_be_read() -> None:
    for group in groups(40_000):
        for snippet in group.background:
            assert (
                "。的" not in snippet.text
                and "。里" not in snippet.text
                and "{" not in snippet.text
            )


def test_a_character_answers_in_its_own_voice() -> None:
    said = [row.answer for group in groups() for row in group.asked if row.character == "咕噜九号"]
    assert said and all(text.startswith("报告！") for text in said)


def test_the_share_bounds_the_answers_and_the_seed_decides() -> None:
    made = groups(400)
    assert 300 < sum(len(row.answer) + 1 for group in made for row in group.asked) <= 400
    assert made == groups(400)
    assert len(groups(0)) == 1


def test_rows_and_passages_show_the_same_background() -> None:
    (group, *_) = groups()
    rows = list(question_rows([group], CONTEXT, budget=Budget(2_000, 1_000)))
    passage = group_passage(group)
    assert [row.response for row in rows] == [
        s.text.rstrip("\n") for s in passage.segments if s.weight
    ]
    assert {row.task for row in rows} == {passage.task} == {"context_qa"}
    assert {row.character for row in rows} == {""}
    assert all(snippet.text in row.prompt for row in rows for snippet in group.background)


def test_a_row_over_the_budget_is_left_out() -> None:
    assert list(question_rows(groups(200), CONTEXT, budget=Budget(8, 1_000))) == []


@pytest.mark.skipif(not WORLDS.exists(), reason="no example world")
def test_no_question_of_the_example_world_is_trained() -> None:
    asked = {
        json.loads(row)["question"]
        for row in (WORLDS / "chuiyan/questions.jsonl").open(encoding="utf-8")
    }
    trained = {
        text for item in items("context_qa") for text in (*item["to_self"], *item["to_other"])
    }
    assert len(trained) > 50 and not trained & asked
