"""Where something is being said: what the tabs for conversations and for scenes have in common.

    class TalkTab(Room): ...
    tab.lay_list(); tab.lay_log(); tab.lay_moves(); tab.lay_files()     # in any order
    tab.connect_room(settings)      # the components whose values ``options_of`` takes

Callbacks take what is open and give updates by component: plain functions over immutable chats.
Every finished move is kept before it is shown.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gradio as gr

from roleplay.chat import Chat, as_jsonl, as_markdown, new_id
from roleplay.conversation import Session
from roleplay.dialogue import Reply
from roleplay.errors import DialogueError
from roleplay.messages import Language
from roleplay.stages import preferences
from roleplay.ui.common import QUICK, QUIET, Page, options_of, paced, shown
from roleplay.ui.kept import SECRET, Keeper, Opened, name_of, told
from roleplay.ui.strings import label, language, say
from roleplay.ui.turns import Look, growing, turns_view

Updates = dict[Any, Any]
JS = (Path(__file__).parent / "view.js").read_text(encoding="utf-8")
DOWNLOAD = """file => {
    if (!file) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([file.text], {type: "text/plain;charset=utf-8"}));
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}"""


NOTHING = ""
"""What the list of chats has chosen where none of it is open."""


@dataclass(frozen=True)
class Growing:
    """What is being written: whose turn, in the place of which one, and how far it has come."""

    who: str
    place: int | None
    reply: Reply


def clickable(elem_id: str, **more: Any) -> Any:
    """HTML whose buttons are events: their ``data-`` attributes are the event's data."""
    return gr.HTML(elem_id=elem_id, js_on_load=JS, apply_default_css=False, **more)


