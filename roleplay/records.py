"""The types that stages hand to each other, and how they stand in JSON Lines files.

One row of ``script.jsonl``::

    {"char": "闻筝", "say": "修不好不收钱，没得商量。", "expression": "专注", "src_id": 0, "span": [52, 64]}

A file of records has one record a line and nothing else; the settings and the format version of the stage that wrote
it stand beside it in ``NAME.meta.json`` (see :mod:`roleplay.files`). This module reads no files.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

FORMAT_VERSION = 1
"""Version of every stored format of this package; raised when an old file can no longer be read."""

EXPRESSIONS = (
    "平静",
    "专注",
    "微笑",
    "兴奋",
    "微怒",
    "大怒",
    "惊讶",
    "恐惧",
    "悲哀",
    "哭泣",
    "害羞",
    "困惑",
    "白眼",
)
"""The thirteen expressions that a line may carry."""

UNKNOWN = "unknown"
"""The speaker of a line whose speaker nobody could tell; never a training target."""

Kind = Literal["info", "say", "act", "think"]
Span = tuple[int, int]
"""Character offsets [start, end) in the decoded novel."""

Text = Annotated[str, BeforeValidator(lambda value: value.strip() if isinstance(value, str) else value)]
"""A string without white space at its ends."""


class Record(BaseModel):
    """Base of all records: immutable, and strict about field names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Chapter(Record):
    """A chapter of the novel; ``span`` starts at its heading."""

    index: int
    title: str
    span: Span


class Chunk(Record):
    """A piece of the novel. Chunks tile it: their texts joined are the decoded novel."""

    id: int
    chapter: int
    text: str
    span: Span


class Line(Record):
    """One item of a script: narration (``info``) or what a character says, does or thinks."""

    kind: Kind
    text: Text
    char: Text | None = None
    expression: str | None = None
    src_id: int | None = None
    span: Span | None = None
    cue: str | None = None
    """How the speaker is known: before, after, inside, pronoun, alternation ... or the name of a rule."""
    source: str | None = None
    """Who said so: rules, llm, vote or person; None in a script that was written with its speakers."""
    confidence: float | None = None
    """0 to 1, of the speaker."""
    reason: str | None = None
    """Why the speaker is unknown or doubtful."""

    @model_validator(mode="after")
    def _check(self) -> Line:
        if not self.text:
            raise ValueError("a script line needs a text")
        if (self.kind == "info") != (self.char is None):
            raise ValueError(f"narration has no speaker and the other kinds have one: {self.kind} {self.char!r}")
        if self.char == "":
            raise ValueError("a speaker needs a name")
        if self.expression is not None and self.expression not in EXPRESSIONS:
            raise ValueError(f"unknown expression {self.expression!r}: known are {' '.join(EXPRESSIONS)}")
        if self.kind == "info" and self.expression is not None:
            raise ValueError("narration has no expression")
        return self

    def to_json(self) -> dict[str, Any]:
        """The line in the published JSON form: the kind is the key of the text."""
        row: dict[str, Any] = {} if self.char is None else {"char": self.char}
        row[self.kind] = self.text
        for name in ("expression", *_SHARED):
            if (value := getattr(self, name)) is not None:
                row[name] = list(value) if name == "span" else value
        return row

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> list[Line]:
        """Read one JSON item. Items with merged keys (``say`` and ``act`` in one object) become several lines.

        Raises:
            ValueError: no kind key with a text, or a field that is out of range.
        """
        shared: dict[str, Any] = {key: row[key] for key in _SHARED if row.get(key) is not None}
        lines = []
        for kind in ("info", "act", "say", "think"):
            text = row.get(kind)
            if not text:
                continue
            own: dict[str, Any] = {} if kind == "info" else {"char": row.get("char") or UNKNOWN}
            if kind == "say" or (kind != "info" and not row.get("say")):
                own |= {"expression": row.get("expression") or None}
            try:
                lines.append(cls(kind=kind, text=text, **own, **shared))
            except ValidationError as error:
                raise ValueError(_reason(error)) from error
        if not lines:
            raise ValueError(f"no info, say, act or think with a text in {row}")
        return lines


_SHARED = ("src_id", "span", "cue", "source", "confidence", "reason")
"""Fields that all lines of one JSON item have in common."""


def _reason(error: ValidationError) -> str:
    """The first thing that is wrong, in one line."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


class Scene(Record):
    """Consecutive lines of one chapter: what is trained on in one pass and what a session shows."""

    chapter: int
    lines: tuple[Line, ...]


class Interview(Record):
    """A question to a character and its answer; ``evidence`` is the background sentence that holds the answer."""

    id: str
    character: str
    question: Text
    answer: Text
    evidence: str | None = None
    page: str | None = None
    generated: bool = False
    """Whether a model wrote it."""


class Summary(Record):
    """What happens in a chapter (``character`` None), or what one character is after in it; written by a model."""

    chapter: int
    character: str | None = None
    summary: Text
    goal: str | None = None
    obstacle: str | None = None
    plan: str | None = None
    role: str | None = None


class Question(Record):
    """An evaluation question; an answer that contains one of ``expected`` is right."""

    id: str
    character: str
    question: Text
    expected: tuple[str, ...]
    source: Literal["wiki", "novel"]
    page: str | None = None


class Segment(Record):
    """A piece of a passage; ``weight`` 0 is context, more is learnt with that weight in the loss."""

    text: str
    weight: float = 0.0


Task = Literal["scene", "question", "fact", "identity", "unknown", "reading", "talk", "general"]
"""What a row teaches: a line in a scene; an interview's answer, or one that stands in the background; who one is; to say
that one does not know; to read an answer about strangers off the background; to reply to what asks for nothing;
and ordinary text, which holds the model's general ability."""


class Passage(Record):
    """A scene or an interview as a causal model reads it in one pass."""

    task: Task
    segments: tuple[Segment, ...]
    chapter: int | None = None


class Example(Record):
    """One prompt/response row of ``train.json``, with what is needed to weigh and to trace it."""

    prompt: str
    response: str
    character: str
    task: Task
    chapter: int | None = None
    weight: float = 1.0
