"""Talking to a character: ask a question, let them act in a scene, choose among candidates, undo, save, load.

    player = Player(backend, characters=["闻筝", "陆迟"], lookup=lookup)
    for reply in player.ask("闻筝", "你最爱吃什么？", n=5, params=SamplingParams()):
        print(reply.candidates)
    session = Session().add("【雨停了】\\n陆迟：不好意思，我来晚了。").session
    session = session.choose("闻筝", reply.candidates[0])

A :class:`Session` is immutable: every move gives a new one, which is what makes undo exact. Nothing here knows a model or a
knowledge base by name.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from roleplay import prompts
from roleplay.backends.base import Backend
from roleplay.errors import DialogueError
from roleplay.prompts import Budget, Lookup, Prompt, Snippet
from roleplay.records import FORMAT_VERSION, Line
from roleplay.sampling import SamplingParams, check_samples
from roleplay.script import Problem, format_script, parse_body, parse_script


@dataclass(frozen=True)
class Reply:
    """The candidates so far, and the prompt that they answer (with the background that was used)."""

    candidates: tuple[str, ...]
    prompt: Prompt


@dataclass(frozen=True)
class Pinned:
    """A snippet that a person wants used: it stands before whatever a search finds."""

    text: str
    source: str
    score: float = 1.0


@dataclass(frozen=True)
class Pins:
    """What a person decided about background for a session; a snippet is told by its text.

    ``pinned`` are used in every prompt and first in the budget, ``removed`` in none.
    """

    pinned: tuple[Snippet, ...] = ()
    removed: tuple[Snippet, ...] = ()

    def pin(self, snippet: Snippet) -> Pins:
        """Always use it."""
        others = self.free(snippet)
        return Pins((*others.pinned, Pinned(snippet.text, snippet.source)), others.removed)

    def remove(self, snippet: Snippet) -> Pins:
        """Never use it."""
        others = self.free(snippet)
        return Pins(others.pinned, (*others.removed, snippet))

    def free(self, snippet: Snippet) -> Pins:
        """Use it as the search says again."""
        pinned, removed = (
            tuple(item for item in items if item.text != snippet.text) for items in (self.pinned, self.removed)
        )
        return Pins(pinned, removed)

    def apply(self, found: Sequence[Snippet], most: int) -> list[Snippet]:
        """The pinned ones, then at most ``most`` of what was found and not decided about."""
        decided = {item.text for item in (*self.pinned, *self.removed)}
        return [*self.pinned, *[item for item in found if item.text not in decided][:most]]


@dataclass(frozen=True)
class Added:
    """What came of typed text: the session with its readable lines, and the lines that could not be read."""

    session: Session
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Session:
    """A scene in play: its lines, and what it was before each move."""

    lines: tuple[Line, ...] = ()
    past: tuple[tuple[Line, ...], ...] = field(default=(), repr=False)

    def add(self, text: str) -> Added:
        """Append typed script text; unreadable lines are reported and the rest is kept."""
        script = parse_script(text)
        return Added(self._with(script.lines) if script.lines else self, script.problems)

    def choose(self, character: str, candidate: str) -> Session:
        """Append a candidate as the line (or lines) of ``character``.

        Raises:
            DialogueError: the candidate is empty or no script line.
        """
        try:
            return self._with(parse_body(candidate, character))
        except ValueError as error:
            raise DialogueError(f"this candidate cannot be a line ({error}): choose another") from error

    def undo(self) -> Session:
        """The session before the last move.

        Raises:
            DialogueError: there was none.
        """
        if not self.past:
            raise DialogueError("nothing to undo: the scene is as it was opened")
        return Session(self.past[-1], self.past[:-1])

    @property
    def text(self) -> str:
        """The scene as script text."""
        return format_script(self.lines)

    def dump(self) -> str:
        """The scene as a JSON document; :meth:`load` reads it."""
        rows = [line.to_json() for line in self.lines]
        return json.dumps({"format": FORMAT_VERSION, "lines": rows}, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def load(cls, text: str) -> Session:
        """Read :meth:`dump`'s document, or plain script text.

        Raises:
            DialogueError: neither; the message says what is wrong with it.
        """
        if not text.lstrip().startswith("{"):
            return cls._from_script(text)
        try:
            saved = json.loads(text)
            if saved["format"] != FORMAT_VERSION:
                raise DialogueError(f"the scene has format {saved['format']}, this program reads {FORMAT_VERSION}")
            return cls(tuple(line for row in saved["lines"] for line in Line.from_json(row)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = str(error).split("\n")[0]
            raise DialogueError(f"this is no saved scene ({reason}): choose a file saved here") from error

    @classmethod
    def _from_script(cls, text: str) -> Session:
        script = parse_script(text)
        if script.problems or not script.lines:
            reason = script.problems[0] if script.problems else "it is empty"
            raise DialogueError(f"this is no saved scene ({reason}): choose a file saved here or script text")
        return cls(script.lines)

    def _with(self, lines: Sequence[Line]) -> Session:
        return replace(self, lines=(*self.lines, *lines), past=(*self.past, self.lines))


NO_PINS = Pins()


class Player:
    """Joins a backend, the names that may speak and, if given, a source of background."""

    def __init__(
        self,
        backend: Backend,
        *,
        characters: Sequence[str],
        lookup: Lookup | None = None,
        budget: Budget | None = None,
        snippets: int = 2,
        min_score: float = prompts.MIN_SCORE,
        profiles: Mapping[str, str] | None = None,
    ) -> None:
        """``snippets``: the most in a prompt; those under ``min_score`` or over the budget are left out.

        ``profiles``, by name, are for a model that was trained with them in its prompts.
        """
        self.backend = backend
        self.characters = tuple(characters)
        self.lookup = lookup
        self.budget = budget or Budget()
        self.snippets = snippets
        self.min_score = min_score
        self.profiles = dict(profiles or {})

    def ask(
        self,
        character: str,
        question: str,
        *,
        n: int,
        params: SamplingParams,
        background: bool = True,
        history: Sequence[tuple[str, str]] = (),
        pins: Pins = NO_PINS,
        chapter: int | None = None,
    ) -> Iterator[Reply]:
        """Stream ``n`` answers to a question; ``pins`` decide about background, unless it is off.

        ``chapter``: how far the story has come; background of later chapters stays hidden. None: no limit.

        Raises:
            DialogueError: nobody is called ``character``.
            PromptError: the question is empty or too long.
            SamplingError: ``n`` is out of range.
        """
        self._check(character, n)
        query = prompts.question_query(question, character)
        found = self._background(query, character, pins, chapter) if background else ()
        prompt = prompts.question_prompt(
            character,
            question,
            count=self.backend.count,
            history=history,
            background=found,
            budget=self.budget,
            profile=self.profiles.get(character, ""),
        )
        yield from self._stream(prompt, n, params)

    def act(
        self,
        character: str,
        session: Session,
        *,
        n: int,
        params: SamplingParams,
        background: bool = True,
        pins: Pins = NO_PINS,
        chapter: int | None = None,
    ) -> Iterator[Reply]:
        """Stream ``n`` candidates for the next line of ``character`` in the scene. Raises as :meth:`ask`."""
        self._check(character, n)
        query = prompts.scene_query(session.lines, character)
        found = self._background(query, character, pins, chapter) if background else ()
        prompt = prompts.scene_prompt(
            character,
            session.lines,
            count=self.backend.count,
            background=found,
            budget=self.budget,
            profile=self.profiles.get(character, ""),
        )
        yield from self._stream(prompt, n, params)

    def _check(self, character: str, n: int) -> None:
        check_samples(n)
        if character not in self.characters:
            raise DialogueError(f"no character {character!r}: known are {' '.join(self.characters)}")

    def _background(self, query: str, character: str, pins: Pins, chapter: int | None) -> Sequence[Snippet]:
        if self.lookup is None:
            return pins.pinned
        # As many more as may be taken out again, so that others come in their place.
        most = self.snippets + len(pins.pinned) + len(pins.removed)
        found = self.lookup(query, most, character=character, chapter=chapter)
        return pins.apply([snippet for snippet in found if snippet.score >= self.min_score], self.snippets)

    def _stream(self, prompt: Prompt, n: int, params: SamplingParams) -> Iterator[Reply]:
        for candidates in self.backend.stream(prompt, n=n, params=params):
            yield Reply(tuple(candidates), prompt)


def last_reply(replies: Iterator[Reply]) -> Reply:
    """The finished reply of a stream."""
    return deque(replies, maxlen=1)[0]
