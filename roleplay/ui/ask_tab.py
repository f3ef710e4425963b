"""The tab for questions: several characters, several questions, several answers side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from roleplay.background import Snippet
from roleplay.chat import new_id
from roleplay.errors import DialogueError, PromptError
from roleplay.stages.character import Introduction
from roleplay.ui.answers import Answers, as_csv, as_markdown, as_table
from roleplay.ui.background import background_panel
from roleplay.ui.common import (
    QUICK,
    QUIET,
    Page,
    options_of,
    paced,
    samples_slider,
    sampling_controls,
    shown,
)
from roleplay.ui.room import DOWNLOAD, Updates, clickable
from roleplay.ui.strings import label, language

_MOST = 60
"""Answers of one press, each with its candidates: who asks for more waits too long."""
_SEEN = "() => document.getElementById('ask-answers').scrollIntoView({block: 'nearest'})"


def build(page: Page) -> None:
    """Lay out the tab and name its events."""
    AskTab(page).connect()


@dataclass(eq=False)
class AskTab:
    """The components of the tab."""

    page: Page

    def __post_init__(self) -> None:
        self.asked = gr.State(())
        self.payload = gr.JSON(elem_classes="rp-hidden")
        with gr.Row(elem_classes="rp-columns"):
            with gr.Column(scale=3, min_width=280):
                self._lay_question()
            with gr.Column(scale=5, min_width=320):
                self._lay_answers()

    def _lay_question(self) -> None:
        more = {"multiselect": True, "elem_id": "ask-character"}
        self.who = gr.Dropdown([], label=label("characters"), **more)
        texts = {"label": label("questions"), "placeholder": label("question_hint")}
        self.question = gr.Textbox(lines=2, max_lines=8, elem_id="ask-question", **texts)
        texts = {"label": label("examples"), "elem_id": "ask-examples"}
        self.examples = gr.Dataset(components=["textbox"], samples=[], **texts)
        with gr.Row(elem_classes="rp-say"):
            look: dict[str, Any] = {"variant": "primary", "scale": 3, "min_width": 120}
            self.run = gr.Button(label("generate"), elem_id="ask-run", **look)
            look = {"scale": 1, "min_width": 72, "interactive": False}
            self.stop = gr.Button(label("stop"), elem_id="ask-stop", **look)
        with gr.Accordion(label("answering"), open=False, elem_id="ask-answering"):
            count = samples_slider()
            texts = {"label": label("background"), "info": label("background_info")}
            background = gr.Checkbox(True, elem_id="ask-background", **texts)
            chapter = self.page.chapter_choice(elem_id="ask-chapter")
            sampling = sampling_controls()
        self.settings = [count, background, self.page.pins, chapter, *sampling]

    def _lay_answers(self) -> None:
        self.answers = clickable("ask-answers")
        with gr.Row(elem_classes="rp-files"):
            look: dict[str, Any] = {"size": "sm", "min_width": 84, "scale": 0}
            self.exports = {
                kind: gr.Button(label(kind), elem_id=f"ask-{kind}", **look)
                for kind in ("as_markdown", "as_csv")
            }
        self.used = background_panel(self.page.pins, elem_id="ask-used")

    @property
    def outputs(self) -> list[Any]:
        """All that callbacks may update."""
        return [self.asked, self.answers, self.used, self.run, self.stop]

    def connect(self) -> None:
        """Name the events."""
        page, inputs = self.page, [self.who, self.question, *self.settings]
        asked = [self.run.click, self.question.submit]
        job = gr.on(asked, shown(self.answer), inputs, self.outputs, **QUIET)
        gr.on(asked, None, None, None, js=_SEEN, **QUIET)
        self.stop.click(self.stopped, [self.asked], self.outputs, cancels=[job], **QUICK)
        self.answers.click(shown(self.keep), [self.asked], [self.asked, self.answers], **QUICK)
        picked = [self.examples], [self.question]
        self.examples.click(lambda sample: sample[0], *picked, **QUICK)
        for kind, button in self.exports.items():
            made = button.click(_exporter(kind), [self.asked], [self.payload], **QUICK)
            made.success(None, [self.payload], None, js=DOWNLOAD, **QUIET)
        page.greetings.append((self.answers, lambda spoken: as_table((), page.faces(), spoken)))
        page.choices += [(self.examples, _examples), (self.who, _people)]

    def answer(
        self, request: gr.Request, who: str | Sequence[str], question: str, *controls: Any
    ) -> Iterator[Updates]:
        """Everybody's answers to every question, one after the other, streaming."""
        people = [who] if isinstance(who, str) else list(who)
        questions = [row.strip() for row in question.split("\n") if row.strip()]
        if not questions:
            raise PromptError("prompts.no-question")
        if not people or len(people) * len(questions) > _MOST:
            key = "ui.too-many" if people else "ui.no-characters"
            raise DialogueError(key, most=_MOST)
        options = options_of(*controls)
        table = [Answers(text, name) for text in questions for name in people]
        found: dict[str, Snippet] = {}
        yield {**self._painted(table, request), **_busy(self, busy=True)}
        try:
            agent = self.page.engine.agent()
            for place, row in enumerate(table):
                for reply in paced(agent.ask(row.character, row.question, **options)):
                    why = tuple(one.reasons for one in reply.ranked)
                    table[place] = replace(row, texts=reply.candidates, why=why)
                    yield self._painted(table, request)
                table[place] = replace(table[place], is_done=True)
                found |= {item.text: item for item in reply.prompt.background}
                yield {**self._painted(table, request), self.used: tuple(found.values())}
        except Exception:  # whatever it was, the buttons must come back before it is told
            yield _busy(self, busy=False)
            raise
        yield _busy(self, busy=False)

    def _painted(self, table: Sequence[Answers], request: Any) -> Updates:
        drawn = as_table(table, self.page.faces(), language(request))
        return {self.asked: tuple(table), self.answers: drawn}

    def stopped(self, table: Sequence[Answers], request: gr.Request) -> Updates:
        """What is there stays."""
        there = [replace(row, is_done=True) for row in table if row.texts]
        return {**self._painted(there, request), **_busy(self, busy=False)}

    def keep(self, request: gr.Request, event: gr.EventData, table: Sequence[Answers]) -> Updates:
        """Mark an answer as one to keep, or no longer."""
        row, place = (int(event._data.get(key, -1)) for key in ("row", "to"))
        if not (0 <= row < len(table) and 0 <= place < len(table[row].texts)):
            return {self.asked: table}
        kept = table[row].kept ^ {place}
        return self._painted(
            [*table[:row], replace(table[row], kept=kept), *table[row + 1 :]], request
        )


def _busy(tab: AskTab, *, busy: bool) -> Updates:
    return {tab.run: gr.Button(interactive=not busy), tab.stop: gr.Button(interactive=busy)}


def _exporter(kind: str) -> Any:
    @shown
    def export(table: Sequence[Answers], request: gr.Request) -> dict[str, str]:
        if not table:
            raise DialogueError("ui.nothing-asked")
        end, make = ("csv", as_csv) if kind == "as_csv" else ("md", as_markdown)
        return {"name": f"{new_id()}.{end}", "text": make(table)}

    return export


def _people(world: Introduction) -> Any:
    return gr.Dropdown(choices=list(world.characters), value=[world.characters[0]])


def _examples(world: Introduction) -> Any:
    return gr.Dataset(samples=[[text] for text in world.questions])
