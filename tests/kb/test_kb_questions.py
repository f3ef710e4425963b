"""Question sets: what is right, and bad rows named by file and line."""

from pathlib import Path

import pytest

from kb.errors import QuestionSetError
from kb.questions import Passage, Question, read_passages, read_questions, right_passages

PASSAGES = [Passage(id="a", text="闻筝最爱吃椒盐豆糕。"), Passage(id="b", text="豆糕铺在街角。")]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_gold_goes_before_answers() -> None:
    assert right_passages(
        Question(question="吃什么", answers=("豆糕",), gold=("b",)), PASSAGES
    ) == {"b"}


@pytest.mark.parametrize("gold", [None, ()])
def test_without_gold_the_passages_with_an_answer_are_right(gold: tuple[str, ...] | None) -> None:
    assert right_passages(
        Question(question="吃什么", answers=("豆糕", ""), gold=gold), PASSAGES
    ) == {"a", "b"}


def test_numbers_may_be_ids_and_more_fields_are_let_be(tmp_path: Path) -> None:
    passages = read_passages(
        write(
            tmp_path / "p", '{"id": 7, "text": "塔", "title": "x"}', "", '{"id": 8, "text": "河"}'
        )
    )
    [question] = read_questions(
        write(tmp_path / "q", '{"question": "哪里", "gold": [7], "answers": null}'), passages
    )
    assert right_passages(question, passages) == {"7"}


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("{", "'{': Invalid JSON"),
        ("[]", r"'\[\]': Input should be an object"),
        ('{"id": "b"}', "'text': Field required"),
        ('{"id": "b", "text": ""}', "'text': String should have at least 1 character"),
        ('{"id": "a", "text": "河"}', "the id 'a' stands on line 1 already"),
    ],
)
def test_a_bad_passage_is_named_by_file_and_line(tmp_path: Path, row: str, fault: str) -> None:
    path = write(tmp_path / "P.jsonl", '{"id": "a", "text": "塔"}', row)
    with pytest.raises(
        QuestionSetError, match=rf"line 2 of '.*P\.jsonl' cannot be used: {fault}"
    ) as caught:
        read_passages(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ('{"answers": ["塔"]}', "'question': Field required"),
        ('{"question": "哪里"}', "neither 'gold' nor 'answers'"),
        ('{"question": "哪里", "gold": ["z"]}', "no passage has the id 'z' of its 'gold'"),
        ('{"question": "哪里", "answers": "塔"}', "'answers': Input should be a valid"),
    ],
)
def test_a_bad_question_is_named_by_file_and_line(tmp_path: Path, row: str, fault: str) -> None:
    with pytest.raises(
        QuestionSetError, match=rf"line 1 of '.*Q\.jsonl' cannot be used: .*{fault}"
    ):
        read_questions(write(tmp_path / "Q.jsonl", row), PASSAGES)


def test_an_empty_file_and_a_missing_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(QuestionSetError, match="holds no passage"):
        read_passages(write(tmp_path / "p", ""))
    with pytest.raises(QuestionSetError, match="cannot read"):
        read_passages(tmp_path / "none")
