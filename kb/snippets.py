"""Entries and plot notes to snippets: pieces of 60-150 characters that stand alone, and their file.

Texts are cut at sentence ends and otherwise copied; one that opens with a pronoun gets its title.
A section shorter than that is a snippet of its own, for its heading tells what it is about.

    >>> snippets = entries_to_snippets(iter_wiki("worlds/chuiyan/wiki"))
    >>> snippets[1].title, snippets[1].heading, snippets[1].source
    ('井底街', '概况', '井底街.wiki')
    >>> note = PlotNote("她想在天黑前修好漏雨。", "闻筝", chapter=1, people=("闻筝",))
    >>> entries_to_snippets([], [note])[0].display
    '闻筝：她想在天黑前修好漏雨。'

snippets.jsonl opens with a line that names its format; every other line is one snippet:

    {"format": "kb-snippets", "version": 2}
    {"id": "f754f6a627b8aec1", "title": "井底街", "heading": "", "text": "名称: 井底街；…",
     "source": "井底街.wiki", "aliases": [], "chapter": null, "people": []}
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from kb.duplicates import numbers_in, similar_pairs
from kb.errors import SnippetFileError
from kb.names import simplified
from kb.wiki import Entry

VERSION = 2
_HEADER = {"format": "kb-snippets", "version": VERSION}

_SHORTEST, _LONGEST, _LONGEST_SENTENCE = 60, 150, 300
# A snippet still too short to stand alone may take a sentence that makes it somewhat too long.
_STRETCHED = 200
# Up to a mark and the quotes that close after it; '.' ends a sentence only before a blank (3.14).
_SENTENCE = re.compile(r".*?(?:[。！？!?…]+[」』”’）)】》]*|\.(?=\s)|$)", re.S)
_CLAUSE = re.compile(r".*?(?:[，,；;、：:]|$)", re.S)
# Not the words that only begin like one: 他人, 其实, 其中, 其一, 该死, 该不该.
_PRONOUN = re.compile(
    "他们|她们|它们|他(?![人乡日山国])|[她它]|其(?![他它实中余次后间一二三])|此人|此女|本人"
    "|该(?![死不怎是来去说有当如])"
)
_CLOSED = ("。", "！", "？", "!", "?", "…", "：", ":", "；", "」", "』", "”", ".", "，", "、")


@dataclass(frozen=True)
class PlotNote:
    """A piece of the plot; `people` are those who know it, none given means everybody."""

    text: str
    title: str
    chapter: int
    people: tuple[str, ...] = ()
    heading: str = ""
    source: str = ""


class Snippet(BaseModel):
    """One piece of background; `id` is the hash of title, heading and text, in simplified script.

    `chapter` is when it comes to be known (None: always), `people` who knows it (empty: everybody).
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
        """'title：text', as a prompt shows it; the text alone where it starts with the title."""
        return self.text if self.text.startswith(self.title) else f"{self.title}：{self.text}"

    @property
    def embedded(self) -> str:
        """What an embedder reads: title, heading, text, in simplified characters."""
        text = self.text.removeprefix(f"{self.title}：")
        return simplified("：".join(filter(None, (self.title, self.heading, text))))

    @property
    def searched(self) -> str:
        """What keywords are looked for in: the other names of the page too."""
        return " ".join((self.title, *self.aliases, self.heading, self.text))


def make_snippet(title: str, text: str, *, heading: str = "", **others: Any) -> Snippet:
    """A snippet with its id; the same title, heading and text always give the same id."""
    said = simplified("\0".join((title, heading, text)))
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    return Snippet(id=digest, title=title, heading=heading, text=text, **others)


def entries_to_snippets(entries: Iterable[Entry], notes: Iterable[PlotNote] = ()) -> list[Snippet]:
    """Snippets of all entries and then of plot notes, in reading order, without duplicates."""
    pages = (snippet for entry in entries for snippet in _entry_snippets(entry))
    plot = (snippet for note in notes for snippet in _note_snippets(note))
    return without_duplicates([*pages, *plot])


def without_duplicates(snippets: Sequence[Snippet]) -> list[Snippet]:
    """Snippets without those that an earlier one says nine tenths alike, as soon and to the same.

    Texts of different titles, or with different numbers in them, are never alike: they tell of
    different things. Of snippets with one id, the first stays and is known to the people of all,
    from the earliest chapter.
    """
    merged: dict[str, Snippet] = {}
    for snippet in snippets:
        first = merged.get(snippet.id)
        merged[snippet.id] = _merged(first, snippet) if first else snippet
    kept = list(merged.values())
    gone: set[int] = set()
    for number, earlier in similar_pairs([snippet.text for snippet in kept]):
        if earlier not in gone and number not in gone and _says_all_of(kept[earlier], kept[number]):
            gone.add(number)
    return [snippet for number, snippet in enumerate(kept) if number not in gone]


