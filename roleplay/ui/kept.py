"""Where conversations are kept: as files of the world on one's own machine, else in the browser.

    opened, browser = keeper.save(opened, browser)
    keeper.names(opened, browser)       # [("今天漏不漏？ · 11-26 10:15", "20261126-101500-9f3ac2d1")]

``browser`` is the value of a ``gr.BrowserState``: which chat was open last and, on a shared
machine, the chats themselves. What comes from a browser may be anything, and is read as such.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from roleplay.chat import Chat, Kind
from roleplay.errors import RoleplayError
from roleplay.prompts import Asker
from roleplay.stages import chats
from roleplay.stages.character import Introduction

SECRET = "kept in this browser"
"""Fixed, or nothing would be found again; it hides nothing from whoever uses the browser."""
_MOST = 30
"""Chats of a world that a browser keeps: its store is small."""


@dataclass(frozen=True)
class Opened:
    """What a tab shows: a chat, and the folder of its world. Neither: the world's people."""

    chat: Chat | None = None
    folder: Path | None = None
    removed: str = ""
    """The id of the chat that was removed last, to be brought back."""

    def with_chat(self, chat: Chat | None) -> "Opened":
        """Another chat of the same world."""
        return replace(self, chat=chat, removed="")


@dataclass(frozen=True)
class Keeper:
    """Reads and writes the chats of one kind. Its methods raise WorldError: the disk is full."""

    kind: Kind
    shared: bool = False

    def newest(self, world: Introduction, browser: Any) -> Opened:
        """The chat that this browser had open last in a world, if it is still there."""
        wanted = _inner(browser, "open").get(name_of(world))
        opened = Opened(None, world.folder)
        if isinstance(wanted, str) and wanted:
            for chat in self.find(opened, browser, name_of(world)):
                if chat.id == wanted:
                    return opened.with_chat(chat)
        return opened

    def save(self, opened: Opened, browser: Any) -> dict[str, Any]:
        """Keep what is open, and that it is; the browser's new value."""
        chat = opened.chat
        if chat is None:
            return _as_dict(browser)
        kept = _note(browser, chat.world, chat.id)
        if not (chat.session.turns or chat.session.past):
            return kept  # nothing was said yet
        if self.shared:
            return _with_chats(kept, chat.world, [chat, *self._others(kept, chat)])
        if opened.folder:
            chats.save(opened.folder, chat)
        return kept

    def close(self, opened: Opened, browser: Any, world: str) -> dict[str, Any]:
        """Nothing is open."""
        return _note(browser, world, "")

    def find(self, opened: Opened, browser: Any, world: str) -> Sequence[Chat]:
        """All chats, the newest first."""
        if self.shared:
            return sorted(_stored(browser, world), key=lambda chat: -chat.changed)
        return chats.find(opened.folder, self.kind) if opened.folder else ()

    def read(self, opened: Opened, browser: Any, world: str, chat_id: str) -> Chat:
        """One of them. Raises WorldError: there is none of that id."""
        found = [one for one in self.find(opened, browser, world) if one.id == chat_id]
        return found[0] if found else chats.read(opened.folder or Path(), chat_id)

    def remove(self, opened: Opened, browser: Any) -> tuple[Opened, dict[str, Any]]:
        """Put away what is open; on one's own machine it can be restored."""
        chat = opened.chat
        if chat is None:
            return opened, _as_dict(browser)
        kept = _note(browser, chat.world, "")
        if self.shared:
            return opened.with_chat(None), _with_chats(kept, chat.world, self._others(kept, chat))
        if opened.folder:
            chats.remove(opened.folder, chat.id)
        return replace(opened, chat=None, removed=chat.id), kept

    def restore(self, opened: Opened, browser: Any) -> Opened:
        """What was removed last, open again."""
        if not (opened.removed and opened.folder):
            return opened
        chats.restore(opened.folder, opened.removed)
        return opened.with_chat(chats.read(opened.folder, opened.removed))

    def _others(self, browser: Any, chat: Chat) -> list[Chat]:
        return [one for one in _stored(browser, chat.world) if one.id != chat.id]


def name_of(world: Introduction) -> str:
    """What the chats of a world are kept under."""
    return world.folder.resolve().name if world.folder else world.title


def told(chat: Chat, empty: str) -> str:
    """A chat as a list names it."""
    when = time.strftime("%m-%d %H:%M", time.localtime(chat.changed))
    who = f"{chat.character}：" if chat.character else ""
    return f"{who}{chat.name or empty} · {when}"


def asker_of(browser: Any, default: str) -> Asker:
    """Who uses this browser, as they said last."""
    found = _inner(browser, "asker")
    name, about = (str(found.get(key) or "") for key in ("name", "about"))
    return Asker(name or default, about)


def with_asker(browser: Any, asker: Asker) -> dict[str, Any]:
    """The browser's value with who uses it."""
    return _as_dict(browser) | {"asker": {"name": asker.name, "about": asker.about}}


def _as_dict(browser: Any) -> dict[str, Any]:
    return dict(browser) if isinstance(browser, dict) else {}


def _inner(browser: Any, key: str) -> dict[str, Any]:
    return _as_dict(_as_dict(browser).get(key))


def _note(browser: Any, world: str, chat_id: str) -> dict[str, Any]:
    return _as_dict(browser) | {"open": _inner(browser, "open") | {world: chat_id}}


def _with_chats(browser: dict[str, Any], world: str, found: Sequence[Chat]) -> dict[str, Any]:
    newest = sorted(found, key=lambda chat: -chat.changed)[:_MOST]
    rows = [chat.to_json(prompts=False) for chat in newest]
    return browser | {"chats": _inner(browser, "chats") | {world: rows}}


def _stored(browser: Any, world: str) -> Iterator[Chat]:
    rows = _inner(browser, "chats").get(world)
    for row in rows if isinstance(rows, list) else ():
        try:
            yield Chat.from_json(row)
        except RoleplayError:
            continue
