"""The engine: loads in a thread, exchanges world and model, hands out the agent or the reason."""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from roleplay.backends.scripted import ScriptedBackend
from roleplay.dialogue import CharacterAgent, Reply
from roleplay.errors import ModelError
from roleplay.messages import Message, message
from roleplay.prompts import Prompt
from roleplay.sampling import SamplingParams
from roleplay.stages.character import Choice, Tell
from roleplay.stages.engine import Engine

FIRST, OTHER = Choice("first", "none"), Choice("other", "none")
STEP = message("plain", text="weights")


class Held(ScriptedBackend):
    """A backend that writes one reply at a time and can be paused between two."""

    def __init__(self, name: str) -> None:
        super().__init__(["没得商量。"])
        self.name, self._lock = name, threading.Lock()

    @contextmanager
    def paused(self) -> Iterator[None]:
        with self._lock:
            yield

    def stream(self, prompt: Prompt, *, n: int, params: SamplingParams) -> Iterator[list[str]]:
        with self._lock:
            yield from super().stream(prompt, n=n, params=params)


class Shelf:
    """Models by name: ``too_big`` do not fit, ``broken`` fail as they load, all wait for ``go``."""

    def __init__(self) -> None:
        self.too_big: set[str] = set()
        self.broken: dict[str, Exception] = {}
        self.go, self.begun = threading.Event(), threading.Event()
        self.go.set()
        self.loaded: list[str] = []
        self.made: list[weakref.ref[Held]] = []
        self.still_there: list[bool] = []

    def check_fits(self, choice: Choice, *, freed: int) -> None:
        if choice.model in self.too_big:
            raise ModelError("plain", text=f"{choice.model} does not fit")

    def load(self, choice: Choice, checkpoint: Path | None, tell: Tell) -> Held:
        self.still_there = [made() is not None for made in self.made]
        self.loaded.append(choice.model)
        tell(STEP)
        self.begun.set()
        assert self.go.wait(10)
        if choice.model in self.broken:
            raise self.broken[choice.model]
        backend = Held(choice.model)
        self.made.append(weakref.ref(backend))
        return backend


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    made = Shelf()
    yield made
    made.go.set()


@pytest.fixture
def told() -> list[Message]:
    return []


@pytest.fixture
def engine(shelf: Shelf, told: list[Message]) -> Engine:
    return Engine(told.append, shelf)


def make_world(folder: Path, title: str, *names: str) -> Path:
    (folder / title).mkdir()
    info = {"title": title, "characters": [{"name": name} for name in names]}
    (folder / title / "world.json").write_text(json.dumps(info), encoding="utf-8")
    return folder / title


@pytest.fixture
def rain(tmp_path: Path) -> Path:
    return make_world(tmp_path, "雨", "闻筝", "陆迟")


@pytest.fixture
def lamp(tmp_path: Path) -> Path:
    return make_world(tmp_path, "灯", "阿灯")


@pytest.fixture
def nobody(tmp_path: Path) -> Path:
    return make_world(tmp_path, "空")


def line(engine: Engine) -> tuple[str, str]:
    now = engine.status()
    return now.state, str(now.message)


def names(engine: Engine) -> list[str]:
    """Who can be asked, as soon as somebody can."""
    return [*engine.agent(10).characters]


def ask(agent: CharacterAgent, name: str) -> Iterator[Reply]:
    return agent.ask(name, "雨停了吗？", n=1, params=SamplingParams())


def test_loading_becomes_ready_and_names_the_model(
    engine: Engine, shelf: Shelf, rain: Path, told: list[Message]
) -> None:
    assert line(engine) == ("empty", "no model is loaded")
    shelf.go.clear()
    engine.load(rain, FIRST)
    assert shelf.begun.wait(10) and line(engine) == ("loading", "weights")
    assert engine.loaded() is None
    shelf.go.set()
    assert names(engine) == ["闻筝", "陆迟"]
    assert line(engine) == ("ready", "first")
    assert [str(text) for text in told] == [
        "loading",
        "weights",
        "opening the knowledge base",
        "first",
    ]


def test_the_agent_is_made_once(engine: Engine, rain: Path) -> None:
    engine.load(rain, FIRST)
    assert engine.agent(10) is engine.agent(10)


