"""A page over a scripted backend, and requests of browsers: what the callbacks of both tabs need."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from roleplay.backends.scripted import ScriptedBackend
from roleplay.dialogue import Player
from roleplay.errors import ModelError
from roleplay.ui.common import Page
from roleplay.ui.engine import Engine, Tell

OPENING = "【雨停了】\n陆迟：不好意思，我来晚了。 \\emoji 害羞"


@dataclass
class Request:
    """A browser's request, as far as callbacks look at it."""

    headers: dict[str, str] = field(default_factory=dict)


class Piece(NamedTuple):
    text: str
    score: float
    source: str


def find(query: str, k: int, *, character: str | None = None, chapter: int | None = None) -> list[Piece]:
    """One page that is known from the start, and one of the ninth chapter."""
    found = [Piece("闻筝最爱吃椒盐豆糕。", 0.9, "闻筝")]
    return [*found, *([Piece("钟裂了。", 0.8, "第九章")] if chapter and chapter >= 9 else [])][:k]


@pytest.fixture
def english() -> Request:
    return Request({"accept-language": "en-GB,en;q=0.9"})


@pytest.fixture
def make_page() -> Callable[..., Page]:
    """(replies) -> a page whose engine has loaded, or failed with a message that is an exception."""

    def make(*replies: str, failure: Exception | None = None) -> Page:
        def load(tell: Tell) -> Player:
            if failure:
                raise failure
            return Player(ScriptedBackend(replies), characters=["闻筝", "陆迟"], lookup=find)

        engine = Engine(load)
        engine.start()
        with suppress(ModelError):
            engine.player(5)
        return Page(engine, ("闻筝", "陆迟"), ("你最爱吃什么？",), OPENING)

    return make
