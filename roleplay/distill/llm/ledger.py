"""What was paid for: an append-only JSON Lines file, one answer a line, found by what was asked.

    ledger = Ledger(world / "ledger.jsonl")
    ledger.put(Entry(key=request.key, task="label", model="m", text="[...]", finish="stop"))
    ledger.get(request.key)      # the entry, also in the next run: nothing is paid for twice

Every entry is on the disk (fsync) before it is used. A last line that kill -9 or a full disk cut is
taken off when the file is opened; other broken lines are passed over. No key, no prompt is in it.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ValidationError

from roleplay.errors import ModelError, reason
from roleplay.records import Record

CUT, REFUSED = "length", "content_filter"
"""How an answer ended that was cut, and one that the endpoint would not give."""


def scrub(text: str) -> str:
    """The text with ``\ufffd`` for half an emoji (a lone surrogate), which no file can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


Clean = Annotated[str, BeforeValidator(lambda text: scrub(text) if isinstance(text, str) else text)]


class Entry(Record):
    """One answer and what it cost; ``finish``: stop, ``CUT``, ``REFUSED``, or another word."""

    key: Clean
    task: str
    model: Clean
    text: Clean
    finish: Clean
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Ledger:
    """The answers of one world. Raises ModelError: the file is there and cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[str, Entry] = {}
        try:
            data = path.read_bytes() if path.exists() else b""
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                os.truncate(path, whole)
        except OSError as error:
            raise ModelError(
                "distill.ledger-unreadable", path=path, reason=reason(error)
            ) from error
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