@dataclass(eq=False)
class Room:
    """The components of one tab; ``starters`` cannot be pressed while something is written."""

    page: Page
    keeper: Keeper
    prefix: str
    empty: str
    opened: Any = None
    growing: Any = None
    browser: Any = None
    used: Any = None
    stop: Any = None
    starters: list[Any] = field(default_factory=list)
    more: list[Any] = field(default_factory=list)
    """Components of the tab's own that ``around`` updates."""

    def __post_init__(self) -> None:
        key = f"roleplay-{self.keeper.kind}"
        self.opened, self.growing = gr.State(Opened()), gr.State(None)
        self.browser = gr.BrowserState({}, storage_key=key, secret=SECRET)

    def lay_list(self) -> None:
        """Which chat is open, and another one."""
        look: dict[str, Any] = {"min_width": 88, "scale": 0}
        with gr.Row(elem_classes="rp-bar"):
            texts = {"label": label("chats"), "container": False}
            self.chats = gr.Dropdown([], elem_id=f"{self.prefix}-chats", scale=1, **texts)
            self.new = gr.Button(label("new_chat"), elem_id=f"{self.prefix}-new", **look)

    def lay_log(self) -> None:
        """What was said, and what is being said."""
        with gr.Column(elem_classes="rp-scroll", elem_id=f"{self.prefix}-log"):
            self.view = clickable(f"{self.prefix}-view")
            more: dict[str, Any] = {"elem_classes": "rp-live-box", "apply_default_css": False}
            self.live = gr.HTML(elem_id=f"{self.prefix}-live", **more)
        self.note = gr.HTML(elem_id=f"{self.prefix}-note", elem_classes="rp-saved")

    def lay_moves(self, *extra: tuple[str, str]) -> dict[str, Any]:
        """A row of small buttons: undo, redo and (key, id) of others."""
        look: dict[str, Any] = {"size": "sm", "min_width": 64}
        made = {}
        with gr.Row(elem_classes="rp-moves"):
            for key in ("undo", "redo"):
                made[key] = gr.Button(label(key), elem_id=f"{self.prefix}-{key}", **look)
            for key, name in extra:
                made[key] = gr.Button(label(key), elem_id=f"{self.prefix}-{name}", **look)
        self.undo, self.redo = made["undo"], made["redo"]
        return made

    def lay_files(self) -> Any:
        """Export, load, remove and bring back, folded."""
        look: dict[str, Any] = {"size": "sm", "min_width": 84}
        self.payload = gr.JSON(elem_classes="rp-hidden")
        with gr.Accordion(label("files"), open=False, elem_id=f"{self.prefix}-files") as folded:
            with gr.Row(elem_classes="rp-files"):
                self.exports = {
                    kind: gr.Button(label(kind), elem_id=f"{self.prefix}-{kind}", **look)
                    for kind in ("save", "as_script", "as_markdown", "as_jsonl")
                }
            with gr.Row(elem_classes="rp-files"):
                more = {"file_types": [".json", ".txt"], "elem_id": f"{self.prefix}-load"}
                self.load = gr.UploadButton(label("load"), **more, **look)
                self.remove = gr.Button(
                    label("remove_chat"), elem_id=f"{self.prefix}-remove", **look
                )
                hidden = {"interactive": False, "elem_id": f"{self.prefix}-restore"}
                self.restore = gr.Button(label("restore_chat"), **hidden, **look)
        return folded

    @property
    def outputs(self) -> list[Any]:
        """All that callbacks may update."""
        own = [self.opened, self.growing, self.browser, self.view, self.live, self.note, self.chats]
        buttons = [self.undo, self.redo, self.restore, self.stop, *self.starters]
        return [*own, *buttons, self.used, *self.more]

    def connect_room(self, settings: list[Any]) -> None:
        """Name the events that every room has; ``stop`` is there."""
        state = [self.opened, self.browser]
        self.view.click(shown(self.clicked), state, self.outputs, **QUICK)
        again = self.view.retry(shown(self.again), [*state, *settings], self.outputs, **QUIET)
        self.jobs = [again]
        for button, move in ((self.undo, Session.undo), (self.redo, Session.redo)):
            button.click(self.mover(move), state, self.outputs, **QUICK)
        self.chats.input(shown(self.switch), [*state, self.chats], self.outputs, **QUICK)
        self.remove.click(shown(self.put_away), state, self.outputs, **QUICK)
        self.restore.click(shown(self.bring_back), state, self.outputs, **QUICK)
        self.load.upload(shown(self.load_file), [*state, self.load], self.outputs, **QUICK)
        for kind, button in self.exports.items():
            made = button.click(self.exporter(kind), [self.opened], [self.payload], **QUICK)
            made.success(None, [self.payload], None, js=DOWNLOAD, **QUIET)
        self.page.openings.append((self.enter, [self.page.shown, self.browser], self.outputs))

    def connect_stop(self) -> None:
        """What is being written ends; to be called when all ``jobs`` are named."""
        state = [self.opened, self.browser, self.growing]
        self.stop.click(shown(self.stopped), state, self.outputs, cancels=self.jobs, **QUICK)

    # What is shown.

    def look(self, opened: Opened, spoken: Language) -> Look:
        """How the turns are drawn."""
        me = opened.chat.asker.name if opened.chat and self.keeper.kind == "talk" else ""
        rates = not self.keeper.shared and opened.folder is not None
        return Look(spoken, self.page.faces(), me, rates, self.empty)

    def paint(self, opened: Opened, browser: Any, request: Any, *, save: bool = True) -> Updates:
        """Keep what is open, then show it."""
        spoken = language(request)
        kept = self.keeper.save(opened, browser) if save else browser
        session = opened.chat.session if opened.chat else Session()
        return {
            self.opened: opened,
            self.browser: kept,
            self.view: turns_view(session, self.look(opened, spoken)),
            self.note: self._note(opened, spoken) if save else "",
            self.chats: self._listed(opened, kept, spoken),
            self.undo: gr.Button(interactive=bool(session.past)),
            self.redo: gr.Button(interactive=bool(session.future)),
            self.restore: gr.Button(interactive=bool(opened.removed)),
            **self.around(opened, spoken),
        }

    def around(self, opened: Opened, spoken: Language) -> Updates:
        """What else a tab shows of what is open."""
        return {}

    def idle(self, busy: bool = False) -> Updates:
        """Nothing is being written, or something is."""
        buttons = {button: gr.Button(interactive=not busy) for button in self.starters}
        live = {} if busy else {self.live: "", self.growing: None}
        return {**buttons, self.stop: gr.Button(interactive=busy), **live}

    def _note(self, opened: Opened, spoken: Language) -> str:
        if opened.chat is None or not (opened.folder or self.keeper.shared):
            return ""
        key = "saved_browser" if self.keeper.shared else "saved_disk"
        return say(key, spoken, time=time.strftime("%H:%M:%S"))

    def _listed(self, opened: Opened, browser: Any, spoken: Language) -> Any:
        world = self.page.world()
        found = self.keeper.find(opened, browser, name_of(world)) if world else ()
        choices = [(told(chat, say("no_words", spoken)), chat.id) for chat in found]
        current = opened.chat.id if opened.chat else NOTHING
        if current not in [value for _, value in choices]:
            choices, current = [(say("go_back_to", spoken), NOTHING), *choices], NOTHING
        return gr.Dropdown(choices=choices, value=current)

    # Moves without a model.

    def enter(self, world: Any, browser: Any, request: gr.Request) -> Updates:
        """Another world is shown, or the page was opened anew: what was open there last."""
        opened = self.keeper.newest(world, browser) if world else Opened()
        return {**self.paint(opened, browser, request, save=False), **self.idle()}

    def mover(self, move: Callable[[Session], Session]) -> Callable[..., Updates]:
        """A callback that makes a move."""

        @shown
        def moved(opened: Opened, browser: Any, request: gr.Request) -> Updates:
            if opened.chat is None:
                raise DialogueError("dialogue.no-move")
            return self.paint(
                self.with_session(opened, move(opened.chat.session)), browser, request
            )

        return moved

    def with_session(self, opened: Opened, session: Session) -> Opened:
        """What is open, gone on."""
        chat = opened.chat or self.begin(opened)
        return opened.with_chat(chat.with_session(session))

    def begin(self, opened: Opened, **more: Any) -> Chat:
        """A new chat of the world."""
        world = self.page.world()
        return Chat.begin(self.keeper.kind, world=name_of(world) if world else "", **more)

    def switch(self, opened: Opened, browser: Any, wanted: str, request: gr.Request) -> Updates:
        """Another chat of the list."""
        world = self.page.world()
        if not (world and wanted):
            return {self.opened: opened}
        chat = self.keeper.read(opened, browser, name_of(world), wanted)
        now = Opened(chat, world.folder)
        return self.paint(now, self.keeper.save(now, browser), request, save=False)

    def put_away(self, opened: Opened, browser: Any, request: gr.Request) -> Updates:
        """Remove what is open."""
        now, kept = self.keeper.remove(opened, browser)
        return self.paint(now, kept, request, save=False)

    def bring_back(self, opened: Opened, browser: Any, request: gr.Request) -> Updates:
        """What was removed last."""
        return self.paint(self.keeper.restore(opened, browser), browser, request)

    def load_file(self, opened: Opened, browser: Any, path: str, request: gr.Request) -> Updates:
        """Open a saved chat or a text with script lines, as a new chat."""
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise DialogueError("ui.no-utf8") from error
        chat = replace(self._read(opened, text), id=new_id())
        return self.paint(opened.with_chat(chat), browser, request)

    def _read(self, opened: Opened, text: str) -> Chat:
        """The chat of a file. Raises DialogueError: it is none."""
        begun = self.begin(opened)
        with suppress(DialogueError, ValueError):
            chat = Chat.from_json(json.loads(text))
            if chat.kind == self.keeper.kind:
                return replace(chat, world=begun.world)
        return replace(begun, session=Session.load(text))

    def exporter(self, kind: str) -> Callable[..., dict[str, str] | None]:
        """A callback that gives a file to download."""
        makers: dict[str, tuple[str, Callable[[Chat], str]]] = {
            "save": ("json", lambda chat: _dump(chat)),
            "as_script": ("txt", lambda chat: chat.session.text + "\n"),
            "as_markdown": ("md", as_markdown),
            "as_jsonl": ("jsonl", as_jsonl),
        }
        end, make = makers[kind]

        @shown
        def export(opened: Opened, request: gr.Request) -> dict[str, str] | None:
            chat = opened.chat
            if chat is None or not chat.session.turns:
                raise DialogueError("dialogue.empty-chat")
            return {"name": f"{chat.id}.{end}", "text": make(chat)}

        return export

    # What a click on a turn does.

    def clicked(
        self, request: gr.Request, event: gr.EventData, opened: Opened, browser: Any
    ) -> Updates:
        """Leaf, pick, edit, teach, insert, branch, delete or rate."""
        do, at = str(event._data.get("do")), self._place(opened, event)
        if opened.chat is None or at is None:
            return {self.opened: opened}  # a view that is older than what is open
        if do == "branch":
            return self.paint(opened.with_chat(opened.chat.branch(at)), browser, request)
        now = self.with_session(opened, self._move(opened.chat.session, do, at, event._data))
        if do in ("liked", "disliked", "teach"):
            self._rate(now, at, taught=do == "teach")
        return self.paint(now, browser, request)

    def again(
        self, request: gr.Request, event: gr.EventData, opened: Opened, browser: Any, *controls: Any
    ) -> Iterator[Updates]:
        """Further candidates for a turn."""
        at = self._place(opened, event)
        if opened.chat is not None and at is not None:
            who = opened.chat.session.turns[at].char or ""
            yield from self.reply(opened, who, browser, options_of(*controls), request, place=at)

    def _place(self, opened: Opened, event: Any) -> int | None:
        """The turn that was clicked, if it is there."""
        at = event._data.get("at")
        turns = opened.chat.session.turns if opened.chat else ()
        return at if isinstance(at, int) and 0 <= at < len(turns) else None

    def _move(self, session: Session, do: str, at: int, data: dict[str, Any]) -> Session:
        text = str(data.get("text") or "")
        if do == "insert":
            added = session.add(text, at=at, plain=True)
            if added.problems:
                raise DialogueError("dialogue.no-edit", reason=added.problems[0].reason)
            return added.session
        if do == "pick":
            return session.pick(at, int(data.get("to", 0)) % len(session.turns[at].candidates))
        moves: dict[str, Callable[[], Session]] = {
            "back": lambda: session.swipe(at, -1),
            "on": lambda: session.swipe(at, 1),
            "edit": lambda: session.edit(at, text),
            "teach": lambda: session.teach(at, text),
            "delete": lambda: session.delete(at),
            "liked": lambda: session.mark(at, "liked"),
            "disliked": lambda: session.mark(at, "disliked"),
        }
        return moves.get(do, lambda: session)()

    def _rate(self, opened: Opened, at: int, *, taught: bool) -> None:
        """Keep what a reader thinks of a turn, for training."""
        if self.keeper.shared or not (opened.folder and opened.chat):
            return
        turn, loaded = opened.chat.session.turns[at], self.page.engine.loaded()
        model = loaded.agent.backend.name if loaded else ""
        if turn.prompt:
            rows = preferences.preferences_of(turn, taught=taught, model=model)
            preferences.keep(opened.folder, turn.prompt, rows)

    # Moves of a model.

    def reply(
        self,
        opened: Opened,
        who: str,
        browser: Any,
        options: dict[str, Any],
        request: Any,
        *,
        place: int | None = None,
    ) -> Iterator[Updates]:
        """Somebody's next turn, or further candidates for the turn at ``place``, streaming."""
        chat, spoken = opened.chat or self.begin(opened), language(request)
        before = chat.session if place is None else chat.session.before(place)
        look, reply = self.look(opened, spoken), None
        yield {self.live: growing(who, (), look, self._waits(spoken)), **self.idle(busy=True)}
        try:
            for reply in paced(self._ask(chat, who, before, options)):
                shown_now = growing(who, reply.candidates, look)
                yield {self.live: shown_now, self.growing: Growing(who, place, reply)}
            now = self.with_reply(opened, Growing(who, place, reply)) if reply else opened
        except Exception:  # whatever it was, the buttons must come back before it is told
            yield self.idle()
            raise
        found = reply.prompt.background if reply else ()
        yield {**self.paint(now, browser, request), **self.idle(), self.used: found}

    def _ask(
        self, chat: Chat, who: str, before: Session, options: dict[str, Any]
    ) -> Iterator[Reply]:
        agent = self.page.engine.agent()
        if self.keeper.kind == "talk":
            yield from agent.talk(who, before, chat.asker, **options)
        else:
            yield from agent.act(who, before, **options)

    def _waits(self, spoken: Language) -> str:
        state = self.page.engine.status().state
        return say("waits_model" if state == "loading" else "waits", spoken)

    def with_reply(self, opened: Opened, done: Growing) -> Opened:
        """What is open with the candidates as a turn. Raises DialogueError: none is readable."""
        session = (opened.chat or self.begin(opened)).session
        candidates, prompt = done.reply.candidates, done.reply.prompt.text
        if done.place is None:
            return self.with_session(opened, session.reply(done.who, candidates, prompt))
        return self.with_session(opened, session.more(done.place, candidates, prompt))

    def stopped(
        self, opened: Opened, browser: Any, done: Growing | None, request: gr.Request
    ) -> Updates:
        """What was written so far stays, if it can be read."""
        with suppress(DialogueError):
            opened = self.with_reply(opened, done) if done else opened
        return {**self.paint(opened, browser, request), **self.idle()}


def _dump(chat: Chat) -> str:
    return json.dumps(chat.to_json(), ensure_ascii=False, indent=1) + "\n"
