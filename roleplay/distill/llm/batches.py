"""Files of OpenAI's Batch API: requests out, answers in, in any order and partly failed.

    write_batch(Path("requests.jsonl"), client.pending.values())
    took = read_batch(Path("results.jsonl"), ledger, model="gpt-4o-mini")
    # Taken(taken=98, failed=(Message("distill.batch-failed", {"key": "3f2a…", ...}), ...))

A line of the first: ``{"custom_id": KEY, "method": "POST", "url": ..., "body": {...}}``. The custom
id is the request's content hash, so that an answer finds its request in any later run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.distill.llm.ledger import NO_COMPLETION, Entry, Ledger
from roleplay.distill.llm.requests import LLMRequest
from roleplay.messages import Message, message

URL = "/v1/chat/completions"


@dataclass(frozen=True)
class Taken:
    """How many answers the ledger took, and one line for each other; those requests stay open."""

    taken: int
    failed: tuple[Message, ...]


def write_batch(path: Path, requests: Iterable[LLMRequest]) -> int:
    """Write the requests; their number."""
    common = {"method": "POST", "url": URL}
    rows = [
        {"custom_id": request.key, **common, "body": request.body("json_object")}
        for request in requests
    ]
    files.write_jsonl(path, rows)
    return len(rows)


def read_batch(path: Path, ledger: Ledger, *, model: str) -> Taken:
    """Put the answers of a results file into the ledger.

    Raises WorldError: the file is missing or not JSON Lines. ModelError: the ledger is unwritable.
    """
    taken, failed = 0, []
    for row in files.read_jsonl(path):
        if isinstance(entry := _entry(row, model), Entry):
            ledger.put(entry)
            taken += 1
        else:
            failed.append(entry)
    return Taken(taken, tuple(failed))


def _entry(row: Any, model: str) -> Entry | Message:
    """The answer of a row, or why there is none."""
    if not isinstance(row, Mapping) or not isinstance(row.get("custom_id"), str):
        return message("distill.batch-no-id", row=str(row)[:60])
    key, given = row["custom_id"], row.get("response")
    response = given if isinstance(given, Mapping) else {}
    status = response.get("status_code", 0)
    detail = row.get("error") or (response.get("body") if status != 200 else None)
    if status == 200 and not detail:
        try:
            return Entry.of(response["body"], key=key, task="batch", model=model)
        except NO_COMPLETION as error:
            detail = error
    shown = " ".join(str(detail).split())[:80]
    return message("distill.batch-failed", key=key[:12], status=status, detail=shown)
