"""Answers on a GPU that is lent for seconds: a Hugging Face Space on ZeroGPU.

    engine = LentEngine(tell)              # as Engine; its agent's replies run under @spaces.GPU
    engine.load_here(world, Choice())      # in the main thread, before the page starts

There the model is put on the GPU when the program starts, and the page's start packs it away. A
function that is marked then runs in a forked process that has a GPU, and reaches the model by a
module-level name; what it yields is sent back. Where the package ``spaces`` is missing, or finds no
ZeroGPU, the mark does nothing: the same path runs on a CPU or a GPU of one's own.
"""

import inspect
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from roleplay.dialogue import CharacterAgent
from roleplay.errors import RoleplayError
from roleplay.stages.engine import Engine

SECONDS = 60
"""The longest that one reply may hold the GPU; a visitor has a few minutes a day."""

_engines: list[Engine] = []


def on_space() -> bool:
    """Whether this is a Hugging Face Space: strangers talk here, and nothing is trained."""
    return bool(os.environ.get("SPACE_ID"))


def _marked(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        import spaces
    except ImportError:
        return function
    marked: Callable[..., Any] = spaces.GPU(duration=SECONDS)(function)
    return marked


@_marked
def _replies(method: str, args: tuple[Any, ...], options: dict[str, Any]) -> Iterator[Any]:
    """What a generator method of the loaded agent yields; an error of ours last, as a value."""
    try:
        yield from getattr(Engine.agent(_engines[-1]), method)(*args, **options)
    except RoleplayError as error:  # raised there, only its class would come back
        yield error


class LentEngine(Engine):
    """An engine whose agent answers where the GPU is."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        _engines.append(self)

    def agent(self, timeout: float = 600) -> CharacterAgent:
        """As of :class:`Engine`; what streams runs on the lent GPU."""
        lent: Any = _LentAgent(super().agent(timeout))
        return lent  # type: ignore[no-any-return]


class _LentAgent:
    """The agent, its generator methods through :func:`_replies`."""

    def __init__(self, agent: CharacterAgent) -> None:
        self._agent = agent

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._agent, name)
        return partial(_through, name) if inspect.isgeneratorfunction(found) else found


def _through(method: str, *args: Any, **options: Any) -> Iterator[Any]:
    for part in _replies(method, args, options):
        if isinstance(part, RoleplayError):
            raise part
        yield part
