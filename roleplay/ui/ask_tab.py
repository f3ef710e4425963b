"""The tab for questions: one character, one question, several answers side by side, and the background they used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from roleplay.dialogue import Pins
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


def create_ask_tab(page: Page, pins: Any) -> list[Greeting]:
    """Lay out the tab and name its events; ``pins`` is the state of :class:`~roleplay.dialogue.Pins`."""
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            character = gr.Dropdown(
                list(page.characters),
                value=page.characters[0] if page.characters else None,
                label=label("character"),
                elem_id="ask-character",
            )
            question = gr.Textbox(
                label=label("question"), placeholder=label("question_hint"), lines=2, elem_id="ask-question"
            )
            if page.questions:
                gr.Examples([[text] for text in page.questions], inputs=[question], label=label("examples"))
            count = samples_slider()
            background = gr.Checkbox(
                True, label=label("background"), info=label("background_info"), elem_id="ask-background"
            )
            chapter = chapter_choice(page, elem_id="ask-chapter")
            with gr.Row():
                run = gr.Button(label("generate"), variant="primary", scale=3, min_width=120, elem_id="ask-run")
                stop = gr.Button(label("stop"), scale=1, min_width=72, elem_id="ask-stop")
            sampling = sampling_controls()
        with gr.Column(scale=3, min_width=320):
            answers = gr.HTML(elem_id="ask-answers")
            used = background_panel(pins, elem_id="ask-used")
    inputs = [character, question, count, background, pins, chapter, *sampling]
    job = gr.on([run.click, question.submit], _callback(page), inputs, [answers, used], show_progress="hidden")
    stop.click(None, cancels=[job])
    return [(answers, lambda language: render.candidate_cards("", (), done=True, language=language))]


def _callback(page: Page):  # type: ignore[no-untyped-def]
    """The streaming callback; Gradio passes the request by its annotation."""

    @shown
    def answer(
        character: str,
        question: str,
        count: float,
        background: bool,
        pins: Pins,
        chapter: int | None,
        temperature: float,
        top_p: float,
        max_tokens: float,
        seed: str,
        request: gr.Request,
    ) -> Iterator[tuple[str, Sequence[Snippet]]]:
        params = params_of(temperature, top_p, max_tokens, seed)
        player = page.engine.player()
        spoken = language(request)
        reply = None
        replies = player.ask(
            character, question, n=int(count), params=params, background=background, pins=pins, chapter=chapter
        )
        for reply in replies:
            yield (
                render.candidate_cards(character, reply.candidates, done=False, language=spoken),
                reply.prompt.background,
            )
        if reply:
            yield (
                render.candidate_cards(character, reply.candidates, done=True, language=spoken),
                reply.prompt.background,
            )

    return answer
