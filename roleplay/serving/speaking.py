"""From what was asked to replies: the waiting line, the right world, the engine's agent.

    stage = Stage(engine, waiting=32)
    async for spoken in stage.replies(Asked(role, told, 2, SamplingParams())):
        ...                                     # spoken.reply.candidates grow

One line for all clients of the API; the backend's lock is shared with the page.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from roleplay.backends.base import Backend
from roleplay.background import Snippet
from roleplay.dialogue import CharacterAgent, Pins, Reply, Session
from roleplay.prompts import Budget
from roleplay.sampling import SamplingParams
from roleplay.serving.cast import Role
from roleplay.serving.errors import NotReadyError
from roleplay.serving.line import WaitingLine
from roleplay.serving.reading import Told, fitting
from roleplay.serving.threads import in_thread
from roleplay.stages.engine import Engine

_AT_ONCE = 8
"""Replies that the backend is asked for at a time: it writes them in turn, or as one batch."""


@dataclass(frozen=True)
class Asked:
    """A request, understood.

    ``in_place``: a candidate keeps its place while it is written, as a stream needs it; else the
    best come first where the agent can tell.
    """

    role: Role
    told: Told
    count: int
    params: SamplingParams
    in_place: bool = False


@dataclass(frozen=True)
class Spoken:
    """A reply as far as it is written, and the backend that writes it."""

    reply: Reply
    backend: Backend


class Stage:
    """Where all requests meet; used in one event loop."""

    def __init__(self, engine: Engine, *, waiting: int) -> None:
        self._engine = engine
        self._line = WaitingLine(at_once=_AT_ONCE, waiting=waiting)
        self._looking = asyncio.Lock()
        self._exchange: Thread | None = None

    async def replies(self, asked: Asked) -> AsyncGenerator[Spoken, None]:
        """The candidates as they grow; closed, it stops them before their next token.

        Raises:
            LineFullError: too many wait.
            NotReadyError: no model is loaded, or the world of the role cannot be.
            PromptError, SamplingError: what is asked does not fit.
        """
        async with self._line.turn(asked.role.world):
            async with self._looking:  # of those let in together one has the world loaded
                agent = await self._agent(asked.role.world)
            async with aclosing(in_thread(partial(speak, agent, asked))) as replies:
                async for reply in replies:
                    yield Spoken(reply, agent.backend)

    async def _agent(self, world: Path) -> CharacterAgent:
        """The engine's, of this world; raises as :meth:`replies`."""
        if self._exchange:  # also that of a client who did not wait for it
            await asyncio.to_thread(self._exchange.join)
        now, loaded = self._engine.status(), self._engine.loaded()
        if loaded is None or now.state != "ready":
            raise NotReadyError("serving.not-ready", why=now.message)
        if loaded.world.path.resolve() != world:
            self._exchange = self._engine.load(world, loaded.choice)
            await asyncio.to_thread(self._exchange.join)
            now, loaded = self._engine.status(), self._engine.loaded()
        if loaded is None or loaded.world.path.resolve() != world:
            raise NotReadyError("serving.not-ready", why=now.problem or now.message)
        return loaded.agent


def speak(agent: CharacterAgent, asked: Asked) -> Iterator[Reply]:
    """Stream the candidates: the answer to a question, or the next line of a scene."""
    told = asked.told
    budget = agent.budget or Budget()
    notes = fitting(told.notes, agent.backend.count, budget.background)
    # Beside the knowledge base's snippets, not in their place.
    room = budget.background + sum(agent.backend.count(f"【{note}】\n") for note in notes)
    more: dict[str, Any] = {"ranker": None} if asked.in_place else {}
    agent = replace(agent, budget=replace(budget, background=room), **more)
    # A prompt shows the first of equals last.
    pins = Pins(tuple(Snippet(note) for note in reversed(notes)))
    drawn: dict[str, Any] = {"n": asked.count, "params": asked.params, "pins": pins}
    if question := told.question():
        history, newest = question
        return agent.ask(told.character, newest, history=history, **drawn)
    return agent.act(told.character, Session.of(tuple(told.lines())), **drawn)
