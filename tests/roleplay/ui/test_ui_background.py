"""The list of background: what stands in it, and what its buttons do."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from roleplay.dialogue import Pins
from roleplay.ui.background import Row, moves_of, rows_of
from roleplay.ui.strings import STRINGS


class Piece(NamedTuple):
    text: str
    score: float = 0.5
    source: str = "雨钟"


BELL, CAKE, TOWER = Piece("雨停要敲钟。"), Piece("闻筝最爱吃椒盐豆糕。"), Piece("塔在河边。")


def listed(used: list[Piece], pins: Pins) -> list[tuple[str, str]]:
    return [(row.snippet.text, row.fate) for row in rows_of(used, pins)]


def test_what_was_used_is_listed_in_its_order() -> None:
    assert listed([CAKE, BELL], Pins()) == [(CAKE.text, "found"), (BELL.text, "found")]


def test_pinned_stand_first_and_removed_last_each_once() -> None:
    pins = Pins().pin(TOWER).remove(CAKE)
    assert listed([TOWER, CAKE, BELL], pins) == [(TOWER.text, "pinned"), (BELL.text, "found"), (CAKE.text, "removed")]


@pytest.mark.parametrize(
    ("fate", "keys"), [("found", ["pin", "remove"]), ("pinned", ["unpin", "remove"]), ("removed", ["restore"])]
)
def test_a_row_has_the_buttons_that_change_it(fate: str, keys: list[str]) -> None:
    found = [key for key, _ in moves_of(Row(CAKE, fate))]
    assert found == keys and set(keys) <= STRINGS.keys()


def test_the_buttons_lead_there_and_back() -> None:
    pin, remove = (move for _, move in moves_of(Row(CAKE, "found")))
    assert listed([CAKE], pin(Pins())) == [(CAKE.text, "pinned")]
    assert listed([CAKE], remove(pin(Pins()))) == [(CAKE.text, "removed")]
    [(_, restore)] = moves_of(Row(CAKE, "removed"))
    assert restore(remove(Pins())) == Pins()
