"""The third step: wiki pages dropped in, written and edited, searched, and what a prompt gets."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from roleplay.errors import RoleplayError
from roleplay.messages import Language
from roleplay.stages import jobs, making, wiki
from roleplay.stages.wiki import Trial
from roleplay.ui import make_render as render
from roleplay.ui.make_common import QUIET, Maker, spoken
from roleplay.ui.make_people import cast_of
from roleplay.ui.render import background_item
from roleplay.ui.strings import label, say


def create_background_step(maker: Maker) -> None:
    """Lay out the step and name its events."""
    gr.Markdown(label("background_about"), elem_classes="rp-about")
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            kinds = {"file_types": list(wiki.KINDS), "file_count": "multiple"}
            about = {"label": label("wiki_files"), "elem_id": "wiki-files"}
            files = gr.File(height=130, **about, **kinds)
            page = gr.Dropdown([], label=label("wiki_page"), elem_id="wiki-page")
            title = gr.Textbox("", label=label("title"), max_lines=1, elem_id="wiki-title")
            text = gr.Textbox("", label=label("wiki_text"), lines=8, elem_id="wiki-text")
            with gr.Row(elem_classes="rp-form"):
                save = gr.Button(label("wiki_save"), elem_id="wiki-save", min_width=90)
                delete = gr.Button(label("wiki_delete"), elem_id="wiki-delete", min_width=90)
        with gr.Column(scale=1, min_width=300):
            state = gr.HTML(elem_id="wiki-state")
            look: dict[str, Any] = {"variant": "primary", "elem_id": "wiki-build"}
            build = gr.Button(label("wiki_build"), **look)
            who = gr.Dropdown([], label=label("person"), elem_id="wiki-who")
            about = {"label": label("wiki_question"), "placeholder": label("question_hint")}
            question = gr.Textbox("", max_lines=2, elem_id="wiki-question", **about)
            search = gr.Button(label("wiki_search"), elem_id="wiki-search")
            found = gr.HTML(elem_id="wiki-found")

    world, guard = maker.world, maker.guarded

    def draw(name: str, language: Language, shown: str | None) -> tuple[Any, ...]:
        return _draw(maker, name, language, shown)

    @guard
    def on_files(name: str, paths: Sequence[str] | None, request: gr.Request) -> Any:
        if not paths:
            return gr.skip(), gr.skip()
        count = wiki.add_pages(maker.path(name), [*map(Path, paths)])
        gr.Info(escape(say("wiki_added", spoken(request), count=count)))
        return None, maker.version_of(name)

    @guard
    def on_page(name: str, chosen: str | None, request: gr.Request) -> tuple[str, str]:
        if not chosen:
            return "", ""
        return chosen, wiki.read_page(maker.path(name), chosen)

    @guard
    def on_save(name: str, title: str, text: str, request: gr.Request) -> Any:
        made = wiki.write_page(maker.path(name), title, text)
        known = wiki.pages(maker.path(name))
        return gr.Dropdown(choices=known, value=made), made, maker.version_of(name)

    @guard
    def on_delete(name: str, chosen: str | None, request: gr.Request) -> Any:
        wiki.delete_page(maker.path(name), chosen or "")
        return gr.Dropdown(value=None), "", "", maker.version_of(name)

    @guard
    def on_build(name: str, request: gr.Request) -> str:
        settings = making.Settings(world=maker.path(name), steps=("knowledge",))
        jobs.start("making", settings, {"ROLEPLAY_LANGUAGE": spoken(request)})
        return maker.version_of(name)

    @guard
    def on_search(name: str, person: str | None, question: str, request: gr.Request) -> str:
        loaded = maker.page.engine.loaded()
        path = maker.path(name)
        own = loaded and loaded.world.path.resolve() == path.resolve()
        trial = wiki.trial(path, loaded.agent if own else None, person or "", question)
        return trial_html(trial, spoken(request))

    maker.redraw(draw, [page, state, who], [page])
    files.upload(on_files, [world, files], [files, maker.version], **QUIET)
    page.input(on_page, [world, page], [title, text], **QUIET)
    save.click(on_save, [world, title, text], [page, title, maker.version], **QUIET)
    delete.click(on_delete, [world, page], [page, title, text, maker.version], **QUIET)
    build.click(on_build, [world], [maker.version], **QUIET)
    asked: dict[str, Any] = {"inputs": [world, who, question], "outputs": [found]}
    gr.on([search.click, question.submit], on_search, **asked, api_visibility="private")


def trial_html(trial: Trial, language: Language) -> str:
    """What the search found, with scores, and which of it a prompt would get."""
    if not trial.found:
        return render.blank(say("used_none", language))
    key = "trial_exact" if trial.exact else "trial_estimated"
    values = {"used": len(trial.used), "tokens": trial.tokens, "budget": trial.budget}
    head = render.note(say(key, language, **values))
    rows = []
    for one in trial.found:
        used = one in trial.used
        mark = f"<em>{escape(say('in_prompt', language))}</em>" if used else ""
        kind = "rp-pinned" if used else "rp-found"
        rows.append(f'<div class="rp-hit {kind}">{mark}{background_item(one)}</div>')
    return head + "".join(rows)


def _draw(maker: Maker, name: str, language: Language, shown: str | None) -> tuple[Any, ...]:
    try:
        path = maker.path(name)
    except RoleplayError:
        return gr.Dropdown(choices=[], value=None), "", gr.Dropdown(choices=[], value=None)
    known, built = wiki.pages(path), "background" in maker.library.done(name)
    key = "wiki_open" if not built else "wiki_stale" if wiki.is_stale(path) else "wiki_built"
    people = [one.name for one in cast_of(maker, name)]
    told = render.note(say(key, language, count=len(known)))
    kept = shown if shown in known else None
    box = gr.Dropdown(choices=people, value=people[0] if people else None)
    return gr.Dropdown(choices=known, value=kept), told, box
