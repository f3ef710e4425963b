"""What a model makes beside the script: interviews, summaries, expressions, aliases.

    made = await run("summaries", book, chapters, client, "gpt-4o-mini")
    write("summaries", made, folder)        # a message: 31 rows -> worlds/mine/summaries.jsonl

Names are checked against the cast, evidence is a span's number and becomes the novel's own text. An
answer that is cut or unreadable is asked for once more. What a person edited or wrote is kept.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from roleplay import files
from roleplay.distill.llm.client import CachedClient, PendingError
from roleplay.distill.llm.labelling import Book, Progress, gather, spans_text
from roleplay.distill.llm.replies import read_objects
from roleplay.distill.llm.requests import LLMRequest, read_prompt, request_for
from roleplay.distill.rules.cues import Names
from roleplay.errors import WorldError, reason
from roleplay.messages import Message, message
from roleplay.records import EXPRESSIONS, FORMAT_VERSION, Chapter, Chunk, Interview, Summary

TASKS = ("interviews", "summaries", "expressions", "aliases")
ALIASES = "aliases.json"

_PER_CHUNK = 3
# Fits the context of small models, with room for the cast.
_LONGEST_PART = 12_000
_WORDS_AT_ONCE = 60
_MOST_WORDS = 600
_LONGEST_WORD = 4
# 没好气地说, and 笑道：“ right before a quote.
_MANNER = re.compile(
    r"(?<![一-鿿])(?:([一-鿿]{2,10})地(?=[说问答道喊叫笑嚷吼])|([一-鿿]{1,8})道(?=[：:][“「『]))"
)
_PLANS = ("goal", "obstacle", "plan", "role")
_AGAIN = "\n（上次的回答不完整，请重新回答，尽量简短。）"

Row = dict[str, Any]


# Reads the objects of an answer: the rows that pass the checks.
_Read = Callable[[Sequence[Row]], list[Row]]
_Item = tuple[LLMRequest, _Read]


def requests(task: str, book: Book, chapters: Sequence[Chapter], model: str) -> list[LLMRequest]:
    """The requests of a task: for the estimate."""
    return [request for request, _ in _items(task, book, chapters, model)]


async def run(
    task: str,
    book: Book,
    chapters: Sequence[Chapter],
    client: CachedClient,
    model: str,
    *,
    progress: Progress | None = None,
) -> list[Row]:
    """The rows of a task; pieces whose answers are pending give none. Raises as ``label_book``."""
    work = [_rows(*item, client) for item in _items(task, book, chapters, model)]
    return [row for rows in await gather(work, progress) for row in rows]


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


async def _rows(asked: LLMRequest, read: _Read, client: CachedClient) -> list[Row]:
    system, user = asked.messages
    messages = (system, {**user, "content": user["content"] + _AGAIN})
    again = replace(asked, messages=messages, expected_tokens=2 * asked.expected_tokens)
    for request in (asked, again):
        try:
            entry = await client.ask(request)
        except PendingError:
            return []
        objects, _ = read_objects(entry.text)
        if entry.finish != "length" and objects:
            return read(objects)
    return []


def _items(task: str, book: Book, chapters: Sequence[Chapter], model: str) -> list[_Item]:
    if task == "summaries":
        parts = [
            (chapter.index, book.text[start : min(start + _LONGEST_PART, chapter.span[1])])
            for chapter in chapters
            for start in range(*chapter.span, _LONGEST_PART)
        ]
        return [_summary(book, number, text, model) for number, text in parts]
    if task == "expressions":
        words = manner_words(book.text, book.names)
        starts = range(0, len(words), _WORDS_AT_ONCE)
        return [_expressions(words[at : at + _WORDS_AT_ONCE], model) for at in starts]
    make = _interview if task == "interviews" else _aliases
    named = [i for i, chunk in enumerate(book.chunks) if book.names.find(chunk.text)]
    return [make(book, i, model) for i in named]


def _interview(book: Book, i: int, model: str) -> _Item:
    slots = {"cast": book.cast_text, "spans": spans_text(book, i), "count": str(_PER_CHUNK)}

    def read(objects: Sequence[Row]) -> list[Row]:
        rows: list[Row] = []
        for row in objects[:_PER_CHUNK]:
            name, evidence = _person(book, row.get("character")), _evidence(book, i, row)
            if name and evidence and _has(row, "question", "answer"):
                made: Row = {"id": f"g{book.chunks[i].id}-{len(rows) + 1}", "character": name}
                made |= {"question": row["question"], "answer": row["answer"]}
                made |= {"evidence": evidence, "generated": True}
                rows.append(Interview(**made).model_dump(exclude_none=True))
        return rows

    return request_for("interview", model, slots, expected_tokens=100 * _PER_CHUNK), read


def _summary(book: Book, chapter: int, text: str, model: str) -> _Item:
    slots = {"cast": book.cast_text, "text": text}

    def read(objects: Sequence[Row]) -> list[Row]:
        rows = []
        for row in objects:
            name = _person(book, row.get("character"))
            # Small models repeat the prompt's own example.
            told = _has(row, "summary") and row["summary"].strip() not in read_prompt("summary")
            if told and (name or row.get("character") is None):
                kept = {key: row[key] for key in ("summary", *_PLANS) if _has(row, key)}
                made = Summary(chapter=chapter, character=name, **kept)
                rows.append(made.model_dump(exclude_none=True))
        return rows

    return request_for("summary", model, slots, expected_tokens=800), read


def _expressions(words: Sequence[str], model: str) -> _Item:
    def read(objects: Sequence[Row]) -> list[Row]:
        pairs = [(row.get("word"), row.get("label")) for row in objects]
        return [{"word": w, "label": e} for w, e in pairs if w in words and e in EXPRESSIONS]

    slots = {"words": "\n".join(words)}
    return request_for("expressions", model, slots, expected_tokens=1000), read


def _aliases(book: Book, i: int, model: str) -> _Item:
    slots = {"cast": book.cast_text, "spans": spans_text(book, i)}

    def read(objects: Sequence[Row]) -> list[Row]:
        rows = []
        for row in objects:
            name, evidence = _person(book, row.get("name")), _evidence(book, i, row)
            alias = row["alias"] if _has(row, "alias") else ""
            if name and alias and evidence and alias in evidence and alias != name:
                rows.append({"name": name, "alias": alias, "evidence": evidence})
        return rows

    return request_for("aliases", model, slots, expected_tokens=200), read


def manner_words(text: str, names: Names) -> list[str]:
    """The words that tell how somebody speaks (没好气地说, 笑道：“), the frequent ones first."""
    clauses = [match[1] or match[2] for match in _MANNER.finditer(text)]
    starts = [max((end for _, end, _ in names.find(clause)), default=0) for clause in clauses]
    found = Counter(clause[start:] for clause, start in zip(clauses, starts, strict=True))
    return [word for word, _ in found.most_common(_MOST_WORDS) if 0 < len(word) <= _LONGEST_WORD]


def _person(book: Book, name: Any) -> str | None:
    return book.names.canonical.get(name) if isinstance(name, str) else None


def _evidence(book: Book, i: int, row: Row) -> str | None:
    """The text of the span whose number the row has."""
    spans = {str(piece.number): piece.core for piece in book.pieces[i] if piece.core}
    span = spans.get(str(row.get("evidence")))
    return book.text[slice(*span)] if span else None


def _has(row: Row, *keys: str) -> bool:
    return all(isinstance(row.get(key), str) and row[key].strip() for key in keys)


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