def cut_text(text: str) -> list[str]:
    """Cuts a section into pieces of about 60-150 characters at sentence and line ends.

    A sentence of up to 300 characters stays whole; a longer one is cut at its commas, and hard
    where it has none. Lines that do not end in a mark (facts, list items) are joined with '；'.
    """
    pieces: list[str] = []
    for unit in _units(text):
        joined = _join(pieces[-1], unit) if pieces else unit
        if pieces and len(joined) <= (_STRETCHED if len(pieces[-1]) < _SHORTEST else _LONGEST):
            pieces[-1] = joined
        else:
            pieces.append(unit)
    if len(pieces) > 1 and len(pieces[-1]) < _SHORTEST:
        joined = _join(pieces[-2], pieces[-1])
        # A last piece too short to stand alone, where the one before it can bear it.
        if len(joined) <= _STRETCHED:
            pieces[-2:] = [joined]
    return pieces


def write_snippets(path: str | Path, snippets: Iterable[Snippet]) -> None:
    """Writes snippets.jsonl in one step: a reader sees the old file or the new one, no part."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(json.dumps(_HEADER) + "\n")
        for snippet in snippets:
            file.write(json.dumps(snippet.model_dump(), ensure_ascii=False) + "\n")
    temporary.replace(path)


def read_snippets(path: str | Path) -> list[Snippet]:
    """Snippets of a file written by `write_snippets`.

    Raises SnippetFileError where it is missing, of another version, or a line is no snippet.
    """
    try:
        first, *lines = Path(path).read_text(encoding="utf-8").split("\n")
        header = json.loads(first)
    except json.JSONDecodeError:
        header = None
    except (OSError, UnicodeDecodeError) as error:
        raise SnippetFileError("snippets.unreadable", path=path, detail=error) from error
    if header != _HEADER:
        raise SnippetFileError("snippets.format", path=path, start=first[:60], version=VERSION)
    snippets = []
    for number, line in enumerate(lines, 2):
        try:
            snippets += [Snippet.model_validate_json(line)] if line else []
        except ValidationError as error:
            detail = error.errors()[0]["msg"]
            raise SnippetFileError(
                "snippets.line", line=number, path=path, detail=detail
            ) from error
    return snippets


def _entry_snippets(entry: Entry) -> Iterator[Snippet]:
    """The pieces of a page; neighbours under one heading are joined where one is too short."""
    gathered: list[tuple[tuple[str, ...], str]] = []
    for path, section in entry.sections:
        for piece in cut_text(section):
            before, last = gathered[-1] if gathered else (None, "")
            joined = _join(last, piece)
            short = min(len(last), len(piece)) < _SHORTEST
            if path == before and short and len(joined) <= _LONGEST:
                gathered[-1] = (path, joined)
            else:
                gathered.append((path, piece))
    title, known = entry.title, {"source": entry.source, "aliases": entry.aliases}
    for path, piece in gathered:
        yield make_snippet(title, _alone(title, piece), heading=" / ".join(path), **known)


def _note_snippets(note: PlotNote) -> Iterator[Snippet]:
    known = {"source": note.source, "chapter": note.chapter, "people": note.people}
    for piece in cut_text(note.text):
        yield make_snippet(note.title, _alone(note.title, piece), heading=note.heading, **known)


def _alone(title: str, text: str) -> str:
    """The title before a text that opens with a pronoun."""
    return f"{title}：{text}" if _PRONOUN.match(text) else text


def _merged(first: Snippet, second: Snippet) -> Snippet:
    """One text told twice: known from the earlier of both chapters, to the people of both."""
    everybody = not first.people or not second.people
    people = () if everybody else tuple(dict.fromkeys((*first.people, *second.people)))
    chapters = [chapter for chapter in (first.chapter, second.chapter) if chapter is not None]
    chapter = min(chapters) if len(chapters) == 2 else None
    return first.model_copy(update={"chapter": chapter, "people": people})


def _says_all_of(kept: Snippet, other: Snippet) -> bool:
    """True when all who may see `other` may see `kept`, and both tell one thing, numbers too."""
    in_time = kept.chapter is None or (other.chapter is not None and kept.chapter <= other.chapter)
    to_all = not kept.people or (bool(other.people) and set(other.people) <= set(kept.people))
    one_thing = kept.title == other.title or (kept.title in kept.text and kept.title in other.text)
    return in_time and to_all and one_thing and numbers_in(kept.text) == numbers_in(other.text)


def _units(text: str) -> Iterator[str]:
    """Sentences and lines in order; short lines such as facts and table rows stay whole."""
    for line in filter(None, map(str.strip, text.splitlines())):
        for sentence in [line] if len(line) <= _SHORTEST else _SENTENCE.findall(line):
            yield from _shorten(sentence.strip())


def _shorten(sentence: str) -> Iterator[str]:
    """The sentence itself up to 300 characters; else its clauses in pieces of at most 150."""
    clauses = [sentence] if len(sentence) <= _LONGEST_SENTENCE else _CLAUSE.findall(sentence)
    piece = ""
    for clause in clauses:
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
    """Two units side by side: '；' after an open end, a blank between Latin ones, else nothing."""
    if not left.endswith(_CLOSED):
        return f"{left}；{right}"
    return f"{left} {right}" if left.endswith((".", "!", "?")) else left + right
