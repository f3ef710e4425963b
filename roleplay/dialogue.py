"""Talking to a character: ask, talk, let them act in a scene, find who is next.

    agent = CharacterAgent(backend, characters=["闻筝", "陆迟"], retriever=retriever)
    for reply in agent.ask("闻筝", "你最爱吃什么？", n=5, params=SamplingParams()):
        print(reply.candidates)
    session = Session().add("【雨停了】\\n陆迟：不好意思，我来晚了。").session
    session = session.choose("闻筝", reply.candidates[0])

Nothing here knows a model or a knowledge base by name; what was said is the caller's to keep, in a
:class:`roleplay.conversation.Session`.
"""

import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any, Protocol, Self

from roleplay import prompts
from roleplay.backends.base import Backend
from roleplay.background import Retriever, Snippet
from roleplay.conversation import Session as Session  # whoever imports the agent needs it too
from roleplay.conversation import in_turn
from roleplay.errors import DialogueError
from roleplay.prompts import Asker, Budget, Prompt
from roleplay.recall import SURE, Recall, plain
from roleplay.records import Line
from roleplay.sampling import SamplingParams
from roleplay.script import parse_body

_RECALLED, _NEAR = 5, 0.12
"""The most answers that are recalled, and how near what was said then must be."""
_JITTER = 0.04
"""Answers that are as near as one another take turns in being first."""


class Ranked(Protocol):
    """A candidate with its place in an order: why it stands there, and what is wrong with it."""

    @property
    def text(self) -> str:
        """The candidate."""

    @property
    def reasons(self) -> Sequence[tuple[str, float]]:
        """What its score is made of."""

    @property
    def faults(self) -> Sequence[str]:
        """Why it is refused, if it is."""


class Ranker(Protocol):
    """What puts candidates in order, as :class:`roleplay.ranking.Ranker`."""

    def rank(
        self,
        character: str,
        question: str,
        prompt: Prompt,
        candidates: Sequence[str],
        recalled: Mapping[str, float] | None = None,
    ) -> Sequence[Ranked]:
        """All candidates, best first; ``question`` is empty in a scene."""

    def speakers(self, prompt: Prompt, names: Sequence[str]) -> Sequence[str]:
        """Who says the next line of a prompt, the likeliest first."""


@dataclass(frozen=True)
class Reply:
    """The candidates so far, and the prompt that they answer, with the background used.

    ``ranked`` are the same candidates in order, once they are finished and put in one.
    """

    candidates: tuple[str, ...]
    prompt: Prompt
    ranked: tuple[Ranked, ...] = ()


@dataclass(frozen=True)
class Pins:
    """What a person decided about background for a session; a snippet is told by its text.

    ``pinned`` are used in every prompt and first in the budget, ``removed`` in none.
    """

    pinned: tuple[Snippet, ...] = ()
    removed: tuple[Snippet, ...] = ()

    def pin(self, snippet: Snippet) -> Self:
        """Always use it."""
        others = self.free(snippet)
        # Its score was for another query; the full score puts it first in every budget.
        pinned = Snippet(snippet.text, source=snippet.source)
        return replace(others, pinned=(*others.pinned, pinned))

    def remove(self, snippet: Snippet) -> Self:
        """Never use it."""
        others = self.free(snippet)
        return replace(others, removed=(*others.removed, snippet))

    def free(self, snippet: Snippet) -> Self:
        """Use it as the search says again."""
        pinned = tuple(item for item in self.pinned if item.text != snippet.text)
        removed = tuple(item for item in self.removed if item.text != snippet.text)
        return replace(self, pinned=pinned, removed=removed)

    def apply(self, found: Sequence[Snippet], most: int) -> list[Snippet]:
        """The pinned ones, then at most ``most`` of what was found and not decided about."""
        decided = {item.text for item in (*self.pinned, *self.removed)}
        return [*self.pinned, *[item for item in found if item.text not in decided][:most]]


NO_PINS = Pins()


