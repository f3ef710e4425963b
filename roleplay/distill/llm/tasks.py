"""What a model makes beside the script: interviews, summaries, expressions, aliases.

    made = await run("summaries", book, chapters, client, "gpt-4o-mini")
    # [{"chapter": 1, "summary": "下雨。"}, ...], for tables.py to write

Names are checked against the cast, evidence is a span's number and becomes the novel's own text. An
answer that is cut or unreadable is asked for once more.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from roleplay.distill.llm.client import ROOM, CachedClient, PendingError
from roleplay.distill.llm.labelling import Book, Progress, gather, spans_text
from roleplay.distill.llm.ledger import CUT, REFUSED
from roleplay.distill.llm.replies import is_empty, read_objects
from roleplay.distill.llm.requests import LLMRequest, read_prompt, request_for
from roleplay.distill.rules.cues import Names
from roleplay.records import EXPRESSIONS, Chapter, Interview, Summary

TASKS = ("interviews", "summaries", "expressions", "aliases")

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


async def _rows(asked: LLMRequest, read: _Read, client: CachedClient) -> list[Row]:
    objects: list[Row] = []
    request = asked
    for _ in range(2):
        try:
            entry = await client.ask(request)
        except PendingError:
            break
        found = [] if entry.finish == REFUSED else read_objects(entry.text)[0]
        client.count(entry, found=bool(found), used=bool(found))
        objects = found or objects
        if entry.finish == REFUSED or is_empty(entry) or (found and entry.finish != CUT):
            break
        request = _again(asked, ROOM if entry.finish == CUT else 0)
    return read(objects)


def _again(asked: LLMRequest, room: int) -> LLMRequest:
    system, user = asked.messages
    messages = (system, {**user, "content": user["content"] + _AGAIN})
    more = 2 * asked.expected_tokens
    return replace(asked, messages=messages, expected_tokens=more, room=room)


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
