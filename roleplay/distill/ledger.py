"""What was paid for: an append-only JSON Lines file, one answer a line, found again by what was asked.

    ledger = Ledger(world / "ledger.jsonl")
    ledger.put(Entry(key=request_key(...), task="label", model="m", text="[...]", finish="stop", prompt_tokens=900,
                     completion_tokens=120))
    ledger.get(key)         # the entry, also in the next run: nothing is paid for twice

Every entry is on the disk (fsync) before it is used. A last line that was cut by kill -9 or a full disk is taken
off when the file is opened; other broken lines are passed over. The file holds no key and no prompt.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from roleplay import files
from roleplay.errors import ModelError
from roleplay.records import Record

Message = Mapping[str, str]


class Entry(Record):
    """One answer and what it cost; ``finish`` as the endpoint gave it (stop, length, ...)."""

    key: str
    task: str
    model: str
    text: str
    finish: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


def request_key(task: str, model: str, messages: Sequence[Message], settings: Mapping[str, Any]) -> str:
    """The content hash of a question; the way the answer is wrapped (JSON mode) is no part of it."""
    parts = [task, model, *(json.dumps(part, sort_keys=True, ensure_ascii=False) for part in (messages, settings))]
    return files.digest(*parts)


class Ledger:
    """The answers of one world."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[str, Entry] = {}
        self.broken = 0
        """Lines that could not be read."""
        if path.exists():
            self._open()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def get(self, key: str) -> Entry | None:
        """The answer to a question, if it was ever paid for."""
        return self._entries.get(key)

    def put(self, entry: Entry) -> None:
        """Append an answer; a question that has one keeps it.

        Raises:
            ModelError: the disk takes no more; the file ends with the last whole entry.
        """
        if entry.key in self._entries:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._append(json.dumps(entry.model_dump(), ensure_ascii=False) + "\n")
        except OSError as error:
            raise ModelError(
                f"cannot write {self.path} ({error.strerror or error}): {len(self)} paid answers in it are kept; "
                "make room and run the same command again"
            ) from error
        self._entries[entry.key] = entry

    def _append(self, line: str) -> None:
        data = line.encode("utf-8")
        with self.path.open("ab", buffering=0) as stream:
            end = stream.seek(0, os.SEEK_END)
            try:
                while data:
                    data = data[stream.write(data) :]
                os.fsync(stream.fileno())
            except OSError:
                stream.truncate(end)
                raise

    def _open(self) -> None:
        """Read all whole lines; the bytes behind the last line end are taken off."""
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self.path, whole)
        for line in data[:whole].splitlines():
            try:
                entry = Entry.model_validate_json(line)
            except ValidationError:
                self.broken += bool(line.strip())
            else:
                self._entries.setdefault(entry.key, entry)