@dataclass(eq=False)
class CharacterAgent:
    """A model that speaks as the characters of a world.

    It joins a backend, the names that may speak and, if given, a retriever: it looks background up,
    builds the prompt and streams the candidates. The history is the caller's.

    Attributes:
        snippets: the most in a prompt; those under ``min_score`` or over the budget are left out.
        profiles: by name, for a model that was trained with them in its prompts, or was not
            trained on these characters at all.
        openings: by name, (question, answer body) pairs before all that was said: how somebody
            speaks whom the model does not know. They are the first to go.
        ranker: puts several finished candidates in order, and has refused ones drawn again.
        recall: finds what the character once answered to something like it; such answers stand
            among several candidates, for the ranker to judge.
    """

    backend: Backend
    _: KW_ONLY
    characters: Sequence[str]
    retriever: Retriever | None = None
    budget: Budget | None = None
    snippets: int = 2
    min_score: float = prompts.MIN_SCORE
    profiles: Mapping[str, str] | None = None
    openings: Mapping[str, Sequence[tuple[str, str]]] | None = None
    ranker: Ranker | None = None
    recall: Recall | None = None

    def ask(
        self, character: str, question: str, *, n: int, params: SamplingParams, **more: Any
    ) -> Iterator[Reply]:
        """Stream ``n`` answers to a question; ``more`` and errors as in :meth:`question_prompt`.

        Raises SamplingError: ``n`` is out of range.
        """
        prompt = self.question_prompt(character, question, **more)
        answers = [plain(answer) for _, answer in more.get("history", ())]
        yield from self._stream(prompt, n, params, Heard(character, question, answers))

    def act(
        self, character: str, session: Session, *, n: int, params: SamplingParams, **more: Any
    ) -> Iterator[Reply]:
        """Stream ``n`` candidates for the next line of ``character`` in the scene.

        ``more`` and errors as in :meth:`scene_prompt`. Raises SamplingError: ``n`` is out of range.
        """
        prompt = self.scene_prompt(character, session, **more)
        heard = Heard.of(character, session.lines, in_scene=True)
        yield from self._stream(prompt, n, params, heard)

    def talk(
        self,
        character: str,
        session: Session,
        asker: Asker,
        *,
        n: int,
        params: SamplingParams,
        **more: Any,
    ) -> Iterator[Reply]:
        """Stream ``n`` candidates for what ``character`` answers in a conversation.

        ``more`` and errors as in :meth:`talk_prompt`. Raises SamplingError: ``n`` is out of range.
        """
        prompt = self.talk_prompt(character, session, asker, **more)
        yield from self._stream(prompt, n, params, Heard.of(character, session.lines))

    def next_speakers(self, session: Session, names: Sequence[str]) -> Sequence[str]:
        """Who of ``names`` is likely to go on with a scene, the likeliest first.

        Where the model cannot be asked, as where it runs elsewhere, whoever spoke longest ago.
        """
        if self.ranker is None or len(names) < 2 or not session.lines:
            return in_turn(session.lines, names)
        scene = prompts.open_prompt(session.lines, count=self.backend.count, budget=self.budget)
        return self.ranker.speakers(scene, names)

    def question_prompt(
        self,
        character: str,
        question: str,
        *,
        background: bool = True,
        history: Sequence[tuple[str, str]] = (),
        pins: Pins = NO_PINS,
        chapter: int | None = None,
    ) -> Prompt:
        """What :meth:`ask` gives the model to read.

        Args:
            background: whether there is any; ``pins`` decide about it.
            history: earlier (question, answer) pairs, oldest first.
            chapter: how far the story has come: what is told later stays hidden. None: no limit.

        Raises:
            DialogueError: nobody is called ``character``.
            PromptError: the question is empty, or does not fit the budget.
        """
        query = prompts.question_query(question, character)
        parts = self._parts(character, query, background, pins, chapter)
        opening = (self.openings or {}).get(character, ())
        shown = [*opening, *history]
        prompt = prompts.question_prompt(character, question, history=shown, **parts)
        return replace(prompt, dropped=max(0, prompt.dropped - 2 * len(opening)))

    def scene_prompt(
        self,
        character: str,
        session: Session,
        *,
        background: bool = True,
        pins: Pins = NO_PINS,
        chapter: int | None = None,
    ) -> Prompt:
        """What :meth:`act` gives the model to read; all as in :meth:`question_prompt`."""
        query = prompts.scene_query(session.lines, character)
        parts = self._parts(character, query, background, pins, chapter)
        opening = self.opening_lines(character)
        prompt = prompts.scene_prompt(character, [*opening, *session.lines], **parts)
        return replace(prompt, dropped=max(0, prompt.dropped - len(opening)))

    def opening_lines(self, character: str) -> list[Line]:
        """The ``openings`` of somebody as lines of a scene."""
        lines: list[Line] = []
        for asked, answered in (self.openings or {}).get(character, ()):
            lines.append(Line(kind="say", char=prompts.ASKER, text=asked))
            lines += parse_body(answered, character)
        return lines

    def talk_prompt(
        self,
        character: str,
        session: Session,
        asker: Asker,
        *,
        background: bool = True,
        pins: Pins = NO_PINS,
        chapter: int | None = None,
    ) -> Prompt:
        """What :meth:`talk` gives the model to read; all as in :meth:`question_prompt`.

        Args:
            asker: who talks to the character; their lines stand as those of whoever asks.
        """
        said = _asked(session, asker)
        query = prompts.question_query(said, character)
        if not said:
            query = prompts.scene_query(session.lines, character)
        parts = self._parts(character, query, background, pins, chapter)
        return prompts.talk_prompt(character, session.lines, asker, **parts)

    def _parts(
        self, character: str, query: str, background: bool, pins: Pins, chapter: int | None
    ) -> dict[str, Any]:
        """What a prompt of either kind is built with."""
        if character not in self.characters:
            known = " ".join(self.characters)
            raise DialogueError("dialogue.no-character", name=character, known=known)
        found: Sequence[Snippet] = ()
        if background and self.retriever is not None:
            # As many more as may be taken out again, so that others come in their place.
            most = self.snippets + len(pins.pinned) + len(pins.removed)
            found = self.retriever(query, most, character=character, chapter=chapter)
        fitting = [snippet for snippet in found if snippet.score >= self.min_score]
        return {
            "count": self.backend.count,
            "background": pins.apply(fitting, self.snippets) if background else (),
            "budget": self.budget,
            "profile": (self.profiles or {}).get(character, ""),
        }

    def _stream(
        self, prompt: Prompt, n: int, params: SamplingParams, heard: "Heard"
    ) -> Iterator[Reply]:
        """The candidates as they grow, and at the end, where there is a ranker, in its order.

        What is recalled for certain, or the nearest of it, stands there at once; the others are
        drawn.
        """
        recalled = self._recalled(heard, params.seed)
        sure = [text for text, near in recalled.items() if near >= SURE] or [*recalled][:1]
        sure = sure[: max(1, n - 1)]
        if sure:
            yield Reply(tuple(sure), prompt)
        drawn: Sequence[str] = ()
        if len(sure) < n or not sure:
            for drawn in self.backend.stream(prompt, n=n - len(sure), params=params):
                yield Reply((*sure, *drawn), prompt)
        if self.ranker is None or n < 2:
            return
        pool = list(dict.fromkeys((*recalled, *drawn)))
        said = heard.said, prompt
        ranked = [*self.ranker.rank(heard.character, *said, pool, recalled)]
        if refused := sum(bool(one.faults) for one in ranked[:n]):
            # Once, and no more than were refused: what comes must be as quick as what went.
            other = None if params.seed is None else params.seed + 1
            again = params.model_copy(update={"seed": other})
            pool += last_drawn(self.backend.stream(prompt, n=refused, params=again))
            ranked = [*self.ranker.rank(heard.character, *said, pool, recalled)]
        yield Reply(tuple(one.text for one in ranked[:n]), prompt, tuple(ranked[:n]))

    def _recalled(self, heard: "Heard", seed: int | None) -> dict[str, float]:
        """Answers to what is near enough, the nearest first; none that was given before."""
        if self.recall is None:
            return {}
        before = heard.answers[-1] if heard.answers else ""
        near_to = partial(self.recall.near, heard.character, in_scene=heard.in_scene)
        found = near_to(heard.said, _RECALLED, before=before)
        if heard.earlier and all(one.score < SURE for one in found):
            found = near_to(heard.earlier, _RECALLED) or found
        near = {one.answer: one.score for one in found if one.score >= _NEAR}
        given = {*heard.answers}
        left = [text for text in near if plain(text) not in given]
        chance = random.Random(None if seed is None else f"{seed} {heard.said}")
        luck = {text: _JITTER * chance.random() for text in left}
        return {text: near[text] for text in sorted(left, key=lambda one: -near[one] - luck[one])}


