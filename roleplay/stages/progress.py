"""What a stage tells while it works: events to a listener that the caller hands in.

    def show(event: Event) -> None:
        print(event.message, event.done, event.total)

    run(settings, show)

An event without numbers is a line to read; one with ``total`` is a step under way. The listener
draws them.
"""

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from roleplay.errors import RoleplayError
from roleplay.messages import LANGUAGES, Language, Message, spoken

_NUMBERS = ("done", "total", "rate", "left")


@dataclass(frozen=True)
class Event:
    """One thing told: ``done`` of ``total`` units of the step that ``message`` names.

    ``rate`` is units a second, ``left`` the seconds that remain; None as long as nobody can tell.
    """

    stage: str
    message: Message
    done: int | None = None
    total: int | None = None
    rate: float | None = None
    left: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The event as a line of a job's ``events.jsonl``."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        known = {name: value for name, value in numbers.items() if value is not None}
        return {"stage": self.stage, **_plain(self.message), **known}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Event":
        """The event of such a line."""
        message = _rich({"key": row["key"], "values": row["values"]})
        return cls(row["stage"], message, **{name: row.get(name) for name in _NUMBERS})


def _plain(value: Any) -> Any:
    """A value as JSON holds it; messages keep their keys, to be told in another language."""
    if isinstance(value, RoleplayError):
        value = value.message
    if isinstance(value, Message):
        parts = {name: _plain(part) for name, part in value.values.items()}
        return {"key": value.key, "values": parts}
    if callable(getattr(value, "text", None)):  # of the knowledge base: its keys are its own
        return {language: value.text(language) for language in LANGUAGES}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _rich(value: Any) -> Any:
    if isinstance(value, dict) and "key" not in value:
        return _Texts(value)
    if isinstance(value, dict):
        return Message(value["key"], {name: _rich(part) for name, part in value["values"].items()})
    return [_rich(part) for part in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class _Texts:
    """A message whose catalogue is another package's, told in each language."""

    by_language: dict[str, str]

    def text(self, language: Language | None = None) -> str:
        return self.by_language[language or spoken()]


Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """A listener that hears nothing."""


class Teller:
    """Tells the events of one stage."""

    def __init__(self, stage: str, listener: Listener) -> None:
        self.stage, self._listener = stage, listener

    def say(self, key: str, /, **values: Any) -> None:
        """Tell a line."""
        self._listener(Event(self.stage, Message(key, values)))

    def tell(self, message: Message) -> None:
        """Tell a line that is a message already."""
        self._listener(Event(self.stage, message))

    def next(self, script: str, /, *arguments: object) -> None:
        """Tell the command that comes after this stage."""
        command = shlex.join(["python", f"scripts/{script}.py", *map(str, arguments)])
        self.say("next", command=command)

    def step(self, key: str, /, **values: Any) -> Callable[[int, int], None]:
        """A function of (done, total) that tells how far a step is."""
        began = time.monotonic()
        first: list[int] = []

        def told(done: int, total: int) -> None:
            first[:] = first or [done - 1]  # what was done before the clock began is not counted
            seconds = max(time.monotonic() - began, 1e-9)
            rate = (done - first[0]) / seconds
            left = (total - done) / rate if rate > 0 else None
            self._listener(Event(self.stage, Message(key, values), done, total, rate, left))

        return told
