"""The page as a whole: its parts, and how they follow what the engine has loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from roleplay.dialogue import NO_PINS
from roleplay.errors import ModelError
from roleplay.stages.character import Choice, Introduction
from roleplay.ui import ask_tab, scene_tab, talk_tab
from roleplay.ui.common import Page
from roleplay.ui.layout import create_app, launch_options, news
from roleplay.ui.strings import language, language_switch

MakePage = Callable[..., Page]
CHAPTERS = (("漏雨", 1), ("夜市", 2))
RAIN = Introduction("雨", ("闻筝", "陆迟"), ("钟怎么了？",), "【雨停了】", CHAPTERS)


def lay_out(page: Page) -> Page:
    """The page with both tabs, as their choices have components only then."""
    with gr.Blocks():
        page.pins, page.shown = gr.State(NO_PINS), gr.State(None)
        for tab in (talk_tab, ask_tab, scene_tab):
            tab.build(page)
    return page


def updates(page: Page, before: Introduction | None = None) -> dict[str, Any]:
    """What a refresh sends to the components, by their ids."""
    _, _, *sent = news(page, before, "zh")
    return {component.elem_id: sent[place] for place, (component, _) in enumerate(page.choices)}


def line(page: Page, spoken: Any) -> str:
    return unescape(re.sub("<.*?>", "", news(page, None, spoken)[0]))


@pytest.fixture
def failed(make_page: MakePage) -> Page:
    """A page without a model."""
    return lay_out(make_page(failure=ModelError("plain", text="no model 'gpt'")))


def test_choices_are_those_of_the_world_that_is_loaded(make_page: MakePage) -> None:
    sent = updates(lay_out(make_page("哼。")))
    for name, value in (("ask-character", ["闻筝"]), ("scene-who", "闻筝")):
        assert [found for _, found in sent[name].choices] == ["闻筝", "陆迟"]
        assert sent[name].value == value
    assert ["你是谁？"] in sent["ask-examples"].raw_samples


@pytest.mark.parametrize(("chapters", "newest"), [(CHAPTERS, 2), ((), None)])
def test_chapters_can_be_chosen_where_the_background_has_some(
    failed: Page, chapters: tuple[tuple[str, int], ...], newest: int | None
) -> None:
    failed.newest = Introduction("雨", ("闻筝",), chapters=chapters)
    for name in ("talk-chapter", "ask-chapter", "scene-chapter"):
        sent = updates(failed)[name]
        assert (sent.visible, sent.value) == (bool(chapters), newest)
        assert [*sent.choices] == [*chapters]


def test_a_page_shows_its_world_before_a_model_is_there(failed: Page) -> None:
    assert news(failed, None, "zh")[1:] == [gr.skip()] * (len(failed.choices) + 1)
    failed.newest = RAIN
    assert news(failed, None, "zh")[1] == RAIN
    assert updates(failed)["ask-character"].value == ["闻筝"]


def test_what_a_reader_chose_stays_while_the_world_is_the_same(
    make_page: MakePage, world: Path
) -> None:
    page = lay_out(make_page("哼。"))
    shown = news(page, None, "zh")[1]
    page.engine.load(world, Choice("another", "none")).join(10)
    assert news(page, shown, "zh")[1:] == [gr.skip()] * (len(page.choices) + 1)


def test_choices_follow_when_another_world_is_loaded(make_page: MakePage, world: Path) -> None:
    page = lay_out(make_page("哼。"))
    shown = news(page, None, "zh")[1]
    info = {"title": "灯", "characters": [{"name": "阿灯"}]}
    (world / "world.json").write_text(json.dumps(info), encoding="utf-8")
    page.engine.load(world, Choice(checkpoint="none")).join(10)
    assert updates(page, shown)["ask-character"].value == ["阿灯"]
    page.engine.unload()
    assert page.world() and page.world().title == "灯"


def test_the_state_is_told_in_the_language_of_the_browser(make_page: MakePage) -> None:
    page = make_page("哼。")
    assert (line(page, "zh"), line(page, "en")) == ("就绪　", "Ready　")
    page.engine.unload()
    assert line(page, "zh") == "还没有载入模型　"


def test_why_a_load_failed_is_told_although_the_old_model_answers(
    make_page: MakePage, world: Path
) -> None:
    page = make_page("哼。")
    page.engine.load(world / "none", Choice(checkpoint="none")).join(10)
    assert line(page, "en").startswith("Ready　no world folder ")
    assert not re.search("[a-z]{3} [a-z]{3}", line(page, "zh"))


def test_the_page_is_built_with_both_tabs_and_their_parts(make_page: MakePage) -> None:
    app = create_app(make_page("哼。").engine, title="《第十三场雨》<b>", world=RAIN)
    ids = {getattr(block, "elem_id", None) for block in app.blocks.values()}
    wanted = "status talk-wall talk-view talk-send ask-run ask-answers scene-view scene-act"
    assert {*wanted.split()} <= ids
    config = json.dumps(app.get_config_file(), ensure_ascii=False, default=str)
    assert "《第十三场雨》&lt;b&gt;" in config


def test_the_style_is_shipped() -> None:
    options = launch_options()
    assert all(name in options["css"] for name in (".rp-card", ".rp-turn", ".rp-wall"))


def test_no_event_of_the_page_is_a_public_endpoint(make_page: MakePage) -> None:
    app = create_app(make_page("哼。").engine, title="雨", world=RAIN)
    names = [fn.api_name for fn in app.fns.values() if fn.api_visibility == "public"]
    assert names == []


def test_browsers_keep_no_history_of_what_was_said() -> None:
    assert launch_options()["run_history"] is False


@pytest.mark.parametrize(
    ("cookie", "header", "spoken"),
    [("en", "zh-CN", "en"), ("zh", "en-GB", "zh"), ("fr", "en-GB", "en"), (None, "", "zh")],
)
def test_the_language_that_was_switched_to_wins(cookie: Any, header: str, spoken: str) -> None:
    cookies = {"roleplay_language": cookie} if cookie else {}
    request: Any = SimpleNamespace(headers={"accept-language": header}, cookies=cookies)
    assert language(request) == spoken
    shown = language_switch(language(request))
    assert f'<button lang="{spoken}" aria-current="true"' in shown
