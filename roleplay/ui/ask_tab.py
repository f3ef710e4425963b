"""The tab for questions: one character, one question, several answers side by side, their
background.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from roleplay.background import Snippet
from roleplay.dialogue import Pins
from roleplay.ui import render
from roleplay.ui.background import background_panel
from roleplay.ui.common import Page, params_of, samples_slider, sampling_controls, shown
from roleplay.ui.strings import label, language


def create_ask_tab(page: Page) -> None:
    """Lay out the tab and name its events."""
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            character = page.character_choice("character", elem_id="ask-character")
            question = gr.Textbox(
                label=label("question"),
                placeholder=label("question_hint"),
                lines=2,
                elem_id="ask-question",
            )
            examples = gr.Dataset(
                components=["textbox"], samples=[], label=label("examples"), elem_id="ask-examples"
            )
            count = samples_slider()
            background = gr.Checkbox(
                True,
                label=label("background"),
                info=label("background_info"),
                elem_id="ask-background",
            )
            chapter = page.chapter_choice(elem_id="ask-chapter")
            with gr.Row():
                run = gr.Button(
                    label("generate"), variant="primary", scale=3, min_width=120, elem_id="ask-run"
                )
                stop = gr.Button(label("stop"), scale=1, min_width=72, elem_id="ask-stop")
            sampling = sampling_controls()
        with gr.Column(scale=3, min_width=320):
            answers = gr.HTML(elem_id="ask-answers")
            used = background_panel(page.pins, elem_id="ask-used")
    inputs = [character, question, count, background, page.pins, chapter, *sampling]
    asked = [run.click, question.submit]
    job = gr.on(asked, _callback(page), inputs, [answers, used], show_progress="hidden")
    stop.click(None, cancels=[job])
    examples.click(lambda sample: sample[0], [examples], [question], show_progress="hidden")
    page.greetings.append(
        (answers, lambda spoken: render.candidate_cards("", (), done=True, language=spoken))
    )
    page.choices.append(
        (examples, lambda world: gr.Dataset(samples=[[text] for text in world.questions]))
    )


def _callback(page: Page) -> Any:
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
        params, spoken = params_of(temperature, top_p, max_tokens, seed), language(request)
        options: dict[str, Any] = {"background": background, "pins": pins, "chapter": chapter}
        reply = None
        for reply in page.engine.agent().ask(
            character, question, n=int(count), params=params, **options
        ):
            cards = render.candidate_cards(character, reply.candidates, done=False, language=spoken)
            yield cards, reply.prompt.background
        if reply:
            cards = render.candidate_cards(character, reply.candidates, done=True, language=spoken)
            yield cards, reply.prompt.background

    return answer
