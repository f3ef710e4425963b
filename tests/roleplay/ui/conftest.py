"""A page over a scripted backend, and requests of browsers: what the callbacks of the tabs need."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from roleplay.backends.scripted import ScriptedBackend
from roleplay.background import Snippet
from roleplay.dialogue import NO_PINS
from roleplay.script import parse_script
from roleplay.stages.character import Choice
from roleplay.stages.engine import Engine
from roleplay.ui.common import Page

OPENING = "【雨停了】\n陆迟：不好意思，我来晚了。 \\emoji 害羞"


@dataclass
class Request:
    """A browser's request, as far as callbacks look at it."""

    headers: dict[str, str] = field(default_factory=dict)


class ScriptedModels:
    """Backends that say what they were told to say."""

    def __init__(self, replies: tuple[str, ...], failure: Exception | None = None) -> None:
        self.replies, self.failure, self.loaded = replies, failure, 0

    def check_fits(self, choice: Choice, *, freed: int) -> None:
        """All fit, but where a failure was ordered."""
        if self.failure:
            raise self.failure

    def load(self, choice: Choice, checkpoint: Path | None, tell: Any) -> ScriptedBackend:
        self.loaded += 1
        return ScriptedBackend(self.replies)


def find(
    query: str, k: int, *, character: str | None = None, chapter: int | None = None
) -> list[Snippet]:
    """One page that is known from the start, and one of the ninth chapter."""
    found = [Snippet("闻筝最爱吃椒盐豆糕。", 0.9, "闻筝")]
    return [*found, *([Snippet("钟裂了。", 0.8, "第九章")] if chapter and chapter >= 9 else [])][:k]


@pytest.fixture
def english() -> Request:
    return Request({"accept-language": "en-GB,en;q=0.9"})


@pytest.fixture
def chinese() -> Request:
    return Request({"accept-language": "zh-CN,zh;q=0.9"})


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A world of two people with an opening and a question."""
    folder = tmp_path / "雨"
    folder.mkdir()
    cast = [{"name": "闻筝"}, {"name": "陆迟"}]
    (folder / "world.json").write_text(json.dumps({"title": "雨", "characters": cast}), "utf-8")
    rows = [json.dumps(line.to_json()) for line in parse_script(OPENING).lines]
    (folder / "script.jsonl").write_text("\n".join(rows), "utf-8")
    return folder


@pytest.fixture
def make_page(world: Path) -> Callable[..., Page]:
    """(replies) -> a page whose engine has loaded, or failed with the given error."""

    def make(*replies: str, failure: Exception | None = None) -> Page:
        engine = Engine(models=ScriptedModels(replies, failure))
        engine.load(world, Choice(checkpoint="none")).join(10)
        if loaded := engine.loaded():
            loaded.agent.retriever = find
        return Page(engine, None)

    return make


@dataclass
class Event:
    """A click on a button of a view, as Gradio tells it."""

    _data: Any


@pytest.fixture
def build(make_page: Callable[..., Page]) -> Callable[..., Any]:
    """(kind of tab, replies) -> the tab, laid out."""

    def laid_out(kind: Any, *replies: str, shared: bool = False, **more: Any) -> Any:
        page = make_page(*replies, **more)
        page.shared = shared
        with gr.Blocks():
            page.pins, page.shown = gr.State(NO_PINS), gr.State(None)
            tab = kind(page)
            tab.connect()
        return tab

    return laid_out
