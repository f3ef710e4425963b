"""A person's word on who speaks: kept forever in ``speakers.person.jsonl``, stronger than all else.

    {"span": [132, 153], "text": "报告！晨醒雨延误三分零七秒。", "speaker": "咕噜九号"}

    add_correction(path, line, "咕噜九号")
    lines = apply_corrections(lines, read_corrections(path))

The file only grows; the last correction of a line counts. It follows its text where a changed novel
moved it, if the text stands there once.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from roleplay import files
from roleplay.errors import WorldError, reason
from roleplay.records import UNKNOWN, Line, Record, Span

FILE = "speakers.person.jsonl"
DOUBTFUL = 0.6
"""A line with less confidence is listed for a person."""

Corrections = Mapping[tuple[Span, str], str]
"""(span, text) -> speaker."""


class Correction(Record):
    """Who speaks a line, by a person."""

    span: Span
    text: str
    speaker: str


def read_corrections(path: Path) -> dict[tuple[Span, str], str]:
    """The corrections of a file, if there is one; raises WorldError if a row is of another form."""
    if not path.exists():
        return {}
    try:
        rows = [Correction.model_validate(row) for row in files.read_jsonl(path)]
    except ValidationError as error:
        raise WorldError("distill.broken-row", path=path, reason=reason(error)) from error
    return {(row.span, row.text): row.speaker for row in rows}


def add_correction(path: Path, line: Line, speaker: str) -> None:
    """Append a correction; WorldError without a span or a name, or if the file is unwritable."""
    if line.span is None or not speaker.strip():
        raise WorldError("distill.no-correction", text=line.text[:20], speaker=speaker)
    row = Correction(span=line.span, text=line.text, speaker=speaker.strip())
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row.model_dump(), ensure_ascii=False) + "\n")
    except OSError as error:
        raise WorldError("files.unwritable", path=path, reason=reason(error)) from error


def apply_corrections(lines: Sequence[Line], corrections: Corrections) -> list[Line]:
    """The lines with the person's speakers: source person, confidence 1."""
    texts = Counter(line.text for line in lines if line.kind != "info")
    moved = {text: speaker for (_, text), speaker in corrections.items() if texts[text] == 1}
    sure = {"source": "person", "confidence": 1.0, "reason": None}
    made = []
    for line in lines:
        speaker = None
        if line.kind != "info" and line.span is not None:
            speaker = corrections.get((line.span, line.text)) or moved.get(line.text)
        made.append(line.model_copy(update={"char": speaker, **sure}) if speaker else line)
    return made


def doubtful(lines: Sequence[Line], below: float = DOUBTFUL) -> list[int]:
    """The places of the lines for a person to look at: no speaker, or one of little confidence."""
    return [
        i
        for i, line in enumerate(lines)
        if line.kind != "info"
        and line.source != "person"
        and (line.char == UNKNOWN or (line.confidence is not None and line.confidence < below))
    ]
