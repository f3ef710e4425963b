"""The callbacks of the tabs for making, as plain functions over a library of a toy world."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import psutil
import pytest
import tiny

from roleplay.stages import compare, distill, jobs, knowledge, runs, speakers, wiki
from roleplay.stages.character import Choice
from roleplay.stages.library import Library
from roleplay.ui import access, make_render
from roleplay.ui.access import Access
from roleplay.ui.common import Page
from roleplay.ui.make_common import PATH, Maker, follow
from roleplay.ui.make_head import create_head
from roleplay.ui.make_tab import look
from roleplay.ui.make_tabs import create_making_tabs
from roleplay.ui.make_train import folder_shown, progress_of
from roleplay.world import World

MakePage = Callable[..., Page]
NOVEL = "第一章 灯\n\n" + "阿灯说：“灯亮着。”\n小舟说：“船来了。”\n" * 8


@pytest.fixture
def library(tmp_path: Path) -> Library:
    tiny.write_world(tmp_path / "worlds" / "toy")
    return Library(tmp_path / "worlds", tmp_path / "checkpoints")


class Tabs:
    """The laid out tabs; callbacks are called by the name of their module and their own."""

    def __init__(self, maker: Maker) -> None:
        self.maker = maker
        with gr.Blocks() as self.app:
            maker.world, maker.version, maker.step = (gr.State(one) for one in ("", "", "novel"))
            create_head(maker)
            with gr.Tabs() as maker.tabs:
                create_making_tabs(maker)
            follow(self.app, maker)

    def call(self, module: str, name: str, *given: Any, **named: Any) -> Any:
        wanted = (f"roleplay.ui.{module}", name)
        fns = [one for one in self.app.fns.values() if one.fn is not None]
        found = [one.fn for one in fns if (one.fn.__module__, one.name) == wanted]
        assert found, f"no {wanted}, there are {[one.name for one in self.app.fns.values()]}"
        return found[0](*given, **named)

    def draw(self, name: str, spoken: Any = "zh") -> dict[str, Any]:
        """What everything becomes, by the ids of the components."""
        values = [one.value for drawing in self.maker.drawings for one in drawing.inputs]
        drawn = self.maker.draw(name, spoken, values)
        shown = [one for drawing in self.maker.drawings for one in drawing.components]
        return {one.elem_id: new for one, new in zip(shown, drawn, strict=True)}


@pytest.fixture
def tabs(make_page: MakePage, library: Library) -> Tabs:
    return Tabs(Maker(make_page("好。"), library))


@pytest.fixture
def shared(make_page: MakePage, library: Library) -> Tabs:
    return Tabs(Maker(make_page("好。"), library, Access(shared=True, owner="me")))


@pytest.fixture
def book(tmp_path: Path) -> str:
    (tmp_path / "up").mkdir()
    path = tmp_path / "up" / "灯_与船.txt"
    path.write_text(NOVEL, encoding="gb18030")
    return str(path)


@pytest.fixture
def at_work(library: Library) -> Iterator[Path]:
    """The toy world with a job that never ends by itself."""
    world = library.worlds / "toy"
    (world / "wiki").mkdir()
    os.mkfifo(world / "wiki" / "never.md")
    job = jobs.start("knowledge", knowledge.Settings(world=world))
    yield world
    jobs.stop(job)
    jobs.wait(job)


def end(world: Path) -> runs.Seen:
    """Wait for the newest job of a world."""
    seen = runs.watch(world)
    assert seen
    jobs.wait(seen.job, 60)
    return runs.look(seen.job)


def test_a_world_is_made_renamed_copied_deleted_and_brought_back(tabs: Tabs, english: Any) -> None:
    tab, library = "library_tab", tabs.maker.library
    name, version, _ = tabs.call(tab, "on_new", "新书", english)
    assert name == "新书" and library.names() == ["toy", "新书"]
    assert tabs.call(tab, "on_rename", name, "旧书", english)[0] == name
    copy, _ = tabs.call(tab, "on_copy", name, english)
    assert library.tile(copy).title == "旧书 (2)"
    assert tabs.call(tab, "on_delete", name, english)[1] != version
    assert "旧书" in tabs.draw("")["library-undo"].value
    assert tabs.call(tab, "on_undo", english)[0] == name


def test_a_world_goes_out_and_in_as_a_zip(tabs: Tabs, english: Any) -> None:
    packed = tabs.call("library_tab", "on_pack", "toy", english)
    assert packed.visible
    name, _ = tabs.call("library_tab", "on_upload", packed.value["path"], english)
    assert tabs.maker.library.tile(name).characters == ("阿灯", "小舟")


def test_tiles_are_escaped_and_say_what_is_done(tabs: Tabs) -> None:
    tabs.maker.library.rename("toy", "<b>灯</b>")
    shown = tabs.draw("toy")["library"]
    assert "&lt;b&gt;灯" in shown and "<b>灯" not in shown
    assert shown.count("rp-done") == 2 and shown.count("rp-undone") == 2
    assert 'aria-pressed="true"' in shown


def test_a_novel_that_is_dropped_in_is_shown_and_taken(tabs: Tabs, english: Any, book: str) -> None:
    bar, title, html = tabs.call("make_novel", "on_files", "", [book], "", english)
    assert bar.visible and title == "灯 与船" and "gb18030" in html and "阿灯说" in html
    wrong = tabs.call("make_novel", "on_encoding", [book], "big5hkscs", english)
    assert "阿灯说" not in wrong
    name, _, files, _, step = tabs.call("make_novel", "on_take", [book], title, "", english)
    assert (name, files, step) == ("灯-与船", None, "speakers")
    assert "novel" in tabs.maker.library.done(name)


def test_a_file_that_is_no_novel_is_one_line_and_makes_no_world(
    tabs: Tabs, chinese: Any, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_bytes(b"")
    with pytest.raises(gr.Error, match="没有"):
        tabs.call("make_novel", "on_take", [str(tmp_path / "a.txt")], "新", "", chinese)
    assert tabs.maker.library.names() == ["toy"]


def test_one_button_starts_all_in_a_process_of_its_own(
    tabs: Tabs, english: Any, book: str, gemma_folder: Path
) -> None:
    given = [[book], "", "", str(gemma_folder)]
    name, *_ = tabs.call("make_tab", "on_all", english, "", *given)
    world = tabs.maker.library.path(name)
    seen = end(world)
    assert seen.state == "failed" and seen.error  # one chapter: none could be held out
    assert {"novel", "speakers"} <= tabs.maker.library.done(name)
    assert runs.folder_of(seen.job) == tabs.maker.checkpoints / f"{name}-tiny-gemma-lora"


def test_a_second_start_is_told_who_is_busy(tabs: Tabs, english: Any, at_work: Path) -> None:
    for act in (
        lambda: tabs.call("make_tab", "on_all", english, "toy", None, "", "", "m"),
        lambda: tabs.call("make_labelling", "on_rules", "toy", english),
        lambda: tabs.call("make_background", "on_build", "toy", english),
        lambda: tabs.call("library_tab", "on_delete", "toy", english),
    ):
        with pytest.raises(gr.Error, match="knowledge has been running in toy since"):
            act()


def test_a_job_is_found_again_stopped_and_gone_on_with(
    tabs: Tabs, english: Any, at_work: Path
) -> None:
    maker = tabs.maker
    assert maker.first() == "toy"
    _, _, now, _, html, stop, again = look(maker, "toy", "novel", ("", "", ""), "en")
    assert 'data-state="running"' in html and "Background" in html
    assert (stop.visible, again.visible) == (True, False)
    tabs.call("make_tab", "on_stop", "toy", english)
    assert end(at_work).state == "stopped"
    *_, stop, again = look(maker, "toy", "novel", now, "en")
    assert (stop.visible, again.visible) == (False, True)
    tabs.call("make_tab", "on_resume", "toy", english)
    assert len(jobs.find_jobs(at_work)) == 2


def test_a_killed_job_is_told(tabs: Tabs, at_work: Path) -> None:
    [job] = jobs.find_jobs(at_work)
    psutil.Process(job.pid).kill()
    jobs.wait(job)
    *_, html, _, again = look(tabs.maker, "toy", "novel", ("", "", ""), "zh")
    assert "被中断" in html and again.visible


def test_nothing_is_sent_where_nothing_has_changed(tabs: Tabs) -> None:
    now = look(tabs.maker, "toy", "novel", ("", "", ""), "zh")[2]
    assert look(tabs.maker, "toy", "novel", now, "zh")[1:] == [gr.skip()] * 6
    _, version, _, bar, *_ = look(tabs.maker, "toy", "train", now, "zh")
    assert version == gr.skip() and 'aria-current="step"' in bar


def test_steps_are_open_as_far_as_something_leads_to_them(tabs: Tabs) -> None:
    tabs.maker.library.new("空")
    bar = look(tabs.maker, "空", "novel", ("", "", ""), "zh")[3]
    assert bar.count("disabled") == len(PATH) - 1
    assert "disabled" not in look(tabs.maker, "toy", "novel", ("", "", ""), "zh")[3]


class Click:
    """What a click on an element with data brings."""

    def __init__(self, **data: Any) -> None:
        self.__dict__ |= data


@pytest.fixture
def told(tabs: Tabs, english: Any, book: str) -> str:
    """A world whose script the rules have made."""
    name, *_ = tabs.call("make_novel", "on_take", [book], "灯", "", english)
    distill.run(distill.Settings(world=tabs.maker.library.path(name)))
    return str(name)


def test_a_quote_is_clicked_then_given(tabs: Tabs, english: Any, told: str) -> None:
    tab, click = "make_speakers", Click(number="0")
    number, html, about, _ = tabs.call(
        tab, "on_quote", told, 1, None, False, "quote", english, click
    )
    assert number == 0 and "rp-chosen" in html and "阿灯：灯亮着。" in about
    given = (told, 1, number, "小舟", False, "quote", english)
    number, html, _, who = tabs.call(tab, "on_who", *given)
    assert number is None and who is None and "rp-chosen" not in html
    path = tabs.maker.library.path(told)
    assert speakers.read_book(path).lines[0].char == "小舟"
    tabs.call(tab, "on_undo", told, 1, english)
    assert speakers.read_book(path).lines[0].char == "阿灯"


def test_painting_gives_each_quote_that_is_clicked(tabs: Tabs, english: Any, told: str) -> None:
    click = Click(number="0")
    tabs.call("make_speakers", "on_quote", told, 1, "铜婆", True, "speaker", english, click)
    count = speakers.read_book(tabs.maker.library.path(told)).count()
    assert count["铜婆"] == 8 and count["阿灯"] == 0


def test_a_quote_goes_to_somebody_new(tabs: Tabs, english: Any, told: str) -> None:
    tabs.call("make_speakers", "on_other", told, 1, 0, "新来的", "quote", english)
    tabs.call("make_speakers", "on_other", told, 1, None, "路人", "quote", english)
    shown = tabs.draw(told)
    assert "新来的 1" in [label for label, _ in shown["speakers-who"].choices]
    assert "路人" in World.load(tabs.maker.library.path(told)).names


def test_doubtful_quotes_are_shown_alone(tabs: Tabs, english: Any, told: str) -> None:
    _, html, _ = tabs.call("make_speakers", "on_chapter", told, "doubtful", english)
    assert "rp-doubt" in html or "No doubtful quote" in html


def test_people_are_changed_merged_and_deleted(tabs: Tabs, english: Any, told: str) -> None:
    path, tab = tabs.maker.library.path(told), "make_people"
    fields = ("灯娘", "阿灯、 小灯", "f", "点灯的人")
    tabs.call(tab, "on_save", told, "阿灯", *fields, english)
    person = World.load(path).character("小灯")
    assert (person.name, person.gender, person.profile) == ("灯娘", "f", "点灯的人")
    assert tabs.call(tab, "on_who", told, "灯娘", english)[0] == "灯娘"
    tabs.call(tab, "on_merge", told, "小舟", "灯娘", english)
    assert World.load(path).names == ["灯娘"]
    with pytest.raises(gr.Error, match="a name has 1 to 40 letters"):
        tabs.call(tab, "on_save", told, "灯娘", "", "", "", "", english)
    tabs.call(tab, "on_delete", told, "灯娘", english)
    assert World.load(path).names == []


def test_pages_are_written_searched_and_taken_out(tabs: Tabs, english: Any, told: str) -> None:
    tab, path = "make_background", tabs.maker.library.path(told)
    page, title, _ = tabs.call(tab, "on_save", told, "灯油", "灯油是渡口的人送来的。", english)
    assert page.value == title == "灯油.md"
    assert tabs.call(tab, "on_page", told, title, english)[1].startswith("# 灯油")
    with pytest.raises(gr.Error, match="press 'build background' first"):
        tabs.call(tab, "on_search", told, "阿灯", "灯油是谁送的", english)
    assert "not built yet" in tabs.draw(told, "en")["wiki-state"]
    knowledge.run(knowledge.Settings(world=path, sources=("wiki",)))
    found = tabs.call(tab, "on_search", told, "阿灯", "灯油是谁送的", english)
    assert "渡口" in found and "in the prompt" in found and "tokens" in found
    tabs.call(tab, "on_delete", told, title, english)
    assert wiki.pages(path) == []


def test_the_price_is_asked_for_without_a_key_in_any_file(
    tabs: Tabs, english: Any, told: str
) -> None:
    fields = ("http://127.0.0.1:9/v1", "gpt-4o-mini", "sk-secret-key", None)
    tabs.call("make_labelling", "on_estimate", english, told, *fields)
    path = tabs.maker.library.path(told)
    seen = end(path)
    assert seen.state == "done" and "backend.estimate" in [line.key for line in seen.lines]
    texts = [one.read_bytes() for one in path.rglob("*") if one.is_file()]
    assert not any(b"sk-secret-key" in text for text in texts)
    with pytest.raises(gr.Error, match="needs --model"):
        tabs.call("make_labelling", "on_ask", english, told, "", " ", "", None)


def test_the_longest_speakers_are_chosen_and_what_a_person_chose_stays(
    tabs: Tabs, told: str
) -> None:
    shown = tabs.draw(told, "en")
    assert shown["train-who"].value == ["阿灯", "小舟"]
    assert [value for _, value in shown["train-length"].choices] == ["short", "usual", "long"]
    assert all("about" in label for label, _ in shown["train-length"].choices)
    [drawing] = [one for one in tabs.maker.drawings if len(one.inputs) == 3]
    kept = drawing.draw(told, "en", told, ["小舟"], "long")
    assert (kept[0].value, kept[1].value) == (["小舟"], "long")


def test_losses_and_answers_of_a_run_are_drawn_once(tabs: Tabs, told: str) -> None:
    folder = tabs.maker.checkpoints / f"{told}-m-lora"
    folder.mkdir(parents=True)
    rows = '{"step": 0, "base_loss": 4.0}\n{"step": 2, "loss": 3.0}\n{"step": 2, "eval_loss": 3}\n'
    (folder / "metrics.jsonl").write_text(rows, "utf-8")
    reply = '{"step": 0, "number": 0, "prompt": "阿灯：", "reply": "<i>亮</i>"}\n'
    (folder / "samples.jsonl").write_text(reply, "utf-8")
    world = tabs.maker.library.path(told)
    job = jobs.Job(world / "jobs" / "99990101-000000-making", "making", (), ".", 1, 0.0, "now")
    job.folder.mkdir(parents=True)
    row = {"stage": "making", "command": ["x", "--output-dir", str(folder)]}
    row |= {"cwd": ".", "pid": 1, "born": 0.0, "started": "now"}
    (job.folder / "job.json").write_text(str(row).replace("'", '"'), "utf-8")
    assert folder_shown(tabs.maker, told) == folder
    now, plot, html = progress_of(tabs.maker, told, "", "zh")
    assert plot.visible and "&lt;i&gt;亮" in html and "第 0 步" in html
    assert progress_of(tabs.maker, told, now, "zh") == (gr.skip(),) * 3


def test_adapters_are_compared_blindly(tabs: Tabs, english: Any, told: str) -> None:
    path = tabs.maker.library.path(told)
    row = {"character": "阿灯", "question": "几岁？", "first": ["<b>十</b>"], "second": ["九"]}
    (path / "report").mkdir(exist_ok=True)
    text = {"first": "mine", "second": "none", "rows": [row | {"left": "second"}]}
    (path / compare.FILE).write_text(str(text).replace("'", '"'), "utf-8")
    shown = tabs.draw(told, "en")["compare-view"]
    assert "mine" not in shown and "&lt;b&gt;十" in shown
    assert shown.index("九") < shown.index("十")
    click = Click(number="0", side="first")
    votes, judged = tabs.call("make_compare", "on_vote", english, told, True, {}, click)
    assert votes == {0: "first"} and "mine" in judged and "mine 1" in judged
    assert "A · mine" in tabs.call("make_compare", "on_blind", english, told, False, {})


def test_the_head_loads_another_world(tabs: Tabs, english: Any, chinese: Any) -> None:
    assert tabs.call("make_head", "on_world", english, "toy", "") == "toy"
    tabs.maker.page.engine.agent()
    assert tabs.maker.page.engine.loaded().world.name == "toy"
    shown = tabs.draw("toy")
    assert shown["switch-world"].value == "toy"
    assert [value for _, value in shown["switch-adapter"].choices] == ["", "none"]


def test_a_model_at_an_address_talks(tabs: Tabs, english: Any) -> None:
    given = ("toy", "http://127.0.0.1:9/v1", "m", "sk-secret-key")
    tabs.call("model_tab", "on_use", english, *given)
    tabs.maker.page.engine.agent()
    loaded = tabs.maker.page.engine.loaded()
    assert loaded.choice == Choice("m", endpoint="http://127.0.0.1:9/v1")
    with pytest.raises(gr.Error, match="is no address"):
        tabs.call("model_tab", "on_use", english, "toy", "nowhere", "m", "")


def test_the_memory_that_a_model_needs_is_told(
    tabs: Tabs, english: Any, gemma_folder: Path
) -> None:
    told = tabs.call("model_tab", "on_look", english, str(gemma_folder), 0)
    assert "needs 0.5 GB" in told and "it fits" in told
    with pytest.raises(gr.Error, match="no model"):
        tabs.call("model_tab", "on_look", english, "/nowhere/model", 0)


def test_a_model_is_unloaded(tabs: Tabs, english: Any) -> None:
    assert "Nothing is loaded" in tabs.call("model_tab", "on_unload", english)
    assert tabs.maker.page.engine.loaded() is None


def test_on_a_shared_machine_only_the_owner_makes(shared: Tabs, english: Any) -> None:
    for module, name, given in (
        ("library_tab", "on_new", ("x",)),
        ("library_tab", "on_delete", ("toy",)),
        ("make_tab", "on_stop", ("toy",)),
        ("make_speakers", "on_undo", ("toy", 1)),
        ("make_background", "on_build", ("toy",)),
    ):
        with pytest.raises(gr.Error, match="only the owner of this page"):
            shared.call(module, name, *given, english)
    assert shared.maker.library.names() == ["toy"]
    english.username = "me"
    assert shared.call("library_tab", "on_new", "x", english)[0] == "x"


def test_every_callback_of_these_tabs_asks_who_it_is(shared: Tabs) -> None:
    """Whatever takes a request refuses a stranger, or sends nothing."""
    open_ = {"look", "tick", "draw", "begin", "on_tick", "on_open"}
    for one in shared.app.fns.values():
        if one.fn is not None and one.name.startswith("on_"):
            assert one.name in open_ or one.fn.__wrapped__.__code__.co_name == "checked"


def test_nothing_is_drawn_for_a_stranger(shared: Tabs, english: Any) -> None:
    drawn = shared.call("make_common", "draw", english, "toy", *[None] * 40)
    assert drawn and all(one == gr.skip() for one in drawn)
    assert shared.call("make_common", "begin", english) == ""
    *tabs, why, _, _ = shared.call("make_tabs", "look", english)
    assert [one.visible for one in tabs] == [False] * 3 and why.visible
    assert not any(timer.active for timer in shared.maker.timers)


@pytest.mark.parametrize(
    ("host", "auth", "space", "shared_", "owner"),
    [
        ("127.0.0.1", "", "", False, ""),
        ("0.0.0.0", "", "", True, ""),
        ("192.168.0.7", "me:x you:y", "", True, "me"),
        ("127.0.0.1", "", "me/space", True, "me"),
    ],
)
def test_who_owns_the_page(
    monkeypatch: pytest.MonkeyPatch, host: str, auth: str, space: str, shared_: bool, owner: str
) -> None:
    monkeypatch.setenv("SPACE_ID", space)
    monkeypatch.setenv("SPACE_AUTHOR_NAME", "me" if space else "")
    found = access.access_of(host, auth)
    assert (found.shared, found.owner) == (shared_, owner)
    assert "x" not in repr(found).replace("True", "")
    assert found.owns(None) == (not shared_)


def test_a_login_of_another_form_is_told() -> None:
    with pytest.raises(access.UsageError, match="--auth is NAME:PASSWORD"):
        access.access_of("0.0.0.0", "me")


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.2, "1 s"), (80, "80 s"), (600, "10 min"), (9000, "2.5 h")]
)
def test_seconds_are_told_as_people_do(seconds: float, told: str) -> None:
    assert make_render.duration(seconds, "en") == told


def test_a_broken_world_does_not_break_the_page(tabs: Tabs) -> None:
    world = tabs.maker.library.worlds / "toy"
    (world / "script.jsonl").write_text("{", "utf-8")
    assert tabs.draw("toy")["library"]
    (world / "world.json").write_text("{", "utf-8")
    assert tabs.draw("toy")["library"]
    shutil.rmtree(world)
    assert tabs.draw("toy")["library"]
