"""Who speaks, as a person sets it right: quotes given to somebody else, people merged or renamed.

    book = read_book(world)
    book.pieces(chapter=1)              # the novel's text, cut at its quotes
    assign(world, [17, 18], "铜婆")      # these lines of the script are hers
    merge(world, "小筝", "闻筝")          # one person, two names
    undo(world)                         # the last of these moves, whoever made it
    settle(world)                       # the script on disk follows

Quotes stand in ``speakers.person.jsonl``, where those of ``review_speakers.py`` are too, people in
world.json; distilling reads both. ``speakers.undo.jsonl`` holds what each move found. Lines are
numbered from 0.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from roleplay import files
from roleplay.distill import corrections
from roleplay.distill.corrections import FILE, apply_corrections, read_corrections
from roleplay.errors import ScriptError, WorldError
from roleplay.records import UNKNOWN, Chunk, Line
from roleplay.stages import distill
from roleplay.world import Character, World, WorldInfo

UNDO = "speakers.undo.jsonl"
_MOVES, _LONGEST_NAME, _AROUND = 200, 40, 2

Gender = Literal["f", "m"] | None
Scope = Literal["quote", "alike", "speaker"]
"""Which lines a move means: this one; all of its speaker that are known in the same way; all."""


@dataclass(frozen=True)
class Piece:
    """A stretch of the novel: a quote with the number of its line, or what stands between."""

    text: str
    number: int | None = None
    line: Line | None = None

    @property
    def doubtful(self) -> bool:
        """Whether a person should look at it."""
        return self.line is not None and bool(corrections.doubtful([self.line]))


@dataclass(frozen=True)
class Book:
    """A world's script as it will be, and the text that it was made from."""

    world: World
    lines: Sequence[Line]
    chunks: Sequence[Chunk]

    @cached_property
    def chapters(self) -> dict[int, str]:
        """Number -> how the chapter begins."""
        found: dict[int, str] = {}
        for chunk in self.chunks:
            first = chunk.text.strip().split("\n")[0]
            found.setdefault(chunk.chapter, " ".join(first.split())[:30])
        return found

    @property
    def doubtful(self) -> list[int]:
        """The numbers of the lines that a person should look at."""
        return corrections.doubtful(self.lines)

    def count(self) -> dict[str, int]:
        """Speaker -> lines: the cast in its order, then others who speak, the most first."""
        said: dict[str, int] = dict.fromkeys(self.world.names, 0)
        for line in self.lines:
            if line.char and line.char != UNKNOWN:
                said[line.char] = said.get(line.char, 0) + 1
        cast = {name: said.pop(name) for name in self.world.names}
        return cast | dict(sorted(said.items(), key=lambda item: -item[1]))

    def pieces(self, chapter: int) -> list[Piece]:
        """The text of a chapter, cut at its quotes."""
        chunks = [chunk for chunk in self.chunks if chunk.chapter == chapter]
        if not chunks:
            return []
        start, text = chunks[0].span[0], "".join(chunk.text for chunk in chunks)
        return list(self._cut(text, start))

    def _cut(self, text: str, start: int) -> Iterator[Piece]:
        end, last = start + len(text), start
        for number, line in self._spans:
            first, after = line.span or (0, 0)
            if first < last or after > end:
                continue
            if first > last:
                yield Piece(text[last - start : first - start])
            yield Piece(text[first - start : after - start], number, line)
            last = after
        if last < end:
            yield Piece(text[last - start :])

    @cached_property
    def _spans(self) -> list[tuple[int, Line]]:
        told = [(i, line) for i, line in enumerate(self.lines) if line.kind != "info" and line.span]
        return sorted(told, key=lambda one: one[1].span or (0, 0))

    def around(self, numbers: Sequence[int]) -> list[list[Piece]]:
        """Each line between the two before and after it, as pieces of their own."""
        found = []
        for number in numbers:
            first = max(0, number - _AROUND)
            shown = enumerate(self.lines[first : number + _AROUND + 1], first)
            found.append([Piece(line.text, i if line.char else None, line) for i, line in shown])
        return found

    def meant(self, number: int, scope: Scope) -> list[int]:
        """The numbers of the lines that a move on a line means."""
        line = self.line(number)
        if scope == "quote":
            return [number]
        same = [i for i, one in enumerate(self.lines) if one.char == line.char]
        return [i for i in same if scope == "speaker" or self.lines[i].cue == line.cue]

    def line(self, number: int) -> Line:
        """A line that somebody says. Raises ScriptError: there is none of that number."""
        if not 0 <= number < len(self.lines) or self.lines[number].kind == "info":
            raise ScriptError("speakers.no-number", number=number + 1)
        return self.lines[number]


def read_book(path: Path) -> Book:
    """The script of a world with all that a person set right.

    Raises:
        WorldError: there is no script, or a file is broken.
    """
    world = World.load(path)
    return Book(world, _corrected(world), world.read_chunks())


def _corrected(world: World) -> list[Line]:
    """The lines with the names of today's cast, then with a person's word."""
    own = {form: one.name for one in world.info.characters for form in (one.name, *one.aliases)}
    gone = distill.deleted_names(world)
    lines = []
    for line in world.read_script():
        name = own.get(line.char or "", line.char)
        if name in gone:
            name = UNKNOWN
        if name != line.char:
            known = {} if name != UNKNOWN else {"confidence": None, "cue": None}
            line = line.model_copy(update={"char": name, **known})
        lines.append(line)
    told = read_corrections(world.path / FILE)
    return apply_corrections(lines, {key: own.get(name, name) for key, name in told.items()})


