"""The files of what a model makes beside the script, which people may edit: rows and tables.

    write("summaries", made, folder)        # a message: 31 rows -> worlds/mine/summaries.jsonl
    read_aliases(folder / ALIASES)          # [("闻筝", "小筝")]

What a person edited or wrote is kept.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from roleplay import files
from roleplay.errors import WorldError, reason
from roleplay.messages import Message, message
from roleplay.records import FORMAT_VERSION, Chunk, Summary

ALIASES = "aliases.json"

Row = dict[str, Any]


def write(task: str, rows: Sequence[Row], folder: Path) -> Message:
    """Write the rows of a task into a folder; one line that says where.

    Raises WorldError: a file cannot be read or written. BusyError: another run writes the table.
    """
    if task == "interviews":
        return _write_interviews(folder / "interviews.jsonl", rows)
    if task == "summaries":
        files.write_jsonl(folder / "summaries.jsonl", rows)
        return message("distill.rows-written", count=len(rows), path=folder / "summaries.jsonl")
    key = ("word", "label") if task == "expressions" else ("name", "alias")
    return _write_table(folder, task, _counted(rows, key))


def read_aliases(path: Path) -> list[tuple[str, str]]:
    """(name, alias) of an alias table, if there is one; WorldError if it is of another form."""
    try:
        rows = files.read_json(path)["aliases"] if path.exists() else []
        return [(row["name"], row["alias"]) for row in rows]
    except (KeyError, TypeError) as error:
        raise WorldError("distill.aliases-form", path=path) from error


def summaries_before(path: Path, chunks: Sequence[Chunk]) -> dict[int, str]:
    """Chunk id -> the summary of the chapter before; WorldError for a row of another form."""
    chapters: dict[int, str] = defaultdict(str)
    try:
        for row in files.read_jsonl(path) if path.exists() else ():
            summary = Summary.model_validate(row)
            if summary.character is None:
                chapters[summary.chapter] += summary.summary
    except ValidationError as error:
        raise WorldError("distill.broken-row", path=path, reason=reason(error)) from error
    known = (chunk for chunk in chunks if chunk.chapter - 1 in chapters)
    return {chunk.id: chapters[chunk.chapter - 1] for chunk in known}


def _counted(rows: Sequence[Row], key: tuple[str, str]) -> list[Row]:
    """One row for each pair, the first, with how often the pair was found."""
    pairs = [(row[key[0]], row[key[1]]) for row in rows]
    first = dict(zip(reversed(pairs), reversed(rows), strict=True))
    return [{**first[pair], "count": count} for pair, count in Counter(pairs).most_common()]


def _write_interviews(path: Path, rows: Sequence[Row]) -> Message:
    """Replace the generated rows; those that a person wrote stay first."""
    present = files.read_jsonl(path) if path.exists() else ()
    kept = [row for row in present if not row.get("generated")]
    files.write_jsonl(path, [*kept, *rows])
    return message("distill.interviews-written", made=len(rows), kept=len(kept), path=path)


def _write_table(folder: Path, task: str, rows: Sequence[Row]) -> Message:
    """Write a table that a person may edit: what was edited since it was written is kept."""
    path, old = folder / f"{task}.json", folder / f"{task}.json.meta.json"
    with files.claim(folder, task):
        if path.exists():
            # Versions before 0.4 kept the table's hash in its own file, under another stage.
            known = files.read_json(old).get("inputs") if old.exists() else None
            same = known == files.digest(path.read_bytes())
            if not (same or files.is_ours(folder, task, path.name)):
                return message("distill.table-kept", path=path)
        inputs = files.digest(repr(rows))
        with files.commit(folder, task, settings={}, inputs=inputs) as staged:
            files.write_json(staged / path.name, {"format": FORMAT_VERSION, task: list(rows)})
    return message("distill.rows-written", count=len(rows), path=path)
