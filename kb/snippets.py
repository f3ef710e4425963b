"""Entries and plot notes to snippets: pieces of 60-150 characters that can stand alone as background, and their file.

A section shorter than that is a snippet of its own, for its heading tells what it is about.

    >>> snippets = entries_to_snippets(read_wiki("worlds/chuiyan/wiki"))
    >>> snippets[1].title, snippets[1].heading, snippets[1].source
    ('井底街', '概况', '井底街.wiki')
    >>> note = PlotNote("她想在天黑前修好漏雨。", "闻筝", chapter=1, people=("闻筝",))
    >>> entries_to_snippets([], [note])[0].display
    '闻筝：她想在天黑前修好漏雨。'

snippets.jsonl opens with a line that names its format; every other line is one snippet:

    {"format": "kb-snippets", "version": 2}
    {"id": "f754f6a627b8aec1", "title": "井底街", "heading": "", "text": "名称: 井底街；所在: 第一层台地；户数: 三百零六",
     "source": "井底街.wiki", "aliases": [], "chapter": null, "people": []}

Texts are cut at sentence ends and otherwise copied; only one that opens with a pronoun gets its title in front.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from kb.duplicates import numbers_in, similar_pairs
from kb.errors import SnippetFileError
from kb.plot import PlotNote
from kb.wiki import Entry

FORMAT = "kb-snippets"
VERSION = 2

_SHORTEST, _LONGEST, _LONGEST_SENTENCE = 60, 150, 300
# A snippet still too short to stand alone may take a sentence that makes it somewhat too long.
_STRETCHED = 200
_SENTENCE = re.compile(r".*?(?:[。！？!?…]+[」』”’）)】》]*|\.(?=\s)|$)", re.DOTALL)
_CLAUSE = re.compile(r".*?(?:[，,；;、：:]|$)", re.DOTALL)
_PRONOUN = re.compile(
    r"(?:他们|她们|它们|他(?![人乡日山国])|[她它]|其(?![他它实中余次后间]|一|二|三)|此人|此女|本人|该(?![死不怎是来去说有当如]))"
)
_CLOSED = ("。", "！", "？", "!", "?", "…", "：", ":", "；", "」", "』", "”", ".", "，", "、")


class Snippet(BaseModel):
    """One piece of background; `id` is the hash of what is embedded (title, heading and text).

    `chapter` is when it comes to be known (None: it holds at any time), `people` who knows it (empty: everybody).
    """

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
        text = self.text.removeprefix(f"{self.title}：")
        return "：".join(filter(None, (self.title, self.heading, text)))

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
    return Snippet(
        id=digest,
        title=title,
        heading=heading,
        text=text,
        source=source,
        aliases=tuple(aliases),
        chapter=chapter,
        people=tuple(people),
    )


def entries_to_snippets(entries: Iterable[Entry], notes: Iterable[PlotNote] = ()) -> list[Snippet]:
    """Snippets of all entries and then of plot notes, in reading order; those that say the same again are left out."""
    pages = (snippet for entry in entries for snippet in _entry_snippets(entry))
    plot = (snippet for note in notes for snippet in _note_snippets(note))
    return without_duplicates([*pages, *plot])


def without_duplicates(snippets: Sequence[Snippet]) -> list[Snippet]:
    """Snippets without those that an earlier one says nine tenths alike, to the same people and no later.

    Texts of different titles, or with different numbers in them, are never alike: they tell of different things. Of
    snippets with one id, the first stays and is known to the people of all, from the earliest chapter.
    """
    merged: dict[str, Snippet] = {}
    for snippet in snippets:
        merged[snippet.id] = _merged(merged[snippet.id], snippet) if snippet.id in merged else snippet
    kept = list(merged.values())
    gone: set[int] = set()
    for number, earlier in similar_pairs([snippet.text for snippet in kept]):
        if earlier not in gone and number not in gone and _says_all_of(kept[earlier], kept[number]):
            gone.add(number)
    return [snippet for number, snippet in enumerate(kept) if number not in gone]


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
    for path, text in _gathered((path, piece) for path, section in entry.sections for piece in cut_text(section)):
        text = _readable_alone(entry.title, text)
        yield make_snippet(entry.title, text, heading=" / ".join(path), source=entry.source, aliases=entry.aliases)


def _note_snippets(note: PlotNote) -> Iterator[Snippet]:
    for piece in cut_text(note.text):
        yield make_snippet(
            note.title,
            _readable_alone(note.title, piece),
            heading=note.heading,
            source=note.source,
            chapter=note.chapter,
            people=note.people,
        )


def _gathered(pieces: Iterable[tuple[tuple[str, ...], str]]) -> list[tuple[tuple[str, ...], str]]:
    """Neighbours under one heading joined while one of them is too short to stand alone."""
    gathered: list[tuple[tuple[str, ...], str]] = []
    for path, piece in pieces:
        if gathered and gathered[-1][0] == path and min(len(gathered[-1][1]), len(piece)) < _SHORTEST:
            joined = _join(gathered[-1][1], piece)
            if len(joined) <= _LONGEST:
                gathered[-1] = (path, joined)
                continue
        gathered.append((path, piece))
    return gathered


def _readable_alone(title: str, text: str) -> str:
    """The title before a text that opens with a pronoun."""
    return f"{title}：{text}" if _PRONOUN.match(text) else text


def _merged(first: Snippet, second: Snippet) -> Snippet:
    """One text told twice: known from the earlier of both chapters, to the people of both."""
    chapters = [first.chapter, second.chapter]
    everybody = not first.people or not second.people
    people = () if everybody else tuple(dict.fromkeys((*first.people, *second.people)))
    chapter = None if None in chapters else min(chapter for chapter in chapters if chapter is not None)
    return first.model_copy(update={"chapter": chapter, "people": people})


def _says_all_of(kept: Snippet, other: Snippet) -> bool:
    """True when whoever may see `other` may see `kept`, and both tell of one thing with the same numbers."""
    in_time = kept.chapter is None or (other.chapter is not None and kept.chapter <= other.chapter)
    to_all = not kept.people or (bool(other.people) and set(other.people) <= set(kept.people))
    one_thing = kept.title == other.title or (kept.title in kept.text and kept.title in other.text)
    return in_time and to_all and one_thing and numbers_in(kept.text) == numbers_in(other.text)


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
