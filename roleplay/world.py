"""The folder of one novel: ``worlds/<name>/``, and the file names that every stage shares.

    world = World.load(Path("worlds/chuiyan"))
    world.character("小筝").name        # "闻筝": aliases are known
    world.read_script()                 # [Line, ...] from script.jsonl

``world.json`` holds the title, the language and the characters::

    {"format": 1, "title": "第十三场雨", "language": "zh",
     "characters": [{"name": "闻筝", "aliases": ["小筝"], "gender": "f", "profile": "修雨匠"}]}

The module reads a world; each stage writes its own files.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, ValidationError

from roleplay import files
from roleplay.errors import FormError, WorldError, reason
from roleplay.messages import message
from roleplay.records import FORMAT_VERSION, Chunk, Conversation, Interview, Line, Question, Record

T = TypeVar("T")
RecordT = TypeVar("RecordT", bound=Record)

_MADE_BY = {
    "chunks.jsonl": "distill_dialogues",
    "script.jsonl": "distill_dialogues",
    "train.json": "prepare_seq2seq_training",
    "test.json": "prepare_seq2seq_training",
    "train.passages.jsonl": "prepare_seq2seq_training",
    "test.passages.jsonl": "prepare_seq2seq_training",
    "kb": "build_knowledge_base",
}


class Character(Record):
    """A person of the story as ``world.json`` describes them.

    Attributes:
        greeting: what they say first, with acts between stars.
        scenario: where one meets them.
        examples: pieces of script text that show how they speak; ``问`` is who talks to them.
        portrait: path of a picture in the world's folder.
    """

    name: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    gender: Literal["f", "m"] | None = None
    profile: str = ""
    greeting: str = ""
    scenario: str = ""
    examples: tuple[str, ...] = ()
    portrait: str = ""


class WorldInfo(Record):
    """The content of ``world.json``."""

    format: int = FORMAT_VERSION
    title: str
    language: str = "zh"
    characters: tuple[Character, ...] = ()


@dataclass(eq=False)
class World:
    """A world on disk."""

    path: Path
    info: WorldInfo

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read ``world.json`` of the folder.

        Raises WorldError: the folder or the file is missing, or the file is not of this form.
        """
        if not path.is_dir():
            known = sorted(found.parent.name for found in path.parent.glob("*/world.json"))
            named = " ".join(known) or message("world.none", folder=path.parent)
            raise WorldError("world.no-folder", path=path, known=named)
        files.settle(path)  # what a killed stage left half-moved is none of its readers' business
        source = path / "world.json"
        try:
            info = WorldInfo.model_validate(files.read_json(source))
        except ValidationError as error:
            raise WorldError("world.broken", path=source, reason=reason(error)) from error
        if info.format != FORMAT_VERSION:
            raise WorldError("world.format", path=source, format=info.format, known=FORMAT_VERSION)
        return cls(path, info)

    @classmethod
    def create(cls, path: Path, title: str) -> Self:
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
        """The character of that name or alias. Raises WorldError: nobody is called so."""
        for character in self.info.characters:
            if name == character.name or name in character.aliases:
                return character
        known = " ".join(self.names) or message("world.nobody")
        raise WorldError("world.no-character", name=name, path=self.path, known=known)

    def is_there(self, name: str) -> bool:
        """Whether the world has this file or folder."""
        return (self.path / name).exists()

    def file(self, name: str, folder: Path | None = None) -> Path:
        """The path of a file that must exist, here or in the ``folder`` that ``--data-dir`` named.

        Raises WorldError: it does not; the message names the command that makes it.
        """
        path = (folder or self.path) / name
        if path.exists():
            return path
        if not (script := _MADE_BY.get(name)):
            raise WorldError("world.missing", path=path)
        elsewhere = f" --data-dir {folder}" if folder and folder != self.path else ""
        command = f"python scripts/{script}.py --world {self.path}{elsewhere}"
        raise WorldError("world.not-made", path=path, command=command)

    def novel(self) -> Path:
        """The path of ``novel.txt`` or ``novel.epub``. Raises WorldError: neither is there."""
        for name in ("novel.txt", "novel.epub"):
            if self.is_there(name):
                return self.path / name
        raise WorldError("world.no-novel", path=self.path)

    def read_script(self) -> list[Line]:
        """All lines of ``script.jsonl``, in order."""
        return [line for lines in self._rows("script.jsonl", Line.from_json) for line in lines]

    def lines_by_chapter(self) -> dict[int, list[Line]]:
        """The lines of the script by chapter, the chapters in order.

        Lines whose chapter nobody knows are left out.
        """
        chapter_of = chapter_finder(self.read_chunks())
        chapters: dict[int, list[Line]] = {}
        for line in self.read_script():
            if (chapter := chapter_of(line)) is not None:
                chapters.setdefault(chapter, []).append(line)
        return dict(sorted(chapters.items()))

    def read_chunks(self) -> list[Chunk]:
        """All rows of ``chunks.jsonl``; their texts joined are the decoded novel."""
        return self.read("chunks.jsonl", Chunk)

    def read_interviews(self) -> list[Interview]:
        """The rows of ``interviews.jsonl``, or none where there is no such file."""
        name = "interviews.jsonl"
        return self.read(name, Interview) if self.is_there(name) else []

    def read_conversations(self) -> list[Conversation]:
        """The rows of ``conversations.jsonl``, or none where there is no such file."""
        name = "conversations.jsonl"
        return self.read(name, Conversation) if self.is_there(name) else []

    def read_questions(self) -> list[Question]:
        """The rows of ``questions.jsonl``."""
        return self.read("questions.jsonl", Question)

    def read(self, name: str, kind: type[RecordT]) -> list[RecordT]:
        """The rows of a file. Raises WorldError: it is missing, or a row is of another form."""
        return self._rows(name, kind.model_validate)

    def _rows(self, name: str, read: Callable[[Any], T]) -> list[T]:
        path = self.file(name)
        made: list[T] = []
        for number, row in enumerate(files.read_jsonl(path), 1):
            try:
                made.append(read(row))
            except (FormError, ValidationError) as error:
                values = {"path": path, "number": number, "reason": reason(error)}
                raise WorldError("world.row", **values) from error
        return made


def chapter_finder(chunks: Iterable[Chunk]) -> Callable[[Line], int | None]:
    """A function that tells the chapter of a line from the chunk that it comes from.

    It gives None for a line without a chunk, and for one whose chunk is not among ``chunks``.
    """
    chapters: dict[int | None, int] = {chunk.id: chunk.chapter for chunk in chunks}
    return lambda line: chapters.get(line.src_id)
