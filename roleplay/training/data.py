"""Passages as token ids with a weight for each, and the positions that are learnt.

row = encode_passage(tokenizer, passage)
row.ids        # [2, 5104, ...]
row.weights    # [0.0, 0.0, ..., 1.0, 1.0]: the answer's tokens, its line break included
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from roleplay import files
from roleplay.errors import DatasetError
from roleplay.records import Passage, Record

RecordT = TypeVar("RecordT", bound=Record)


@dataclass(frozen=True)
class TokenRow:
    """One passage: ``ids`` and ``weights`` have the same length; a weight belongs to the id it stands at."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    general: bool = False
    """Ordinary text, on which an adapter should stay near the bare model."""

    @property
    def learnt(self) -> int:
        """How many ids are learnt."""
        return sum(weight > 0 for weight in self.weights)


def encode_passage(tokenizer: Any, passage: Passage) -> TokenRow:
    """Tokenize the segments one by one, as chat does, after the beginning-of-text token if there is one."""
    start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    ids, weights = list(start), [0.0] * len(start)
    parts = tokenizer([segment.text for segment in passage.segments], add_special_tokens=False).input_ids
    for segment, part in zip(passage.segments, parts, strict=True):
        ids += part
        weights += [segment.weight] * len(part)
    return TokenRow(tuple(ids), tuple(weights), general=passage.task == "general")


def encode_passages(tokenizer: Any, passages: Sequence[Passage], *, max_tokens: int) -> list[TokenRow]:
    """All passages; one that is too long loses its oldest tokens.

    Raises:
        DatasetError: nothing in them is to be learnt.
    """
    rows = [_cut(encode_passage(tokenizer, passage), max_tokens) for passage in passages]
    rows = [row for row in rows if row.learnt]
    if not rows:
        raise DatasetError("no passage has a line to learn: check the characters' names and the script's speakers")
    return rows


def _cut(row: TokenRow, max_tokens: int) -> TokenRow:
    if len(row.ids) <= max_tokens:
        return row
    return replace(row, ids=row.ids[-max_tokens:], weights=row.weights[-max_tokens:])


def read_passages(path: Path) -> list[Passage]:
    """The passages of a ``*.passages.jsonl`` file.

    Raises:
        WorldError: the file is missing or not JSON Lines.
        DatasetError: a row is no passage; the message says which.
    """
    return read_records(path, Passage, "passage")


def read_records(path: Path, kind: type[RecordT], noun: str) -> list[RecordT]:
    """The records of a JSON Lines file; ``noun`` is what an error calls one. Raises as :func:`read_passages`."""
    records = []
    for number, row in enumerate(files.read_jsonl(path), 1):
        try:
            records.append(kind.model_validate(row))
        except ValidationError as error:
            raise DatasetError(f"{path}: row {number} is no {noun} ({error.errors()[0]['msg']})") from error
    return records