def test_what_is_loaded_introduces_itself(engine: Engine, rain: Path) -> None:
    engine.load(rain, FIRST).join(10)
    loaded = engine.loaded()
    assert loaded and loaded.introduction.title == "雨" and loaded.choice == FIRST


def test_a_failure_is_told_and_raised_in_both_languages(
    engine: Engine, shelf: Shelf, nobody: Path
) -> None:
    engine.load(nobody, FIRST)
    with pytest.raises(ModelError, match=r"world\.json names no characters: add them") as caught:
        engine.agent(10)
    assert "里没有角色" in caught.value.text("zh") and "characters" not in caught.value.text("zh")
    assert engine.status().state == "failed" and shelf.loaded == []
    assert "里没有角色" in engine.status().message.text("zh")


def test_a_model_that_cannot_be_loaded_is_told(engine: Engine, shelf: Shelf, rain: Path) -> None:
    shelf.broken["first"] = ModelError("plain", text="no model 'first'")
    engine.load(rain, FIRST)
    with pytest.raises(ModelError, match="no model 'first'"):
        engine.agent(10)
    assert line(engine) == ("failed", "no model 'first'")


def test_a_failure_of_a_library_has_its_name_and_keeps_its_english_to_itself(
    engine: Engine, shelf: Shelf, rain: Path
) -> None:
    shelf.broken["first"] = MemoryError("out of cheese")
    engine.load(rain, FIRST)
    with pytest.raises(
        ModelError, match=r"could not be loaded \(MemoryError; out of cheese\)"
    ) as caught:
        engine.agent(10)
    chinese = caught.value.text("zh")
    assert "MemoryError" in chinese and "cheese" not in chinese


def test_background_that_is_broken_is_told_in_both_languages(engine: Engine, rain: Path) -> None:
    (rain / "kb").mkdir()
    engine.load(rain, FIRST).join(10)
    problem = engine.status().message
    assert engine.status().state == "failed"
    assert "kb" in problem.text("en") and problem.text("zh") != problem.text("en")


def test_another_world_keeps_the_model(
    engine: Engine, shelf: Shelf, rain: Path, lamp: Path
) -> None:
    engine.load(rain, FIRST).join(10)
    backend = engine.agent().backend
    engine.load(lamp, FIRST).join(10)
    assert names(engine) == ["阿灯"] and engine.agent().backend is backend
    assert shelf.loaded == ["first"]


def test_another_choice_exchanges_the_model(engine: Engine, shelf: Shelf, rain: Path) -> None:
    engine.load(rain, FIRST).join(10)
    engine.load(rain, OTHER).join(10)
    assert shelf.loaded == ["first", "other"] and line(engine) == ("ready", "other")
    quantized = Choice("other", "none", 4)
    engine.load(rain, quantized).join(10)
    assert shelf.loaded == ["first", "other", "other"]


def test_the_old_model_is_gone_before_the_new_one_comes(
    engine: Engine, shelf: Shelf, rain: Path
) -> None:
    engine.load(rain, FIRST).join(10)
    engine.load(rain, OTHER).join(10)
    assert shelf.still_there == [False]


def test_what_does_not_fit_leaves_the_old_one_answering(
    engine: Engine, shelf: Shelf, rain: Path, lamp: Path, told: list[Message]
) -> None:
    engine.load(rain, FIRST).join(10)
    shelf.too_big.add("other")
    engine.load(lamp, OTHER).join(10)
    [*_, reply] = ask(engine.agent(), "闻筝")
    assert reply.candidates == ("没得商量。",) and shelf.loaded == ["first"]
    assert line(engine) == ("ready", "first")
    assert str(engine.status().problem) == "other does not fit" == str(told[-1])


@pytest.mark.parametrize("problem", ["no such folder", "no characters", "broken background"])
def test_a_world_that_cannot_be_loaded_leaves_the_old_one_answering(
    engine: Engine, shelf: Shelf, rain: Path, lamp: Path, nobody: Path, problem: str
) -> None:
    (lamp / "kb").mkdir()
    wanted = {"no such folder": rain / "x", "no characters": nobody, "broken background": lamp}
    engine.load(rain, FIRST).join(10)
    engine.load(wanted[problem], FIRST).join(10)
    assert names(engine) == ["闻筝", "陆迟"] and line(engine) == ("ready", "first")
    assert engine.status().problem and shelf.loaded == ["first"]
    engine.load(rain, FIRST).join(10)
    assert engine.status().problem is None


