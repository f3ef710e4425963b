"""The types that stages hand to each other, and how they stand in JSON Lines files.

One row of ``script.jsonl``:

    {"char": "闻筝", "say": "没得商量。", "expression": "专注", "src_id": 0, "span": [52, 57]}

A file of records has one record a line and nothing else; the settings and the format version of
the stage that made it stand in ``STAGE.manifest.json``. No file is read here.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from roleplay.errors import FormError, reason

FORMAT_VERSION = 1
"""Version of every stored format of this package; raised when an old file can no longer be read."""
EXPRESSIONS = (
    "平静", "专注", "微笑", "兴奋", "微怒", "大怒", "惊讶", "恐惧", "悲哀", "哭泣", "害羞", "困惑", "白眼",
)  # fmt: skip
"""The thirteen expressions that a line may carry."""
UNKNOWN = "unknown"
"""The speaker of a line whose speaker nobody could tell; never a training target."""

Kind = Literal["info", "say", "act", "think"]
Span = tuple[int, int]
"""Character offsets [start, end) in the decoded novel."""

# Python's strip, as the script's parser has it: pydantic's own leaves \x1c to \x1f.
Text = Annotated[str, BeforeValidator(lambda text: text.strip() if isinstance(text, str) else text)]
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
    """How the speaker is known: before, after, inside, pronoun ... or the name of a rule."""
    source: str | None = None
    """Who said so: rules, llm, vote or person; None in a script written with its speakers."""
    confidence: float | None = None
    """0 to 1, of the speaker."""
    reason: str | None = None
    """Why the speaker is unknown or doubtful."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.text:
            raise FormError("records.no-text")
        if (self.kind == "info") != (self.char is None):
            raise FormError("records.speaker", kind=self.kind, speaker=self.char)
        if self.char == "":
            raise FormError("records.no-name")
        if self.expression is not None and self.expression not in EXPRESSIONS:
            known = " ".join(EXPRESSIONS)
            raise FormError("records.expression", expression=self.expression, known=known)
        if self.kind == "info" and self.expression is not None:
            raise FormError("records.narration-expression")
        return self

    def to_json(self) -> dict[str, Any]:
        """The line in the published JSON form: the kind is the key of the text."""
        who = {} if self.char is None else {"char": self.char}
        others = self.model_dump(exclude={"kind", "text", "char"}, exclude_none=True)
        row = who | {self.kind: self.text} | others
        return row | {"span": list(self.span)} if self.span else row

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> list[Self]:
        """Read one JSON item; merged keys (``say`` and ``act`` in one object) become several lines.

        Raises FormError: no object, no kind key with a text, or a field that is out of range.
        """
        if not isinstance(row, dict):
            raise FormError("records.no-line", row=row)
        # What all lines of one item have in common.
        names = ("src_id", "span", "cue", "source", "confidence", "reason")
        shared: dict[str, Any] = {key: row[key] for key in names if row.get(key) is not None}
        lines: list[Self] = []
        # In the order in which they are played: people act before and think after they speak.
        for kind in ("info", "act", "say", "think"):
            if not (text := row.get(kind)):
                continue
            own: dict[str, Any] = {} if kind == "info" else {"char": row.get("char") or UNKNOWN}
            # The expression of a merged item is the face of the speech, where there is one.
            if kind == "say" or (kind != "info" and not row.get("say")):
                own["expression"] = row.get("expression") or None
            try:
                lines.append(cls(kind=kind, text=text, **own, **shared))
            except ValidationError as error:
                raise FormError("records.wrong", reason=reason(error)) from error
        if not lines:
            raise FormError("records.no-line", row=row)
        return lines


class Interview(Record):
    """A question to a character and its answer; ``evidence`` is a sentence that holds it."""

    id: str
    character: str
    question: Text
    answer: Text
    evidence: str | None = None
    page: str | None = None
    generated: bool = False
    """Whether a model wrote it."""


class Conversation(Record):
    """What people say to a character and what it answers, one turn after the other.

    ``also`` are other ways to say what is said first. ``facts`` are sentences that the answers use,
    ``others`` sentences that stand beside them and are not used; both are shown as background.
    """

    character: str
    turns: tuple[tuple[Text, Text], ...]
    also: tuple[Text, ...] = ()
    topic: str = ""
    facts: tuple[Text, ...] = ()
    others: tuple[Text, ...] = ()


class Summary(Record):
    """What happens in a chapter or, with ``character``, what that one is after; by a model."""

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
    """A piece of a passage; ``weight`` is that in the loss, 0 for context."""

    text: str
    weight: float = 0.0


# What rows written before version 0.4 call them.
_OLD_TASKS = {"reading": "context_qa", "talk": "small_talk"}

Task = Annotated[
    Literal[
        "scene",
        "conversation",
        "question",
        "fact",
        "identity",
        "unknown",
        "context_qa",
        "small_talk",
        "general",
    ],
    BeforeValidator(lambda value: _OLD_TASKS.get(str(value), value)),
]
"""What a row teaches, in this order: a line in a scene; answers in a conversation; an interview's
answer, or one that stands in the background; who one is; to say that one does not know; to read an
answer about invented people off the background; to reply to what asks for nothing (in data of
versions before 0.5); general ability, by ordinary text."""


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
