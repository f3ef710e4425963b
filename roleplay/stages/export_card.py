"""Write a character of a world as a card, or the world's lore as World Info.

    run(Settings(world=world, output=Path("闻筝.png")), show)     # the first character
    run(Settings(world=world, character="陆迟", output=Path("陆迟.charx")), show)
    run(Settings(world=world, output=Path("lore.json"), lorebook=True), show)   # for SillyTavern

The ending of ``output`` is the form: png, json or charx. A character of the novel gets description,
greeting and example lines from what the stages made of it, and the wiki and the plot that it knows
as its lorebook; a character that came in as a card is that card, with what was changed since.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from roleplay import files
from roleplay.cards.card import Card
from roleplay.cards.documents import Json, write_json
from roleplay.cards.examples import USER, Sources, example_blocks, greetings_of, opening_of
from roleplay.cards.formats import KINDS, Kind, assets_of, write_card
from roleplay.cards.lorebook import write_lorebook, write_world_info
from roleplay.cards.portrait import draw
from roleplay.cards.talk import examples_of
from roleplay.cards.world_info import OURS
from roleplay.errors import CardError, WorldError
from roleplay.messages import Message, message, text
from roleplay.options import WorldOptions, option, required
from roleplay.prompts import ASKER
from roleplay.script import parse_script
from roleplay.stages import cards, lore
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.world import Character, World

STAGE = "export_card"
_FACE_FOLDER = "assets/emotion/image"


@dataclass(frozen=True, kw_only=True)
class Settings(WorldOptions):
    """The options of the stage."""

    output: Path = required("file: .png, .json or .charx", "写到哪个文件：.png、.json 或 .charx")
    character: str = option("", "who (default: the first)", "谁（默认：第一个）")
    version: Literal[1, 2, 3] | None = option(
        None, "of the card (default: 3, or that it came in)", "卡的版本（默认：3，或导入时的版本）"
    )
    portrait: Path | None = option(
        None,
        "picture (default: the world's, or a drawn one)",
        "头像（默认：世界里的，没有就画一个）",
    )
    lorebook: bool = option(
        False,
        "the whole world's lore alone: World Info, or with --version 3 a lorebook_v3",
        "只写整个世界的世界书：SillyTavern 的格式，加 --version 3 则为 lorebook_v3",
    )

    def problems(self) -> Iterator[Message]:
        """The ending says what is written."""
        known = ["json"] if self.lorebook else KINDS
        if self.output.suffix[1:].lower() not in known:
            yield message("export-card.ending", path=self.output, known=" ".join(known))
        elif self.version in (1, 2) and self.output.suffix.lower() == ".charx":
            yield message("export-card.charx")


def run(settings: Settings, listener: Listener = silent) -> Path:
    """The file written.

    Raises:
        WorldError: the world has nobody of that name, or a file of it cannot be read.
        CardError: the card that the character came from, or the picture, cannot be read.
        BackgroundError: the wiki or the knowledge base cannot be read.
    """
    say = Teller(STAGE, listener)
    world = World.load(settings.world)
    if settings.lorebook:
        book, came = lore.whole_book(world)
        # Of our own pages nothing is lost; what came from elsewhere may say more.
        is_v3 = settings.version == 3
        document = write_lorebook(book) if is_v3 else write_world_info(book, keep=came)
        files.write_bytes(settings.output, write_json(document))
        say.say("export-card.lorebook", path=settings.output, entries=len(book["entries"]))
        return settings.output
    person = world.character(settings.character) if settings.character else _first(world)
    card = card_of(world, person)
    kind: Kind = settings.output.suffix[1:].lower()  # type: ignore[assignment]
    picture = _picture(settings, world, person, card)
    made = _with_faces(card.as_version(settings.version or card.version), world, person)
    files.write_bytes(settings.output, write_card(made, kind, picture=picture))
    entries = len(made.book["entries"]) if made.book else 0
    told = {"path": settings.output, "name": person.name, "version": made.version}
    say.say("export-card.wrote", entries=entries, **told)
    return settings.output


def card_of(world: World, person: Character) -> Card:
    """The card of a character: the one that it came from, or a new one. Raises as :func:`run`."""
    stored = cards.stored_card(world.path, person.name)
    card = _changed(stored, person) if stored else _new(world, person)
    book = lore.book_of(world, person, stored)
    data = {key: value for key, value in card.data.items() if key != "character_book"}
    if book["entries"] or (stored and stored.book is not None):
        data["character_book"] = book
    if data == card.data:
        return card
    # Version 1 has no place for a lorebook, which may be new.
    newer = replace(card, data=data)
    return newer.as_version(2) if card.version == 1 and "character_book" in data else newer


def _first(world: World) -> Character:
    if not world.info.characters:
        raise WorldError("character.nobody", path=world.path / "world.json")
    return world.info.characters[0]


def _changed(card: Card, person: Character) -> Card:
    """The card with what was changed in ``world.json`` since it came."""
    came = cards.person_of(card, cards.language_of(card), person.name)
    data = dict(card.data)
    if person.profile != came.profile:
        data |= {"description": person.profile, "personality": ""}
    if person.greeting != came.greeting:
        data["first_mes"] = person.greeting
    if person.scenario != came.scenario:
        data["scenario"] = person.scenario
    if person.examples != came.examples:
        data["mes_example"] = _own_examples(person)
    return card if data == card.data else replace(card, data=data)


def _new(world: World, person: Character) -> Card:
    """A card of somebody of the novel."""
    sources = Sources(
        world.read_script() if world.is_there("script.jsonl") else (),
        world.read_conversations(),
        world.read_interviews(),
    )
    name, title = person.name, world.info.title
    greetings = [person.greeting] if person.greeting else greetings_of(sources, name)
    blocks = example_blocks(sources, name)
    examples = _own_examples(person) or examples_of(blocks, char=name, user=USER)
    about = {"aliases": list(person.aliases), "gender": person.gender, "world": world.name}
    language: Any = "en" if world.info.language == "en" else "zh"
    data: Json = {
        "name": name,
        "description": "\n".join(filter(None, (person.profile, lore.facts_of(world, person)))),
        "personality": "",
        "scenario": person.scenario or opening_of(sources.script),
        "first_mes": next(iter(greetings), ""),
        "mes_example": examples,
        "creator_notes": text("export-card.notes", language, title=title),
        "system_prompt": "",
        "post_history_instructions": "",
        "alternate_greetings": greetings[1:],
        "tags": [title],
        "creator": "",
        "character_version": "",
        "extensions": {OURS: about},
        "group_only_greetings": [],
    }
    return Card(data)


def _own_examples(person: Character) -> str:
    blocks = [parse_script(block).lines for block in person.examples]
    return examples_of(blocks, char=person.name, user=ASKER)


def _picture(settings: Settings, world: World, person: Character, card: Card) -> bytes:
    """The portrait as a PNG: the one that was named, the world's, the card's, or a drawn one.

    Raises CardError: the one that was named is no picture.
    """
    given = [settings.portrait] if settings.portrait else []
    for path in given or [world.path / (person.portrait or cards.portrait_of(person.name))]:
        if given or path.is_file():
            if picture := cards.as_png(cards.read_bytes(path)):
                return picture
            raise CardError("export-card.no-picture", path=path)
    return card.picture or draw(person.name)


def _with_faces(card: Card, world: World, person: Character) -> Card:
    """The card with the world's pictures of expressions; of other assets it has them already."""
    known = {asset.get("name") for asset in assets_of(card)}
    folder = (world.path / cards.portrait_of(person.name)).with_suffix("")
    new = [path for path in sorted(folder.glob("*.png")) if path.stem not in known]
    faces = {path.stem: cards.as_png(cards.read_bytes(path)) for path in new}
    pictures = {name: picture for name, picture in faces.items() if picture}
    if card.version < 3 or not pictures:
        return card
    paths = {name: f"{_FACE_FOLDER}/{i}.png" for i, name in enumerate(pictures)}
    assets = [
        {"type": "emotion", "uri": f"embeded://{paths[name]}", "name": name, "ext": "png"}
        for name in pictures
    ]
    icon = {"type": "icon", "uri": "ccdefault:", "name": "main", "ext": "png"}
    before = assets_of(card) or [icon]
    contents = {paths[name]: picture for name, picture in pictures.items()}
    data = card.data | {"assets": [*before, *assets]}
    return replace(card, data=data, files={**card.files, **contents})
