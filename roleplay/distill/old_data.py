"""The seed's published output -> script lines and interviews, cleaned, with a count and a reason for all that was changed.

    cleaned = clean_content(read_old(Path("all_content.json")))
    cleaned.lines[0]            # Line(kind="say", char="小舟", text="船来了。", src_id=0)
    cleaned.counts              # {"merged keys split": 12, "punctuation only": 3, ...}
    cleaned.problems            # ("chunk 7: unreadable: {\\"char\\": ...",)

One item, as ChatGPT returned it (several keys may be merged, null, or of another type)::

    {"char": "小舟", "say": "船来了。", "act": "推开船", "expression": "高兴", "src_id": 0}

A file is a list of items, of lists a chunk, or of replies as text; also JSON Lines, and replies that are no whole JSON. Lines
of the prompt's own example leak into many chunks: two lines that follow each other in ``LEAKED`` or more chunks are taken
for that. Nothing unreadable is dropped without a word.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from roleplay.distill.replies import NOBODY, read_objects
from roleplay.errors import ScriptError
from roleplay.records import EXPRESSIONS, UNKNOWN, Interview, Line

LEAKED = 3
"""Chunks in which the same two lines follow each other: more than a coincidence."""

CHAPTER_CHUNKS = 20
"""So many chunks count as a chapter, since the old data names none: what is held out is held out whole."""

_TEXTS = ("info", "act", "say", "think")
_NARRATOR = frozenset({"旁白", "叙述", "narrator", "narration"})
_QUOTED = re.compile(r"“[^”]{2,}”|「[^」]{2,}」")
_NEAR = {
    "高兴": "微笑", "开心": "微笑", "笑": "微笑", "得意": "微笑", "温柔": "微笑", "激动": "兴奋", "期待": "兴奋",
    "生气": "微怒", "不满": "微怒", "不悦": "微怒", "愤怒": "大怒", "暴怒": "大怒", "吃惊": "惊讶", "震惊": "惊讶",
    "害怕": "恐惧", "恐慌": "恐惧", "悲伤": "悲哀", "难过": "悲哀", "伤心": "悲哀", "哭": "哭泣", "脸红": "害羞",
    "羞涩": "害羞", "疑惑": "困惑", "不解": "困惑", "迷茫": "困惑", "无奈": "白眼", "不屑": "白眼", "冷静": "平静",
    "冷漠": "平静", "严肃": "专注", "认真": "专注", "紧张": "专注",
}  # fmt: skip
_QUESTION = ("question", "问", "q", "ask", "interviewer")
_ANSWER = ("answer", "答", "a", "response", "reply", "say")
_NAME = ("char", "character", "name", "角色", "interviewee")

Place = tuple[int, Any]
"""The chunk of an item, and the item."""


@dataclass
class Cleaned:
    """What could be read, how often each thing was mended or dropped, and what could not be read."""

    lines: list[Line] = field(default_factory=list)
    interviews: list[Interview] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def names(self) -> Counter[str]:
        """Lines by speaker, the unknown one left out."""
        return Counter(line.char for line in self.lines if line.char not in (None, UNKNOWN))


def read_old(path: Path) -> Any:
    """The content of a file: one JSON document, JSON Lines, or the text itself where it is neither.

    Raises:
        ScriptError: the file is missing, empty or not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path} cannot be read ({error}): give the seed's file, in UTF-8") from error
    if not text.strip():
        raise ScriptError(f"{path} is empty: give the seed's all_content.json or all_interview.json")
    for read in (json.loads, lambda whole: [json.loads(row) for row in whole.splitlines() if row.strip()]):
        try:
            return read(text)
        except json.JSONDecodeError:
            continue
    return [text]


def clean_content(content: Any) -> Cleaned:
    """Script lines of ``all_content.json``."""
    cleaned = Cleaned()
    for chunk, item in _items(content, cleaned):
        cleaned.lines += _lines(item, chunk, cleaned)
    leaked = _leaked(cleaned.lines)
    cleaned.counts["leaked from the prompt's example"] += sum(_key(line) in leaked for line in cleaned.lines)
    cleaned.lines = [line for line in cleaned.lines if _key(line) not in leaked]
    cleaned.counts["unknown speaker"] = sum(line.char == UNKNOWN for line in cleaned.lines)
    cleaned.counts["narration with quoted speech"] = sum(
        line.kind == "info" and bool(_QUOTED.search(line.text)) for line in cleaned.lines
    )
    cleaned.counts = +cleaned.counts
    return cleaned


