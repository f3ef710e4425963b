"""The page: a head with the world's title and the model's state, and the tabs. Only assembles."""

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from roleplay.dialogue import NO_PINS
from roleplay.messages import Language
from roleplay.stages.character import Introduction
from roleplay.stages.engine import Engine
from roleplay.stages.library import Library
from roleplay.ui import render
from roleplay.ui.access import OWN_MACHINE, Access
from roleplay.ui.ask_tab import create_ask_tab
from roleplay.ui.common import Page
from roleplay.ui.make_common import Maker, follow
from roleplay.ui.make_head import create_head
from roleplay.ui.make_tabs import create_making_tabs
from roleplay.ui.scene_tab import create_scene_tab
from roleplay.ui.strings import label, language, translations

_RENAME = """html => {
    document.title = new DOMParser().parseFromString(html, "text/html").body.textContent;
}"""


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
        with gr.Column(elem_classes="rp-head"):
            heading = gr.HTML(f"<h1>{escape(title)}</h1>")
            gr.Markdown(label("intro"))
            status = gr.HTML(elem_id="status")
        page = Page(engine, gr.State(NO_PINS), world)
        heading.change(None, [heading], None, js=_RENAME)
        maker = Maker(page, library or Library(), access)
        create_head(maker)
        page.choices.append((heading, lambda world: f"<h1>{escape(f'《{world.title}》')}</h1>"))
        with gr.Tabs() as maker.tabs:
            with gr.Tab(label("tab_ask"), id="ask"):
                create_ask_tab(page)
            with gr.Tab(label("tab_scene"), id="scene"):
                create_scene_tab(page)
            create_making_tabs(maker)
        gr.Markdown(label("footer"), elem_classes="rp-foot")
        _keep_up(app, page, status)
        follow(app, maker)
    return app


def _keep_up(app: gr.Blocks, page: Page, status: Any) -> None:
    """The state line and what the world decides follow the engine, texts the browser's language."""
    shown, timer = gr.State(None), gr.Timer(1.0)
    components = [component for component, _ in page.choices]

    def refresh(before: Introduction | None, request: gr.Request) -> list[Any]:
        pace = 1 if page.engine.status().state == "loading" else 3
        return [gr.Timer(pace), *news(page, before, language(request))]

    def greet(request: gr.Request) -> list[str]:
        return [text(language(request)) for _, text in page.greetings]

    for event in (timer.tick, app.load):
        outputs = [timer, status, shown, *components]
        event(refresh, [shown], outputs, show_progress="hidden", queue=False)
    app.load(greet, None, [component for component, _ in page.greetings], show_progress="hidden")


def news(page: Page, before: Introduction | None, spoken: Language) -> list[Any]:
    """The state line, the world shown from now on, and the choices where that is another."""
    now, world = page.engine.status(), page.world()
    told = "　".join(text.text(spoken) for text in (now.message, now.problem) if text)
    line = render.status_line(now.state, "" if now.state == "empty" else told, spoken)
    if world is None or world == before:  # what a reader chose stays, whatever else was exchanged
        return [line, *(gr.skip() for _ in range(len(page.choices) + 1))]
    return [line, world, *(update(world) for _, update in page.choices)]


def launch_options() -> dict[str, Any]:
    """Theme, style and translations, as ``Blocks.launch`` takes them."""
    chinese = ("PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC")
    fonts = ("system-ui", "-apple-system", *chinese, "sans-serif")
    hues = {"primary_hue": "teal", "secondary_hue": "teal", "neutral_hue": "slate"}
    title = {"background_fill": "transparent", "text_color": "*body_text_color"}
    plain = {f"block_title_{name}{mode}": title[name] for name in title for mode in ("", "_dark")}
    theme = gr.themes.Soft(font=fonts, **hues).set(block_title_padding="0", **plain)
    sheets = (Path(__file__).parent / name for name in ("style.css", "make.css"))
    css = "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
    return {"theme": theme, "css": css, "i18n": translations(), "footer_links": []}
