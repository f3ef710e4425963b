"""The callbacks of both tabs as plain functions, over a scripted backend."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from roleplay.background import Snippet
from roleplay.dialogue import NO_PINS, Pins, Session
from roleplay.errors import DialogueError, ModelError
from roleplay.ui import ask_tab, scene_tab
from roleplay.ui.common import Page, params_of, shown

OPENING = "【雨停了】\n陆迟：不好意思，我来晚了。 \\emoji 害羞"
SAMPLING = (0.8, 0.9, 96, "")
MakePage = Callable[..., Page]


def ask(
    page: Page,
    question: str,
    count: float = 1,
    *,
    background: bool = True,
    pins: Pins = NO_PINS,
    chapter: int | None = None,
    request: Any = None,
) -> list[Any]:
    controls = (count, background, pins, chapter, *SAMPLING)
    return list(ask_tab._callback(page)(request, "闻筝", question, *controls))


def act(
    page: Page,
    session: Session,
    count: float = 1,
    who: str = "闻筝",
    pins: Pins = NO_PINS,
    chapter: int | None = None,
    request: Any = None,
) -> list[Any]:
    callback = scene_tab._actor(page)
    return list(callback(request, session, who, count, True, pins, chapter, *SAMPLING))


def texts(snippets: Any) -> list[str]:
    return [snippet.text for snippet in snippets]


@pytest.fixture
def session() -> Session:
    return Session().add(OPENING).session


def test_answers_stream_and_end_with_copy_buttons(make_page: MakePage) -> None:
    steps = ask(make_page("豆糕。", "没得商量。"), "你最爱吃什么？", count=2.0)
    assert 'data-done="false"' in steps[0][0] and 'data-done="true"' in steps[-1][0]
    assert "豆糕。" in steps[-1][0] and "没得商量。" in steps[-1][0]


def test_the_background_that_was_used_is_shown(make_page: MakePage) -> None:
    page = make_page("豆糕。")
    assert texts(ask(page, "你最爱吃什么？")[-1][1]) == ["闻筝最爱吃椒盐豆糕。"]
    assert texts(ask(page, "你最爱吃什么？", background=False)[-1][1]) == []


def test_pinned_background_is_used_and_removed_is_not(
    make_page: MakePage, session: Session
) -> None:
    page = make_page("豆糕。")
    [found] = ask(page, "你最爱吃什么？")[-1][1]
    pins = Pins().pin(Snippet("雨停要敲钟。", 0.1, "雨钟")).remove(found)
    assert texts(ask(page, "你最爱吃什么？", pins=pins)[-1][1]) == ["雨停要敲钟。"]
    assert texts(act(page, session, pins=pins)[-1][1]) == ["雨停要敲钟。"]


def test_what_later_chapters_tell_is_not_found(make_page: MakePage, session: Session) -> None:
    page = make_page("豆糕。")
    assert "钟裂了。" in texts(ask(page, "钟怎么了？", chapter=9)[-1][1])
    assert "钟裂了。" not in texts(ask(page, "钟怎么了？", chapter=8)[-1][1])
    assert "钟裂了。" in texts(act(page, session, chapter=9)[-1][1])
    assert "钟裂了。" not in texts(act(page, session, chapter=8)[-1][1])


def test_an_answer_is_in_the_language_of_the_browser(make_page: MakePage, english: Any) -> None:
    cards, _ = ask(make_page("豆糕。"), "你最爱吃什么？", request=english)[-1]
    assert ">copy</button>" in cards


@pytest.mark.parametrize(
    ("question", "count", "message"),
    [
        (" ", 1, "the question is empty"),
        ("几岁？", 21, "the number of samples must be 1 to 20, not 21"),
    ],
)
def test_a_mistake_is_one_line_in_the_page(
    make_page: MakePage, english: Any, question: str, count: float, message: str
) -> None:
    with pytest.raises(gr.Error, match=message):
        ask(make_page("豆糕。"), question, count, request=english)


def test_a_mistake_is_told_in_the_language_of_the_browser(
    make_page: MakePage, chinese: Any, session: Session
) -> None:
    page = make_page("豆糕。")
    for told in (lambda: ask(page, " ", request=chinese), lambda: act(page, session, who="夏娜")):
        with pytest.raises(gr.Error) as caught:
            told()
        assert re.search("[一-鿿]{4}", caught.value.message)
        assert not re.search("[a-z]{3}", caught.value.message)


def test_a_model_that_did_not_load_is_told_when_asked(make_page: MakePage, english: Any) -> None:
    page = make_page(failure=ModelError("plain", text="no model 'gpt'"))
    with pytest.raises(gr.Error, match="no model 'gpt'"):
        ask(page, "几岁？", request=english)


def test_the_seed_may_be_empty_or_a_number() -> None:
    assert params_of(0, 1, 96.0, " ").seed is None
    assert params_of(0.5, 0.9, 64, " 0 ").seed == 0


def test_typed_lines_go_into_the_scene() -> None:
    added, view, pick, save, unread, problems = scene_tab.add_text(Session(), OPENING, None)
    assert added.text == OPENING and "雨停了" in view
    assert (unread, problems, pick.visible) == ("", "", False)
    assert Session.load(Path(save).read_text(encoding="utf-8")).lines == added.lines


def test_unread_lines_stay_in_the_box_with_their_number(english: Any) -> None:
    added, *_, unread, problems = scene_tab.add_text(Session(), "【钟响】\n没有冒号", english)
    assert (added.text, unread) == ("【钟响】", "没有冒号")
    assert "line 2" in problems


def test_candidates_can_be_picked_only_when_finished(make_page: MakePage, session: Session) -> None:
    steps = act(make_page("哼。", "走。"), session, count=2)
    assert not steps[0][0].interactive and steps[-1][0].interactive
    assert steps[-1][0].choices == [("哼。", "哼。"), ("走。", "走。")]
    assert texts(steps[-1][1]) == ["闻筝最爱吃椒盐豆糕。"]


def test_candidates_are_offered_as_people_read_them(make_page: MakePage, session: Session) -> None:
    said, done, thought = "哼。 \\emoji 微怒", "\\me 转身", "(又迟到。)"
    choices = act(make_page(said, done, thought), session, count=3)[-1][0].choices
    assert choices == [("哼。 😠", said), ("*转身*", done), ("（又迟到。）", thought)]


def test_equal_candidates_are_offered_once(make_page: MakePage, session: Session) -> None:
    assert act(make_page("哼。"), session, count=3)[-1][0].choices == [("哼。", "哼。")]


def test_the_picked_candidate_is_the_next_line(session: Session) -> None:
    chosen, view, pick, _ = scene_tab.choose(session, "闻筝", "\\me 转身", None)
    assert chosen.text == OPENING + "\n闻筝：\\me 转身"
    assert "*转身*" in view and not pick.visible


def test_a_candidate_that_is_no_line_is_told(session: Session, english: Any) -> None:
    with pytest.raises(gr.Error, match="this candidate cannot be a line"):
        scene_tab.choose(session, "闻筝", "哼 \\emoji 怒", english)


def test_undo_takes_the_move_back(session: Session, english: Any) -> None:
    assert scene_tab.undo_move(session, None)[0].lines == ()
    with pytest.raises(gr.Error, match="nothing to undo"):
        scene_tab.undo_move(Session(), english)


def test_a_saved_scene_is_opened_again(session: Session) -> None:
    save = scene_tab.undo_move(session.add("【钟响】").session, None)[3]
    assert Path(save).name == "scene.json"
    assert scene_tab.load_file(save, None)[0].lines == session.lines


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "this is no saved scene"),
        ("【雨停了】".encode("gb18030"), "this file is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_scene_is_told(
    tmp_path: Path, english: Any, content: bytes, message: str
) -> None:
    (tmp_path / "scene.json").write_bytes(content)
    with pytest.raises(gr.Error, match=message):
        scene_tab.load_file(str(tmp_path / "scene.json"), english)


def test_example_and_clear_open_a_scene(make_page: MakePage) -> None:
    assert scene_tab._opener(make_page("哼。"))(None)[0].text == OPENING
    nothing = make_page(failure=ModelError("plain", text="no model"))
    assert scene_tab._opener(nothing)(None)[0] == Session()
    assert scene_tab.clear_scene(None)[0] == Session()


def test_candidates_stay_with_the_one_who_acted(make_page: MakePage, session: Session) -> None:
    _, _, acting = act(make_page("哼。"), session, who="陆迟")[-1]
    picked, *_ = scene_tab.choose(session, acting, "哼。", None)
    assert picked.lines[-1].char == "陆迟"


def test_an_unknown_actor_is_told(make_page: MakePage, session: Session, english: Any) -> None:
    with pytest.raises(gr.Error, match="no character '夏娜': known are 闻筝 陆迟"):
        act(make_page("哼。"), session, who="夏娜", request=english)


def test_a_callback_keeps_errors_of_the_program_itself() -> None:
    @shown
    def broken(request: Any) -> None:
        raise TypeError("bug")

    with pytest.raises(TypeError, match="bug"):
        broken(None)


def test_a_callback_that_gives_one_answer_tells_its_errors_as_well(english: Any) -> None:
    @shown
    def refuse(request: Any) -> None:
        raise DialogueError("dialogue.no-move")

    with pytest.raises(gr.Error, match="nothing to undo"):
        refuse(english)