def clean_interviews(content: Any) -> Cleaned:
    """Interviews of ``all_interview.json``; the ids count from ``old-0``."""
    cleaned = Cleaned()
    for chunk, item in _items(content, cleaned):
        asked, answered, name = (_first(item, keys) for keys in (_QUESTION, _ANSWER, _NAME))
        if not (asked and answered):
            cleaned.problems.append(f"chunk {chunk}: no question and answer in {str(item)[:60]}")
        elif not name or name.lower() in NOBODY:
            cleaned.counts["interview without a character"] += 1
        else:
            number = f"old-{len(cleaned.interviews)}"
            cleaned.interviews.append(Interview(id=number, character=name, question=asked, answer=answered))
    return cleaned


def chapter_of(chunk: int) -> int:
    """The chapter that a chunk counts to."""
    return chunk // CHAPTER_CHUNKS


def likely_aliases(names: Mapping[str, int]) -> list[tuple[str, str]]:
    """(shorter, longer) names of which one holds the other; for a person to decide on, nothing is merged."""
    return sorted(
        (short, long) for short in names for long in names if short != long and len(short) > 1 and short in long
    )


def _items(content: Any, cleaned: Cleaned, chunk: int | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every object with its chunk; lists and dicts are opened, text is read object by object."""
    if isinstance(content, str):
        found, faults = read_objects(content)
        cleaned.problems += [f"chunk {chunk or 0}: {fault}" for fault in faults]
        yield from ((chunk or 0, item) for item in found)
    elif isinstance(content, dict):
        if content.keys() & {*_TEXTS, *_QUESTION, *_ANSWER}:
            yield _chunk_of(content, chunk), content
        else:
            for number, value in enumerate(content.values()):
                yield from _items(value, cleaned, number if chunk is None else chunk)
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from _items(value, cleaned, number if chunk is None else chunk)
    elif content is None:
        cleaned.counts["null in place of an item"] += 1
    else:
        cleaned.problems.append(f"chunk {chunk or 0}: {str(content)[:60]!r} is no item")


def _chunk_of(item: Mapping[str, Any], chunk: int | None) -> int:
    number = item.get("src_id")
    return number if isinstance(number, int) and number >= 0 else chunk or 0


def _lines(item: Mapping[str, Any], chunk: int, cleaned: Cleaned) -> list[Line]:
    """The lines of one item, in the order narration, act, say, think."""
    texts = {kind: text for kind in _TEXTS if (text := _text(item.get(kind), cleaned))}
    if not texts:
        cleaned.counts["item without a text"] += 1
        return []
    name = _text(item.get("char"), None) or ""
    if name in _NARRATOR and "say" in texts:
        texts = {"info": " ".join(texts.values())}
        cleaned.counts["the narrator's speech is narration"] += 1
    row: dict[str, Any] = dict(texts) | {"src_id": chunk}
    row["char"] = UNKNOWN if name.lower() in NOBODY else name
    if expression := _expression(item.get("expression"), cleaned):
        row["expression"] = expression
    cleaned.counts["merged keys split"] += len(texts) > 1
    return Line.from_json(row)


def _text(value: Any, cleaned: Cleaned | None) -> str | None:
    """A text, or None for null, another type, and a text of marks only."""
    if not isinstance(value, str) or value.strip().lower() in ("", "null", "none"):
        return None
    if not re.search(r"\w", value):
        if cleaned:
            cleaned.counts["punctuation only"] += 1
        return None
    return value.strip()


def _expression(value: Any, cleaned: Cleaned) -> str | None:
    word = _text(value, None)
    if word is None or word in EXPRESSIONS:
        return word
    known = _NEAR.get(word) or next((label for label in EXPRESSIONS if label in word), None)
    cleaned.counts["expression mapped to one of the 13" if known else "expression dropped"] += 1
    return known


def _leaked(lines: list[Line]) -> set[tuple[str, str | None, str]]:
    """Lines that with the next one recur in ``LEAKED`` chunks."""
    chunks: dict[Any, set[int | None]] = defaultdict(set)
    for one, two in pairwise(lines):
        if one.src_id == two.src_id:
            chunks[_key(one), _key(two)].add(one.src_id)
    return {line for pair, found in chunks.items() if len(found) >= LEAKED for line in pair}


def _key(line: Line) -> tuple[str, str | None, str]:
    return line.kind, line.char, line.text


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((text for key in keys if (text := _text(item.get(key), None))), None)
