"""A conversation or a scene in play: turns with their candidates, and every move one can make.

    session = Session().add("【雨停了】\\n陆迟：不好意思，我来晚了。").session
    session = session.reply("闻筝", ["没得商量。", "漏了漏了！"])
    session.swipe(1, 1).edit(0, "【雨又下了】").undo().lines

A :class:`Session` is immutable: every move gives a new one, which is what makes undo exact. Turns
are told by their place, from 0. To leaf through candidates and to mark them is no move that undo
takes back. Nothing here knows a model, a file or a page.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from pydantic import BaseModel, ValidationError

from roleplay.errors import DialogueError, FormError, reason
from roleplay.messages import message
from roleplay.records import FORMAT_VERSION, Line
from roleplay.script import Problem, format_body, format_script, parse_body, parse_line

Mark = Literal["", "liked", "disliked"]
_KEPT = 200
"""Moves that can be taken back."""


@dataclass(frozen=True)
class Candidate:
    """One way in which a turn may go, and what a reader thinks of it."""

    lines: tuple[Line, ...]
    mark: Mark = ""

    @property
    def text(self) -> str:
        """What stands after the cue, one line a row; narration as it is."""
        return "\n".join(_body(line) for line in self.lines)


@dataclass(frozen=True)
class Turn:
    """What one person says and does, or what is narrated, until the next one's turn.

    ``prompt`` is what a model read before it wrote the candidates; a person's turn has none.
    """

    candidates: tuple[Candidate, ...]
    chosen: int = 0
    prompt: str = ""

    @property
    def shown(self) -> Candidate:
        """The candidate that stands."""
        return self.candidates[self.chosen]

    @property
    def char(self) -> str | None:
        """Whose turn it is; None for narration."""
        return self.shown.lines[0].char

    def with_shown(self, candidate: Candidate) -> Self:
        """Another candidate in the place of the one that stands."""
        others = list(self.candidates)
        others[self.chosen] = candidate
        return replace(self, candidates=tuple(others))

    def to_json(self) -> dict[str, Any]:
        """The turn as it is saved."""
        rows = [[line.to_json() for line in candidate.lines] for candidate in self.candidates]
        marks = [candidate.mark for candidate in self.candidates]
        row: dict[str, Any] = {"candidates": rows, "chosen": self.chosen}
        return row | ({"marks": marks} if any(marks) else {}) | self._read()

    def _read(self) -> dict[str, str]:
        return {"prompt": self.prompt} if self.prompt else {}


class _SavedTurn(BaseModel):
    candidates: tuple[tuple[Any, ...], ...]
    chosen: int = 0
    marks: tuple[Mark, ...] = ()
    prompt: str = ""

    def turn(self) -> Turn:
        unmarked: list[Mark] = [""] * len(self.candidates)
        marks = (*self.marks, *unmarked)
        found = [
            Candidate(tuple(line for row in rows for line in Line.from_json(row)), mark)
            for rows, mark in zip(self.candidates, marks, strict=False)
        ]
        if not (found and all(one.lines for one in found) and 0 <= self.chosen < len(found)):
            raise FormError("dialogue.no-candidates")
        return Turn(tuple(found), self.chosen, self.prompt)


class _Saved(BaseModel):
    """The document of a saved scene; its lines are read when its format is known.

    ``lines`` are those of scenes of version 0.4, which knew no candidates.
    """

    format: int
    turns: tuple[_SavedTurn, ...] | None = None
    lines: tuple[Any, ...] = ()


Turns = tuple[Turn, ...]


@dataclass(frozen=True)
class Session:
    """The turns so far, and what they were before each move."""

    turns: Turns = ()
    past: tuple[Turns, ...] = field(default=(), repr=False, compare=False)
    future: tuple[Turns, ...] = field(default=(), repr=False, compare=False)

    @classmethod
    def of(cls, lines: Sequence[Line]) -> Self:
        """A session with a turn for each run of lines of one person."""
        return cls(as_turns(lines))

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines that stand."""
        return tuple(line for turn in self.turns for line in turn.shown.lines)

    @property
    def text(self) -> str:
        """The scene as script text."""
        return format_script(self.lines)

    def before(self, place: int) -> Self:
        """What stands before a turn, for another try at it."""
        return replace(self, turns=self.turns[:place])

    def add(self, text: str, *, at: int | None = None, plain: bool = False) -> "Added":
        """Put typed script text at the end, or before the turn ``at``.

        Unreadable rows are reported and the rest is kept. ``plain``: a row without a speaker is
        narration.
        """
        lines, problems = read_rows(text, plain=plain)
        place = len(self.turns) if at is None else at
        moved = (*self.turns[:place], *as_turns(lines), *self.turns[place:])
        return Added(self._moved(moved) if lines else self, problems)

    def append(self, lines: Sequence[Line]) -> Self:
        """Put lines at the end."""
        return self._moved((*self.turns, *as_turns(lines)))

    def choose(self, character: str, candidate: str) -> Self:
        """Append a candidate as the turn of ``character``.

        Raises DialogueError: the candidate is empty or no script line.
        """
        return self.reply(character, [candidate])

    def reply(self, character: str, candidates: Sequence[str], prompt: str = "") -> Self:
        """Append a turn of ``character``; the first readable candidate stands.

        Raises DialogueError: none of them is a script line.
        """
        return self._moved((*self.turns, Turn(_readable(character, candidates), prompt=prompt)))

    def more(self, place: int, candidates: Sequence[str], prompt: str = "") -> Self:
        """Further candidates for a turn; the first new one stands. Raises as :meth:`reply`."""
        old = self.turns[place]
        known = [candidate.text for candidate in old.candidates]
        found = _readable(old.char or "", candidates)
        new = tuple(one for one in found if one.text not in known)
        joined = (*old.candidates, *new)
        chosen = len(known) if new else known.index(found[0].text)
        return self._with(place, Turn(joined, chosen, prompt or old.prompt))

    def swipe(self, place: int, step: int) -> Self:
        """The next candidate of a turn, or the one before; round at the ends."""
        turn = self.turns[place]
        return self.pick(place, (turn.chosen + step) % len(turn.candidates))

    def pick(self, place: int, chosen: int) -> Self:
        """The candidate that stands from now on."""
        return self._set(place, replace(self.turns[place], chosen=chosen))

    def mark(self, place: int, mark: Mark) -> Self:
        """Like or dislike what stands; the same mark again takes it away."""
        turn = self.turns[place]
        new: Mark = "" if turn.shown.mark == mark else mark
        return self._set(place, turn.with_shown(replace(turn.shown, mark=new)))

    def edit(self, place: int, text: str) -> Self:
        """Other words for what stands, spoken by the same one.

        Raises DialogueError: a row is no script line; the message says why.
        """
        turn = self.turns[place]
        return self._with(place, turn.with_shown(Candidate(_read(turn, text))))

    def teach(self, place: int, text: str) -> Self:
        """What should have been said, as a candidate that is liked and stands. Raises as above."""
        turn = self.turns[place]
        taught = Candidate(_read(turn, text), "liked")
        kept = [one for one in turn.candidates if one.text != taught.text]
        return self._with(place, replace(turn, candidates=(*kept, taught), chosen=len(kept)))

    def delete(self, place: int) -> Self:
        """Without a turn."""
        return self._moved((*self.turns[:place], *self.turns[place + 1 :]))

    def cut(self, place: int) -> Self:
        """Without what comes after a turn."""
        return self._moved(self.turns[: place + 1])

    def clear(self) -> Self:
        """Without anything; undo brings it back."""
        return self._moved(())

    def undo(self) -> Self:
        """As it was before the last move. Raises DialogueError: there was none."""
        if not self.past:
            raise DialogueError("dialogue.no-move")
        *past, before = self.past
        return replace(self, turns=before, past=tuple(past), future=(self.turns, *self.future))

    def redo(self) -> Self:
        """As it was before the last undo. Raises DialogueError: nothing was undone since."""
        if not self.future:
            raise DialogueError("dialogue.no-redo")
        after, *future = self.future
        return replace(self, turns=after, past=(*self.past, self.turns), future=tuple(future))

    def dump(self) -> str:
        """The scene as a JSON document; :meth:`load` reads it."""
        saved = {"format": FORMAT_VERSION, "turns": [turn.to_json() for turn in self.turns]}
        return json.dumps(saved, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def load(cls, text: str) -> Self:
        """Read :meth:`dump`'s document, or plain script text.

        Raises DialogueError: neither; the message says what is wrong with it.
        """
        if not text.lstrip().startswith("{"):
            lines, problems = read_rows(text)
            if problems or not lines:
                told = problems[0].message if problems else message("dialogue.empty")
                raise DialogueError("dialogue.no-script", reason=told)
            return cls.of(lines)
        try:
            saved = _Saved.model_validate_json(text)
            if saved.format != FORMAT_VERSION:
                raise DialogueError("dialogue.format", format=saved.format, known=FORMAT_VERSION)
            if saved.turns is not None:
                return cls(tuple(row.turn() for row in saved.turns))
            return cls.of([line for row in saved.lines for line in Line.from_json(row)])
        except (ValidationError, FormError) as error:
            raise DialogueError("dialogue.no-scene", reason=reason(error)) from error

    def _moved(self, turns: Turns) -> Self:
        return replace(self, turns=turns, past=(*self.past, self.turns)[-_KEPT:], future=())

    def _with(self, place: int, turn: Turn) -> Self:
        return self._moved((*self.turns[:place], turn, *self.turns[place + 1 :]))

    def _set(self, place: int, turn: Turn) -> Self:
        return replace(self, turns=(*self.turns[:place], turn, *self.turns[place + 1 :]))


@dataclass(frozen=True)
class Added:
    """What came of typed text: the session with its readable lines, and what could not be read."""

    session: Session
    problems: tuple[Problem, ...]


def in_turn(lines: Sequence[Line], names: Sequence[str]) -> list[str]:
    """``names``, whoever spoke longest ago first; those who never did before all others."""
    newest = {line.char: place for place, line in enumerate(lines)}
    return sorted(names, key=lambda name: newest.get(name, -1))


def called(lines: Sequence[Line], known: Mapping[str, Sequence[str]]) -> str | None:
    """Who is named in the newest line by another, if anybody is.

    Args:
        known: by name, what people call them.
    """
    if not lines or lines[-1].kind == "think":
        return None
    text, speaker = lines[-1].text, lines[-1].char
    heard = {
        max((text.rfind(word) for word in (name, *words) if word), default=-1): name
        for name, words in known.items()
        if name != speaker
    }
    return heard[last] if heard and (last := max(heard)) >= 0 else None


def as_turns(lines: Sequence[Line]) -> Turns:
    """A turn for each line."""
    return tuple(Turn((Candidate((line,)),)) for line in lines)


def read_rows(text: str, *, plain: bool = False) -> tuple[tuple[Line, ...], tuple[Problem, ...]]:
    """The lines of script text, and the rows that are none; see :meth:`Session.add`."""
    lines: list[Line] = []
    problems: list[Problem] = []
    # No splitlines: it also breaks at characters that a text may hold, such as U+2028.
    for number, row in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if not (row := row.strip()):
            continue
        try:
            lines += parse_line(row)
        except ValueError as error:
            if plain and not re.search(r"[：:]|^[【\[]", row):
                lines.append(Line(kind="info", text=row))
            else:
                problems.append(Problem(number, row, reason(error)))
    return tuple(lines), tuple(problems)


def _body(line: Line) -> str:
    return line.text if line.kind == "info" else format_body(line)


def _read(turn: Turn, text: str) -> tuple[Line, ...]:
    """The lines of an edited turn. Raises DialogueError: a row of it is none."""
    if turn.char is None:
        told = text.strip().removeprefix("【").removesuffix("】").strip()
        if not told:
            raise DialogueError("dialogue.no-edit", reason=message("script.no-narration"))
        return (Line(kind="info", text=told),)
    rows = [row for row in text.split("\n") if row.strip()] or [""]
    try:
        return tuple(line for row in rows for line in parse_body(row, turn.char or ""))
    except ValueError as error:
        raise DialogueError("dialogue.no-edit", reason=reason(error)) from error


def _readable(character: str, candidates: Sequence[str]) -> tuple[Candidate, ...]:
    """Those that are script lines, each once. Raises DialogueError: none is."""
    found: dict[str, Candidate] = {}
    problem: Exception = FormError("script.no-body")
    for text in candidates:
        try:
            one = Candidate(tuple(parse_body(text, character)))
            found.setdefault(one.text, one)
        except ValueError as error:
            problem = error
    if not found:
        raise DialogueError("dialogue.no-line", reason=reason(problem)) from problem
    return tuple(found.values())
