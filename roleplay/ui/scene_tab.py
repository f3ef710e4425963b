"""The tab for scenes: write script lines, let a character act, pick a candidate, undo, save and load."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from roleplay import files
from roleplay.dialogue import Pins, Session
from roleplay.errors import DialogueError
from roleplay.prompts import Snippet
from roleplay.ui import render
from roleplay.ui.background import background_panel
from roleplay.ui.common import (
    Greeting,
    Page,
    chapter_choice,
    language,
    params_of,
    samples_slider,
    sampling_controls,
    shown,
)
from roleplay.ui.strings import label


def create_scene_tab(page: Page, pins: Any) -> list[Greeting]:
    """Lay out the tab and name its events; ``pins`` is the state of :class:`~roleplay.dialogue.Pins`."""
    session = gr.State(Session())
    acting = gr.State("")  # whose candidates are shown: the dropdown may have moved on before one is picked
    with gr.Row():
        with gr.Column(scale=3, min_width=320):
            view = gr.HTML(elem_id="scene-view")
            with gr.Row(elem_classes="rp-scene-files"):
                example = gr.Button(label("example"), size="sm", min_width=48, elem_id="scene-example")
                undo = gr.Button(label("undo"), size="sm", min_width=48, elem_id="scene-undo")
                clear = gr.Button(label("clear"), size="sm", min_width=48, elem_id="scene-clear")
                save = gr.DownloadButton(label("save"), size="sm", min_width=48, elem_id="scene-save")
                load = gr.UploadButton(
                    label("load"), size="sm", min_width=48, file_types=[".json", ".txt"], elem_id="scene-load"
                )
            text = gr.Textbox(
                label=label("write"),
                info=label("write_info"),
                placeholder=label("write_hint"),
                lines=3,
                elem_id="scene-text",
            )
            problems = gr.HTML(elem_id="scene-problems")
            add = gr.Button(label("add"), elem_id="scene-add")
        with gr.Column(scale=2, min_width=300):
            who = gr.Dropdown(
                list(page.characters),
                value=page.characters[0] if page.characters else None,
                label=label("who"),
                elem_id="scene-who",
            )
            count = samples_slider()
            background = gr.Checkbox(True, label=label("background"))
            chapter = chapter_choice(page, elem_id="scene-chapter")
            act = gr.Button(label("act"), variant="primary", elem_id="scene-act")
            pick = gr.Radio([], label=label("candidates"), visible=False, elem_id="rp-pick")
            sampling = sampling_controls()
            used = background_panel(pins, elem_id="scene-used")
    scene = [session, view]
    add.click(add_text, [session, text], [*scene, text, problems, pick, save])
    example.click(_opener(page.example_scene), None, [*scene, pick, save])
    load.upload(load_file, [load], [*scene, pick, save])
    undo.click(undo_move, [session], [*scene, pick, save])
    clear.click(_opener(""), None, [*scene, pick, save])
    act.click(
        _actor(page),
        [session, who, count, background, pins, chapter, *sampling],
        [pick, used, acting],
        show_progress="hidden",
    )
    pick.input(choose, [session, acting, pick], [*scene, pick, save])
    return [(view, lambda language: render.scene_view((), language))]


Shown = tuple[Session, str, Any, Any]
"""A session, its view, the candidates (gone after every move) and the file to save."""


def add_text(session: Session, text: str, request: gr.Request) -> tuple[Any, ...]:
    """Append typed lines; what could not be read stays in the box and is listed with its number."""
    added = session.add(text)
    unread = "\n".join(problem.text for problem in added.problems)
    shown_, view, pick, save = _show(added.session, request)
    return shown_, view, unread, render.problem_list(added.problems, language(request)), pick, save


def undo_move(session: Session, request: gr.Request) -> Shown:
    """Take the last move back."""
    return _show(_told(session.undo), request)


def choose(session: Session, who: str, candidate: str, request: gr.Request) -> Shown:
    """The picked candidate becomes the next line."""
    return _show(_told(lambda: session.choose(who, candidate)), request)


def load_file(path: str, request: gr.Request) -> Shown:
    """Open a saved scene or a text file with script lines."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise gr.Error("this file is not UTF-8 text: choose a scene saved here", print_exception=False) from error
    return _show(_told(lambda: Session.load(text)), request)


def _opener(text: str):  # type: ignore[no-untyped-def]
    def open_scene(request: gr.Request) -> Shown:
        return _show(Session.load(text) if text else Session(), request)

    return open_scene


def _actor(page: Page):  # type: ignore[no-untyped-def]
    @shown
    def act(
        session: Session,
        who: str,
        count: float,
        background: bool,
        pins: Pins,
        chapter: int | None,
        temperature: float,
        top_p: float,
        max_tokens: float,
        seed: str,
    ) -> Iterator[tuple[Any, Sequence[Snippet], str]]:
        params = params_of(temperature, top_p, max_tokens, seed)
        player = page.engine.player()
        reply = None
        replies = player.act(
            who, session, n=int(count), params=params, background=background, pins=pins, chapter=chapter
        )
        for reply in replies:
            yield _choices(who, reply.candidates, finished=False), reply.prompt.background, who
        if reply:
            yield _choices(who, reply.candidates, finished=True), reply.prompt.background, who

    return act


def _choices(who: str, candidates: tuple[str, ...], *, finished: bool) -> Any:
    """The candidates as a list to pick from; not to be picked while they grow."""
    texts = list(dict.fromkeys(text for text in candidates if text)) if finished else list(candidates)
    choices = [
        (render.reply_text(who, text) or "…", text if finished else f"{place}") for place, text in enumerate(texts)
    ]
    return gr.Radio(choices=choices, value=None, visible=True, interactive=finished)


def _show(session: Session, request: gr.Request | None) -> Shown:
    view = render.scene_view(session.lines, language(request))
    return session, view, gr.Radio(choices=[], value=None, visible=False), _save_file(session)


def _save_file(session: Session) -> str:
    """The scene as a file to download, in a folder of its own so that the name is plain; gone when the app ends."""
    text = session.dump()
    path = Path(_saves().name) / files.digest(text)[:16] / "scene.json"
    files.write_text(path, text)
    return str(path)


@cache
def _saves() -> tempfile.TemporaryDirectory[str]:
    """The folder of all scenes offered for download by this process."""
    return tempfile.TemporaryDirectory(prefix="scenes-")


def _told(move: Callable[[], Session]) -> Session:
    """The move's session, its error as one line in the page."""
    try:
        return move()
    except DialogueError as error:
        raise gr.Error(str(error), print_exception=False) from error
