"""The tab for scenes: write script lines, let a character act, pick a line, undo, save and load."""

import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from roleplay import files
from roleplay.background import Snippet
from roleplay.dialogue import Session
from roleplay.errors import DialogueError
from roleplay.ui import render
from roleplay.ui.background import background_panel
from roleplay.ui.common import Page, options_of, samples_slider, sampling_controls, shown
from roleplay.ui.strings import label, language


def create_scene_tab(page: Page) -> None:
    """Lay out the tab and name its events."""
    session = gr.State(Session())
    # Whose candidates are shown: the drop-down may have moved on before one is picked.
    acting = gr.State("")
    small: dict[str, Any] = {"size": "sm", "min_width": 48}
    with gr.Row():
        with gr.Column(scale=3, min_width=320):
            view = gr.HTML(elem_id="scene-view")
            with gr.Row(elem_classes="rp-scene-files"):
                example = gr.Button(label("example"), elem_id="scene-example", **small)
                undo = gr.Button(label("undo"), elem_id="scene-undo", **small)
                clear = gr.Button(label("clear"), elem_id="scene-clear", **small)
                save = gr.DownloadButton(label("save"), elem_id="scene-save", **small)
                files_ = {"file_types": [".json", ".txt"], "elem_id": "scene-load"}
                load = gr.UploadButton(label("load"), **files_, **small)
            texts = {"info": label("write_info"), "placeholder": label("write_hint")}
            text = gr.Textbox(lines=3, label=label("write"), elem_id="scene-text", **texts)
            problems = gr.HTML(elem_id="scene-problems")
            add = gr.Button(label("add"), elem_id="scene-add")
        with gr.Column(scale=2, min_width=300):
            who = page.character_choice("who", elem_id="scene-who")
            count = samples_slider()
            background = gr.Checkbox(True, label=label("background"))
            chapter = page.chapter_choice(elem_id="scene-chapter")
            act = gr.Button(label("act"), variant="primary", elem_id="scene-act")
            pick = gr.Radio([], label=label("candidates"), visible=False, elem_id="rp-pick")
            sampling = sampling_controls()
            used = background_panel(page.pins, elem_id="scene-used")
    scene = [session, view, pick, save]
    add.click(add_text, [session, text], [*scene, text, problems])
    example.click(_opener(page), None, scene)
    load.upload(load_file, [load], scene)
    undo.click(undo_move, [session], scene)
    clear.click(clear_scene, None, scene)
    inputs = [session, who, count, background, page.pins, chapter, *sampling]
    act.click(_actor(page), inputs, [pick, used, acting], show_progress="hidden")
    pick.input(choose, [session, acting, pick], scene)
    page.greetings.append((view, lambda spoken: render.scene_view((), spoken)))


Shown = tuple[Session, str, Any, Any]
"""A session, its view, the candidates (gone after every move) and the file to save."""


def add_text(session: Session, text: str, request: gr.Request) -> tuple[Any, ...]:
    """Append typed lines; what could not be read stays in the box and is listed with its number."""
    added = session.add(text)
    unread = "\n".join(problem.text for problem in added.problems)
    listed = render.problem_list(added.problems, language(request))
    return *_show(added.session, request), unread, listed


@shown
def undo_move(session: Session, request: gr.Request) -> Shown:
    """Take the last move back."""
    return _show(session.undo(), request)


def clear_scene(request: gr.Request) -> Shown:
    """Begin anew."""
    return _show(Session(), request)


@shown
def choose(session: Session, who: str, candidate: str, request: gr.Request) -> Shown:
    """The picked candidate becomes the next line."""
    return _show(session.choose(who, candidate), request)


@shown
def load_file(path: str, request: gr.Request) -> Shown:
    """Open a saved scene or a text file with script lines."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DialogueError("ui.no-utf8") from error
    return _show(Session.load(text), request)


def _opener(page: Page) -> Any:
    @shown
    def open_scene(request: gr.Request) -> Shown:
        world = page.world()
        opening = world.opening if world else ""
        return _show(Session.load(opening) if opening else Session(), request)

    return open_scene


def _actor(page: Page) -> Any:
    @shown
    def act(
        request: gr.Request, session: Session, who: str, *controls: Any
    ) -> Iterator[tuple[Any, Sequence[Snippet], str]]:
        options, reply = options_of(*controls), None
        for reply in page.engine.agent().act(who, session, **options):
            yield _choices(who, reply.candidates, finished=False), reply.prompt.background, who
        if reply:
            yield _choices(who, reply.candidates, finished=True), reply.prompt.background, who

    return act


def _choices(who: str, candidates: tuple[str, ...], *, finished: bool) -> Any:
    """The candidates as a list to pick from; not to be picked while they grow."""
    texts = dict.fromkeys(filter(None, candidates)) if finished else candidates
    choices = [
        (render.reply_text(who, text) or "…", text if finished else f"{place}")
        for place, text in enumerate(texts)
    ]
    return gr.Radio(choices=choices, value=None, visible=True, interactive=finished)


def _show(session: Session, request: gr.Request | None) -> Shown:
    view = render.scene_view(session.lines, language(request))
    return session, view, gr.Radio(choices=[], value=None, visible=False), _save_file(session)


def _save_file(session: Session) -> str:
    """The scene as a file to download, in a folder of its own so that the name is plain."""
    text = session.dump()
    path = Path(_saves().name) / files.digest(text)[:16] / "scene.json"
    files.write_text(path, text)
    return str(path)


@cache
def _saves() -> tempfile.TemporaryDirectory[str]:
    """The folder of all scenes offered for download; gone when the app ends."""
    return tempfile.TemporaryDirectory(prefix="scenes-")
