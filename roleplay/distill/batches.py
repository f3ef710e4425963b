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

from roleplay import files
from roleplay.distill.llm.client import keep
from roleplay.distill.llm.completion import parse, read_completion
from roleplay.distill.llm.ledger import Entry, Ledger, scrub
from roleplay.distill.llm.requests import LLMRequest
from roleplay.errors import WorldError, reason
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
    """Put the answers of a results file into the ledger; a line of another form is no answer.

    Raises WorldError: the file cannot be read. ModelError: the ledger is unwritable.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise WorldError("files.unreadable", path=path, reason=reason(error)) from error
    taken, failed = 0, []
    for line in filter(None, map(bytes.strip, lines)):
        if isinstance(entry := _entry(line, model), Entry):
            taken += keep(ledger, entry)
        else:
            failed.append(entry)
    return Taken(taken, tuple(failed))


def _entry(line: bytes, model: str) -> Entry | Message:
    """The answer of a line, or why there is none."""
    row = parse(line)
    if not isinstance(row, Mapping) or not isinstance(row.get("custom_id"), str):
        return message("distill.batch-no-id", row=line.decode("utf-8", "replace")[:60])
    key, given, error = scrub(row["custom_id"]), row.get("response"), row.get("error")
    response = given if isinstance(given, Mapping) else {}
    status = code if isinstance(code := response.get("status_code"), int) else 0
    # Without a status there was no answer, whatever stands in its place.
    wrong = 500 if error or not status else status
    told = error or response.get("body")
    entry = read_completion(wrong, told, key=key, task="batch", model=model)
    if isinstance(entry, Entry):
        return entry
    shown = entry.said or entry.whole
    return message("distill.batch-failed", key=key[:12], status=status, detail=shown[:80])
