"""Files of OpenAI's Batch API: questions out, answers in, in any order and partly failed.

    write_batch(Path("requests.jsonl"), asker.pending.values())
    took = read_batch(Path("results.jsonl"), ledger, model="gpt-4o-mini")
    # Taken(taken=98, failed=("3f2a…: 500 server_error", "…"))

A line of the first: ``{"custom_id": KEY, "method": "POST", "url": "/v1/chat/completions", "body": {...}}``. The custom
id is the question's content hash, so that an answer finds its question in any later run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.distill.ledger import Entry, Ledger
from roleplay.distill.questions import Question

URL = "/v1/chat/completions"


@dataclass(frozen=True)
class Taken:
    """How many answers went into the ledger, and one line for each that did not; those questions stay open."""

    taken: int
    failed: tuple[str, ...]


def write_batch(path: Path, questions: Iterable[Question]) -> int:
    """Write the questions; their number."""
    rows = [
        {"custom_id": question.key, "method": "POST", "url": URL, "body": question.body("json_object")}
        for question in questions
    ]
    files.write_jsonl(path, rows)
    return len(rows)


def read_batch(path: Path, ledger: Ledger, *, model: str) -> Taken:
    """Put the answers of a results file into the ledger.

    Raises:
        WorldError: the file is missing or not JSON Lines.
        ModelError: the ledger cannot be written.
    """
    taken, failed = 0, []
    for row in files.read_jsonl(path):
        entry = _entry(row, model)
        if isinstance(entry, str):
            failed.append(entry)
        else:
            ledger.put(entry)
            taken += 1
    return Taken(taken, tuple(failed))


def _entry(row: Any, model: str) -> Entry | str:
    """The answer of a row, or why there is none."""
    if not isinstance(row, Mapping) or not isinstance(row.get("custom_id"), str):
        return f"no custom_id: {str(row)[:60]}"
    key, response = row["custom_id"], row.get("response") or {}
    status = response.get("status_code", 0)
    try:
        if status != 200 or row.get("error"):
            raise ValueError(row.get("error") or response.get("body"))
        body = response["body"]
        choice, usage = body["choices"][0], body.get("usage") or {}
        return Entry(
            key=key,
            task="batch",
            model=model,
            text=choice["message"]["content"] or "",
            finish=choice.get("finish_reason") or "stop",
            prompt_tokens=usage.get("prompt_tokens", 0),
            completion_tokens=usage.get("completion_tokens", 0),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return f"{key[:12]}: {status} {' '.join(str(error).split())[:80]}"
