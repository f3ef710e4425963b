"""What readers like and dislike, and what they teach: ``preferences.jsonl`` of a world.

    keep(folder, preferences_of(turn, "闻筝", model="gemma3-270m"))

One row of the file, a pair as preference training takes it; a side that nobody gave is null:

    {"prompt": "问：你最爱吃什么？\\n闻筝：", "chosen": "椒盐豆糕。", "rejected": "我不知道。",
     "character": "闻筝", "source": "liked", "model": "gemma3-270m", "time": "2026-11-26 10:15:00"}
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from roleplay import files
from roleplay.conversation import Turn
from roleplay.records import Record
from roleplay.world import World

FILE = "preferences.jsonl"


class Preference(Record):
    """Two answers to one prompt; the body of each, without cue and line break."""

    prompt: str
    chosen: str | None
    rejected: str | None
    character: str
    source: Literal["liked", "disliked", "taught"]
    model: str = ""
    time: str = ""


def preferences_of(turn: Turn, *, taught: bool = False, model: str = "") -> list[Preference]:
    """The pairs of what is liked and what is not, of a turn that a model wrote.

    Whoever likes one of several passed over the others; whoever dislikes one says nothing of them.
    """
    liked = [one.text for one in turn.candidates if one.mark == "liked"]
    disliked = [one.text for one in turn.candidates if one.mark == "disliked"]
    if not (liked or disliked) or not turn.prompt:
        return []
    others = disliked or [one.text for one in turn.candidates if one.text not in liked]
    nobody: list[str | None] = [None]
    pairs = [(good, bad) for good in liked or nobody for bad in others or nobody]
    source = "taught" if taught else "liked" if liked else "disliked"
    row: dict[str, Any] = {"prompt": turn.prompt, "character": turn.char or "", "source": source}
    row |= {"model": model, "time": time.strftime("%Y-%m-%d %H:%M:%S")}
    return [Preference(chosen=good, rejected=bad, **row) for good, bad in pairs]


def keep(folder: Path, prompt: str, rows: Sequence[Preference]) -> int:
    """Write the rows in the place of all earlier ones of the same prompt; how many there are now.

    Raises:
        WorldError: the file cannot be read or written, or a row of it is of another form.
    """
    # Two browsers that rate at once must not lose each other's rows.
    with FileLock(folder / f".{FILE}.lock"):
        kept = [row for row in read(folder) if row.prompt != prompt] + [*rows]
        files.write_jsonl(folder / FILE, (row.model_dump() for row in kept))
        return len(kept)


def read(folder: Path) -> list[Preference]:
    """The rows of a world, none where nobody rated anything."""
    world = World.load(folder)
    return world.read(FILE, Preference) if world.is_there(FILE) else []
