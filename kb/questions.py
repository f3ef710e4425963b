"""A question set on disk, for measuring a search: passages, and questions with their answers.

    {"id": "p1", "text": "闻筝最爱吃椒盐豆糕。"}
    {"question": "闻筝最爱吃什么？", "answers": ["椒盐豆糕"], "gold": ["p1"]}

    >>> passages = read_passages("P.jsonl")
    >>> right_passages(read_questions("Q.jsonl", passages)[0], passages)
    {'p1'}

Right are the passages in `gold`, or, where a question has none, those that hold one of its answers.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kb.errors import Message, QuestionSetError

Row = TypeVar("Row", bound=BaseModel)


class Passage(BaseModel):
    """A text that may answer a question."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    id: str
    text: str = Field(min_length=1)


class Question(BaseModel):
    """A question, its answers, and the ids of the passages that answer it, where they are known."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    question: str = Field(min_length=1)
    answers: tuple[str, ...] | None = None
    gold: tuple[str, ...] | None = None


def read_passages(path: str | Path) -> list[Passage]:
    """Passages of a JSON Lines file.

    Raises QuestionSetError naming file, line and fault, also for an id used twice.
    """
    passages: dict[str, tuple[int, Passage]] = {}
    for number, passage in _rows(path, Passage):
        first, _ = passages.setdefault(passage.id, (number, passage))
        if first != number:
            raise _bad_line(path, number, Message("questions.same-id", id=passage.id, first=first))
    if not passages:
        raise QuestionSetError("questions.no-passage", path=path)
    return [passage for _, passage in passages.values()]


def read_questions(path: str | Path, passages: Sequence[Passage]) -> list[Question]:
    """Questions of a JSON Lines file.

    Raises QuestionSetError naming file, line and fault: a row that is no question, one with neither
    gold nor answers, or gold that is no passage's id.
    """
    ids = {passage.id for passage in passages}
    questions = []
    for number, question in _rows(path, Question):
        if not question.gold and not any(question.answers or ()):
            raise _bad_line(path, number, Message("questions.no-answer"))
        if unknown := [key for key in question.gold or () if key not in ids]:
            raise _bad_line(path, number, Message("questions.unknown-id", id=unknown[0]))
        questions.append(question)
    if not questions:
        raise QuestionSetError("questions.no-question", path=path)
    return questions


def right_passages(question: Question, passages: Sequence[Passage]) -> set[str]:
    """Ids of the passages that answer it."""
    answers = [answer for answer in question.answers or () if answer]
    found = {passage.id for passage in passages if any(one in passage.text for one in answers)}
    return set(question.gold or found)


def _rows(path: str | Path, kind: type[Row]) -> Iterator[tuple[int, Row]]:
    """(line number, row) of every line that is not blank."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionSetError("questions.unreadable", path=path, detail=error) from error
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                yield number, kind.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or line[:20]
            what = Message("questions.bad-field", place=place, detail=first["msg"])
            raise _bad_line(path, number, what) from error


def _bad_line(path: str | Path, number: int, what: Message) -> QuestionSetError:
    return QuestionSetError("questions.bad-line", path=path, line=number, what=what)
