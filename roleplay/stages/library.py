"""The worlds of a machine: listed, made, renamed, copied, thrown away and taken back.

    library = Library(Path("worlds"))
    [tile.title for tile in library.tiles()]        # the shipped one first
    name = library.new("我的小说")
    ticket = library.delete(name)                   # into worlds/.trash
    library.restore(ticket)

A world keeps the name of its folder for life, as its adapters are known by it; what is renamed is
its title. The world that the starting adapter was made from is no story and is not listed.
"""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from roleplay import files
from roleplay.adapters.checkpoint import AdapterInfo, read_info
from roleplay.adapters.start import CHECKPOINTS
from roleplay.errors import AdapterError, BusyError, RoleplayError, WorldError, reason
from roleplay.messages import Message
from roleplay.stages import jobs
from roleplay.world import World, WorldInfo

ROOT = CHECKPOINTS.parent
SHIPPED, INTERNAL = "chuiyan", "start"
TRASH = ".trash"

Step = Literal["novel", "speakers", "background", "train"]
STEPS: tuple[Step, ...] = ("novel", "speakers", "background", "train")
"""What leads from a novel to a character, in order."""

_LONGEST_NAME, _LONGEST_TITLE = 40, 60
_LEFT_BEHIND = shutil.ignore_patterns(jobs.FOLDER, ".*", "*.lock")
"""What a copy of a world does without: jobs, locks, half-made files."""


@dataclass(frozen=True)
class Tile:
    """A world as the library shows it; ``problem`` is why it cannot be opened."""

    name: str
    title: str
    characters: tuple[str, ...] = ()
    done: frozenset[Step] = frozenset()
    size: int = 0
    changed: float = 0.0
    shipped: bool = False
    problem: Message | None = None


@dataclass(frozen=True)
class Trashed:
    """A world in the trash; ``ticket`` takes it back."""

    ticket: str
    title: str


