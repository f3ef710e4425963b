"""The list of background: what stands in it, and what its buttons do."""

from __future__ import annotations

import pytest

from roleplay import messages
from roleplay.background import Snippet
from roleplay.dialogue import Pins
from roleplay.ui.background import Row, moves_of, rows_of

BELL, CAKE, TOWER = (
    Snippet(text, 0.5, "雨钟") for text in ("雨停要敲钟。", "闻筝最爱吃椒盐豆糕。", "塔在河边。")
)


def listed(used: list[Snippet], pins: Pins) -> list[tuple[str, str]]:
    return [(row.snippet.text, row.fate) for row in rows_of(used, pins)]


def test_what_was_used_is_listed_in_its_order() -> None:
    assert listed([CAKE, BELL], Pins()) == [(CAKE.text, "found"), (BELL.text, "found")]


def test_pinned_stand_first_and_removed_last_each_once() -> None:
    pins = Pins().pin(TOWER).remove(CAKE)
    assert listed([TOWER, CAKE, BELL], pins) == [
        (TOWER.text, "pinned"),
        (BELL.text, "found"),
        (CAKE.text, "removed"),
    ]


@pytest.mark.parametrize(
    ("fate", "keys"),
    [("found", ["pin", "remove"]), ("pinned", ["unpin", "remove"]), ("removed", ["restore"])],
)
def test_a_row_has_the_buttons_that_change_it(fate: str, keys: list[str]) -> None:
    found = [key for key, _ in moves_of(Row(CAKE, fate))]
    assert found == keys and {f"ui.{key}" for key in keys} <= messages.catalogue("zh").keys()


def test_the_buttons_lead_there_and_back() -> None:
    pin, remove = (move for _, move in moves_of(Row(CAKE, "found")))
    assert listed([CAKE], pin(Pins())) == [(CAKE.text, "pinned")]
    assert listed([CAKE], remove(pin(Pins()))) == [(CAKE.text, "removed")]
    [(_, restore)] = moves_of(Row(CAKE, "removed"))
    assert restore(remove(Pins())) == Pins()
