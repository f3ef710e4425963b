"""A question set on disk, for measuring a search: passages, and questions with what answers them.

    {"id": "p1", "text": "闻筝最爱吃椒盐豆糕。"}
    {"question": "闻筝最爱吃什么？", "answers": ["椒盐豆糕"], "gold": ["p1"]}

    >>> passages = read_passages("P.jsonl")
    >>> right_passages(read_questions("Q.jsonl")[0], passages)
    {'p1'}

Right are the passages whose ids stand in `gold`, or, where a question has none, those that hold one of its answers.
Nothing is searched here.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kb.errors import QuestionSetError

Row = TypeVar("Row", bound=BaseModel)


class Passage(BaseModel):
    """A text that may answer a question."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    id: str
    text: str = Field(min_length=1)


class Question(BaseModel):
    """A question, its answers, and the ids of the passages that answer it (none: those that hold an answer)."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    question: str = Field(min_length=1)
    answers: tuple[str, ...] | None = None
    gold: tuple[str, ...] | None = None


def read_passages(path: str | Path) -> list[Passage]:
    """Passages of a JSON Lines file; raises QuestionSetError naming file, line and fault, also for an id used twice."""
    seen: dict[str, int] = {}
    passages = []
    for number, passage in _rows(Path(path), Passage):
        if passage.id in seen:
            raise _fault(path, number, f"the id {passage.id!r} stands on line {seen[passage.id]} already")
        seen[passage.id] = number
        passages.append(passage)
    if not passages:
        raise QuestionSetError(f"{str(path)!r} holds no passage: write one JSON object a line")
    return passages


def read_questions(path: str | Path, passages: Sequence[Passage]) -> list[Question]:
    """Questions of a JSON Lines file.

    Raises QuestionSetError naming file, line and fault: a row that is no question, one with neither gold nor
    answers, or gold that is no passage's id.
    """
    ids = {passage.id for passage in passages}
    questions = []
    for number, question in _rows(Path(path), Question):
        if not question.gold and not any(question.answers or ()):
            raise _fault(path, number, "it has neither 'gold' nor 'answers': give one of them")
        if unknown := [key for key in question.gold or () if key not in ids]:
            raise _fault(path, number, f"no passage has the id {unknown[0]!r} of its 'gold'")
        questions.append(question)
    if not questions:
        raise QuestionSetError(f"{str(path)!r} holds no question: write one JSON object a line")
    return questions


def right_passages(question: Question, passages: Sequence[Passage]) -> set[str]:
    """Ids of the passages that answer it."""
    if question.gold:
        return set(question.gold)
    answers = [answer for answer in question.answers or () if answer]
    return {passage.id for passage in passages if any(answer in passage.text for answer in answers)}


def _rows(path: Path, kind: Callable[..., Row]) -> Iterator[tuple[int, Row]]:
    """(line number, row) of every line that is not blank."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionSetError(
            f"cannot read {str(path)!r} ({error}): give a UTF-8 file with one JSON object a line"
        ) from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, _row(path, number, line, kind)


def _row(path: Path, number: int, line: str, kind: Callable[..., Row]) -> Row:
    try:
        raw: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise _fault(path, number, f"it is not JSON, {error.msg}") from error
    if not isinstance(raw, dict):
        raise _fault(path, number, f"it is {type(raw).__name__}, not an object")
    try:
        return kind(**{str(key): value for key, value in raw.items()})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _fault(path, number, f"{place!r}: {first['msg']}") from error


def _fault(path: str | Path, number: int, what: str) -> QuestionSetError:
    return QuestionSetError(f"line {number} of {str(path)!r} cannot be used: {what}")
