"""Stops and pieces: a reply sent piece by piece is the reply that is sent whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.serving.answers import Growing, certain, cut


@pytest.mark.parametrize(
    ("text", "stops", "kept", "met"),
    [
        ("没得商量。", (), "没得商量。", False),
        ("没得商量。", ("商",), "没得", True),
        ("没得商量。", ("量。", "得"), "没", True),
        ("没", ("没得",), "没", False),
        ("没得商量。", ("没得商量", "商"), "没得", True),
    ],
)
def test_a_reply_is_cut_before_the_first_stop(
    text: str, stops: tuple[str, ...], kept: str, met: bool
) -> None:
    assert cut(text, stops) == (kept, met)


@pytest.mark.parametrize(
    ("text", "stops", "sure"),
    [
        ("没得", ("得商",), "没"),
        ("没得", ("商",), "没得"),
        ("aaa", ("aab",), "a"),
        ("", ("a",), ""),
    ],
)
def test_what_may_be_the_beginning_of_a_stop_is_not_certain(
    text: str, stops: tuple[str, ...], sure: str
) -> None:
    assert certain(text, stops) == sure


@given(st.text("ab。", max_size=12), st.lists(st.text("ab。", min_size=1, max_size=3), max_size=3))
def test_the_pieces_are_the_whole(text: str, stops: list[str]) -> None:
    growing, sent = Growing(1, stops), ""
    for end in range(1, len(text) + 1):
        sent += growing.pieces([text[:end]])[0]
        assert text.startswith(sent)
    sent += growing.pieces([text], last=True)[0]
    assert (sent, growing.done) == cut(text, stops) and growing.texts == [sent]


def test_what_was_changed_is_not_sent_twice() -> None:
    growing = Growing(1, ())
    pieces = [growing.pieces([text])[0] for text in ("没", "没得", "没", "没得商", "没有")]
    assert pieces == ["没", "得", "", "商", ""]


def test_candidates_are_apart() -> None:
    growing = Growing(2, ("。",))
    assert growing.pieces(["没。", "漏"]) == ["没", "漏"]
    assert growing.stopped == [True, False] and not growing.done
    assert growing.pieces(["没。了", "漏了"]) == ["", "了"] and growing.texts == ["没", "漏了"]
