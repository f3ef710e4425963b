"""A person's answers to who speaks: kept forever in ``speakers.person.jsonl`` and stronger than rules and models.

    {"span": [132, 153], "text": "报告！晨醒雨延误三分零七秒。", "speaker": "咕噜九号"}

    add_answer(path, line, "咕噜九号")
    lines = apply_answers(lines, read_answers(path))

The file only grows; the last answer to a line counts. An answer follows its text where a changed novel moved it, if
the text stands there once. Whose names are right is the person's business.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from roleplay import files
from roleplay.errors import WorldError
from roleplay.records import UNKNOWN, Line, Record, Span

FILE = "speakers.person.jsonl"
DOUBTFUL = 0.6
"""A line with less confidence is listed for a person."""


class Answer(Record):
    """Who speaks a line, by a person."""

    span: Span
    text: str
    speaker: str


Answers = Mapping[tuple[Span, str], str]


def read_answers(path: Path) -> dict[tuple[Span, str], str]:
    """(span, text) -> speaker; nothing where there is no file.

    Raises:
        WorldError: a row is not of this form.
    """
    if not path.exists():
        return {}
    try:
        rows = [Answer.model_validate(row) for row in files.read_jsonl(path)]
    except ValidationError as error:
        raise WorldError(f"{path}: {error.errors()[0]['msg']}: mend or remove the row") from error
    return {(row.span, row.text): row.speaker for row in rows}


def add_answer(path: Path, line: Line, speaker: str) -> None:
    """Append an answer.

    Raises:
        WorldError: the line has no span, or the name is empty.
    """
    if line.span is None or not speaker.strip():
        raise WorldError(f"an answer needs a line with a span and a name, not {line.text[:20]!r} {speaker!r}")
    row = Answer(span=line.span, text=line.text, speaker=speaker.strip())
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row.model_dump(), ensure_ascii=False) + "\n")


def apply_answers(lines: Sequence[Line], answers: Answers) -> list[Line]:
    """The lines with the person's speakers: source person, confidence 1."""
    texts = Counter(line.text for line in lines if line.kind != "info")
    moved = {text: speaker for (_, text), speaker in answers.items() if texts[text] == 1}
    return [_apply(line, answers, moved) for line in lines]


def _apply(line: Line, answers: Answers, moved: Mapping[str, str]) -> Line:
    if line.kind == "info" or line.span is None:
        return line
    speaker = answers.get((line.span, line.text)) or moved.get(line.text)
    if speaker is None:
        return line
    return line.model_copy(update={"char": speaker, "source": "person", "confidence": 1.0, "reason": None})


def doubtful(lines: Sequence[Line], below: float = DOUBTFUL) -> list[int]:
    """The places of the lines that a person should look at: no speaker, or one with little confidence."""
    return [i for i, line in enumerate(lines) if line.kind != "info" and line.source != "person" and _weak(line, below)]


def _weak(line: Line, below: float) -> bool:
    return line.char == UNKNOWN or (line.confidence is not None and line.confidence < below)
