"""The seed's published output -> script lines and interviews, cleaned, and all changes counted.

    cleaned = clean_content(read_old(Path("all_content.json")))
    cleaned.lines[0]            # Line(kind="say", char="小舟", text="船来了。", src_id=0)
    cleaned.counts              # {"merged keys split": 12, "punctuation only": 3, ...}
    cleaned.problems            # ["chunk 7: unreadable: {\\"char\\": ..."]

One item, as ChatGPT returned it (several keys may be merged, null, or of another type)::

    {"char": "小舟", "say": "船来了。", "act": "推开船", "expression": "高兴", "src_id": 0}

A file is a list of items, of lists a chunk, or of replies as text; or JSON Lines, or broken JSON.
Two lines that follow each other in several chunks are taken for the prompt's own example. Nothing
unreadable is dropped without a word. The later form, a log of chapters, is read by legacy_log.py.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from roleplay.distill.llm.replies import NOBODY, read_objects
from roleplay.errors import ScriptError, reason
from roleplay.records import EXPRESSIONS, UNKNOWN, Interview, Line, Summary

# In so many chunks the same two lines follow each other by more than a coincidence.
_LEAKED = 3
# Where nothing names chapters, so many chunks are held out together.
_CHAPTER_CHUNKS = 20
_TEXTS = ("info", "act", "say", "think")
DROPPED = "expression dropped"
_NARRATOR = frozenset({"旁白", "叙述", "narrator", "narration"})
_QUOTED = re.compile(r"“[^”]{2,}”|「[^」]{2,}」")
_TABLE = json.loads(Path(__file__).with_name("expressions.json").read_text("utf-8"))
_NEAREST = {word: label for label, words in _TABLE.items() for word in words.split()}
_QUESTION = ("question", "问", "q", "ask", "interviewer")
_ANSWER = ("answer", "答", "a", "response", "reply", "say")
_NAME = ("char", "character", "name", "角色", "interviewee", "respondent", "speaker")

Expressions = Mapping[str, str | None]
"""A word -> one of the thirteen, or None where it is none of them: the author's own map."""