def test_a_failed_exchange_leaves_nothing_and_can_be_tried_again(
    engine: Engine, shelf: Shelf, rain: Path
) -> None:
    engine.load(rain, FIRST).join(10)
    shelf.broken["other"] = ModelError("plain", text="the file is damaged")
    engine.load(rain, OTHER).join(10)
    assert line(engine) == ("failed", "the file is damaged") and engine.loaded() is None
    engine.load(rain, FIRST)
    assert engine.agent(10).backend.name == "first"


def test_unload_frees_the_model(engine: Engine, shelf: Shelf, rain: Path) -> None:
    engine.load(rain, FIRST).join(10)
    engine.unload()
    assert shelf.made[0]() is None and engine.loaded() is None
    assert line(engine) == ("empty", "no model is loaded")
    with pytest.raises(ModelError, match="no model is loaded") as caught:
        engine.agent()
    assert caught.value.text("zh") == "没有载入模型"


def test_of_loads_at_once_the_last_counts(
    engine: Engine, shelf: Shelf, rain: Path, lamp: Path, told: list[Message]
) -> None:
    shelf.go.clear()
    threads = [engine.load(rain, FIRST)]
    assert shelf.begun.wait(10)
    threads += [engine.load(rain, Choice("between", "none")), engine.load(lamp, OTHER)]
    shelf.go.set()
    for thread in threads:
        thread.join(10)
    assert names(engine) == ["阿灯"] and line(engine) == ("ready", "other")
    assert shelf.loaded == ["first", "other"] and "first" not in map(str, told)


def test_a_model_that_takes_too_long_says_what_it_does(
    engine: Engine, shelf: Shelf, rain: Path
) -> None:
    shelf.go.clear()
    engine.load(rain, FIRST)
    assert shelf.begun.wait(10)
    with pytest.raises(
        ModelError, match=r"still loading after 0 s \(weights\): try again later"
    ) as caught:
        engine.agent(timeout=0)
    assert "过了 0 秒模型还在载入（weights）" in caught.value.text("zh")
    shelf.go.set()
    assert names(engine) == ["闻筝", "陆迟"]


def test_an_exchange_waits_for_the_reply_that_is_being_written(
    engine: Engine, shelf: Shelf, rain: Path
) -> None:
    engine.load(rain, FIRST).join(10)
    replies = ask(engine.agent(), "闻筝")
    assert next(replies).candidates == ("没",)
    thread = engine.load(rain, OTHER)
    thread.join(0.3)
    assert thread.is_alive() and shelf.loaded == ["first"]
    assert [*replies][-1].candidates == ("没得商量。",)
    thread.join(10)
    assert line(engine) == ("ready", "other")


def test_a_real_model_is_loaded_answers_and_goes(rain: Path, gemma_folder: Path) -> None:
    engine = Engine()
    engine.load(rain, Choice(str(gemma_folder), "none")).join(120)
    assert engine.status().problem is None and engine.status().state == "ready"
    [*_, reply] = ask(engine.agent(), "闻筝")
    assert len(reply.candidates) == 1
    model = weakref.ref(engine.agent().backend.model)  # type: ignore[attr-defined]
    engine.load(rain, Choice("nowhere", "none")).join(120)
    assert engine.status().state == "ready" and engine.status().problem
    engine.unload()
    assert model() is None


def test_what_failed_holds_no_model(engine: Engine, shelf: Shelf, rain: Path) -> None:
    (rain / "kb").mkdir()
    engine.load(rain, FIRST).join(10)
    assert line(engine)[0] == "failed" and shelf.made[0]() is None


def test_an_unload_does_not_hide_a_load_that_came_after_it(
    engine: Engine, shelf: Shelf, rain: Path, lamp: Path
) -> None:
    engine.load(rain, FIRST).join(10)
    replies = ask(engine.agent(), "闻筝")
    next(replies)
    unloading = threading.Thread(target=engine.unload)
    unloading.start()
    unloading.join(0.2)
    loading = engine.load(lamp, OTHER)
    assert unloading.is_alive() and line(engine)[0] == "loading"
    assert len([*replies]) > 0
    for thread in (unloading, loading):
        thread.join(10)
    assert names(engine) == ["阿灯"] and line(engine) == ("ready", "other")
