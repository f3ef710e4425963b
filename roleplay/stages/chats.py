"""The conversations and scenes of a world, kept as files: one a chat, whole or not there.

    save(folder, chat)                  # worlds/mine/conversations/20261126-101500-9f3ac2d1.json
    find(folder, "talk")                # the newest first
    remove(folder, chat.id); restore(folder, chat.id)

What is removed lies in ``conversations/removed/`` until it is restored or thrown away by hand.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from roleplay import files
from roleplay.chat import Chat, Kind
from roleplay.errors import RoleplayError, WorldError

FOLDER, REMOVED = "conversations", "removed"


def save(folder: Path, chat: Chat) -> None:
    """Write a chat of the world in ``folder``. Raises WorldError: the disk does not let us."""
    files.write_json(_path(folder, chat.id), chat.to_json())


def read(folder: Path, chat_id: str) -> Chat:
    """The chat of that id.

    Raises:
        WorldError: there is none, or it cannot be read.
        DialogueError: the file is no chat.
    """
    return Chat.from_json(files.read_json(_path(folder, chat_id)))


def find(folder: Path, kind: Kind) -> Sequence[Chat]:
    """All of a kind, the newest first; a file that is none is passed over."""
    found = []
    for path in (folder / FOLDER).glob("*.json"):
        with suppress(RoleplayError):
            found.append(Chat.from_json(files.read_json(path)))
    return sorted((chat for chat in found if chat.kind == kind), key=lambda chat: -chat.changed)


def remove(folder: Path, chat_id: str) -> None:
    """Put a chat away. Raises WorldError: there is none of that id."""
    _move(_path(folder, chat_id), _removed(folder, chat_id))


def restore(folder: Path, chat_id: str) -> None:
    """Bring a removed chat back. Raises WorldError: there is none of that id."""
    _move(_removed(folder, chat_id), _path(folder, chat_id))


def _move(source: Path, target: Path) -> None:
    if not source.is_file():
        raise WorldError("files.missing", path=source)
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def _path(folder: Path, chat_id: str) -> Path:
    """The file of a chat; the name of an id alone counts, wherever it comes from."""
    return folder / FOLDER / f"{Path(chat_id).name}.json"


def _removed(folder: Path, chat_id: str) -> Path:
    return folder / FOLDER / REMOVED / f"{Path(chat_id).name}.json"
