"""What was paid for: an append-only JSON Lines file, one answer a line, found by what was asked.

    ledger = Ledger(world / "ledger.jsonl")
    ledger.put(Entry(key=request.key, task="label", model="m", text="[...]", finish="stop"))
    ledger.get(request.key)      # the entry, also in the next run: nothing is paid for twice

Every entry is on the disk (fsync) before it is used. A last line that kill -9 or a full disk cut is
taken off when the file is opened; other broken lines are passed over. No key, no prompt is in it.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from roleplay.errors import ModelError, reason
from roleplay.records import Record

NO_COMPLETION = (KeyError, IndexError, TypeError, AttributeError, ValueError)
"""What :meth:`Entry.of` raises for anything else than a chat completion."""


class Entry(Record):
    """One answer and what it cost; ``finish`` as the endpoint gave it (stop, length, ...)."""

    key: str
    task: str
    model: str
    text: str
    finish: str
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @classmethod
    def of(cls, body: Mapping[str, Any], **asked: str) -> Self:
        """The entry of a chat completion (or ``NO_COMPLETION``); ``asked``: its key, task, model."""
        choice, usage = body["choices"][0], body.get("usage") or {}
        row = {"text": choice["message"].get("content") or "", **asked}
        row |= {"finish": choice.get("finish_reason") or "stop"}
        counted = ("prompt_tokens", "completion_tokens")
        return cls.model_validate(row | {name: usage.get(name) or 0 for name in counted})


class Ledger:
    """The answers of one world."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[str, Entry] = {}
        data = path.read_bytes() if path.exists() else b""
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)
        for line in data[:whole].splitlines():
            with suppress(ValidationError):
                entry = Entry.model_validate_json(line)
                self._entries.setdefault(entry.key, entry)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def get(self, key: str) -> Entry | None:
        """The answer to a request, if it was ever paid for."""
        return self._entries.get(key)

    def put(self, entry: Entry) -> None:
        """Append an answer; a request that has one keeps it.

        Raises ModelError: the disk takes no more; the file ends with the last whole entry.
        """
        if entry.key in self._entries:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._append(json.dumps(entry.model_dump(), ensure_ascii=False) + "\n")
        except OSError as error:
            values = {"path": self.path, "reason": reason(error), "count": len(self)}
            raise ModelError("distill.ledger-unwritable", **values) from error
        self._entries[entry.key] = entry

    def _append(self, line: str) -> None:
        data = line.encode("utf-8")
        with self.path.open("ab", buffering=0) as stream:
            end = stream.seek(0, os.SEEK_END)
            try:
                # A nearly full disk takes a part of the bytes and says so only by their number.
                while data:
                    data = data[stream.write(data) :]
                os.fsync(stream.fileno())
            except OSError:
                stream.truncate(end)
                raise
