"""Two adapters, or with and without one, on the same questions; blind where one wants to judge."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import gradio as gr

from roleplay.messages import Language
from roleplay.stages import compare, jobs
from roleplay.stages.cast import questions_of
from roleplay.stages.character import NO_CHECKPOINT
from roleplay.stages.compare import Comparison
from roleplay.ui import make_render as render
from roleplay.ui.library_tab import CLICKED
from roleplay.ui.make_common import QUIET, Maker, spoken
from roleplay.ui.make_people import cast_of
from roleplay.ui.strings import label, say

_SIDES = ("first", "second")


def create_compare(maker: Maker) -> None:
    """Lay out the fold and name its events."""
    votes = gr.State({})
    with gr.Accordion(label("compare"), open=False, elem_id="compare"):
        with gr.Row(elem_classes="rp-form"):
            first = gr.Dropdown([], label=label("compare_first"), elem_id="compare-first")
            second = gr.Dropdown([], label=label("compare_second"), elem_id="compare-second")
            who = gr.Dropdown([], label=label("person"), elem_id="compare-who")
        about = {"label": label("compare_questions"), "info": label("compare_questions_info")}
        questions = gr.Textbox(
            "\n".join(questions_of("zh")), lines=4, elem_id="compare-questions", **about
        )
        blind = gr.Checkbox(True, label=label("blind"), info=label("blind_info"))
        start = gr.Button(label("compare_start"), elem_id="compare-start")
        view = gr.HTML(elem_id="compare-view", js_on_load=CLICKED)

    world, guard = maker.world, maker.guarded

    def draw(name: str, language: Language, *given: Any) -> tuple[Any, ...]:
        one, other, blinded, voted = given
        choices = [(say("adapter_none", language), NO_CHECKPOINT)]
        choices += [(one, str(maker.checkpoints / one)) for one in _adapters(maker, name)]
        known = [value for _, value in choices]
        people = [one.name for one in cast_of(maker, name)]
        return (
            gr.Dropdown(choices=choices, value=one if one in known else known[-1]),
            gr.Dropdown(choices=choices, value=other if other in known else known[0]),
            gr.Dropdown(choices=people, value=people[0] if people else None),
            shown(name, blinded, voted, language),
        )

    def shown(name: str, blinded: bool, voted: Mapping[int, str], language: Language) -> str:
        found = compare.read(maker.library.worlds / name) if name else None
        return table(found, blinded, voted, language) if found else ""

    @guard
    def on_start(request: gr.Request, name: str, *given: Any) -> Any:
        one, other, person, asked = given
        base = next((info.base.name for info in _adapters(maker, name).values()), "")
        model = maker.model_named(base, name) if base else maker.training_model()
        settings = compare.Settings(
            world=maker.path(name),
            model=model,
            first=one or NO_CHECKPOINT,
            second=other or NO_CHECKPOINT,
            characters=(person,) if person else (),
            questions=tuple(line for line in asked.split("\n") if line.strip()),
        )
        jobs.start("compare", settings, {"ROLEPLAY_LANGUAGE": spoken(request)})
        return {}, maker.version_of(name)

    @guard
    def on_vote(
        request: gr.Request, name: str, blinded: bool, voted: Mapping[int, str], event: gr.EventData
    ) -> Any:
        voted = {**voted, int(event.number): str(event.side)}
        return voted, shown(name, blinded, voted, spoken(request))

    @guard
    def on_blind(request: gr.Request, name: str, blinded: bool, voted: Mapping[int, str]) -> str:
        return shown(name, blinded, voted, spoken(request))

    maker.redraw(draw, [first, second, who, view], [first, second, blind, votes])
    inputs = [world, first, second, who, questions]
    start.click(on_start, inputs, [votes, maker.version], **QUIET)
    view.click(on_vote, [world, blind, votes], [votes, view], **QUIET)
    blind.input(on_blind, [world, blind, votes], [view], **QUIET)


def _adapters(maker: Maker, name: str) -> dict[str, Any]:
    return maker.library.adapters(name) if name else {}


def table(found: Comparison, blinded: bool, votes: Mapping[int, str], language: Language) -> str:
    """The pairs of answers, to be clicked; names are shown once judged, or where not blind."""
    names = {side: getattr(found, side) or say("adapter_own", language) for side in _SIDES}
    rows = [_pair(n, row, names, blinded, votes, language) for n, row in enumerate(found.rows)]
    count = {side: sum(one == side for one in votes.values()) for side in _SIDES}
    told = ""
    if votes:
        values = {f"{side}_count": count[side] for side in _SIDES}
        told = render.note(say("votes", language, **names, **values), "rp-strong")
    return f'<div class="rp-pairs">{"".join(rows)}</div>{told}'


def _pair(
    number: int,
    row: Mapping[str, Any],
    names: Mapping[str, str],
    blinded: bool,
    votes: Mapping[int, str],
    language: Language,
) -> str:
    left = row["left"] if blinded else "first"
    sides: Sequence[str] = (left, *(side for side in _SIDES if side != left))
    cells = []
    for mark, side in zip("AB", sides, strict=True):
        known = not blinded or number in votes
        name = f"{mark} · {names[side]}" if known else mark
        better = "rp-better" if votes.get(number) == side else ""
        answers = "".join(f"<p>{escape(text)}</p>" for text in row[side])
        cells.append(
            f'<button type="button" class="rp-choice {better}" data-number="{number}" '
            f'data-side="{side}" title="{escape(say("vote", language))}">'
            f"<small>{escape(name)}</small>{answers}</button>"
        )
    question = escape(f"{row['character']} · {row['question']}")
    return f'<div class="rp-pair"><b>{question}</b><div>{"".join(cells)}</div></div>'
