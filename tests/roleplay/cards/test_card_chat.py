"""SillyTavern's chats: swipes, narration, hidden lines, and what comes back of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.cards.chat import Chat, Turn, read_chat, write_chat
from roleplay.errors import CardError
from roleplay.records import EXPRESSIONS, Line

HEADER = {"user_name": "阿明", "character_name": "闻筝", "create_date": "2024-1-1@10h00m00s",
          "chat_metadata": {"note_prompt": "x"}}  # fmt: skip
ROWS: list[dict[str, Any]] = [
    {
        "name": "旁白",
        "is_user": False,
        "is_system": False,
        "mes": "雨停了。",
        "extra": {"type": "narrator"},
    },
    {
        "name": "阿明",
        "is_user": True,
        "is_system": False,
        "send_date": "January 1, 2024 10:00am",
        "mes": " 早 ",
    },
    {
        "name": "闻筝",
        "is_user": False,
        "mes": "*抬头* 晚了。",
        "swipe_id": 1,
        "swipes": ["走开。", "*抬头* 晚了。", {"message": "哼。"}],
        "swipe_info": [{"send_date": "x", "extra": {"model": "m"}}],
        "extra": {"api": "local"},
        "gen_started": "2024",
    },
    {"name": "系统", "is_user": False, "is_system": True, "mes": "hidden"},
]


def dumped(*rows: Any) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in rows).encode()


def test_a_chat_becomes_lines_and_candidates() -> None:
    chat = read_chat(dumped(HEADER, *ROWS))
    told = [(line.kind, line.char, line.text) for line in chat.lines]
    assert told == [
        ("info", None, "雨停了。"),
        ("say", "阿明", "早"),
        ("act", "闻筝", "抬头"),
        ("say", "闻筝", "晚了。"),
    ]
    turn = chat.turns[2]
    assert turn.chosen == 1 and [said[-1].text for said in turn.swipes] == [
        "走开。",
        "晚了。",
        "哼。",
    ]


def test_what_was_read_is_written_as_it_was() -> None:
    chat = read_chat(dumped(HEADER, *ROWS))
    first = write_chat(chat)
    assert [json.loads(row) for row in first.decode().splitlines()] == [HEADER, *ROWS]
    assert write_chat(read_chat(first)) == first


def test_another_choice_is_another_message() -> None:
    chat = read_chat(dumped(HEADER, *ROWS))
    turns = (*chat.turns[:2], replace(chat.turns[2], chosen=0), *chat.turns[3:])
    row = json.loads(write_chat(replace(chat, turns=turns)).decode().splitlines()[3])
    assert (row["mes"], row["swipe_id"]) == ("走开。", 0)
    assert row["swipes"] == ["走开。", "*抬头* 晚了。", "哼。"] and row["gen_started"] == "2024"
    assert row["swipe_info"][0]["send_date"] == "x" and len(row["swipe_info"]) == 3


def test_candidates_of_ours_become_swipes_and_come_back_with_their_faces() -> None:
    one = Line(kind="say", char="闻筝", text="晚了。", expression="微怒", src_id=3, span=(1, 4))
    two = Line(kind="think", char="闻筝", text="又是他")
    chat = Chat((Turn(((one,), (two,)), chosen=0),), HEADER)
    row = json.loads(write_chat(chat).decode().splitlines()[1])
    assert row["swipes"] == ["晚了。", "(又是他)"] and row["mes"] == row["swipes"][row["swipe_id"]]
    assert {"name", "is_user", "is_system", "send_date", "mes", "extra"} <= row.keys()
    assert read_chat(write_chat(chat)).turns[0].swipes == ((one,), (two,))


def test_a_text_that_was_edited_elsewhere_counts_before_our_lines() -> None:
    line = Line(kind="say", char="闻筝", text="晚了。", expression="微怒")
    chat = write_chat(Chat.of_lines([line], user="阿明", character="闻筝"))
    (read,) = read_chat(chat.replace("晚了。".encode(), "早。".encode(), 1)).lines
    assert (read.text, read.expression) == ("早。", None)


def test_a_chat_without_a_header_is_read() -> None:
    assert len(read_chat(dumped(*ROWS)).lines) == 4


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no chat"),
        (dumped({"a": 1}), "no chat"),
        (dumped(HEADER, [1]), "line 2 of the chat: no message"),
        (dumped(HEADER) + b"{\n", "line 2 of the chat: no JSON"),
        (dumped(HEADER, {"mes": {}}), "1.mes: '{}' is no text"),
        (dumped(HEADER, {"mes": "x", "is_user": []}), "1.is_user: .* neither true nor false"),
        (dumped(HEADER, {"mes": "x", "swipe_id": "a"}), "1.swipe_id: 'a' is no number"),
        (dumped(HEADER, {"mes": "x", "extra": 5}), "1.extra: '5' is no object"),
    ],
)
def test_what_is_no_chat_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(CardError, match=told):
        read_chat(data)


@pytest.mark.parametrize(
    "row",
    [
        {"mes": "x", "swipes": 5, "swipe_id": 7, "swipe_info": "y"},
        {"mes": "x", "swipes": ["a"], "swipe_id": -1},
        {"mes": "x", "extra": {"roleplay": {"lines": [5, "a"]}}},
        {"mes": "x", "extra": {"roleplay": {"lines": 5}}},
        {"mes": "x", "extra": {"roleplay": 5}, "name": None},
        {"mes": "x", "swipes": ["x"], "swipe_id": 0, "swipe_info": [5]},
    ],
)
def test_odd_messages_are_read_and_written(row: Any) -> None:
    chat = read_chat(dumped(HEADER, row))
    assert chat.lines[0].text == "x"
    changed = replace(chat, turns=(replace(chat.turns[0], swipes=((chat.lines[0],), ())),))
    changed = replace(changed, turns=(replace(changed.turns[0], chosen=0),))
    assert read_chat(write_chat(changed)).lines == chat.lines


text = st.text(min_size=1, max_size=12).filter(str.strip)
who = st.sampled_from(["闻筝", "阿明"])
spoken = st.builds(
    Line, kind=st.sampled_from(["say", "act", "think"]), char=who, text=text,
    expression=st.none() | st.sampled_from(EXPRESSIONS),
)  # fmt: skip


@given(st.lists(spoken | st.builds(Line, kind=st.just("info"), text=text), max_size=6))
def test_any_scene_comes_back(lines: list[Line]) -> None:
    chat = Chat.of_lines(lines, user="阿明", character="闻筝")
    data = write_chat(chat)
    assert read_chat(data).lines == lines
    assert write_chat(read_chat(data)) == data
