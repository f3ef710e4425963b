"""A scene over a scripted backend: written, played on by turns, mended, found again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from conftest import OPENING

from roleplay.conversation import Session
from roleplay.dialogue import NO_PINS
from roleplay.stages import chats
from roleplay.ui.common import shown
from roleplay.ui.kept import Opened
from roleplay.ui.scene_tab import NARRATOR, TYPED, SceneTab

CONTROLS = (2, True, NO_PINS, None, 0.8, 0.9, 96, "")
Build = Callable[..., Any]


class Scene:
    """A scene and what the page shows of it."""

    def __init__(self, tab: SceneTab, request: Any = None) -> None:
        self.tab, self.request = tab, request
        self.opened: Any = Opened()
        self.browser: Any = {}
        self.seen: dict[Any, Any] = {}
        self.steps: list[dict[Any, Any]] = []
        self.take(tab.enter(tab.page.world(), {}, request))

    def take(self, updates: Any) -> Scene:
        self.steps = [updates] if isinstance(updates, dict) else list(updates)
        for step in self.steps:
            self.seen |= step
            self.opened = step.get(self.tab.opened, self.opened)
            self.browser = step.get(self.tab.browser, self.browser)
        return self

    def write(self, text: str, speaker: str = TYPED, kind: str = "say", face: str = "") -> Scene:
        write = shown(self.tab.write)
        state = (self.opened, self.browser)
        return self.take(write(*state, speaker, kind, face, text, self.request))

    def act(self, who: str = "闻筝", way: str = "by_hand") -> Scene:
        act = shown(self.tab.act_once)
        return self.take(act(self.request, self.opened, self.browser, who, way, *CONTROLS))

    def play(self, lines: float, way: str = "in_turn") -> Scene:
        play = shown(self.tab.play)
        state = (self.opened, self.browser)
        return self.take(play(self.request, *state, "闻筝", way, lines, *CONTROLS))

    @property
    def text(self) -> str:
        return str(self.opened.chat.session.text)


@pytest.fixture
def scene(build: Build) -> Scene:
    return Scene(build(SceneTab, "哼。", "走。"))


def test_typed_lines_go_into_the_scene_and_are_kept(scene: Scene, world: Path) -> None:
    scene.write(OPENING)
    assert scene.text == OPENING and scene.seen[scene.tab.text] == ""
    assert chats.find(world, "scene")[0].session.text == OPENING
    assert "雨停了" in scene.seen[scene.tab.view]


def test_a_plain_sentence_is_narration(scene: Scene) -> None:
    assert scene.write("有人敲门").text == "【有人敲门】"


def test_nothing_is_added_before_every_row_can_be_read(build: Build, english: Any) -> None:
    scene = Scene(build(SceneTab, "哼。"), english)
    scene.write("【钟响】\n闻筝：\n陆迟：走。")
    assert scene.opened.chat is None
    assert scene.seen[scene.tab.text] == "【钟响】\n闻筝：\n陆迟：走。"
    assert "line 2" in scene.seen[scene.tab.problems]
    scene.write("【钟响】\n闻筝：哼。\n陆迟：走。")
    assert scene.text == "【钟响】\n闻筝：哼。\n陆迟：走。" and scene.seen[scene.tab.problems] == ""


@pytest.mark.parametrize(
    ("speaker", "kind", "face", "line"),
    [
        ("闻筝", "say", "微怒", "闻筝：他说：走 \\emoji 微怒"),
        ("路人", "act_kind", "", "路人：\\me 他说：走"),
        ("闻筝", "think", "", "闻筝：(他说：走)"),
        (NARRATOR, "say", "微怒", "【他说：走】"),
    ],
)
def test_speaker_kind_and_expression_are_chosen(
    scene: Scene, speaker: str, kind: str, face: str, line: str
) -> None:
    assert scene.write("他说：走", speaker, kind, face).text == line


def test_an_empty_line_is_no_move(scene: Scene) -> None:
    assert scene.write("  ").opened.chat is None
    assert scene.write(" ", "闻筝").opened.chat is None


def test_whoever_is_chosen_acts_with_candidates_to_leaf_through(scene: Scene) -> None:
    scene.write(OPENING).act("闻筝")
    assert scene.text == f"{OPENING}\n闻筝：哼。"
    assert [one.text for one in scene.opened.chat.session.turns[-1].candidates] == ["哼。", "走。"]
    assert not scene.steps[0][scene.tab.act].interactive
    assert scene.seen[scene.tab.act].interactive
    assert [one.text for one in scene.seen[scene.tab.used]] == ["闻筝最爱吃椒盐豆糕。"]


def test_they_speak_in_turn_and_who_is_named_wakes(scene: Scene) -> None:
    scene.write("陆迟：好。\n闻筝：好。").act(way="in_turn")
    assert scene.opened.chat.session.turns[-1].char == "陆迟"
    scene.write("陆迟：闻筝，你看。").act("陆迟", "in_turn")
    assert scene.opened.chat.session.turns[-1].char == "闻筝"


def test_without_a_model_that_can_tell_likelihood_means_in_turn(scene: Scene) -> None:
    scene.write("陆迟：好。\n闻筝：好。").act(way="by_likelihood")
    assert scene.opened.chat.session.turns[-1].char == "陆迟"


def test_the_model_s_ranker_tells_who_is_likely(scene: Scene) -> None:
    class Likely:
        def rank(self, character: str, question: str, prompt: Any, candidates: Any) -> Any:
            raise AssertionError("of one candidate")

        def speakers(self, prompt: Any, names: Any) -> Any:
            assert prompt.text.endswith("铜婆：好。\n")
            return sorted(names, reverse=True)

    agent = scene.tab.page.engine.agent()
    agent.ranker = Likely()
    scene.write("闻筝：好。\n陆迟：好。\n铜婆：好。")
    assert scene.tab.next_one(scene.opened, "陆迟", "by_likelihood") == "陆迟"


def test_it_plays_on_by_itself_and_keeps_every_line(scene: Scene, world: Path) -> None:
    scene.write(OPENING).play(3)
    names = [turn.char for turn in scene.opened.chat.session.turns[2:]]
    assert names == ["闻筝", "陆迟", "闻筝"]
    assert chats.find(world, "scene")[0].session.text == scene.text
    assert scene.seen[scene.tab.act].interactive and not scene.seen[scene.tab.stop].interactive
    buttons = [step[scene.tab.act] for step in scene.steps[:-1] if scene.tab.act in step]
    assert len(buttons) == 6 and not any(button.interactive for button in buttons)


def test_at_most_twenty_lines_are_played(scene: Scene) -> None:
    scene.write(OPENING).play(1e6)
    assert len(scene.opened.chat.session.turns) == 22


def test_what_was_cleared_comes_back(scene: Scene) -> None:
    scene.write(OPENING)
    for move, text in ((Session.clear, ""), (Session.undo, OPENING), (Session.redo, "")):
        scene.take(scene.tab.mover(move)(scene.opened, scene.browser, None))
        assert scene.text == text


def test_nothing_to_undo_is_told(build: Build, english: Any) -> None:
    scene = Scene(build(SceneTab, "哼。"), english)
    with pytest.raises(gr.Error, match="nothing to undo"):
        scene.tab.mover(Session.undo)(scene.opened, {}, english)


def test_the_story_s_opening_and_a_new_scene(scene: Scene, world: Path) -> None:
    scene.take(scene.tab.open_example(scene.opened, scene.browser, None))
    assert scene.text == OPENING
    scene.take(scene.tab.anew(scene.opened, scene.browser, None))
    assert scene.text == "" and len(chats.find(world, "scene")) == 1


def test_a_scene_is_found_again_after_a_reload(scene: Scene) -> None:
    scene.write(OPENING).act()
    again = Scene(scene.tab)
    again.take(scene.tab.enter(scene.tab.page.world(), scene.browser, None))
    assert again.text == scene.text


def test_an_unknown_actor_is_told(build: Build, english: Any) -> None:
    with pytest.raises(gr.Error, match="no character '夏娜': known are 闻筝 陆迟"):
        Scene(build(SceneTab, "哼。"), english).act("夏娜")
