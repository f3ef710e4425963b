"""The library: every world as a tile; new, open, rename, copy, delete with undo, zip out and in."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from roleplay.messages import Language
from roleplay.stages.archive import pack, unpack
from roleplay.stages.character import Choice
from roleplay.ui import make_render as render
from roleplay.ui.make_common import QUIET, TALK, Maker
from roleplay.ui.strings import label, say

CLICKED = """
const chosen = event => event.target.closest('[data-name],[data-number]');
const tell = found => trigger('click', {...found.dataset});
element.addEventListener('click', event => { if (chosen(event)) tell(chosen(event)); });
element.addEventListener('keydown', event => {
  if ((event.key === 'Enter' || event.key === ' ') && event.target.dataset.number) {
    event.preventDefault();
    tell(event.target);
  }
});
"""
"""Makes a click (or Enter) on what has data-name or data-number an event with that data."""

_SAVE = "() => setTimeout(() => document.querySelector('#library-zip')?.click(), 400)"


def create_library_tab(maker: Maker) -> None:
    """Lay out the tab and name its events."""
    small: dict[str, Any] = {"size": "sm", "min_width": 90}
    view = gr.HTML(elem_id="library", js_on_load=CLICKED)
    with gr.Row(elem_classes="rp-shelf", elem_id="library-bar") as bar:
        open_ = gr.Button(label("world_open"), variant="primary", elem_id="library-open", **small)
        make = gr.Button(label("world_make"), elem_id="library-make", **small)
        copy = gr.Button(label("world_copy"), elem_id="library-copy", **small)
        zip_ = gr.Button(label("world_zip"), elem_id="library-pack", **small)
        delete = gr.Button(label("world_delete"), elem_id="library-delete", **small)
    ready = gr.DownloadButton(label("world_save"), visible=False, elem_id="library-zip", **small)
    with gr.Row(elem_classes="rp-form"):
        hint = {"placeholder": label("title_hint"), "max_lines": 1, "elem_id": "library-title"}
        title = gr.Textbox("", label=label("title"), scale=3, min_width=180, **hint)
        rename = gr.Button(label("world_rename"), elem_id="library-rename", **small)
        new = gr.Button(label("world_new"), elem_id="library-new", **small)
        kinds = {"file_types": [".zip"], "elem_id": "library-upload"}
        upload = gr.UploadButton(label("world_upload"), **kinds, **small)
        undo = gr.Button(label("undo_delete"), visible=False, elem_id="library-undo", **small)

    world, guard = maker.world, maker.guarded
    maker.redraw(lambda name, language: _draw(maker, name, language), [view, bar, undo])
    view.click(guard(choose), None, [world], **QUIET)
    drawn = [world, maker.version]

    def shown(name: str) -> tuple[str, str]:
        """The world that is chosen now, and that its library has changed."""
        return name, maker.version_of(name)

    @guard
    def on_copy(name: str, request: gr.Request) -> Any:
        return shown(maker.library.copy(maker.path(name).name))

    @guard
    def on_new(title: str, request: gr.Request) -> Any:
        return (*shown(maker.library.new(title)), "")

    @guard
    def on_rename(name: str, title: str, request: gr.Request) -> Any:
        maker.library.rename(maker.path(name).name, title)
        return (*shown(name), "")

    @guard
    def on_delete(name: str, request: gr.Request) -> Any:
        maker.library.delete(maker.path(name).name)
        return shown("")

    @guard
    def on_undo(request: gr.Request) -> Any:
        return shown(maker.library.restore(maker.trash()[0]) if maker.trash() else "")

    @guard
    def on_upload(path: str, request: gr.Request) -> Any:
        return shown(unpack(maker.library, Path(path), maker.access.limits))

    @guard
    def on_pack(name: str, request: gr.Request) -> Any:
        target = Path(_zips().name) / f"{maker.path(name).name}.zip"
        return gr.DownloadButton(value=str(pack(maker.library, name, target)), visible=True)

    @guard
    def on_open(name: str, request: gr.Request) -> Any:
        maker.open(name, Choice())
        return gr.Tabs(selected=TALK)

    copy.click(on_copy, [world], drawn, **QUIET)
    new.click(on_new, [title], [*drawn, title], **QUIET)
    title.submit(on_new, [title], [*drawn, title], **QUIET)
    rename.click(on_rename, [world, title], [*drawn, title], **QUIET)
    delete.click(on_delete, [world], drawn, **QUIET)
    undo.click(on_undo, None, drawn, **QUIET)
    upload.upload(on_upload, [upload], drawn, **QUIET)
    packed = zip_.click(on_pack, [world], [ready], **QUIET)
    packed.success(None, js=_SAVE)
    open_.click(on_open, [world], [maker.tabs], **QUIET)
    make.click(guard(to_make), None, [maker.tabs], **QUIET)


def choose(request: gr.Request, event: gr.EventData) -> str:
    """The world of the tile that was clicked."""
    return str(event.name)


def to_make(request: gr.Request) -> Any:
    """Turn to the tab where a character is made."""
    return gr.Tabs(selected="make")


def _draw(maker: Maker, name: str, language: Language) -> tuple[Any, ...]:
    tiles = render.tiles(maker.library.tiles(), name, language)
    trash = maker.library.trash()
    gone = say("undo_delete_of", language, title=trash[0].title) if trash else ""
    return tiles, gr.Row(visible=bool(name)), gr.Button(gone, visible=bool(trash))


@cache
def _zips() -> tempfile.TemporaryDirectory[str]:
    """The folder of the zips offered for download; gone when the app ends."""
    return tempfile.TemporaryDirectory(prefix="worlds-")
