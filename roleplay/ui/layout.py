"""The page: a head with the model's state, and the tabs. Only assembles."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from roleplay.dialogue import NO_PINS
from roleplay.ui import render
from roleplay.ui.ask_tab import create_ask_tab
from roleplay.ui.common import Page, language
from roleplay.ui.scene_tab import create_scene_tab
from roleplay.ui.strings import label, translations


def create_app(page: Page, *, title: str) -> gr.Blocks:
    """The Gradio app; ``launch_options()`` belong to its ``launch``."""
    with gr.Blocks(title=title, analytics_enabled=False) as app:
        with gr.Column(elem_classes="rp-head"):
            gr.HTML(f"<h1>{escape(title)}</h1>")
            gr.Markdown(label("intro"))
            status = gr.HTML(elem_id="status")
        pins = gr.State(NO_PINS)
        with gr.Tabs():
            with gr.Tab(label("tab_ask"), id="ask"):
                greetings = create_ask_tab(page, pins)
            with gr.Tab(label("tab_scene"), id="scene"):
                greetings += create_scene_tab(page, pins)
        gr.Markdown(label("footer"), elem_classes="rp-foot")
        timer = gr.Timer(1.0)

        def refresh(request: gr.Request) -> tuple[str, Any]:
            state, text = page.engine.status()
            return render.status_line(state, text, language(request)), gr.Timer(active=state == "loading")

        timer.tick(refresh, None, [status, timer], show_progress="hidden")
        app.load(refresh, None, [status, timer], show_progress="hidden")

        def greet(request: gr.Request) -> list[str]:
            return [text(language(request)) for _, text in greetings]

        app.load(greet, None, [component for component, _ in greetings], show_progress="hidden")
    return app


def launch_options() -> dict[str, Any]:
    """Theme, style and translations, as ``Blocks.launch`` takes them."""
    fonts = ("system-ui", "-apple-system", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif")
    theme = gr.themes.Soft(primary_hue="teal", secondary_hue="teal", neutral_hue="slate", font=fonts).set(
        block_title_background_fill="transparent",
        block_title_background_fill_dark="transparent",
        block_title_text_color="*body_text_color",
        block_title_text_color_dark="*body_text_color",
        block_title_padding="0",
    )
    return {
        "theme": theme,
        "css": (Path(__file__).parent / "style.css").read_text(encoding="utf-8"),
        "i18n": translations(),
        "footer_links": [],
    }
