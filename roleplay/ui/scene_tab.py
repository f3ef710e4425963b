"""The tab for scenes: write lines, let the characters act by turns, mend anything, go back."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import gradio as gr

from roleplay.conversation import Session, called, in_turn
from roleplay.records import EXPRESSIONS, Line
from roleplay.stages.character import Introduction
from roleplay.ui import render
from roleplay.ui.background import background_panel
from roleplay.ui.common import (
    QUICK,
    QUIET,
    Page,
    options_of,
    samples_slider,
    sampling_controls,
    shown,
)
from roleplay.ui.kept import Keeper, Opened
from roleplay.ui.room import Room, Updates
from roleplay.ui.strings import face_label, label, language

Way = Literal["by_hand", "in_turn", "by_likelihood"]
TYPED, NARRATOR = "", "【】"
"""Speakers that are none: script as it is typed, and narration."""
_MOST = 20
"""Lines that one press plays."""


def build(page: Page) -> None:
    """Lay out the tab and name its events."""
    SceneTab(page).connect()


class SceneTab(Room):
    """One scene and who acts in it."""

    def __init__(self, page: Page) -> None:
        super().__init__(page, Keeper("scene", page.shared), prefix="scene", empty="scene_empty")
        self.lay_list()
        with gr.Row(elem_classes="rp-columns"):
            with gr.Column(scale=5, min_width=320):
                self.lay_log()
                self._lay_acting()
                self._lay_writing()
            with gr.Column(scale=3, min_width=280):
                self._lay_settings()
        self.more = [self.text, self.problems]

    def _lay_acting(self) -> None:
        wide: dict[str, Any] = {"min_width": 110}
        with gr.Row():
            ways = [(label(way), way) for way in ("by_hand", "in_turn", "by_likelihood")]
            more: dict[str, Any] = {"elem_id": "scene-way", "min_width": 130}
            self.way = gr.Dropdown(ways, value="by_hand", label=label("next"), **more)
            self.who = self.page.character_choice("who", elem_id="scene-who", min_width=130)
        with gr.Row(elem_classes="rp-say"):
            self.act = gr.Button(label("act"), variant="primary", elem_id="scene-act", **wide)
            self.auto = gr.Button(label("auto"), elem_id="scene-auto", **wide)
            self.stop = gr.Button(label("stop"), interactive=False, elem_id="scene-stop", **wide)
        made = self.lay_moves(("clear", "clear"), ("example", "example"))
        self.clear, self.example = made["clear"], made["example"]
        self.starters = [self.act, self.auto]

    def _lay_writing(self) -> None:
        with gr.Group(elem_classes="rp-write"):
            with gr.Row():
                speakers = [(label("typed"), TYPED), (label("narrator"), NARRATOR)]
                more = {"allow_custom_value": True, "elem_id": "scene-speaker", "min_width": 130}
                texts = {"label": label("speaker")}
                self.speaker = gr.Dropdown(speakers, value=TYPED, **texts, **more)
                faces = [(label("no_face"), ""), *((face_label(one), one) for one in EXPRESSIONS)]
                more = {"elem_id": "scene-face", "min_width": 130}
                self.face = gr.Dropdown(faces, value="", label=label("face"), **more)
                kinds = [(label(kind), kind) for kind in ("say", "act_kind", "think")]
                texts = {"label": label("kind"), "elem_id": "scene-kind", "min_width": 240}
                self.kind = gr.Radio(kinds, value="say", **texts)
            texts = {"label": label("write"), "info": label("write_info")}
            more = {"placeholder": label("write_hint"), "elem_id": "scene-text"}
            self.text = gr.Textbox(lines=2, max_lines=8, **texts, **more)
        self.problems = gr.HTML(elem_id="scene-problems")
        self.add = gr.Button(label("add"), elem_id="scene-add")

    def _lay_settings(self) -> None:
        with gr.Accordion(label("answering"), open=False, elem_id="scene-answering"):
            count = samples_slider()
            texts = {"label": label("lines"), "elem_id": "scene-lines"}
            self.lines = gr.Slider(1, _MOST, 4, step=1, **texts)
            background = gr.Checkbox(True, label=label("background"))
            chapter = self.page.chapter_choice(elem_id="scene-chapter")
            sampling = sampling_controls()
        self.settings = [count, background, self.page.pins, chapter, *sampling]
        self.lay_files()
        self.used = background_panel(self.page.pins, elem_id="scene-used")

    def connect(self) -> None:
        """Name the events."""
        self.connect_room(self.settings)
        state = [self.opened, self.browser]
        written = [*state, self.speaker, self.kind, self.face, self.text]
        self.add.click(shown(self.write), written, self.outputs, **QUICK)
        self.clear.click(self.mover(Session.clear), state, self.outputs, **QUICK)
        self.example.click(shown(self.open_example), state, self.outputs, **QUICK)
        self.new.click(shown(self.anew), state, self.outputs, **QUICK)
        acting = [*state, self.who, self.way]
        acted = self.act.click(
            shown(self.act_once), [*acting, *self.settings], self.outputs, **QUIET
        )
        played = self.auto.click(
            shown(self.play), [*acting, self.lines, *self.settings], self.outputs, **QUIET
        )
        self.jobs += [acted, played]
        self.connect_stop()
        self.page.choices.append((self.speaker, _speakers))

    def anew(self, opened: Opened, browser: Any, request: gr.Request) -> Updates:
        """An empty scene; the old one stays in the list."""
        world = self.page.world()
        begun = Opened(self.begin(opened), world.folder if world else None)
        return {**self.paint(begun, browser, request), self.used: None}

    def open_example(self, opened: Opened, browser: Any, request: gr.Request) -> Updates:
        """How the world's own story begins, as a new scene."""
        world = self.page.world()
        opening = world.opening if world else ""
        session = Session.load(opening) if opening else Session()
        chat = self.begin(opened).with_session(session)
        return self.paint(self._placed(opened).with_chat(chat), browser, request)

    def write(
        self,
        opened: Opened,
        browser: Any,
        speaker: str,
        kind: str,
        face: str,
        text: str,
        request: gr.Request,
    ) -> Updates:
        """Append what was written; where a row cannot be read, nothing, and the text stays."""
        spoken, chat = language(request), opened.chat or self.begin(opened)
        if speaker == TYPED:
            added = chat.session.add(text, plain=True)
            if added.problems:
                listed = render.problem_list(added.problems, spoken)
                return {self.text: text, self.problems: listed}
            session = added.session
        else:
            session = _appended(chat.session, speaker, kind, face, text)
        if session == chat.session:
            return {self.text: text}
        now = self._placed(opened).with_chat(chat.with_session(session))
        return {**self.paint(now, browser, request), self.text: "", self.problems: ""}

    def act_once(
        self, request: gr.Request, opened: Opened, browser: Any, who: str, way: Way, *controls: Any
    ) -> Iterator[Updates]:
        """Whoever is next acts."""
        options, opened = options_of(*controls), self._placed(opened)
        who = self.next_one(opened, who, way)
        yield from self.reply(opened, who, browser, options, request)

    def play(
        self,
        request: gr.Request,
        opened: Opened,
        browser: Any,
        who: str,
        way: Way,
        lines: float,
        *controls: Any,
    ) -> Iterator[Updates]:
        """Line after line until ``lines`` are there or somebody stops it."""
        options, opened = options_of(*controls), self._placed(opened)
        way = "in_turn" if way == "by_hand" else way
        for _ in range(min(max(int(lines or 1), 1), _MOST)):
            turn = self.next_one(opened, who, way)
            for updates in self.reply(opened, turn, browser, options, request):
                opened = updates.get(self.opened, opened)
                browser = updates.get(self.browser, browser)
                # Not idle before the last: else one could begin another beside this.
                yield {**updates, **(self.idle(busy=True) if self.opened in updates else {})}
        yield self.idle()

    def next_one(self, opened: Opened, who: str, way: Way) -> str:
        """Whom the newest line calls, else who is likely to go on, or spoke longest ago."""
        world = self.page.world()
        if way == "by_hand" or world is None:
            return who
        lines = opened.chat.session.lines if opened.chat else ()
        known = {person.name: person.aliases for person in world.cast}
        if wakes := called(lines, known):
            return wakes
        there = _present(lines, world, who)
        if way == "by_likelihood":
            session = opened.chat.session if opened.chat else Session()
            return next(iter(self.page.engine.agent().next_speakers(session, there)), who)
        return in_turn(lines, there)[0]

    def _placed(self, opened: Opened) -> Opened:
        """What is open, in the world that is shown."""
        world = self.page.world()
        if opened.chat or world is None:
            return opened
        return replace(opened, folder=world.folder)


def _present(lines: Any, world: Introduction, who: str) -> list[str]:
    """Who takes part in a scene and did not speak last; with nobody else, the main people."""
    seen = dict.fromkeys(line.char for line in lines if line.char in world.characters)
    if len(seen) < 2:
        seen |= dict.fromkeys((who, *world.characters[:2]))
    last = lines[-1].char if lines else None
    return [name for name in seen if name and name != last] or [who]


def _appended(session: Session, speaker: str, kind: str, face: str, text: str) -> Session:
    """The scene with a line of somebody, its words as they are typed."""
    words = text.strip()
    if not words:
        return session
    if speaker == NARRATOR:
        line = Line(kind="info", text=words)
    else:
        names = {"say": "say", "act_kind": "act", "think": "think"}
        kinds: Any = names.get(kind, "say")
        line = Line(kind=kinds, char=speaker.strip(), text=words, expression=face or None)
    return session.append([line])


def _speakers(world: Introduction) -> Any:
    fixed = [(label("typed"), TYPED), (label("narrator"), NARRATOR)]
    return gr.Dropdown(choices=[*fixed, *((name, name) for name in world.characters)], value=TYPED)
