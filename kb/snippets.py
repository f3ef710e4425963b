"""Entries to snippets: pieces of 60-150 characters that can stand alone as background, and their file.

    >>> snippets = entries_to_snippets(read_wiki("worlds/chuiyan/wiki"))
    >>> snippets[0].title, snippets[0].heading, snippets[0].source
    ('井底街', '', '井底街.wiki')
    >>> snippets[0].display
    '井底街：名称: 井底街；所在: 第一层台地；户数: 三百零六'

snippets.jsonl opens with a line that names its format; every other line is one snippet:

    {"format": "kb-snippets", "version": 1}
    {"id": "f754f6a627b8aec1", "title": "井底街", "heading": "",
     "text": "名称: 井底街；所在: 第一层台地；户数: 三百零六",
     "source": "井底街.wiki", "aliases": []}

Texts are cut at sentence ends and otherwise copied; nothing is summarised or reworded.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from kb.errors import SnippetFileError
from kb.wiki import Entry

FORMAT = "kb-snippets"
VERSION = 1

_SHORTEST, _LONGEST, _LONGEST_SENTENCE = 60, 150, 300
# A snippet still too short to stand alone may take a sentence that makes it somewhat too long.
_STRETCHED = 200
_SENTENCE = re.compile(r".*?(?:[。！？!?…]+[」』”’）)】》]*|\.(?=\s)|$)", re.DOTALL)
_CLAUSE = re.compile(r".*?(?:[，,；;、：:]|$)", re.DOTALL)
_CLOSED = ("。", "！", "？", "!", "?", "…", "：", ":", "；", "」", "』", "”", ".", "，", "、")


class Snippet(BaseModel):
    """One piece of background; `id` is the hash of what is embedded (title, heading and text)."""

    model_config = ConfigDict(frozen=True)

    id: str
    title: str
    heading: str = ""
    text: str
    source: str = ""
    aliases: tuple[str, ...] = ()
    chapter: int | None = None
    people: tuple[str, ...] = ()

    @property
    def display(self) -> str:
        """'title：text', what a prompt and a person see; without the title where the text starts with it."""
        return self.text if self.text.startswith(self.title) else f"{self.title}：{self.text}"

    @property
    def embedded(self) -> str:
        """What an embedder reads: title, heading, text."""
        return "：".join(filter(None, (self.title, self.heading, self.text)))

    @property
    def searched(self) -> str:
        """What keywords are looked for in: the other names of the page too."""
        return " ".join((self.title, *self.aliases, self.heading, self.text))


def make_snippet(
    title: str,
    text: str,
    *,
    heading: str = "",
    source: str = "",
    aliases: Sequence[str] = (),
    chapter: int | None = None,
    people: Sequence[str] = (),
) -> Snippet:
    """A snippet with its id; the same title, heading and text always give the same id."""
    digest = hashlib.sha256("\0".join((title, heading, text)).encode()).hexdigest()[:16]
    names = {"aliases": tuple(aliases), "people": tuple(people)}
    return Snippet(id=digest, title=title, heading=heading, text=text, source=source, chapter=chapter, **names)


def entries_to_snippets(entries: Iterable[Entry]) -> list[Snippet]:
    """Snippets of all entries in reading order, exact duplicates left out."""
    snippets = (snippet for entry in entries for snippet in _entry_snippets(entry))
    return list({snippet.id: snippet for snippet in snippets}.values())


def cut_text(text: str) -> list[str]:
    """Cuts a section into pieces of about 60-150 characters at sentence and line ends.

    A sentence of up to 300 characters stays whole; a longer one is cut at its commas, and hard where it
    has none. Lines that do not end in a mark (facts, list items) are joined with '；'.
    """
    pieces: list[str] = []
    for unit in _units(text):
        joined = _join(pieces[-1], unit) if pieces else unit
        if pieces and len(joined) <= (_STRETCHED if len(pieces[-1]) < _SHORTEST else _LONGEST):
            pieces[-1] = joined
        else:
            pieces.append(unit)
    return _without_short_tail(pieces)


def write_snippets(path: str | Path, snippets: Iterable[Snippet]) -> None:
    """Writes snippets.jsonl in one step: a reader sees the old file or the new one, never a part."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(json.dumps({"format": FORMAT, "version": VERSION}) + "\n")
        for snippet in snippets:
            file.write(json.dumps(snippet.model_dump(), ensure_ascii=False) + "\n")
    temporary.replace(path)


def read_snippets(path: str | Path) -> list[Snippet]:
    """Snippets of a file written by `write_snippets`.

    Raises SnippetFileError when it is missing, of another version, or has a line that is not a snippet.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SnippetFileError(f"cannot read {str(path)!r} ({error}): build the knowledge base again") from error
    _check_format(path, lines[0])
    return [_parse_line(path, number, line) for number, line in enumerate(lines[1:], 2) if line]


def _check_format(path: Path, line: str) -> None:
    """Raises SnippetFileError unless the first line names this format and version."""
    try:
        header: Any = json.loads(line)
    except json.JSONDecodeError:
        header = None
    if header != {"format": FORMAT, "version": VERSION}:
        raise SnippetFileError(
            f"{str(path)!r} starts with {line[:60]!r}, not with {FORMAT} version {VERSION}: "
            "build the knowledge base again"
        )


def _parse_line(path: Path, number: int, line: str) -> Snippet:
    try:
        return Snippet.model_validate_json(line)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise SnippetFileError(
            f"line {number} of {str(path)!r} is not a snippet ({reason}): build the knowledge base again"
        ) from error


def _entry_snippets(entry: Entry) -> Iterator[Snippet]:
    for path, text in entry.sections:
        for piece in cut_text(text):
            yield make_snippet(entry.title, piece, heading=" / ".join(path), source=entry.source, aliases=entry.aliases)


def _units(text: str) -> Iterator[str]:
    """Sentences and lines in order; lines of up to 150 characters such as facts and table rows stay whole."""
    for line in filter(None, map(str.strip, text.splitlines())):
        if len(line) <= _SHORTEST:
            yield line
            continue
        for sentence in _SENTENCE.findall(line):
            yield from _shorten(sentence.strip())


def _shorten(sentence: str) -> Iterator[str]:
    """The sentence itself up to 300 characters; else its clauses, gathered into pieces of at most 150."""
    if len(sentence) <= _LONGEST_SENTENCE:
        if sentence:
            yield sentence
        return
    piece = ""
    for clause in _CLAUSE.findall(sentence):
        if piece and len(piece) + len(clause) > _LONGEST:
            yield piece
            piece = ""
        piece += clause
        while len(piece) > _LONGEST_SENTENCE:
            yield piece[:_LONGEST]
            piece = piece[_LONGEST:]
    if piece:
        yield piece


def _join(left: str, right: str) -> str:
    """Two units side by side: '；' after an open end, a blank between Latin words, nothing after a mark."""
    if not left.endswith(_CLOSED):
        return f"{left}；{right}"
    return f"{left} {right}" if left.endswith((".", "!", "?")) else left + right


def _without_short_tail(pieces: list[str]) -> list[str]:
    """Joins a last piece too short to stand alone to the one before it, where that stays bearable."""
    if len(pieces) > 1 and len(pieces[-1]) < _SHORTEST:
        joined = _join(pieces[-2], pieces[-1])
        if len(joined) <= _STRETCHED:
            return [*pieces[:-2], joined]
    return pieces