@dataclass(frozen=True)
class Heard:
    """What was said last to a character, and all that it answered before, without marks.

    ``earlier`` was said before what is told now, if that is a narrator's; ``in_scene`` others are
    there, not only whoever asks.
    """

    character: str
    said: str
    answers: Sequence[str] = ()
    earlier: str = ""
    in_scene: bool = False

    @classmethod
    def of(cls, character: str, lines: Sequence[Line], *, in_scene: bool = False) -> Self:
        """What was said in the newest turn, or happens in it; all of the character's own turns."""
        turns = [(name, list(own)) for name, own in groupby(lines, key=lambda line: line.char)]
        answers = [
            plain("".join(one.text for one in own)) for name, own in turns if name == character
        ]
        # What the character said itself is not what it hears.
        told = ["" if name == character else _told(own) for name, own in turns]
        said = told[-1] if told else ""
        is_narrated = len(turns) > 1 and turns[-1][0] is None
        return cls(character, said, answers, told[-2] if is_narrated else "", in_scene)


def _told(turn: Sequence[Line]) -> str:
    """What is said in a turn: a gesture along with words is not what is answered."""
    said = [one.text for one in turn if one.kind == "say"]
    return "".join(said) or turn[-1].text


def _asked(session: Session, asker: Asker) -> str:
    """What the asker said last, empty where the newest line is another's."""
    newest = session.lines[-1] if session.lines else None
    return newest.text if newest and newest.char == asker.name else ""


def last_drawn(drawn: Iterator[list[str]]) -> list[str]:
    """The finished candidates of a stream."""
    return deque(drawn, maxlen=1)[0]


def last_reply(replies: Iterator[Reply]) -> Reply:
    """The finished reply of a stream."""
    return deque(replies, maxlen=1)[0]
