"""The second step: the novel with every quote in its speaker's colour, to be set right by clicks.

A quote is clicked, then the person who says it; with *paint* on, each click gives a quote to the
person that is chosen. What was given holds for every later run, and each move can be undone.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from roleplay.errors import RoleplayError
from roleplay.messages import Language
from roleplay.records import UNKNOWN
from roleplay.stages import speakers
from roleplay.stages.speakers import Book, read_book
from roleplay.ui import make_render as render
from roleplay.ui.library_tab import CLICKED
from roleplay.ui.make_common import QUIET, Maker, spoken
from roleplay.ui.make_labelling import create_labelling
from roleplay.ui.make_people import create_people
from roleplay.ui.strings import label, say

_BUTTONS, _PAGE = 24, 40
_READ = ("world.json", "script.jsonl", "chunks.jsonl", "speakers.person.jsonl")
DOUBTFUL = "doubtful"


def create_speakers_step(maker: Maker) -> None:
    """Lay out the step and name its events."""
    chosen = gr.State(None)
    with gr.Row():
        with gr.Column(scale=3, min_width=320):
            about = {"label": label("chapter_shown"), "elem_id": "speakers-chapter"}
            chapter = gr.Dropdown([], **about)
            view = gr.HTML(elem_id="speakers-text", js_on_load=CLICKED)
        with gr.Column(scale=2, min_width=300):
            told = gr.HTML(elem_id="speakers-told")
            about = {"label": label("given_to"), "elem_id": "speakers-who"}
            who = gr.Radio([], **about)
            with gr.Row(elem_classes="rp-form"):
                about = {"label": label("given_to_other"), "elem_id": "speakers-other"}
                other = gr.Textbox("", max_lines=1, scale=2, min_width=120, **about)
                undo = gr.Button(label("undo"), elem_id="speakers-undo", min_width=80)
            scopes = [(label(f"scope_{one}"), one) for one in ("quote", "alike", "speaker")]
            scope = gr.Radio(scopes, value="quote", label=label("scope"), elem_id="speakers-scope")
            paint = gr.Checkbox(False, label=label("paint"), info=label("paint_info"))
            create_people(maker)
            create_labelling(maker)

    world, guard = maker.world, maker.guarded

    def draw(name: str, language: Language, part: Any, number: int | None) -> tuple[Any, ...]:
        return _draw(maker, name, language, part, number)

    def shown(name: str, part: Any, number: int | None, language: Language) -> str:
        return text_of(maker, name, part, number, language)

    def give(name: str, number: int, person: str, scope: Any) -> None:
        path = maker.path(name)
        speakers.assign(path, book_of(path).meant(number, scope), person)

    @guard
    def on_chapter(name: str, part: Any, request: gr.Request) -> Any:
        return None, shown(name, part, None, spoken(request)), ""

    @guard
    def on_quote(
        name: str,
        part: Any,
        person: str | None,
        painting: bool,
        scope: Any,
        request: gr.Request,
        event: gr.EventData,
    ) -> Any:
        number, language = int(event.number), spoken(request)
        if painting and person:
            give(name, number, person, scope)
            return None, shown(name, part, None, language), gr.skip(), gr.skip()
        line = book_of(maker.path(name)).line(number)
        html = shown(name, part, number, language)
        return number, html, about_line(line, language), gr.skip() if painting else None

    @guard
    def on_who(
        name: str,
        part: Any,
        number: int | None,
        person: str,
        painting: bool,
        scope: Any,
        request: gr.Request,
    ) -> Any:
        if number is None or not person:
            return gr.skip(), gr.skip(), gr.skip(), gr.skip()
        give(name, number, person, scope)
        kept = gr.skip() if painting else None
        return None, shown(name, part, None, spoken(request)), "", kept

    @guard
    def on_other(
        name: str, part: Any, number: int | None, person: str, scope: Any, request: gr.Request
    ) -> Any:
        if number is None:
            speakers.add_person(maker.path(name), person)
        else:
            give(name, number, person, scope)
        return None, shown(name, part, None, spoken(request)), "", ""

    @guard
    def on_undo(name: str, part: Any, request: gr.Request) -> Any:
        speakers.undo(maker.path(name))
        return None, shown(name, part, None, spoken(request)), ""

    maker.redraw(draw, [chapter, view, told, who], [chapter, chosen])
    place, out = [world, chapter], [chosen, view, told]
    chapter.input(on_chapter, place, out, **QUIET)
    view.click(on_quote, [*place, who, paint, scope], [*out, who], **QUIET)
    who.input(on_who, [*place, chosen, who, paint, scope], [*out, who], **QUIET)
    other.submit(on_other, [*place, chosen, other, scope], [*out, other], **QUIET)
    undo.click(on_undo, place, out, **QUIET)


def book_of(path: Path) -> Book:
    """The book of a world, read again only when a file of it has changed.

    Raises:
        WorldError: there is no script, or a file is broken.
    """
    files = (path / name for name in _READ)
    stamps = [file.stat().st_mtime_ns if file.exists() else 0 for file in files]
    return _read(path, tuple(stamps))


@lru_cache(maxsize=2)
def _read(path: Path, stamps: tuple[int, ...]) -> Book:
    return read_book(path)


def text_of(maker: Maker, name: str, part: Any, number: int | None, language: Language) -> str:
    """A chapter, or the doubtful quotes, as HTML."""
    book = book_of(maker.path(name))
    if part != DOUBTFUL:
        return render.quotes(book.pieces(part), number, language)
    wanted = book.doubtful[:_PAGE]
    if not wanted:
        return render.blank(say("no_doubt", language))
    if number is not None and number not in wanted:
        wanted = [number, *wanted]
    return render.doubtful(book.around(wanted), wanted, language)


def about_line(line: Any, language: Language) -> str:
    """Who says a line, how that is known, and why it may be wrong."""
    name = say("nobody", language) if line.char == UNKNOWN else line.char
    sure = "" if line.confidence is None else f"{line.confidence:.0%}"
    known = say("known_by", language, how=line.source or "—", cue=line.cue or "—", sure=sure or "—")
    why = render.note(line.reason) if line.reason and language == "en" else ""
    return render.note(f"{name}：{line.text[:60]}", "rp-strong") + render.note(known) + why


def _draw(
    maker: Maker, name: str, language: Language, part: Any, number: int | None
) -> tuple[Any, ...]:
    try:
        book = book_of(maker.path(name))
    except RoleplayError:
        blank = render.blank(say("speakers_none", language))
        return gr.Dropdown(choices=[], value=None), blank, "", gr.Radio(choices=[])
    count, doubt = book.count(), len(book.doubtful)
    parts: list[tuple[str, Any]] = [(title, n) for n, title in book.chapters.items()]
    parts.append((say("doubtful_only", language, count=doubt), DOUBTFUL))
    shown = part if part in [value for _, value in parts] else parts[0][1]
    known = {"lines": len(book.lines), "people": len(count), "doubtful": doubt}
    return (
        gr.Dropdown(choices=parts, value=shown),
        text_of(maker, name, shown, number, language),
        gr.skip() if number is not None else render.note(say("speakers_count", language, **known)),
        gr.Radio(choices=_people(count, language)),
    )


def _people(count: dict[str, int], language: Language) -> list[tuple[str, str]]:
    names = list(count)[:_BUTTONS]
    return [(f"{name} {count[name]}", name) for name in names] + [
        (say("nobody", language), UNKNOWN)
    ]
