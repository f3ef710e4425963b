"""The folder of one novel: ``worlds/<name>/``, and the file names that every stage shares.

    world = World.load(Path("worlds/chuiyan"))
    world.character("小筝").name        # "闻筝": aliases are known
    world.read_script()                 # [Line, ...] from script.jsonl

``world.json`` holds the title, the language and the characters::

    {"format": 1, "title": "第十三场雨", "language": "zh",
     "characters": [{"name": "闻筝", "aliases": ["小筝"], "gender": "f", "profile": "急性子的学徒修雨匠"}]}

The module reads a world; each stage writes its own files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from roleplay import files
from roleplay.errors import WorldError
from roleplay.records import FORMAT_VERSION, Chunk, Interview, Line, Question, Record

RecordT = TypeVar("RecordT", bound=Record)

_MADE_BY = {
    "chunks.jsonl": "python scripts/distill_dialogues.py --world {0}",
    "script.jsonl": "python scripts/distill_dialogues.py --world {0}",
    "train.json": "python scripts/prepare_seq2seq_training.py --world {0}",
    "test.json": "python scripts/prepare_seq2seq_training.py --world {0}",
    "train.passages.jsonl": "python scripts/prepare_seq2seq_training.py --world {0}",
    "test.passages.jsonl": "python scripts/prepare_seq2seq_training.py --world {0}",
    "kb": "python scripts/build_knowledge_base.py --world {0}",
}


class Character(BaseModel):
    """A person of the story as ``world.json`` describes them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    gender: Literal["f", "m"] | None = None
    profile: str = ""


class WorldInfo(BaseModel):
    """The content of ``world.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT_VERSION
    title: str
    language: str = "zh"
    characters: tuple[Character, ...] = ()


class World:
    """A world on disk."""

    def __init__(self, path: Path, info: WorldInfo) -> None:
        self.path = path
        self.info = info

    @classmethod
    def load(cls, path: Path) -> World:
        """Read ``world.json`` of the folder.

        Raises:
            WorldError: the folder or the file is missing, or the file is not of this form.
        """
        if not path.is_dir():
            raise WorldError(f"no world folder {path}: known worlds are {_known(path.parent)}")
        source = path / "world.json"
        try:
            info = WorldInfo.model_validate(files.read_json(source))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise WorldError(f"{source}: {place or 'content'}: {first['msg']}: mend this field") from error
        if info.format != FORMAT_VERSION:
            raise WorldError(f"{source}: format {info.format}, this program reads {FORMAT_VERSION}: update it")
        return cls(path, info)

    @classmethod
    def create(cls, path: Path, title: str) -> World:
        """Load the world of ``path``, or make the folder with an empty cast."""
        if not (path / "world.json").exists():
            files.write_json(path / "world.json", WorldInfo(title=title).model_dump())
        return cls.load(path)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def names(self) -> list[str]:
        """The characters' names, in the order of ``world.json`` (the main ones first)."""
        return [character.name for character in self.info.characters]

    def character(self, name: str) -> Character:
        """The character of that name or alias.

        Raises:
            WorldError: nobody is called so; the message lists the names.
        """
        for character in self.info.characters:
            if name == character.name or name in character.aliases:
                return character
        raise WorldError(f"no character {name!r} in {self.path}: known are {' '.join(self.names) or '(none)'}")

    def file(self, name: str, folder: Path | None = None) -> Path:
        """The path of a file that must exist, here or in another ``folder`` where it was prepared with ``--data_dir``.

        Raises:
            WorldError: it does not; the message names the command that makes it.
        """
        path = (folder or self.path) / name
        if not path.exists():
            command = _MADE_BY.get(name)
            elsewhere = f" --data_dir {folder}" if folder and folder != self.path else ""
            step = f"make it with `{command.format(self.path)}{elsewhere}`" if command else "put it there"
            raise WorldError(f"{path} is missing: {step}")
        return path

    def novel(self) -> Path:
        """The novel's file: ``novel.txt`` or ``novel.epub``.

        Raises:
            WorldError: neither is there.
        """
        for name in ("novel.txt", "novel.epub"):
            if (self.path / name).exists():
                return self.path / name
        raise WorldError(f"no novel.txt or novel.epub in {self.path}: put the novel there under one of these names")

    def read_script(self) -> list[Line]:
        """All lines of ``script.jsonl``, in order."""
        path = self.file("script.jsonl")
        try:
            return [line for row in files.read_jsonl(path) for line in Line.from_json(row)]
        except (ValueError, AttributeError, TypeError) as error:
            raise WorldError(f"{path}: {error}: mend it or distil again") from error

    def read_chunks(self) -> list[Chunk]:
        """All rows of ``chunks.jsonl``; their texts joined are the decoded novel."""
        return self._records("chunks.jsonl", Chunk)

    def read_interviews(self) -> list[Interview]:
        """The rows of ``interviews.jsonl``, or none where there is no such file."""
        return self._records("interviews.jsonl", Interview) if (self.path / "interviews.jsonl").exists() else []

    def read_questions(self) -> list[Question]:
        """The rows of ``questions.jsonl``."""
        return self._records("questions.jsonl", Question)

    def _records(self, name: str, kind: type[RecordT]) -> list[RecordT]:
        path = self.file(name)
        try:
            return [kind.model_validate(row) for row in files.read_jsonl(path)]
        except ValidationError as error:
            raise WorldError(f"{path}: {error.errors()[0]['msg']}: mend or remove the row") from error


def _known(folder: Path) -> str:
    names = sorted(path.parent.name for path in folder.glob("*/world.json"))
    return " ".join(names) or f"none in {folder}"
