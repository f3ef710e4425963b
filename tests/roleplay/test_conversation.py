"""Sessions: every move, back and forth, saved and read again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.conversation import Candidate, Session, Turn, called, in_turn
from roleplay.errors import DialogueError
from roleplay.records import Line
from roleplay.script import parse_script

OPENING = "【雨停了】\n陆迟：不好意思，我来晚了。 \\emoji 害羞"
KNOWN = {"闻筝": ("小筝",), "陆迟": ("小陆",), "铜婆": ()}


def lines(text: str) -> tuple[Line, ...]:
    return parse_script(text).lines


@pytest.fixture
def session() -> Session:
    """A scene of two lines and a reply with three candidates."""
    opened = Session.load(OPENING)
    return opened.reply("闻筝", ["没得商量。", "漏了！ \\emoji 大怒", "\\me 转身"], "问：")


def test_a_reply_has_all_candidates_and_its_prompt(session: Session) -> None:
    turn = session.turns[2]
    assert [one.text for one in turn.candidates] == [
        "没得商量。",
        "漏了！ \\emoji 大怒",
        "\\me 转身",
    ]
    assert (turn.char, turn.prompt, session.lines[-1].text) == ("闻筝", "问：", "没得商量。")


def test_equal_and_unreadable_candidates_are_left_out() -> None:
    made = Session().reply("闻筝", ["", "哼。", "哼 \\emoji 怒", "哼。"])
    assert [one.text for one in made.turns[0].candidates] == ["哼。"]


def test_candidates_are_leafed_through_in_a_circle(session: Session) -> None:
    assert session.swipe(2, 1).lines[-1].text == "漏了！"
    assert session.swipe(2, -1).lines[-1].text == "转身"
    assert session.swipe(2, 1).swipe(2, 1).swipe(2, 1) == session
    assert session.pick(2, 2).text.endswith("闻筝：\\me 转身")


def test_to_leaf_is_no_move_that_undo_takes_back(session: Session) -> None:
    assert session.swipe(2, 1).undo().lines == lines(OPENING)


def test_further_candidates_stand_at_once_and_known_ones_are_shown_again(session: Session) -> None:
    more = session.more(2, ["走。", "没得商量。"], "问：又")
    assert len(more.turns[2].candidates) == 4 and more.lines[-1].text == "走。"
    assert more.turns[2].prompt == "问：又"
    again = session.more(2, ["\\me 转身"])
    assert len(again.turns[2].candidates) == 3 and again.lines[-1].text == "转身"


def test_an_edited_turn_keeps_its_place_and_its_other_candidates(session: Session) -> None:
    edited = session.edit(1, "我没晚。\n\\me 擦汗")
    assert edited.text.split("\n")[1:3] == ["陆迟：我没晚。", "陆迟：\\me 擦汗"]
    assert session.edit(2, "好。").turns[2].candidates[1:] == session.turns[2].candidates[1:]
    assert session.edit(0, "【雨又下了】").lines[0].text == "雨又下了"
    assert session.edit(0, "雨又下了").lines[0].kind == "info"


@pytest.mark.parametrize(
    ("place", "text", "why"),
    [(0, " ", "an empty narration"), (1, "", "nothing after"), (1, "哼 \\emoji 怒", "unknown")],
)
def test_an_edit_that_is_no_line_is_refused(
    session: Session, place: int, text: str, why: str
) -> None:
    with pytest.raises(DialogueError, match=rf"this cannot be a line \({why}"):
        session.edit(place, text)


def test_what_is_taught_stands_and_is_liked(session: Session) -> None:
    taught = session.teach(2, "漏一点。")
    assert taught.lines[-1].text == "漏一点。" and taught.turns[2].shown.mark == "liked"
    assert len(taught.turns[2].candidates) == 4


def test_a_mark_is_set_and_taken_away(session: Session) -> None:
    liked = session.mark(2, "liked")
    assert liked.turns[2].shown.mark == "liked"
    assert liked.mark(2, "disliked").turns[2].shown.mark == "disliked"
    assert liked.mark(2, "liked") == session


def test_lines_are_inserted_deleted_and_cut_anywhere(session: Session) -> None:
    assert session.add("【钟响】", at=1).session.lines[1].text == "钟响"
    assert [line.text for line in session.delete(0).lines] == ["不好意思，我来晚了。", "没得商量。"]
    assert session.cut(0).text == "【雨停了】"
    assert session.before(2).lines == lines(OPENING)


def test_a_plain_sentence_is_narration_where_that_is_wanted() -> None:
    added = Session().add("钟响了\n闻筝：漏了。\n闻筝：", plain=True)
    assert [line.kind for line in added.session.lines] == ["info", "say"]
    assert [problem.number for problem in added.problems] == [3]
    assert Session().add("【】", plain=True).problems


def test_what_was_cleared_comes_back_and_goes_again(session: Session) -> None:
    cleared = session.clear()
    assert cleared.lines == () and cleared.undo() == session
    assert cleared.undo().redo() == cleared
    with pytest.raises(DialogueError, match="nothing to redo"):
        cleared.redo()


def test_a_move_after_undo_forgets_what_was_undone(session: Session) -> None:
    with pytest.raises(DialogueError, match="nothing to redo"):
        session.undo().add("【钟响】").session.redo()


MOVES = st.lists(
    st.sampled_from(["reply", "edit", "delete", "add", "cut", "clear", "teach", "more"]), max_size=8
)


@given(MOVES)
def test_undo_and_redo_are_exact(names: list[str]) -> None:
    session, states = Session.load(OPENING), [Session.load(OPENING)]
    for name in names:
        moved = move(session, name)
        if moved is not None:
            session = moved
            states.append(session)
    back = session
    for before in reversed(states[:-1]):
        back = back.undo()
        assert back == before
    for after in states[1:]:
        back = back.redo()
        assert back == after


def move(session: Session, name: str) -> Session | None:
    """A move, if there is a turn that it can be made on."""
    if name == "reply":
        return session.reply("闻筝", ["哼。", "走。"])
    if name in ("add", "clear"):
        return session.add("【钟响】").session if name == "add" else session.clear()
    if not session.turns:
        return None
    if name in ("edit", "teach"):
        return getattr(session, name)(0, "好")
    if name == "more":
        return session.more(0, ["嗯。"]) if session.turns[0].char else None
    return getattr(session, name)(0)


def test_a_saved_session_comes_back_with_candidates_and_marks(session: Session) -> None:
    kept = session.swipe(2, 1).mark(2, "liked")
    assert Session.load(kept.dump()) == kept


def test_a_scene_of_version_0_4_is_read() -> None:
    rows = [line.to_json() for line in lines(OPENING)]
    assert Session.load(json.dumps({"format": 1, "lines": rows})).lines == lines(OPENING)


@pytest.mark.parametrize(
    "turn",
    [
        {"candidates": []},
        {"candidates": [[]]},
        {"candidates": [[{"info": "雨"}]], "chosen": 1},
        {"candidates": [[{"info": "雨"}]], "chosen": -1},
        {"candidates": [[{"info": "雨"}]], "marks": ["loved"]},
        {"candidates": "雨"},
        3,
    ],
)
def test_a_turn_of_another_form_is_refused(turn: Any) -> None:
    with pytest.raises(DialogueError, match="this is no saved scene"):
        Session.load(json.dumps({"format": 1, "turns": [turn]}))


def test_whoever_spoke_longest_ago_is_next() -> None:
    scene = lines("闻筝：哼。\n陆迟：走。")
    assert in_turn(scene, ["陆迟", "闻筝", "铜婆"]) == ["铜婆", "闻筝", "陆迟"]
    assert in_turn((), ["陆迟", "闻筝"]) == ["陆迟", "闻筝"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("陆迟：小筝，你看。", "闻筝"),
        ("【小陆推门进来，铜婆抬头】", "铜婆"),
        ("陆迟：我是陆迟。", None),
        ("陆迟：(闻筝在看我。)", None),
        ("陆迟：没人吗？", None),
    ],
)
def test_who_is_named_last_wakes(text: str, name: str | None) -> None:
    assert called(lines(text), KNOWN) == name
    assert called((), KNOWN) is None


def test_a_turn_may_hold_several_lines() -> None:
    turn = Turn((Candidate(lines("闻筝：哼。\n闻筝：\\me 转身")),))
    assert Session((turn,)).text == "闻筝：哼。\n闻筝：\\me 转身"
    assert turn.shown.text == "哼。\n\\me 转身"