@dataclass(frozen=True)
class Library:
    """The folder of the worlds, and that of the adapters."""

    worlds: Path = ROOT / "worlds"
    checkpoints: Path = field(default=CHECKPOINTS)

    @property
    def is_ours(self) -> bool:
        """Whether this is the folder that the program brings, with its worlds."""
        return self.worlds.resolve() == (ROOT / "worlds").resolve()

    def path(self, name: str) -> Path:
        """The folder of a world.

        Raises:
            WorldError: there is none of that name.
        """
        if name not in self.names():
            known = " ".join(self.names()) or Message("world.none", {"folder": self.worlds})
            raise WorldError("world.no-folder", path=self.worlds / name, known=known)
        return self.worlds / name

    def names(self) -> list[str]:
        """The worlds' names."""
        found = sorted(path.parent.name for path in self.worlds.glob("*/world.json"))
        hidden = {INTERNAL} if self.is_ours else set()
        return [name for name in found if name not in hidden and not name.startswith(".")]

    def tiles(self) -> list[Tile]:
        """All worlds: the shipped one, then the newest first."""
        tiles = [self.tile(name) for name in self.names()]
        return sorted(tiles, key=lambda one: (not one.shipped, -one.changed))

    def tile(self, name: str) -> Tile:
        """One world."""
        folder = self.worlds / name
        known = [path.stat() for path in _files(folder)]
        size, changed = sum(one.st_size for one in known), max(one.st_mtime for one in known)
        shipped = self.is_ours and name == SHIPPED
        try:
            info = World.load(folder).info
        except RoleplayError as error:
            more: dict[str, Any] = {"size": size, "changed": changed, "shipped": shipped}
            return Tile(name, name, problem=error.message, **more)
        people = tuple(person.name for person in info.characters)
        return Tile(name, info.title, people, self.done(name), size, changed, shipped)

    def done(self, name: str) -> frozenset[Step]:
        """The steps of a world that have a result."""
        folder = self.worlds / name
        found: dict[Step, bool] = {
            "novel": any((folder / f"novel.{kind}").exists() for kind in ("txt", "epub")),
            "speakers": (folder / "script.jsonl").exists(),
            "background": (folder / "kb" / "meta.json").exists(),
            "train": bool(self.adapters(name)),
        }
        return frozenset(step for step, is_done in found.items() if is_done)

    def adapters(self, name: str) -> dict[str, AdapterInfo]:
        """Folder name -> what it is, of the adapters that were trained on a world."""
        found = {}
        for path in sorted(self.checkpoints.glob("*/adapter.json")):
            try:
                info = read_info(path.parent)
            except AdapterError:
                continue  # loading it says what is wrong
            if info.world == name:
                found[path.parent.name] = info
        return found

    def new(self, title: str) -> str:
        """Make an empty world; its name.

        Raises:
            WorldError: the title is empty or too long.
        """
        title = checked_title(title)
        name = self.free_name(title)
        World.create(self.worlds / name, title)
        return name

    def rename(self, name: str, title: str) -> None:
        """Give a world another title. Raises as :meth:`new`."""
        folder = self.path(name)
        info = World.load(folder).info.model_copy(update={"title": checked_title(title)})
        write_info(folder, info)

    def copy(self, name: str) -> str:
        """A copy without adapters; its name.

        Raises:
            WorldError: the disk is full.
        """
        info = World.load(self.path(name)).info
        title = f"{info.title[: _LONGEST_TITLE - 4]} (2)"
        other = self.free_name(title)
        try:
            shutil.copytree(self.worlds / name, self.worlds / other, ignore=_LEFT_BEHIND)
        except (OSError, shutil.Error) as error:
            shutil.rmtree(self.worlds / other, ignore_errors=True)
            raise WorldError("files.unwritable", path=other, reason=reason(error)) from error
        write_info(self.worlds / other, info.model_copy(update={"title": title}))
        return other

    def delete(self, name: str) -> str:
        """Move a world into the trash; the ticket that takes it back.

        Raises:
            BusyError: a job is running in it.
            WorldError: it is the shipped one.
        """
        folder = self.path(name)
        if self.is_ours and name == SHIPPED:
            raise WorldError("library.shipped", name=name)
        if busy := jobs.running(folder):
            values = {"stage": busy.stage, "since": busy.started, "id": busy.id}
            raise BusyError("jobs.busy", world=name, **values)
        ticket = f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
        trash = self.worlds / TRASH
        trash.mkdir(exist_ok=True)
        while (trash / ticket).exists():
            ticket += "+"
        folder.rename(trash / ticket)
        return ticket

    def trash(self) -> list[Trashed]:
        """What can be taken back, the newest first."""
        found = sorted((self.worlds / TRASH).glob("*/world.json"), reverse=True)
        return [Trashed(path.parent.name, _title(path)) for path in found]

    def restore(self, ticket: str) -> str:
        """Take a world back out of the trash; its name.

        Raises:
            WorldError: it is no longer there.
        """
        if ticket not in {one.ticket for one in self.trash()}:
            raise WorldError("library.not-in-trash", name=ticket)
        name = self.free_name(re.sub(r"^\d{8}-\d{6}-|\++$", "", ticket))
        (self.worlds / TRASH / ticket).rename(self.worlds / name)
        return name

    def empty_trash(self) -> None:
        """Delete for good what is in the trash."""
        shutil.rmtree(self.worlds / TRASH, ignore_errors=True)

    def free_name(self, title: str) -> str:
        """A folder name that says the title and that no world has."""
        short = re.sub(r"[^\w-]+", "-", title).strip("-_")[:_LONGEST_NAME].strip("-_") or "world"
        names = (short, *(f"{short}-{number}" for number in range(2, 10_000)))
        free = (one for one in names if not (self.worlds / one).exists())
        return next(free)


def checked_title(title: str) -> str:
    """The title in one line. Raises WorldError: it is empty or too long."""
    told = " ".join(title.split())
    if not told or len(told) > _LONGEST_TITLE:
        raise WorldError("library.title", most=_LONGEST_TITLE, length=len(told))
    return told


def write_info(folder: Path, info: WorldInfo) -> None:
    """Write ``world.json``."""
    files.write_json(folder / "world.json", info.model_dump())


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _title(path: Path) -> str:
    try:
        return str(WorldInfo.model_validate(files.read_json(path)).title)
    except (WorldError, ValueError):
        return path.parent.name
