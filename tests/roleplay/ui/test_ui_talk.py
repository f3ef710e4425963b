"""A conversation over a scripted backend: what is said, shown, kept, found again and mended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from conftest import Event
from PIL import Image

from roleplay.dialogue import NO_PINS
from roleplay.errors import ModelError
from roleplay.stages import chats, preferences
from roleplay.ui.common import shown
from roleplay.ui.kept import Opened
from roleplay.ui.room import Growing
from roleplay.ui.talk_tab import TalkTab

CONTROLS = (2, True, NO_PINS, None, 0.8, 0.9, 96, "")
Build = Callable[..., Any]


class Reader:
    """Somebody at a browser: keeps what the page is and what the browser stores."""

    def __init__(self, tab: TalkTab, request: Any = None) -> None:
        self.tab, self.request = tab, request
        self.opened: Any = Opened()
        self.browser: Any = {}
        self.seen: dict[Any, Any] = {}
        self.steps: list[dict[Any, Any]] = []
        self.take(tab.enter(tab.page.world(), {}, request))

    def take(self, updates: Any) -> Reader:
        self.steps = [updates] if isinstance(updates, dict) else list(updates)
        for step in self.steps:
            self.seen |= step
            self.opened = step.get(self.tab.opened, self.opened)
            self.browser = step.get(self.tab.browser, self.browser)
        return self

    def meet(self, who: str = "闻筝", **more: str) -> Reader:
        event = Event({"do": "meet", "who": who} | more)
        meet = shown(self.tab.meet)
        return self.take(meet(self.request, event, self.opened, self.browser, *CONTROLS))

    def say(self, text: str) -> Reader:
        say = shown(self.tab.say)
        return self.take(say(self.request, self.opened, self.browser, text, *CONTROLS))

    def click(self, do: str, at: Any, **more: Any) -> Reader:
        event = Event({"do": do, "at": at} | more)
        clicked = shown(self.tab.clicked)
        return self.take(clicked(self.request, event, self.opened, self.browser))

    def again(self, at: int) -> Reader:
        event = Event({"do": "again", "at": at})
        return self.take(self.tab.again(self.request, event, self.opened, self.browser, *CONTROLS))

    def call(self, method: Any, *more: Any) -> Reader:
        return self.take(shown(method)(self.opened, self.browser, *more, self.request))

    @property
    def text(self) -> str:
        return str(self.opened.chat.session.text)

    @property
    def view(self) -> str:
        return str(self.seen[self.tab.view])


@pytest.fixture
def reader(build: Build) -> Reader:
    return Reader(build(TalkTab, "豆糕。", "没得商量。", "走。"))


def prompts(reader: Reader) -> list[str]:
    backend = reader.tab.page.engine.agent().backend
    return [prompt.text for prompt in backend.prompts]


def test_the_people_are_shown_first(reader: Reader) -> None:
    wall = reader.seen[reader.tab.wall]
    assert wall.visible and 'data-who="闻筝"' in wall.value and 'data-who="陆迟"' in wall.value
    assert not reader.seen[reader.tab.inside].visible


def test_whoever_is_chosen_greets(reader: Reader, world: Path) -> None:
    reader.meet()
    assert reader.opened.chat.character == "闻筝" and reader.seen[reader.tab.inside].visible
    assert "你是谁？" in reader.seen[reader.tab.chips]
    row = {"character": "陆迟", "turns": [["早啊", "早……"]], "topic": "greeting"}
    (world / "conversations.jsonl").write_text(json.dumps(row), "utf-8")
    reader.tab.page.engine.load(world, reader.tab.page.engine.loaded().choice).join(10)
    assert reader.meet("陆迟").text == "陆迟：早……"


def test_nobody_of_another_story_can_be_met(reader: Reader) -> None:
    assert reader.meet("夏娜").opened.chat is None


def test_what_one_says_stands_before_the_answer_comes(reader: Reader) -> None:
    reader.meet().say("你最爱吃什么？")
    first = reader.steps[0]
    assert "你最爱吃什么？" in first[reader.tab.view] and first[reader.tab.box] == ""
    assert not first[reader.tab.send].interactive and first[reader.tab.stop].interactive
    assert "正在想" in reader.steps[1][reader.tab.live]
    assert reader.text == "你：你最爱吃什么？\n闻筝：豆糕。"
    assert "1/2" in reader.view and reader.seen[reader.tab.live] == ""
    assert reader.seen[reader.tab.send].interactive
    assert [one.text for one in reader.seen[reader.tab.used]] == ["闻筝最爱吃椒盐豆糕。"]


def test_a_question_of_the_wall_is_asked_at_once(reader: Reader) -> None:
    assert reader.meet(do="ask", text="几岁？").text == "你：几岁？\n闻筝：豆糕。"


def test_what_was_said_before_is_in_the_prompt(reader: Reader) -> None:
    reader.meet().say("几岁？").say("然后呢？")
    assert prompts(reader)[-1].endswith("问：几岁？\n闻筝：豆糕。\n问：然后呢？\n闻筝：")


def test_one_has_a_name_and_a_line_about_oneself(reader: Reader) -> None:
    reader.meet().say("几岁？").call(reader.tab.introduce, " 阿明 ", "镇上的面包师")
    assert reader.text.startswith("阿明：几岁？")
    reader.say("我是谁？")
    assert prompts(reader)[-1].startswith("【问：阿明，镇上的面包师】\n")
    assert reader.browser["asker"] == {"name": "阿明", "about": "镇上的面包师"}
    assert reader.meet("陆迟").opened.chat.asker.name == "阿明"


def test_nobody_takes_a_name_of_the_story(build: Build, english: Any) -> None:
    reader = Reader(build(TalkTab, "豆糕。"), english).meet()
    with pytest.raises(gr.Error, match="陆迟 is somebody of the story"):
        reader.call(reader.tab.introduce, "陆迟", "")


def test_script_marks_count_in_what_one_says(reader: Reader) -> None:
    reader.meet().say("\\me 敲门").say("【雨停了】").say("(她怎么不说话？)")
    told = prompts(reader)[-1]
    assert "问：\\me 敲门\n" in told and "【雨停了】\n" in told and "她怎么不说话" not in told


def test_an_empty_line_is_refused(build: Build, english: Any) -> None:
    with pytest.raises(gr.Error, match="the question is empty"):
        Reader(build(TalkTab, "豆糕。"), english).meet().say("  ")


def test_what_one_said_is_kept_though_the_model_fails(
    build: Build, english: Any, world: Path
) -> None:
    tab = build(TalkTab, failure=ModelError("plain", text="no model 'gpt'"))
    from roleplay.stages.character import introduce
    from roleplay.world import World

    tab.page.newest = introduce(World.load(world))
    reader = Reader(tab, english).meet()
    steps: list[Any] = []
    with pytest.raises(gr.Error, match="no model 'gpt'"):
        for step in shown(tab.say)(english, reader.opened, {}, "几岁？", *CONTROLS):
            steps.append(step)
    assert steps[-1][tab.send].interactive
    assert chats.find(world, "talk")[0].session.text == "You：几岁？"


def test_everything_is_found_again_after_a_reload(reader: Reader) -> None:
    reader.meet().say("几岁？").click("on", 1)
    again = Reader(reader.tab).take(reader.tab.enter(reader.tab.page.world(), reader.browser, None))
    assert again.opened.chat == reader.opened.chat and again.view == reader.view
    assert "没得商量。" in again.text


def test_several_conversations_are_listed_and_opened(reader: Reader) -> None:
    reader.meet().say("几岁？").call(reader.tab.anew).say("饿吗？")
    listed = reader.seen[reader.tab.chats]
    assert [name.split(" · ")[0] for name, _ in listed.choices] == ["闻筝：饿吗？", "闻筝：几岁？"]
    reader.call(reader.tab.switch, listed.choices[1][1])
    assert "几岁？" in reader.text
    reader.call(reader.tab.leave)
    assert reader.opened.chat is None and reader.seen[reader.tab.wall].visible


def test_on_a_shared_machine_the_browser_keeps_everything(build: Build, world: Path) -> None:
    reader = Reader(build(TalkTab, "豆糕。", "走。", shared=True)).meet().say("几岁？")
    assert chats.find(world, "talk") == [] and not (world / "conversations").exists()
    stored = json.loads(json.dumps(reader.browser))
    assert "prompt" not in json.dumps(stored) and "👍" not in reader.view
    other = Reader(reader.tab).take(reader.tab.enter(reader.tab.page.world(), stored, None))
    assert other.text == reader.text
    assert Reader(reader.tab).opened.chat is None
    other.call(reader.tab.put_away)
    assert other.opened.chat is None and other.browser["chats"]["雨"] == []


@pytest.mark.parametrize(
    "stored", [None, 3, [], {"open": 3}, {"open": {"雨": "../x"}, "chats": {"雨": [{}, 3]}}]
)
def test_whatever_a_browser_stores_is_read_with_care(build: Build, stored: Any) -> None:
    for shared in (True, False):
        tab = build(TalkTab, "豆糕。", shared=shared)
        assert tab.enter(tab.page.world(), stored, None)[tab.opened].chat is None


def test_turns_are_leafed_edited_inserted_and_deleted(reader: Reader) -> None:
    reader.meet().say("几岁？").click("on", 1)
    assert reader.text == "你：几岁？\n闻筝：没得商量。"
    reader.click("pick", 1, to="0").click("edit", 0, text="多大？")
    assert reader.text == "你：多大？\n闻筝：豆糕。"
    reader.click("insert", 0, text="雨停了").click("delete", 2)
    assert reader.text == "【雨停了】\n你：多大？"
    reader.call(reader.tab.mover(lambda session: session.undo()))
    assert reader.text == "【雨停了】\n你：多大？\n闻筝：豆糕。"
    assert reader.seen[reader.tab.redo].interactive


@pytest.mark.parametrize("at", [None, 9, -1, "0", 1.5])
def test_a_click_on_a_turn_that_is_gone_does_nothing(reader: Reader, at: Any) -> None:
    reader.meet().say("几岁？")
    before = reader.opened
    assert reader.click("delete", at).opened == before


def test_a_line_that_cannot_be_read_is_told(build: Build, english: Any) -> None:
    reader = Reader(build(TalkTab, "豆糕。"), english).meet().say("几岁？")
    for do, text in (("insert", "闻筝："), ("edit", " "), ("teach", "哼 \\emoji 怒")):
        with pytest.raises(gr.Error, match="this cannot be a line"):
            reader.click(do, 1, text=text)


def test_another_try_adds_candidates_to_the_same_turn(reader: Reader) -> None:
    reader.meet().say("几岁？").say("饿吗？")
    asked = len(prompts(reader))
    reader.again(1)
    assert len(reader.opened.chat.session.turns) == 4
    assert reader.text.split("\n")[1:3] == ["闻筝：走。", "你：饿吗？"]
    assert len(reader.opened.chat.session.turns[1].candidates) == 3
    assert prompts(reader)[asked].endswith("问：几岁？\n闻筝：")


def test_the_character_goes_on(reader: Reader) -> None:
    reader.meet().say("几岁？").take(
        reader.tab.continue_(None, reader.opened, reader.browser, *CONTROLS)
    )
    assert [turn.char for turn in reader.opened.chat.session.turns] == ["你", "闻筝", "闻筝"]
    assert prompts(reader)[-1].endswith("闻筝：豆糕。\n闻筝：")


def test_a_branch_leaves_the_conversation_as_it_is(reader: Reader, world: Path) -> None:
    reader.meet().say("几岁？").say("饿吗？")
    whole = reader.opened.chat
    reader.click("branch", 1)
    assert reader.text == "你：几岁？\n闻筝：豆糕。" and reader.opened.chat.id != whole.id
    assert {chat.session.text for chat in chats.find(world, "talk")} == {
        whole.session.text,
        reader.text,
    }


def test_likes_and_lessons_are_kept_for_training(reader: Reader, world: Path) -> None:
    reader.meet().say("几岁？").click("liked", 1)
    [row] = preferences.read(world)
    assert (row.chosen, row.rejected, row.character) == ("豆糕。", "没得商量。", "闻筝")
    assert row.prompt.endswith("问：几岁？\n闻筝：") and row.model == "scripted"
    assert 'aria-pressed="true"' in reader.view
    reader.click("liked", 1)
    assert preferences.read(world) == []
    reader.click("teach", 1, text="十六。")
    assert {row.chosen for row in preferences.read(world)} == {"十六。"}
    assert reader.text.endswith("闻筝：十六。")


def test_what_was_written_before_a_stop_stays(reader: Reader) -> None:
    reader.meet()
    steps = reader.tab.say(None, reader.opened, reader.browser, "几岁？", *CONTROLS)
    told, _, growing = (next(steps) for _ in range(3))
    done = growing[reader.tab.growing]
    assert isinstance(done, Growing)
    opened = told[reader.tab.opened]
    stopped = reader.tab.stopped(opened, {}, done, None)
    assert stopped[reader.tab.opened].chat.session.text == "你：几岁？\n闻筝：豆"
    assert stopped[reader.tab.send].interactive and stopped[reader.tab.live] == ""
    nothing = reader.tab.stopped(opened, {}, None, None)
    assert nothing[reader.tab.opened].chat.session.text == "你：几岁？"


def test_a_removed_conversation_comes_back(reader: Reader) -> None:
    reader.meet().say("几岁？")
    kept = reader.opened.chat
    reader.call(reader.tab.put_away)
    assert reader.opened.chat is None and reader.seen[reader.tab.restore].interactive
    assert reader.call(reader.tab.bring_back).opened.chat == kept


@pytest.mark.parametrize("kind", ["save", "as_script", "as_markdown", "as_jsonl"])
def test_a_conversation_is_exported(build: Build, english: Any, kind: str) -> None:
    reader = Reader(build(TalkTab, "豆糕。"), english).meet()
    export = reader.tab.exporter(kind)
    with pytest.raises(gr.Error, match="nothing was said yet"):
        export(reader.opened, english)
    made = export(reader.say("几岁？").opened, english)
    ends = {"save": "json", "as_script": "txt", "as_markdown": "md", "as_jsonl": "jsonl"}
    assert made["name"].endswith(f".{ends[kind]}")
    assert "几岁？" in made["text"]


def test_a_saved_conversation_is_loaded_as_another(reader: Reader, tmp_path: Path) -> None:
    reader.meet().say("几岁？")
    old = reader.opened.chat
    file = tmp_path / "saved.json"
    file.write_text(reader.tab.exporter("save")(reader.opened, None)["text"], "utf-8")
    reader.call(reader.tab.load_file, str(file))
    assert reader.opened.chat.session == old.session and reader.opened.chat.id != old.id
    file.write_text("你：早。\n闻筝：早。", "utf-8")
    assert reader.call(reader.tab.load_file, str(file)).opened.chat.character == "闻筝"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{}", "this is no saved scene"), ("【雨】".encode("gb18030"), "this file is not UTF-8")],
)
def test_a_file_that_is_no_conversation_is_told(
    build: Build, english: Any, tmp_path: Path, content: bytes, message: str
) -> None:
    reader = Reader(build(TalkTab, "豆糕。"), english)
    (tmp_path / "scene.json").write_bytes(content)
    with pytest.raises(gr.Error, match=message):
        reader.call(reader.tab.load_file, str(tmp_path / "scene.json"))


def test_an_uploaded_portrait_is_shown_everywhere(
    reader: Reader, world: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "face.png")
    style = reader.meet().tab.keep_portrait(reader.opened, str(tmp_path / "face.png"), None)
    assert "data:image/webp;base64," in style and (world / "portraits" / "闻筝.png").exists()


def test_two_readers_are_not_mixed(build: Build) -> None:
    tab = build(TalkTab, "豆糕。", "走。")
    one, two = Reader(tab).meet(), Reader(tab).meet("陆迟")
    one.say("几岁？")
    two.say("饿吗？")
    assert "饿" not in one.text and "几岁" not in two.text