def settle(path: Path) -> bool:
    """Write what a person set right into ``script.jsonl``; False where nothing is to be written.

    Raises:
        BusyError: somebody distils this world.
        WorldError: the disk is full.
    """
    world = World.load(path)
    if not world.is_there("script.jsonl") or not world.is_there("chunks.jsonl"):
        return False
    with files.claim(path, distill.STAGE):
        lines = _corrected(world)
        if lines == world.read_script():
            return False
        made = files.manifest(path, distill.STAGE)
        ours = files.is_ours(path, distill.STAGE, "script.jsonl")
        rows = [line.to_json() for line in lines]
        if not ours:
            files.write_jsonl(path / "script.jsonl", rows)
            return True
        # Still what the stage made, but of other inputs: the next run makes it again.
        with files.commit(path, distill.STAGE, settings=made["settings"], inputs="") as staged:
            files.write_jsonl(staged / "script.jsonl", rows)
            files.write_bytes(staged / "chunks.jsonl", (path / "chunks.jsonl").read_bytes())
    return True


def assign(path: Path, numbers: Sequence[int], speaker: str) -> int:
    """Give lines to somebody, who need not be in the cast yet; how many lines that were.

    Raises:
        ScriptError: no such line. WorldError: no such name may be given.
    """
    book, name = read_book(path), _checked(speaker)
    own = {
        form: one.name for one in book.world.info.characters for form in (one.name, *one.aliases)
    }
    name = own.get(name, name)
    lines = [book.line(number) for number in numbers]
    with _move(book.world):
        for line in lines:
            corrections.add_correction(path / FILE, line, name)
    return len(lines)


def add_person(path: Path, name: str) -> None:
    """Take somebody into the cast. Raises WorldError: the name is no name, or somebody's."""
    world = World.load(path)
    name = _free(world, name, None)
    with _move(world):
        _write(world, (*world.info.characters, Character(name=name)))


def change_person(
    path: Path, old: str, *, name: str, aliases: Sequence[str], gender: Gender, profile: str
) -> None:
    """Rename somebody, or change their other names, gender or profile; a new one is taken in.

    Raises:
        WorldError: a name is somebody else's.
    """
    world = World.load(path)
    name = _free(world, name, old)
    others = [_free(world, one, old) for one in aliases if one.strip() and one.strip() != name]
    if name != old:
        others.append(old)  # else the lines of the old name would be nobody's
    other = dict.fromkeys(others)
    made = Character(name=name, aliases=tuple(other), gender=gender, profile=profile.strip())
    people = [made if one.name == old else one for one in world.info.characters]
    with _move(world):
        _write(world, people if made in people else [*people, made])


def merge(path: Path, one: str, into: str) -> None:
    """Make two people one: all names and lines of the first are the second's.

    Raises:
        WorldError: they are the same, or nobody is called so.
    """
    world = World.load(path)
    if one == into:
        raise WorldError("speakers.same")
    target = world.character(into)
    gone = next((who for who in world.info.characters if who.name == one), Character(name=one))
    names = dict.fromkeys((*target.aliases, gone.name, *gone.aliases))
    profile = target.profile or gone.profile
    gender = target.gender or gone.gender
    update = {"aliases": tuple(names), "profile": profile, "gender": gender}
    made = target.model_copy(update=update)
    people = [made if who == target else who for who in world.info.characters if who != gone]
    with _move(world):
        _write(world, people)


def delete_person(path: Path, name: str) -> None:
    """Take somebody out of the cast: they are no person. Their lines are nobody's.

    Raises:
        WorldError: nobody is called so.
    """
    book = read_book(path)
    gone = book.world.character(name)
    numbers = [i for i, line in enumerate(book.lines) if line.char == gone.name]
    with _move(book.world):
        for number in numbers:
            corrections.add_correction(path / FILE, book.lines[number], UNKNOWN)
        _write(book.world, [who for who in book.world.info.characters if who != gone])


def undo(path: Path) -> None:
    """Take the last move back.

    Raises:
        WorldError: there was none.
    """
    moves = _moves(path)
    if not moves:
        raise WorldError("speakers.no-undo")
    last = moves.pop()
    rows = list(files.read_jsonl(path / FILE))[: last["rows"]] if (path / FILE).exists() else []
    files.write_jsonl(path / FILE, rows)
    files.write_json(path / "world.json", last["info"])
    files.write_jsonl(path / UNDO, moves)


@contextmanager
def _move(world: World) -> Iterator[None]:
    """Note what a move finds, once it has worked."""
    file = world.path / FILE
    rows = len(list(files.read_jsonl(file))) if file.exists() else 0
    yield
    moves = [*_moves(world.path), {"rows": rows, "info": world.info.model_dump()}]
    files.write_jsonl(world.path / UNDO, moves[-_MOVES:])


def _moves(path: Path) -> list[dict[str, Any]]:
    return list(files.read_jsonl(path / UNDO)) if (path / UNDO).exists() else []


def _write(world: World, people: Sequence[Character]) -> None:
    info = WorldInfo(**{**dict(world.info), "characters": tuple(people)})
    files.write_json(world.path / "world.json", info.model_dump())


def _free(world: World, name: str, own: str | None) -> str:
    """The name, which is nobody's, or ``own``'s. Raises WorldError: it is somebody's."""
    name = _checked(name)
    for person in world.info.characters:
        if person.name != own and name in (person.name, *person.aliases):
            raise WorldError("speakers.taken", name=name, person=person.name)
    return name


def _checked(name: str) -> str:
    told = " ".join(name.split())
    if not told or len(told) > _LONGEST_NAME or any(mark in told for mark in "：:\\【】"):
        raise WorldError("speakers.name", most=_LONGEST_NAME)
    return told
