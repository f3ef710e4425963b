"""Passages as token ids with a weight for each, and which of them are targets.

row = encode_passage(tokenizer, passage)
row.ids        # [2, 5104, ...]
row.weights    # [0.0, 0.0, ..., 1.0, 1.0]: the answer's tokens, its line break included
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from roleplay import files
from roleplay.errors import DatasetError, reason
from roleplay.messages import Message, message
from roleplay.models.chat_template import opening_ids
from roleplay.records import Passage, Record

RecordT = TypeVar("RecordT", bound=Record)


@dataclass(frozen=True)
class TokenRow:
    """One passage: each id and its weight in the loss, as long as each other."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    general: bool = False
    """Ordinary text, on which an adapter should stay near the base model."""

    @property
    def targets(self) -> int:
        """How many ids are trained on."""
        return sum(weight > 0 for weight in self.weights)


def encode_passage(tokenizer: Any, passage: Passage) -> TokenRow:
    """Tokenize the segments one by one, as chat does, after the same opening."""
    start = opening_ids(tokenizer)
    ids, weights = list(start), [0.0] * len(start)
    texts = [segment.text for segment in passage.segments]
    parts = tokenizer(texts, add_special_tokens=False).input_ids
    for segment, part in zip(passage.segments, parts, strict=True):
        ids += part
        weights += [segment.weight] * len(part)
    return TokenRow(tuple(ids), tuple(weights), general=passage.task == "general")


def encode_passages(
    tokenizer: Any, passages: Sequence[Passage], *, max_tokens: int
) -> list[TokenRow]:
    """All passages with a target; one that is too long loses its oldest tokens.

    Raises:
        DatasetError: there are none.
    """
    whole = [encode_passage(tokenizer, passage) for passage in passages]
    cut = [TokenRow(row.ids[-max_tokens:], row.weights[-max_tokens:], row.general) for row in whole]
    if rows := [row for row in cut if row.targets]:
        return rows
    raise DatasetError("training.no-line")


def read_passages(path: Path) -> list[Passage]:
    """The passages of a ``*.passages.jsonl`` file.

    Raises:
        WorldError: the file is missing or not JSON Lines.
        DatasetError: a row is no passage; the message says which.
    """
    return read_records(path, Passage, message("training.passage"))


def read_records(path: Path, kind: type[RecordT], noun: Message) -> list[RecordT]:
    """The records of a JSON Lines file, each called ``noun``; raises as :func:`read_passages`."""
    records = []
    for number, row in enumerate(files.read_jsonl(path), 1):
        try:
            records.append(kind.model_validate(row))
        except ValidationError as error:
            known = {"path": path, "number": number, "noun": noun, "reason": reason(error)}
            raise DatasetError("training.broken-row", **known) from error
    return records
