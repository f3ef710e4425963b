"""What a model makes beside the script, each resumable through the same ledger: interviews, summaries, expressions,
aliases.

    made = await run("summaries", book, chapters, asker, "gpt-4o-mini")
    write("summaries", made, world)         # "31 rows -> worlds/mine/summaries.jsonl"

Names are checked against the cast, evidence is a span's number and becomes the novel's own text. A cut answer, or one
without a readable object, is asked for once more and then left out. What a person edited or wrote is kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.distill.asking import Asker, PendingError
from roleplay.distill.cues import Names
from roleplay.distill.labelling import Book, gather, spans_text
from roleplay.distill.questions import Question, array_of, ask_for, read_prompt
from roleplay.distill.replies import read_objects
from roleplay.errors import WorldError
from roleplay.records import EXPRESSIONS, FORMAT_VERSION, Chapter, Chunk, Interview, Summary

TASKS = ("interviews", "summaries", "expressions", "aliases")
ALIASES = "aliases.json"
STAGE = "distill"

_STRING = {"type": "string"}
_NULLABLE = {"type": ["string", "null"]}
_NUMBER = {"type": "integer"}
_PER_CHUNK = 3
_LONGEST_PART = 12_000
_WORDS_AT_ONCE = 60
_MOST_WORDS = 600
_MANNER = re.compile(r"(?<![一-鿿])(?:([一-鿿]{2,10})地(?=[说问答道喊叫笑嚷吼])|([一-鿿]{1,8})道(?=[：:][“「『]))")
_LONGEST_WORD = 4
_PLANS = ("goal", "obstacle", "plan", "role")

Row = dict[str, Any]


@dataclass(frozen=True)
class _Item:
    """A question and the reader of its answer: objects -> rows that passed the checks."""

    question: Question
    read: Callable[[Sequence[Row]], list[Row]]


def questions(task: str, book: Book, chapters: Sequence[Chapter], model: str) -> list[Question]:
    """The questions of a task: for the estimate."""
    return [item.question for item in _items(task, book, chapters, model)]


async def run(
    task: str,
    book: Book,
    chapters: Sequence[Chapter],
    asker: Asker,
    model: str,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """The rows of a task; pieces whose answers are pending give none.

    Raises:
        ModelError: as :func:`roleplay.distill.labelling.label_book`.
    """
    work = [_rows(item, asker) for item in _items(task, book, chapters, model)]
    return [row for rows in await gather(work, progress) for row in rows]


def write(task: str, rows: Sequence[Row], folder: Path) -> str:
    """Write the rows of a task into the world; one line that says where."""
    if task == "interviews":
        return _write_interviews(folder / "interviews.jsonl", rows)
    if task == "summaries":
        files.write_jsonl(folder / "summaries.jsonl", rows)
        return f"{len(rows)} rows -> {folder / 'summaries.jsonl'}"
    key = ("word", "label") if task == "expressions" else ("name", "alias")
    return _write_table(folder / f"{task}.json", task, _merged(rows, key))


def read_aliases(path: Path) -> list[tuple[str, str]]:
    """(name, alias) of an alias table; nothing where there is none.

    Raises:
        WorldError: the file is of another form.
    """
    if not path.exists():
        return []
    try:
        return [(row["name"], row["alias"]) for row in files.read_json(path)["aliases"]]
    except (KeyError, TypeError) as error:
        raise WorldError(f'{path}: rows look like {{"name": "悟空", "alias": "行者"}}: mend it') from error


def summaries_before(path: Path, chunks: Sequence[Chunk]) -> dict[int, str]:
    """Chunk id -> the summary of the chapter before its own, from ``summaries.jsonl``."""
    rows = [Summary.model_validate(row) for row in files.read_jsonl(path)] if path.exists() else []
    chapters: dict[int, str] = {}
    for row in rows:
        if row.character is None:
            chapters[row.chapter] = chapters.get(row.chapter, "") + row.summary
    return {chunk.id: chapters[chunk.chapter - 1] for chunk in chunks if chunk.chapter - 1 in chapters}


async def _rows(item: _Item, asker: Asker) -> list[Row]:
    for question in (item.question, _again(item.question)):
        try:
            entry = await asker.ask(question)
        except PendingError:
            return []
        objects, _ = read_objects(entry.text)
        if entry.finish != "length" and objects:
            return item.read(objects)
    return []


def _again(question: Question) -> Question:
    system, user = question.messages
    user = {**user, "content": user["content"] + "\n（上次的回答不完整，请重新回答，尽量简短。）"}
    return replace(question, messages=(system, user), expected_tokens=2 * question.expected_tokens)


def _items(task: str, book: Book, chapters: Sequence[Chapter], model: str) -> list[_Item]:
    if task == "summaries":
        return [_summary(book, chapter.index, part, model) for chapter in chapters for part in _parts(book, chapter)]
    if task == "expressions":
        words = manner_words(book.text, book.names)
        return [_expressions(words[i : i + _WORDS_AT_ONCE], model) for i in range(0, len(words), _WORDS_AT_ONCE)]
    make = _interview if task == "interviews" else _aliases
    return [make(book, i, model) for i in range(len(book.chunks)) if book.names.find(book.chunks[i].text)]


def _interview(book: Book, i: int, model: str) -> _Item:
    schema = array_of("interviews", character=_STRING, question=_STRING, answer=_STRING, evidence=_NUMBER)
    slots = {"cast": book.cast_text, "spans": spans_text(book, i), "count": str(_PER_CHUNK)}
    question = ask_for("interview", model, slots, schema=schema, expected_tokens=100 * _PER_CHUNK)

    def read(objects: Sequence[Row]) -> list[Row]:
        rows: list[Row] = []
        for row in objects[:_PER_CHUNK]:
            name, evidence = _person(book, row.get("character")), _evidence(book, i, row.get("evidence"))
            if name and evidence and _texts(row, "question", "answer"):
                number = f"g{book.chunks[i].id}-{len(rows) + 1}"
                said = {"question": row["question"], "answer": row["answer"]}
                made = Interview(id=number, character=name, evidence=evidence, generated=True, **said)
                rows.append(made.model_dump(exclude_none=True))
        return rows

    return _Item(question, read)


def _summary(book: Book, chapter: int, text: str, model: str) -> _Item:
    schema = array_of("items", character=_NULLABLE, summary=_STRING, **dict.fromkeys(_PLANS, _NULLABLE))
    slots = {"cast": book.cast_text, "text": text}
    question = ask_for("summary", model, slots, schema=schema, expected_tokens=800)

    def read(objects: Sequence[Row]) -> list[Row]:
        rows = []
        for row in objects:
            name = _person(book, row.get("character"))
            told = _texts(row, "summary") and row["summary"].strip() not in read_prompt("summary")
            if told and (name or row.get("character") is None):
                plans = {key: row[key] for key in _PLANS if _texts(row, key)}
                made = Summary(chapter=chapter, character=name, summary=row["summary"], **plans)
                rows.append(made.model_dump(exclude_none=True))
        return rows

    return _Item(question, read)


def _expressions(words: Sequence[str], model: str) -> _Item:
    schema = array_of("items", word=_STRING, label={"type": ["string", "null"], "enum": [*EXPRESSIONS, None]})
    question = ask_for("expressions", model, {"words": "\n".join(words)}, schema=schema, expected_tokens=1000)

    def read(objects: Sequence[Row]) -> list[Row]:
        good = [row for row in objects if row.get("word") in words and row.get("label") in EXPRESSIONS]
        return [{"word": row["word"], "label": row["label"]} for row in good]

    return _Item(question, read)


def _aliases(book: Book, i: int, model: str) -> _Item:
    schema = array_of("items", name=_STRING, alias=_STRING, evidence=_NUMBER)
    slots = {"cast": book.cast_text, "spans": spans_text(book, i)}
    question = ask_for("aliases", model, slots, schema=schema, expected_tokens=200)

    def read(objects: Sequence[Row]) -> list[Row]:
        rows = []
        for row in objects:
            name, evidence = _person(book, row.get("name")), _evidence(book, i, row.get("evidence"))
            alias = row.get("alias")
            if name and evidence and isinstance(alias, str) and alias.strip() and alias in evidence and alias != name:
                rows.append({"name": name, "alias": alias, "evidence": evidence})
        return rows

    return _Item(question, read)


def manner_words(text: str, names: Names) -> list[str]:
    """The words that tell how somebody speaks (没好气地说, 笑道：“), the frequent ones first."""
    clauses = [match[1] or match[2] for match in _MANNER.finditer(text)]
    found = Counter(clause[max((end for _, end, _ in names.find(clause)), default=0) :] for clause in clauses)
    return [word for word, _ in found.most_common(_MOST_WORDS) if 0 < len(word) <= _LONGEST_WORD]


def _parts(book: Book, chapter: Chapter) -> list[str]:
    start, end = chapter.span
    return [book.text[a : min(a + _LONGEST_PART, end)] for a in range(start, end, _LONGEST_PART)]


def _person(book: Book, name: Any) -> str | None:
    return book.names.canonical.get(name) if isinstance(name, str) else None


def _evidence(book: Book, i: int, number: Any) -> str | None:
    """The text of the span with that number."""
    spans = {str(piece.number): piece.core for piece in book.pieces[i] if piece.core}
    span = spans.get(str(number))
    return book.text[slice(*span)] if span else None


def _texts(row: Mapping[str, Any], *keys: str) -> bool:
    return all(isinstance(row.get(key), str) and row[key].strip() for key in keys)


def _merged(rows: Iterable[Row], key: tuple[str, str]) -> list[Row]:
    """One row for each pair, with how often it was found."""
    counts = Counter((row[key[0]], row[key[1]]) for row in rows)
    first = {pair: row for row in reversed(list(rows)) if (pair := (row[key[0]], row[key[1]]))}
    return [{**first[pair], "count": count} for pair, count in counts.most_common()]


def _write_interviews(path: Path, rows: Sequence[Row]) -> str:
    """Replace the generated rows; those that a person wrote stay first."""
    kept = [row for row in files.read_jsonl(path) if not row.get("generated")] if path.exists() else []
    files.write_jsonl(path, [*kept, *rows])
    return f"{len(rows)} generated, {len(kept)} written by people kept -> {path}"


def _write_table(path: Path, name: str, rows: Sequence[Row]) -> str:
    """Write a table that a person may edit: what was edited since it was written is left as it is."""
    meta = path.with_name(path.name + ".meta.json")
    if path.exists():
        ours = files.read_json(meta)["inputs"] if meta.exists() else ""
        if files.digest(path.read_bytes()) != ours:
            return f"{path} was edited and is kept: remove it to have it made anew"
    files.write_json(path, {"format": FORMAT_VERSION, name: list(rows)})
    files.write_meta(path, stage=STAGE, settings={"task": name}, inputs=files.digest(path.read_bytes()))
    return f"{len(rows)} rows -> {path}"
