"""A conversation or a scene with all that is kept of it: who takes part, its name, its turns.

    chat = Chat.begin("talk", character="闻筝", asker=Asker("阿明", "镇上的面包师"))
    chat = chat.with_session(chat.session.add("阿明：今天漏不漏？").session)
    Chat.from_json(chat.to_json()) == chat
    as_markdown(chat), as_jsonl(chat), chat.session.text

``as_jsonl`` is the form that chat front ends exchange: a row about both, then a row a turn, with
its candidates as ``swipes``.
"""

import json
import secrets
import time
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError

from roleplay.conversation import Session, Turn
from roleplay.errors import DialogueError, reason
from roleplay.prompts import Asker
from roleplay.records import FORMAT_VERSION

Kind = Literal["talk", "scene"]
_LONGEST = 24
"""Letters of a name that nobody gave."""


class _SavedChat(BaseModel):
    format: int
    id: str = Field(pattern=r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{8}$")
    kind: Kind
    world: str = ""
    character: str = ""
    asker: str = ""
    about: str = ""
    title: str = ""
    chapter: int | None = None
    changed: float = 0.0
    turns: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Chat:
    """One conversation (``talk``, with one character) or one scene.

    Attributes:
        world: the name of its world.
        title: what its reader calls it.
        chapter: how far the story has come; None: as far as it is told.
        changed: seconds since 1970.
    """

    id: str
    kind: Kind
    world: str = ""
    character: str = ""
    asker: Asker = field(default_factory=Asker)
    title: str = ""
    chapter: int | None = None
    session: Session = field(default_factory=Session)
    changed: float = 0.0

    @classmethod
    def begin(cls, kind: Kind, **more: Any) -> Self:
        """A new one."""
        return cls(new_id(), kind, changed=time.time(), **more)

    @property
    def name(self) -> str:
        """Its title, else what was said first by the one who asks, or at all."""
        own = [line.text for line in self.session.lines if line.char == self.asker.name]
        said = [*own, *(line.text for line in self.session.lines)]
        begins = " ".join(said[0].split())[:_LONGEST] if said else ""
        return self.title or begins

    def with_session(self, session: Session) -> Self:
        """Gone on: changed now."""
        return replace(self, session=session, changed=time.time())

    def renamed(self, asker: Asker) -> Self:
        """Asked by another, or by the same one under another name: their turns bear it."""
        if asker.name == self.asker.name:
            return replace(self, asker=asker)
        turns = tuple(_renamed(turn, self.asker.name, asker.name) for turn in self.session.turns)
        return replace(self, asker=asker, session=Session(turns))

    def branch(self, place: int) -> Self:
        """Another one that begins as this did, up to a turn."""
        session = Session(self.session.turns[: place + 1])
        return replace(self, id=new_id(), session=session, changed=time.time())

    def to_json(self, *, prompts: bool = True) -> dict[str, Any]:
        """As it is saved; without what models read where room is scarce."""
        turns = [turn.to_json() for turn in self.session.turns]
        if not prompts:
            turns = [{key: row[key] for key in row if key != "prompt"} for row in turns]
        return {
            "format": FORMAT_VERSION,
            "id": self.id,
            "kind": self.kind,
            "world": self.world,
            "character": self.character,
            "asker": self.asker.name,
            "about": self.asker.about,
            "title": self.title,
            "chapter": self.chapter,
            "changed": self.changed,
            "turns": turns,
        }

    @classmethod
    def from_json(cls, row: object) -> Self:
        """Read :meth:`to_json`'s document.

        Raises DialogueError: it is none; the message says what is wrong with it.
        """
        try:
            saved = _SavedChat.model_validate(row)
        except ValidationError as error:
            raise DialogueError("dialogue.no-scene", reason=reason(error)) from error
        turns = {"format": saved.format, "turns": saved.turns}
        session = Session.load(json.dumps(turns, ensure_ascii=False))
        asker = Asker(saved.asker, saved.about)
        more: dict[str, Any] = {"title": saved.title, "chapter": saved.chapter}
        more |= {"changed": saved.changed, "session": session, "asker": asker}
        return cls(saved.id, saved.kind, saved.world, saved.character, **more)


def _renamed(turn: Turn, old: str, new: str) -> Turn:
    if turn.char != old:
        return turn
    found = [
        replace(one, lines=tuple(line.model_copy(update={"char": new}) for line in one.lines))
        for one in turn.candidates
    ]
    return replace(turn, candidates=tuple(found))


def new_id() -> str:
    """A name for a file that no other has: ``20261126-101500-9f3ac2d1``."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"


def as_markdown(chat: Chat) -> str:
    """What stands, to be read: speakers bold, actions in italics, narration as a quotation."""
    rows = [f"# {plain(chat.name)}"]
    for line in chat.session.lines:
        text = plain(line.text)
        told = {"act": f"*{text}*", "think": f"（{text}）"}.get(line.kind, text)
        face = f" （{line.expression}）" if line.expression else ""
        quoted = f"> {text}".replace("\n", "\n> ")
        rows.append(
            quoted if line.kind == "info" else f"**{plain(line.char or '')}**：{told}{face}"
        )
    return "\n\n".join(rows) + "\n"


def as_jsonl(chat: Chat) -> str:
    """Rows of JSON for other chat programs; candidates are swipes."""
    made = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(chat.changed))
    them = chat.character or (chat.session.turns[0].char if chat.session.turns else "") or ""
    head = {"user_name": chat.asker.name, "character_name": them, "create_date": made}
    rows: list[dict[str, Any]] = [head | {"chat_metadata": {}}]
    rows += [_message(turn, chat.asker.name, made) for turn in chat.session.turns]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _message(turn: Turn, asker: str, made: str) -> dict[str, Any]:
    said = [candidate.text for candidate in turn.candidates]
    row: dict[str, Any] = {"name": turn.char or "", "is_user": turn.char == asker}
    row |= {"is_system": False, "send_date": made, "mes": said[turn.chosen], "extra": {}}
    if turn.char is None:
        row |= {"name": "旁白", "extra": {"type": "narrator"}}
    return row | ({"swipes": said, "swipe_id": turn.chosen} if len(said) > 1 else {})


def plain(text: str) -> str:
    """Text in which no mark of Markdown or HTML has a meaning."""
    for mark in "\\`*_[]<>#|":
        text = text.replace(mark, f"\\{mark}")
    return text
