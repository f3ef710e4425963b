"""The tabs of the owner: the library, the path from a novel to a character, the model.

On a shared machine they are hidden from everybody else, and each of their callbacks refuses others.
"""

from typing import Any

import gradio as gr

from roleplay.ui.access import has_space_login
from roleplay.ui.library_tab import create_library_tab
from roleplay.ui.make_common import Maker
from roleplay.ui.make_tab import create_make_tab
from roleplay.ui.model_tab import create_model_tab
from roleplay.ui.strings import label


def create_making_tabs(maker: Maker) -> None:
    """Lay out the three tabs, within ``gr.Tabs``."""
    hidden = {"visible": not maker.access.shared}
    with gr.Tab(label("tab_library"), id="library", **hidden) as library:
        create_library_tab(maker)
    with gr.Tab(label("tab_make"), id="make", **hidden) as make:
        create_make_tab(maker)
    with gr.Tab(label("tab_model"), id="model", **hidden) as model:
        create_model_tab(maker)
    maker.opened += [library.select, make.select, model.select]
    if maker.access.shared:
        _create_owner_tab(maker, [library, make, model])


def _create_owner_tab(maker: Maker, tabs: list[Any]) -> None:
    """Why there is nothing more to be seen, and where the owner logs in."""
    with gr.Tab(label("tab_owner"), id="owner") as own:
        known = "owner_log_in" if maker.access.owner else "owner_nobody"
        gr.Markdown(label(known))
        if has_space_login():
            gr.LoginButton(elem_id="owner-login")

    def look(request: gr.Request) -> list[Any]:
        mine = maker.access.owns(request)
        timers = [gr.Timer(active=mine) for _ in maker.timers]
        return [*(gr.Tab(visible=mine) for _ in tabs), gr.Tab(visible=not mine), *timers]

    maker.loads.append((look, [*tabs, own, *maker.timers]))
