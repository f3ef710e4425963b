"""Read a character card or a lorebook into a world, which can be talked to at once.

    run(Settings(card=Path("闻筝.png")), show)                  # a new world, worlds/闻筝
    run(Settings(card=Path("陆迟.charx"), world=world), show)   # one more in a world
    run(Settings(card=Path("lore.json"), world=world), show)   # pages of its wiki alone

The character stands in ``world.json`` with its greeting, scenario and examples, the lorebook as
pages in ``wiki/``, the portrait in ``portraits/``, and the file itself in ``cards/``: what nobody
here knows of it comes back when the character is exported. Nothing is fetched from anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from roleplay import files
from roleplay.cards.card import parse_card
from roleplay.cards.documents import read_json
from roleplay.cards.formats import KINDS, kind_of, main_icon, read_card
from roleplay.cards.lorebook import is_lorebook, read_lorebook
from roleplay.cards.pages import file_name
from roleplay.errors import CardError
from roleplay.options import Options, option, required
from roleplay.stages import cards, knowledge
from roleplay.stages.cards import Lore
from roleplay.stages.progress import Event, Listener, Teller, silent
from roleplay.world import Character, World, WorldInfo

STAGE = "import_card"


@dataclass(frozen=True)
class Settings(Options):
    """The options of the stage."""

    card: Path = required(
        "card (JSON, PNG, CHARX) or lorebook (JSON)",
        "角色卡（JSON、PNG、CHARX）或世界书（JSON）",
        positional=True,
    )
    world: Path | None = option(
        None,
        "folder; made where it is not there (default: worlds/NAME)",
        "文件夹，没有就新建（默认：worlds/名字）",
    )
    background: bool = option(True, "build the knowledge base of the lore", "用世界书建好背景知识")
    force: bool = option(False, "replace the character of that name", "替换同名的角色")


@dataclass(frozen=True)
class Imported:
    """What came into a world: how many pages of lore, and a character unless it was lore alone."""

    world: Path
    pages: int = 0
    person: Character | None = None


@dataclass(frozen=True)
class _Parts:
    """What is written of a file: itself at ``stored``, and what was read from it."""

    name: str
    stored: str
    language: str
    lore: Lore | None = None
    person: Character | None = None
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def run(settings: Settings, listener: Listener = silent) -> Imported:
    """Import one file.

    Raises:
        CardError: the file cannot be read as a card or lorebook, or the character is there already.
        WorldError, BusyError: the world cannot be read or written, or another run is at work on it.
    """
    say = Teller(STAGE, listener)
    path = settings.card
    try:
        data = cards.read_bytes(path)
        made = _write(_read(data, path.stem, say), data, settings)
    except CardError as error:
        raise CardError("cards.of-file", path=path, reason=error) from error
    if made.person:
        say.say("import-card.person", name=made.person.name, world=made.world)
    if made.pages:
        say.say("import-card.pages", count=made.pages, folder=made.world / cards.WIKI)
    if made.pages and settings.background:
        knowledge.run(knowledge.Settings(world=made.world), _without_next(listener))
    say.next("test_dialogue", "--world", made.world)
    return made


def _without_next(listener: Listener) -> Listener:
    """The listener of a stage that runs inside of another, which tells itself what comes next."""

    def heard(event: Event) -> None:
        if event.message.key not in ("next", "knowledge.look"):
            listener(event)

    return heard


def _read(data: bytes, stem: str, say: Teller) -> _Parts:
    """What is to be written of a file. Raises CardError: it is no card and no lorebook."""
    kind = kind_of(data)
    document = read_json(data) if kind == "json" else None
    if is_lorebook(document):
        book = read_lorebook(document)
        name = file_name(str(book.get("name") or stem))
        lore = cards.lore_of_book(book, name)
        return _Parts(name, f"{cards.LOREBOOKS}/{name}.json", lore.language, lore)
    card = parse_card(document) if kind == "json" else read_card(data)
    for notice in card.notices:
        say.tell(notice)
    language = cards.language_of(card)
    person = cards.person_of(card, language, stem)
    name = person.name
    pictures = cards.faces_of(card, name)
    if icon := cards.as_png(main_icon(card) or b""):
        person = person.model_copy(update={"portrait": cards.portrait_of(name)})
        pictures[person.portrait] = icon
    stored = f"{cards.CARDS}/{file_name(name)}.{kind}"
    return _Parts(name, stored, language, cards.lore_of_card(card, name), person, pictures)


def _write(parts: _Parts, data: bytes, settings: Settings) -> Imported:
    world = settings.world or Path("worlds") / file_name(parts.name)
    with files.claim(world, STAGE):
        info = _info(world, parts, settings.force)
        pages = parts.lore.made() if parts.lore else {}
        old = _before(world, parts)
        made_by, inputs = {"name": parts.name}, files.digest(data)
        with files.commit(world, STAGE, settings=made_by, inputs=inputs) as staged:
            files.write_json(staged / "world.json", info.model_dump())
            files.write_bytes(staged / parts.stored, data)
            for path, picture in parts.pictures.items():
                files.write_bytes(staged / path, picture)
            for path, page in pages.items():
                files.write_text(staged / path, page)
        _sweep(world, parts.stored, old, pages)
    return Imported(world, len(pages), parts.person)


def _info(world: Path, parts: _Parts, force: bool) -> WorldInfo:
    """The world with the character. Raises CardError: one of that name is there already."""
    info = WorldInfo(title=parts.name, language=parts.language)
    if (world / "world.json").exists():
        info = World.load(world).info
    if (person := parts.person) is None:
        return info
    cast = list(info.characters)
    same = [i for i, one in enumerate(cast) if person.name in (one.name, *one.aliases)]
    if same and not force:
        raise CardError("cards.there", name=person.name, world=world)
    place = same[0] if same else len(cast)
    cast[place : place + 1] = [person]
    return info.model_copy(update={"characters": tuple(cast)})


def _before(world: Path, parts: _Parts) -> dict[str, str]:
    """The pages that an earlier file of the same name gave."""
    if parts.person is None:
        lore = cards.stored_lore(world, parts.name)
    else:
        card = cards.stored_card(world, parts.name)
        lore = cards.lore_of_card(card, parts.name) if card else None
    return lore.made() if lore else {}


def _sweep(world: Path, stored: str, old: Mapping[str, str], pages: Mapping[str, str]) -> None:
    """Remove what an earlier file gave and this one does not; pages that were edited stay."""
    for path in old.keys() - pages:
        if (page := world / path).exists() and files.read_text(page) == old[path]:
            page.unlink()
    for kind in KINDS:
        other = (world / stored).with_name(f"{(world / stored).stem}.{kind}")
        if other != world / stored:
            other.unlink(missing_ok=True)
