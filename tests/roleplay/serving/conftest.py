"""The API over an engine with a parrot for a model, on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from loopback_api import CHOICE, Aviary, Served, find, make_world, running
from starlette.applications import Starlette
from starlette.routing import Mount

from roleplay.serving.api import create_api
from roleplay.stages.engine import Engine

Start = Callable[..., Served]


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two worlds, one that nobody can read, and the one that is no story."""
    folder = tmp_path_factory.mktemp("api") / "worlds"
    people = {"name": "闻筝", "aliases": ["小筝"]}, {"name": "陆迟"}, {"name": "Ada Byron"}
    make_world(folder, "雨", *people)
    make_world(folder, "灯", {"name": "阿灯"})
    make_world(folder, "start", {"name": "甲"})
    (folder / "broken").mkdir()
    (folder / "broken" / "world.json").write_text("{", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def begin(worlds: Path) -> Iterator[Start]:
    """(key, waiting, loaded) -> a server whose engine has loaded, or waits for ``aviary.gate``."""
    with ExitStack() as stack:

        def begin(key: str = "", *, waiting: int = 32, loaded: bool = True) -> Served:
            aviary = Aviary()
            engine = Engine(models=aviary)
            thread = engine.load(worlds / "雨", CHOICE)
            if loaded:
                aviary.gate.set()
                thread.join(10)
            api = create_api(engine, worlds=worlds, key=key, waiting=waiting)
            url = stack.enter_context(running(Starlette(routes=[Mount("/v1", api)])))
            stack.callback(aviary.gate.set)
            return Served(f"{url}/v1", engine, aviary)

        yield begin


@pytest.fixture
def start(begin: Start) -> Start:
    """As ``begin``, for a test that changes what it gets."""
    return begin


@pytest.fixture(scope="session")
def shared(begin: Start) -> Served:
    """The server that most tests ask."""
    return begin()


@pytest.fixture
def served(shared: Served, worlds: Path) -> Served:
    """The same server as new."""
    loaded = shared.engine.loaded()
    if loaded is None or loaded.world.name != "雨":
        shared.engine.load(worlds / "雨", CHOICE).join(10)
    loaded = shared.engine.loaded()
    assert loaded
    loaded.agent.retriever, loaded.agent.ranker = find, None
    shared.parrot.reset()
    return shared
