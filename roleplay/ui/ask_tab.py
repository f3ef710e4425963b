"""The tab for questions: one character, one question, several answers side by side."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import gradio as gr

from roleplay.background import Snippet
from roleplay.stages.character import Introduction
from roleplay.ui import render
from roleplay.ui.background import background_panel
from roleplay.ui.common import Page, options_of, samples_slider, sampling_controls, shown
from roleplay.ui.strings import label, language


def create_ask_tab(page: Page) -> None:
    """Lay out the tab and name its events."""
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            character = page.character_choice("character", elem_id="ask-character")
            texts = {"label": label("question"), "placeholder": label("question_hint")}
            question = gr.Textbox(lines=2, elem_id="ask-question", **texts)
            texts = {"label": label("examples"), "elem_id": "ask-examples"}
            examples = gr.Dataset(components=["textbox"], samples=[], **texts)
            count = samples_slider()
            texts = {"label": label("background"), "info": label("background_info")}
            background = gr.Checkbox(True, elem_id="ask-background", **texts)
            chapter = page.chapter_choice(elem_id="ask-chapter")
            with gr.Row():
                look: dict[str, Any] = {"variant": "primary", "scale": 3, "min_width": 120}
                run = gr.Button(label("generate"), elem_id="ask-run", **look)
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
    page.greetings.append((answers, partial(render.candidate_cards, "", (), True)))
    page.choices.append((examples, _examples))


def _examples(world: Introduction) -> Any:
    return gr.Dataset(samples=[[text] for text in world.questions])


def _callback(page: Page) -> Any:
    """The streaming callback; Gradio passes the request by its annotation."""

    @shown
    def answer(
        request: gr.Request, character: str, question: str, *controls: Any
    ) -> Iterator[tuple[str, Sequence[Snippet]]]:
        options, spoken, reply = options_of(*controls), language(request), None
        for reply in page.engine.agent().ask(character, question, **options):
            cards = render.candidate_cards(character, reply.candidates, False, spoken)
            yield cards, reply.prompt.background
        if reply:
            cards = render.candidate_cards(character, reply.candidates, True, spoken)
            yield cards, reply.prompt.background

    return answer
