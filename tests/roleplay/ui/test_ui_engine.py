"""The engine: loads in a thread, says how far it is, and hands out the player or the reason."""

from __future__ import annotations

import threading

import pytest

from roleplay.backends.scripted import ScriptedBackend
from roleplay.dialogue import Player
from roleplay.errors import ModelError
from roleplay.ui.engine import Engine, Tell


def make_player(tell: Tell) -> Player:
    return Player(ScriptedBackend(["哼。"]), characters=["闻筝"])


def failed(error: Exception) -> Engine:
    def load(tell: Tell) -> Player:
        raise error

    engine = Engine(load)
    engine.start()
    return engine


def test_loading_becomes_ready_and_names_the_model() -> None:
    go, told = threading.Event(), threading.Event()

    def load(tell: Tell) -> Player:
        tell("loading the weights")
        told.set()
        go.wait(5)
        return make_player(tell)

    engine = Engine(load)
    assert engine.status() == ("loading", "")
    engine.start()
    assert told.wait(5) and engine.status() == ("loading", "loading the weights")
    go.set()
    assert engine.player(5).characters == ("闻筝",)
    assert engine.status() == ("ready", "scripted")


def test_the_player_is_made_once() -> None:
    engine = Engine(make_player)
    engine.start()
    assert engine.player(5) is engine.player(5)


def test_a_failure_is_told_and_raised() -> None:
    engine = failed(ModelError("no model 'gpt': known are gemma3-270m"))
    with pytest.raises(ModelError, match="no model 'gpt': known are gemma3-270m"):
        engine.player(5)
    assert engine.status() == ("failed", "no model 'gpt': known are gemma3-270m")


def test_a_failure_without_words_has_its_name() -> None:
    engine = failed(MemoryError())
    with pytest.raises(ModelError, match="MemoryError"):
        engine.player(5)


def test_a_model_that_takes_too_long_says_what_it_does() -> None:
    stop, told = threading.Event(), threading.Event()

    def load(tell: Tell) -> Player:
        tell("loading the weights")
        told.set()
        stop.wait(5)
        return make_player(tell)

    engine = Engine(load)
    engine.start()
    assert told.wait(5)
    with pytest.raises(ModelError, match=r"still loading after 0 s \(loading the weights\): try again later"):
        engine.player(timeout=0)
    stop.set()
    assert engine.player(5).characters == ("闻筝",)


def test_progress_reaches_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    engine = Engine(make_player)
    engine.start()
    engine.player(5)
    assert capsys.readouterr().out == "model: ready: scripted\n"
