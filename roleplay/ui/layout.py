"""The page: a head with the story's title and the model's state, and the tabs. Only assembles."""

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from roleplay.dialogue import NO_PINS
from roleplay.messages import Language
from roleplay.stages.character import Introduction
from roleplay.stages.engine import Engine
from roleplay.stages.library import Library
from roleplay.ui import ask_tab, render, scene_tab, talk_tab
from roleplay.ui.access import OWN_MACHINE, Access
from roleplay.ui.common import QUICK, QUIET, Page
from roleplay.ui.make_common import Maker, follow
from roleplay.ui.make_head import create_head
from roleplay.ui.make_tabs import create_making_tabs
from roleplay.ui.strings import LANGUAGE_SCRIPT, label, language, language_switch, translations

_RENAME = """html => {
    document.title = new DOMParser().parseFromString(html, "text/html").body.textContent;
}"""


_PALE = {"": "*neutral_600", "_dark": "*neutral_300"}
_DEEP = {"": "*primary_700", "_dark": "*primary_700"}
_FRAME = {"": "*neutral_500", "_dark": "*neutral_400"}
_QUIET = {
    "body_text_color_subdued": _PALE,
    "block_info_text_color": _PALE,
    "input_placeholder_color": _PALE,
    "button_primary_background_fill": _DEEP,
    "button_primary_background_fill_hover": {"": "*primary_800", "_dark": "*primary_800"},
    "button_primary_text_color": {"": "white", "_dark": "white"},
    "checkbox_label_background_fill_selected": _DEEP,
    "input_border_color": _FRAME,
    "input_border_width": {"": "1px", "_dark": "1px"},
    "color_accent": {"": "*primary_700"},
    "block_label_text_color": {"": "*primary_800"},
    "block_label_background_fill": {"_dark": "*primary_800"},
}
"""Tones that can be read: text 4.5 to 1 on its ground at least, frames 3 to 1."""


def create_app(
    engine: Engine,
    *,
    title: str,
    world: Introduction | None = None,
    library: Library | None = None,
    access: Access = OWN_MACHINE,
) -> gr.Blocks:
    """The Gradio app; ``launch_options()`` belong to its ``launch``.

    ``world`` is shown until something is loaded; ``access`` is who may make and change things in
    the ``library``.
    """
    with gr.Blocks(title=title, analytics_enabled=False) as app:
        shown, pins = gr.State(None), gr.State(NO_PINS)
        page = Page(engine, pins, world, shared=access.shared, shown=shown)
        with gr.Column(elem_classes="rp-head"):
            languages = gr.HTML(elem_classes="rp-languages", apply_default_css=False)
            page.greetings.append((languages, language_switch))
            heading = gr.HTML(f"<h1>{escape(title)}</h1>", elem_id="title")
            gr.Markdown(label("intro"))
            status = gr.HTML(elem_id="status")
        heading.change(None, [heading], None, js=_RENAME, **QUIET)
        maker = Maker(page, library or Library(), access)
        create_head(maker)
        page.choices.append((heading, lambda world: f"<h1>{escape(f'《{world.title}》')}</h1>"))
        with gr.Tabs(elem_id="tabs") as maker.tabs:
            with gr.Tab(label("tab_talk"), id="talk"):
                talk_tab.build(page)
            with gr.Tab(label("tab_ask"), id="ask"):
                ask_tab.build(page)
            with gr.Tab(label("tab_scene"), id="scene"):
                scene_tab.build(page)
            create_making_tabs(maker)
        gr.Markdown(label("footer"), elem_classes="rp-foot")
        _keep_up(app, page, status)
        follow(app, maker)
    return app


def _keep_up(app: gr.Blocks, page: Page, status: Any) -> None:
    """The state line and what the world decides follow the engine, texts the browser's language."""
    timer = gr.Timer(1.0)
    components = [component for component, _ in page.choices]

    def refresh(before: Introduction | None, request: gr.Request) -> list[Any]:
        pace = 1 if page.engine.status().state == "loading" else 3
        return [gr.Timer(pace), *news(page, before, language(request))]

    def greet(request: gr.Request) -> list[str]:
        return [text(language(request)) for _, text in page.greetings]

    for event in (timer.tick, app.load):
        outputs = [timer, status, page.shown, *components]
        event(refresh, [page.shown], outputs, **QUICK)
    app.load(greet, None, [component for component, _ in page.greetings], **QUIET)
    for callback, inputs, updated in page.openings:
        page.shown.change(callback, inputs, updated, **QUIET)


def news(page: Page, before: Introduction | None, spoken: Language) -> list[Any]:
    """The state line, the world shown from now on, and the choices where that is another."""
    now, world = page.engine.status(), page.world()
    # A model that is ready needs no words: the page is about the story.
    texts = (now.message if now.state in ("loading", "failed") else None, now.problem)
    told = "　".join(text.text(spoken) for text in texts if text)
    line = render.status_line(now.state, told, spoken)
    if world is None or world == before:  # what a reader chose stays, whatever else was exchanged
        return [line, *(gr.skip() for _ in range(len(page.choices) + 1))]
    return [line, world, *(update(world) for _, update in page.choices)]


def launch_options() -> dict[str, Any]:
    """Theme, style, translations and what browsers keep, as ``Blocks.launch`` takes them."""
    chinese = ("PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC")
    fonts = ("system-ui", "-apple-system", *chinese, "sans-serif")
    hues = {"primary_hue": "teal", "secondary_hue": "teal", "neutral_hue": "slate"}
    title = {"background_fill": "transparent", "text_color": "*body_text_color"}
    plain = {f"block_title_{name}{mode}": title[name] for name in title for mode in ("", "_dark")}
    tones = {f"{name}{mode}": tone for name in _QUIET for mode, tone in _QUIET[name].items()}
    theme = gr.themes.Soft(font=fonts, **hues).set(block_title_padding="0", **plain, **tones)
    sheets = (Path(__file__).parent / name for name in ("style.css", "make.css"))
    css = "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
    options: dict[str, Any] = {"theme": theme, "css": css, "i18n": translations()}
    # Gradio would keep every input and output of every event in the browser, for good.
    return {**options, "head": LANGUAGE_SCRIPT, "footer_links": [], "run_history": False}
