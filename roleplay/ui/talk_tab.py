"""The tab for conversations: the world's people, and a talk with one of them that one stays in."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from roleplay.chat import Chat
from roleplay.conversation import Session
from roleplay.errors import DialogueError, PromptError
from roleplay.messages import Language
from roleplay.prompts import Asker
from roleplay.stages import portraits
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
from roleplay.ui.kept import Keeper, Opened, asker_of, name_of, with_asker
from roleplay.ui.portraits import stylesheet
from roleplay.ui.room import Room, Updates, clickable
from roleplay.ui.strings import label, language, say
from roleplay.ui.wall import head, questions, wall


def build(page: Page) -> None:
    """Lay out the tab and name its events."""
    TalkTab(page).connect()


class TalkTab(Room):
    """The people and one conversation; ``enter`` shows the one or the other."""

    def __init__(self, page: Page) -> None:
        super().__init__(page, Keeper("talk", page.shared), prefix="talk", empty="talk_empty")
        self.pictures = gr.HTML(elem_id="portraits", elem_classes="rp-hidden")
        with gr.Row(elem_classes="rp-bar"):
            self.home = gr.Button(label("everybody"), elem_id="talk-home", scale=0, min_width=96)
            self.lay_list()
        self.wall = clickable("talk-wall")
        with gr.Row(visible=False, elem_id="talk-room", elem_classes="rp-columns") as self.inside:
            with gr.Column(scale=5, min_width=320):
                self._lay_talk()
            with gr.Column(scale=3, min_width=280):
                self._lay_settings()
        self.more = [self.wall, self.inside, self.who, self.chips, self.box, self.name, self.about]

    def _lay_talk(self) -> None:
        self.who = gr.HTML(elem_id="talk-who", apply_default_css=False)
        self.lay_log()
        self.chips = clickable("talk-questions")
        look: dict[str, Any] = {"min_width": 72, "scale": 0}
        with gr.Row(elem_classes="rp-say"):
            texts = {"label": label("your_words"), "placeholder": label("say_hint")}
            more = {"show_label": False, "container": False, "lines": 1, "max_lines": 5}
            self.box = gr.Textbox(elem_id="talk-box", scale=1, **texts, **more)
            self.send = gr.Button(label("send"), variant="primary", elem_id="talk-send", **look)
            self.stop = gr.Button(label("stop"), interactive=False, elem_id="talk-stop", **look)
        self.go_on = self.lay_moves(("go_on", "go-on"))["go_on"]
        self.starters = [self.send, self.go_on]

    def _lay_settings(self) -> None:
        with gr.Accordion(label("you"), open=False, elem_id="talk-you"):
            self.name = gr.Textbox(label=label("your_name"), max_lines=1, elem_id="talk-name")
            texts = {"label": label("your_line"), "placeholder": label("your_line_hint")}
            self.about = gr.Textbox(lines=1, max_lines=3, elem_id="talk-about", **texts)
        with gr.Accordion(label("answering"), open=False, elem_id="talk-answering"):
            count = samples_slider(3)
            background = gr.Checkbox(True, label=label("background"), elem_id="talk-background")
            chapter = self.page.chapter_choice(elem_id="talk-chapter")
            sampling = sampling_controls()
        self.settings = [count, background, self.page.pins, chapter, *sampling]
        with self.lay_files():
            if not self.page.shared:
                look: dict[str, Any] = {"file_types": ["image"], "size": "sm"}
                self.upload = gr.UploadButton(label("portrait"), elem_id="talk-portrait", **look)
        self.used = background_panel(self.page.pins, elem_id="talk-used")

    def connect(self) -> None:
        """Name the events."""
        self.connect_room(self.settings)
        state = [self.opened, self.browser]
        said = gr.on(
            [self.send.click, self.box.submit],
            shown(self.say),
            [*state, self.box, *self.settings],
            self.outputs,
            **QUIET,
        )
        went_on = self.go_on.click(
            shown(self.continue_), [*state, *self.settings], self.outputs, **QUIET
        )
        asked = gr.on(
            [self.wall.click, self.chips.click],
            shown(self.meet),
            [*state, *self.settings],
            self.outputs,
            **QUIET,
        )
        self.jobs += [said, went_on, asked]
        self.connect_stop()
        self.home.click(shown(self.leave), state, self.outputs, **QUICK)
        self.new.click(shown(self.anew), state, self.outputs, **QUICK)
        whom = [*state, self.name, self.about]
        for box in (self.name, self.about):
            gr.on([box.blur, box.submit], shown(self.introduce), whom, self.outputs, **QUICK)
        if not self.page.shared:
            inputs = [self.opened, self.upload]
            self.upload.upload(shown(self.keep_portrait), inputs, [self.pictures], **QUICK)
        self.page.choices.append((self.pictures, _pictures))

    def around(self, opened: Opened, spoken: Language) -> Updates:
        """The people, or who one talks to and what one may begin with."""
        world, chat, faces = self.page.world(), opened.chat, self.page.faces()
        if world is None:
            return {}
        if chat is None:
            people = wall(world.cast, faces, spoken)
            return {self.wall: gr.HTML(people, visible=True), self.inside: gr.Row(visible=False)}
        person = world.person(chat.character)
        own = [line for line in chat.session.lines if line.char == person.name]
        faces_shown = [line.expression for line in own if line.expression]
        begins = not any(line.char == chat.asker.name for line in chat.session.lines)
        return {
            self.wall: gr.HTML(visible=False),
            self.inside: gr.Row(visible=True),
            self.who: head(person, faces, faces_shown[-1] if faces_shown else None),
            self.chips: questions(person) if begins else "",
            self.name: chat.asker.name,
            self.about: chat.asker.about,
        }

    def begin(self, opened: Opened, **more: Any) -> Chat:
        """With whom one talked last, if anybody."""
        world, old = self.page.world(), opened.chat
        who = old.character if old else world.characters[0] if world else ""
        known = {"character": who, "asker": old.asker if old else Asker()}
        return super().begin(opened, **(known | more))

    def greeted(self, who: str, browser: Any, spoken: Language) -> Opened:
        """A new conversation with somebody, who says hello."""
        world = self.page.world()
        opened = Opened(None, world.folder if world else None)
        asker = asker_of(browser, say("you_name", spoken))
        chat = self.begin(opened, character=who, asker=asker)
        hello = world.person(who).greeting if world else ""
        if hello:
            chat = replace(chat, session=Session(Session().choose(who, hello).turns))
        return opened.with_chat(chat)

    def meet(
        self, request: gr.Request, event: gr.EventData, opened: Opened, browser: Any, *controls: Any
    ) -> Iterator[Updates]:
        """Somebody of the wall was chosen, or a question to begin with."""
        world, data = self.page.world(), event._data
        who, text = str(data.get("who")), str(data.get("text") or "")
        if world is None or who not in world.characters:
            return
        if opened.chat is None or opened.chat.character != who:
            opened = self.greeted(who, browser, language(request))
        if data.get("do") == "ask":
            yield from self.say(request, opened, browser, text, *controls)
        else:
            yield {**self.paint(opened, browser, request), **self.idle(), self.used: None}

    def say(
        self, request: gr.Request, opened: Opened, browser: Any, text: str, *controls: Any
    ) -> Iterator[Updates]:
        """What one says stands at once, then comes the answer."""
        if not text.strip():
            raise PromptError("prompts.no-question")
        chat, options = opened.chat or self.begin(opened), options_of(*controls)
        now = opened.with_chat(chat.with_session(_said(chat, text)))
        stands = self.paint(now, browser, request)
        yield {**stands, **self.idle(busy=True), self.box: ""}
        yield from self.reply(now, chat.character, stands[self.browser], options, request)

    def continue_(
        self, request: gr.Request, opened: Opened, browser: Any, *controls: Any
    ) -> Iterator[Updates]:
        """The character says more, or answers what it has not answered yet."""
        if opened.chat is not None:
            who, options = opened.chat.character, options_of(*controls)
            yield from self.reply(opened, who, browser, options, request)

    def leave(self, opened: Opened, browser: Any, request: gr.Request) -> Updates:
        """Back to everybody; the conversation stays in the list."""
        world = self.page.world()
        kept = self.keeper.close(opened, browser, name_of(world)) if world else browser
        return self.paint(opened.with_chat(None), kept, request, save=False)

    def anew(self, opened: Opened, browser: Any, request: gr.Request) -> Updates:
        """Another conversation with the same one."""
        if opened.chat is None:
            return self.leave(opened, browser, request)
        begun = self.greeted(opened.chat.character, browser, language(request))
        return {**self.paint(begun, browser, request), self.used: None}

    def introduce(
        self, opened: Opened, browser: Any, name: str, about: str, request: gr.Request
    ) -> Updates:
        """One's name and a line about oneself, here and in conversations to come."""
        default = say("you_name", language(request))
        asker = Asker(" ".join(name.split())[:40] or default, " ".join(about.split())[:200])
        world = self.page.world()
        if world and asker.name in world.characters:
            raise DialogueError("dialogue.name-taken", name=asker.name)
        kept = with_asker(browser, asker)
        if opened.chat is None or opened.chat.asker == asker:
            return {self.browser: kept}
        return self.paint(opened.with_chat(opened.chat.renamed(asker)), kept, request)

    def keep_portrait(self, opened: Opened, path: str, request: gr.Request) -> str:
        """An uploaded picture becomes the character's, everywhere in the page."""
        world = self.page.world()
        if not (world and world.folder and opened.chat) or self.page.shared:
            return ""
        portraits.keep(world.folder, opened.chat.character, Path(path))
        return _pictures(world)


def _pictures(world: Any) -> str:
    found = portraits.thumbnails(world.folder, world.characters) if world.folder else {}
    return stylesheet(found)


def _said(chat: Chat, text: str) -> Session:
    """The conversation with what one typed: script marks count, and 【…】 is narration."""
    typed = text.strip()
    if typed.startswith("【") and typed.endswith("】"):
        return chat.session.add(typed).session
    return chat.session.reply(chat.asker.name, [typed])