@dataclass
class Cleaned:
    """What could be read, how often each thing was mended or dropped, and what was unreadable.

    ``given`` counts the items of the file, ``kept`` those of which something was kept.
    """

    lines: list[Line] = field(default_factory=list)
    interviews: list[Interview] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)
    chapters: dict[int, int] = field(default_factory=dict)
    """Chunk -> chapter, where the file names chapters."""
    titles: dict[int, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    given: int = 0
    kept: int = 0

    @property
    def names(self) -> Counter[str]:
        """Lines by speaker, the unknown one left out."""
        return Counter(line.char for line in self.lines if line.char not in (None, UNKNOWN))


def read_text(path: Path) -> str:
    """The text of a file. Raises ScriptError: it is missing, empty or not UTF-8."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScriptError("files.no-utf8", path=path, byte=error.start) from error
    except OSError as error:
        raise ScriptError("distill.legacy-unreadable", path=path, reason=reason(error)) from error
    if not text.strip():
        raise ScriptError("distill.legacy-empty", path=path)
    return text


def read_old(path: Path) -> Any:
    """One JSON document, JSON Lines, or the text in a list if it is neither; raises as that."""
    text = read_text(path)
    with suppress(json.JSONDecodeError):
        return json.loads(text)
    with suppress(json.JSONDecodeError):
        return [json.loads(row) for row in text.splitlines() if row.strip()]
    return [text]


def read_expressions(path: Path) -> dict[str, str | None]:
    """The author's map. Raises ScriptError: it is no object of words and expressions."""
    given = read_old(path)
    if not isinstance(given, dict) or not all(isinstance(v, str | None) for v in given.values()):
        raise ScriptError("distill.legacy-map", path=path)
    return given


def clean_content(content: Any, expressions: Expressions | None = None) -> Cleaned:
    """Script lines of ``all_content.json``."""
    cleaned = Cleaned()
    for chunk, item in _items(content, cleaned):
        found = script_lines(item, chunk, cleaned, expressions or {})
        cleaned.kept += bool(found)
        cleaned.lines += found
    leaked, read = _leaked(cleaned.lines), len(cleaned.lines)
    cleaned.lines = [line for line in cleaned.lines if _key(line) not in leaked]
    cleaned.counts["leaked from the prompt's example"] += read - len(cleaned.lines)
    return counted(cleaned)


def counted(cleaned: Cleaned) -> Cleaned:
    """The same with what the lines as a whole show, and without zeros."""
    cleaned.counts["unknown speaker"] = sum(line.char == UNKNOWN for line in cleaned.lines)
    told = [line.text for line in cleaned.lines if line.kind == "info"]
    cleaned.counts["narration with quoted speech"] = sum(bool(_QUOTED.search(t)) for t in told)
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
            made = Interview(id=number, character=name, question=asked, answer=answered)
            cleaned.interviews.append(made)
    cleaned.kept = len(cleaned.interviews)
    return cleaned


def chapter_of(chunk: int, known: Mapping[int, int] | None = None) -> int:
    """The chapter of a chunk; one that no chapter names is of that of the chunk before it."""
    before = [number for number in known or () if number <= chunk]
    return known[max(before)] if known and before else chunk // _CHAPTER_CHUNKS


def _items(
    content: Any, cleaned: Cleaned, chunk: int | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every object with its chunk; lists and dicts are opened, text is read object by object."""
    if isinstance(content, str):
        found, faults = read_objects(content)
        cleaned.given += len(found) + len(faults)
        cleaned.problems += [f"chunk {chunk or 0}: {fault}" for fault in faults]
        yield from ((chunk or 0, item) for item in found)
    elif isinstance(content, dict) and content.keys() & {*_TEXTS, *_QUESTION, *_ANSWER}:
        cleaned.given += 1
        number = content.get("src_id")
        yield number if isinstance(number, int) and number >= 0 else chunk or 0, content
    elif isinstance(content, dict | list):
        values = content.values() if isinstance(content, dict) else content
        for number, value in enumerate(values):
            yield from _items(value, cleaned, number if chunk is None else chunk)
    elif content is None:
        cleaned.counts["null in place of an item"] += 1
    else:
        cleaned.given += 1
        cleaned.problems.append(f"chunk {chunk or 0}: {str(content)[:60]!r} is no item")


def script_lines(
    item: Mapping[str, Any], chunk: int, cleaned: Cleaned, expressions: Expressions
) -> list[Line]:
    """The lines of one item, in the order narration, act, say, think."""
    texts = {kind: text for kind in _TEXTS if (text := _text(item.get(kind), cleaned))}
    if not texts:
        cleaned.counts["item without a text"] += 1
        return []
    name = _text(item.get("char")) or ""
    if name in _NARRATOR and "say" in texts:
        texts = {"info": " ".join(texts.values())}
        cleaned.counts["the narrator's speech is narration"] += 1
    char = UNKNOWN if name.lower() in NOBODY else name
    expression = _expression(item.get("expression"), cleaned, expressions)
    cleaned.counts["merged keys split"] += len(texts) > 1
    return Line.from_json({**texts, "src_id": chunk, "char": char, "expression": expression})


def _text(value: Any, cleaned: Cleaned | None = None) -> str | None:
    """A text, or None for null, another type, and a text of marks only."""
    if not isinstance(value, str) or value.strip().lower() in ("", "null", "none"):
        return None
    if re.search(r"\w", value):
        return value.strip()
    if cleaned:
        cleaned.counts["punctuation only"] += 1
    return None


def _expression(value: Any, cleaned: Cleaned, expressions: Expressions) -> str | None:
    word = _text(value)
    if word is None or word in EXPRESSIONS:
        return word
    if word in expressions and expressions[word] is None:
        cleaned.counts["expression that the map leaves out"] += 1
        return None
    wanted = expressions.get(word) or word
    known = _NEAREST.get(wanted) or next((label for label in EXPRESSIONS if label in wanted), None)
    cleaned.counts["expression mapped to one of the 13" if known else DROPPED] += 1
    return known


def _leaked(lines: list[Line]) -> set[tuple[str, str | None, str]]:
    """Lines that with the next one recur in several chunks."""
    chunks: dict[Any, set[int | None]] = defaultdict(set)
    for one, two in pairwise(lines):
        if one.src_id == two.src_id:
            chunks[_key(one), _key(two)].add(one.src_id)
    return {line for pair, found in chunks.items() if len(found) >= _LEAKED for line in pair}


def _key(line: Line) -> tuple[str, str | None, str]:
    return line.kind, line.char, line.text


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((text for key in keys if (text := _text(item.get(key)))), None)
