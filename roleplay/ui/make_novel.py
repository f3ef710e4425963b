"""The first step: files dropped in, how they read, in which encoding, in which chapters."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from roleplay.errors import NovelError, RoleplayError
from roleplay.messages import Language
from roleplay.stages import novel
from roleplay.stages.library import checked_title
from roleplay.ui import make_render as render
from roleplay.ui.make_common import QUIET, Maker, show_step, spoken
from roleplay.ui.strings import label, say

_LONGEST_TITLE = 60


def create_novel_step(maker: Maker) -> tuple[Any, Any, Any]:
    """Lay out the step; its files, title and encoding."""
    gr.Markdown(label("novel_about"), elem_classes="rp-about")
    kinds = {"file_types": [".txt", ".epub", ".html", ".htm"], "file_count": "multiple"}
    files = gr.File(label=label("novel_files"), height=150, elem_id="make-files", **kinds)
    with gr.Row(elem_classes="rp-form", visible=False) as bar:
        about = {"label": label("title"), "max_lines": 1, "elem_id": "make-title"}
        title = gr.Textbox("", scale=2, min_width=180, **about)
        choices = [(label("encoding_found"), ""), *((one, one) for one in novel.ENCODINGS)]
        more = {"label": label("encoding"), "info": label("encoding_info")}
        encoding = gr.Dropdown(choices, value="", elem_id="make-encoding", min_width=160, **more)
        take = gr.Button(label("novel_take"), variant="primary", elem_id="make-take", min_width=120)
        replace = gr.Button(
            label("novel_replace"), visible=False, elem_id="make-replace", min_width=120
        )
    view = gr.HTML(elem_id="make-novel")

    world, guard = maker.world, maker.guarded

    def draw(name: str, language: Language, paths: Sequence[str] | None) -> tuple[Any]:
        # What is being looked at stays in view.
        return (gr.skip() if paths else _own(maker, name, language),)

    maker.redraw(draw, [view], [files])

    @guard
    def on_files(name: str, paths: Sequence[str] | None, chosen: str, request: gr.Request) -> Any:
        if not paths:
            return gr.Row(visible=False), "", _own(maker, name, spoken(request))
        seen = novel.look([*map(Path, paths)], chosen)
        shown = render.novel(seen, spoken(request))
        return gr.Row(visible=True), _title_of(paths), shown

    @guard
    def on_encoding(paths: Sequence[str] | None, chosen: str, request: gr.Request) -> str:
        return render.novel(novel.look([*map(Path, paths or ())], chosen), spoken(request))

    @guard
    def on_take(paths: Sequence[str] | None, title: str, chosen: str, request: gr.Request) -> Any:
        name = take_novel(maker, "", paths, title, chosen)
        return name, maker.version_of(name), None, show_step("speakers"), "speakers"

    @guard
    def on_replace(name: str, paths: Sequence[str] | None, chosen: str, request: gr.Request) -> Any:
        novel.adopt(maker.path(name), [*map(Path, paths or ())], chosen)
        return maker.version_of(name), None

    @guard
    def on_world(name: str, request: gr.Request) -> Any:
        return gr.Button(visible=bool(name))

    files.change(on_files, [world, files, encoding], [bar, title, view], **QUIET)
    encoding.input(on_encoding, [files, encoding], [view], **QUIET)
    taken = [world, maker.version, files, maker.steps, maker.step]
    take.click(on_take, [files, title, encoding], taken, **QUIET)
    replace.click(on_replace, [world, files, encoding], [maker.version, files], **QUIET)
    world.change(on_world, [world], [replace], **QUIET)
    return files, title, encoding


def take_novel(
    maker: Maker, name: str, paths: Sequence[str] | None, title: str, encoding: str
) -> str:
    """The world to go on with: a new one of the files where there are any, else that of ``name``.

    Raises:
        NovelError: neither files nor a world, or a file that cannot be read; no world is made then.
    """
    if not paths:
        if not name:
            raise NovelError("novel.no-file")
        return name
    files = [*map(Path, paths)]
    novel.look(files, encoding)
    made = maker.library.new(checked_title(title or _title_of(paths)))
    novel.adopt(maker.library.path(made), files, encoding)
    return made


def _title_of(paths: Sequence[str]) -> str:
    return Path(paths[0]).stem.replace("_", " ").strip()[:_LONGEST_TITLE] or "novel"


def _own(maker: Maker, name: str, language: Language) -> str:
    """How the novel of the world reads."""
    if not name:
        return ""
    try:
        seen = novel.look_at_world(maker.library.path(name))
    except RoleplayError as error:
        return render.note(error.text(language), "rp-wrong")
    return render.novel(seen, language) if seen else render.blank(say("novel_none", language))
