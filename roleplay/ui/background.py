"""The background under the answers: what was used, from where, how well it fits; to pin or remove.

    used = background_panel(pins, elem_id="ask-used")   # in a tab; pins is a gr.State(Pins())
    ... outputs=[answers, used]                     # a callback gives the snippets of its prompt

Pins last as long as the page is open and hold in both tabs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import gradio as gr

from roleplay.background import Snippet
from roleplay.dialogue import Pins
from roleplay.ui import render
from roleplay.ui.strings import label

Fate = Literal["found", "pinned", "removed"]


@dataclass(frozen=True)
class Row:
    """A snippet as the panel lists it."""

    snippet: Snippet
    fate: Fate


def background_panel(pins: Any, *, elem_id: str) -> Any:
    """Lay out the list; gives the state with the newest prompt's snippets (None: nothing asked)."""
    used = gr.State(None)
    with gr.Column(elem_id=elem_id, elem_classes="rp-used"):
        # A change of either state draws the list anew.
        gr.render(inputs=[used, pins], show_progress="hidden")(_drawer(pins))
    return used


def rows_of(used: Sequence[Snippet], pins: Pins) -> list[Row]:
    """The pinned ones, the others that were used, the removed; every text once."""
    pinned = [Row(item, "pinned") for item in pins.pinned]
    removed = [Row(item, "removed") for item in pins.removed]
    decided = {row.snippet.text for row in (*pinned, *removed)}
    found = [Row(item, "found") for item in used if item.text not in decided]
    return [*pinned, *found, *removed]


def moves_of(row: Row) -> list[tuple[str, Callable[[Pins], Pins]]]:
    """What a person can do with a row: (key of the button's text, the move)."""
    pin = ("pin", lambda pins: pins.pin(row.snippet))
    remove = ("remove", lambda pins: pins.remove(row.snippet))
    free = ("unpin" if row.fate == "pinned" else "restore", lambda pins: pins.free(row.snippet))
    return {"found": [pin, remove], "pinned": [free, remove], "removed": [free]}[row.fate]


def _drawer(pins: Any) -> Callable[[Sequence[Snippet] | None, Pins], None]:
    def draw(used: Sequence[Snippet] | None, chosen: Pins) -> None:
        rows = rows_of(used or (), chosen)
        if used is None and not rows:
            return
        gr.Markdown(label("used" if rows else "used_none"), elem_classes="rp-used-title")
        for row in rows:
            _draw_row(row, pins)

    return draw


def _draw_row(row: Row, pins: Any) -> None:
    with gr.Row(elem_classes=f"rp-used-row rp-{row.fate}"):
        gr.HTML(render.background_item(row.snippet, scored=row.fate == "found"))
        for key, move in moves_of(row):
            look: dict[str, Any] = {"size": "sm", "min_width": 60, "scale": 0}
            button = gr.Button(label(key), elem_classes=f"rp-{key}", **look)
            button.click(move, [pins], [pins], show_progress="hidden")
