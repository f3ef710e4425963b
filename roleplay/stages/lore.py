"""A world's wiki and plot as the lorebook of a card.

    book_of(world, person, card)    # what one character knows, with the lorebook of its own card
    whole_book(world)               # all there is, with who knows what

What came in as a lorebook goes out as it came, with what was changed in its pages; the rest is made
of the knowledge base's snippets, where it is built, or of the wiki: those of one page are joined up
to a length that chats have room for.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from kb.snippets import Snippet, entries_to_snippets, read_snippets
from kb.wiki import iter_wiki
from roleplay.cards.card import Card
from roleplay.cards.documents import Json
from roleplay.cards.lorebook import read_book
from roleplay.cards.pages import Page, entry_of
from roleplay.cards.world_info import OURS
from roleplay.stages import cards
from roleplay.stages.background import told
from roleplay.stages.cards import Lore
from roleplay.world import Character, World

_LONGEST = 800
_OF_SELF, _OF_CAST, _OF_WIKI, _OF_PLOT = 130, 120, 100, 90
"""``insertion_order``: what is higher stands nearer to the talk, and is cut last."""


def book_of(world: World, person: Character, card: Card | None) -> Json:
    """The lorebook of a character: what it does not know is left out.

    Raises:
        WorldError, CardError, BackgroundError: something of the world cannot be read.
    """
    own = cards.lore_of_card(card, person.name) if card else None
    books = [*([own] if own else []), *_lorebooks(world)]
    known = [
        snippet
        for snippet in _snippets(world, books)
        if not snippet.people or person.name in snippet.people
    ]
    return _joined(world, books, known, person.name)


def whole_book(world: World) -> tuple[Json, bool]:
    """The lorebook of the whole world, and whether any of it came in. Raises as :func:`book_of`."""
    stored = ((name, cards.stored_card(world.path, name)) for name in world.names)
    found = (cards.lore_of_card(card, name) for name, card in stored if card)
    books = [*filter(None, found), *_lorebooks(world)]
    return _joined(world, books, _snippets(world, books), ""), bool(books)


def facts_of(world: World, person: Character) -> str:
    """What the wiki says first of somebody, without the name before it; empty for nothing."""
    return next((one.text for one in _snippets(world, ()) if one.title == person.name), "")


def _lorebooks(world: World) -> list[Lore]:
    paths = sorted((world.path / cards.LOREBOOKS).glob("*.json"))
    found = (cards.stored_lore(world.path, path.stem) for path in paths)
    return [lore for lore in found if lore]


def _snippets(world: World, books: Iterable[Lore]) -> list[Snippet]:
    """All snippets but those of lorebooks' pages, and of those that came with cards."""
    folders = {book.folder for book in books}

    def came(folder: str) -> bool:
        return folder in folders or folder.startswith("card-")

    wiki, stored = world.path / cards.WIKI, world.path / "kb" / "snippets.jsonl"
    own = [path for path in wiki.glob("[!.]*") if not (path.is_dir() and came(path.name))]
    with told():
        if stored.exists():
            found = read_snippets(stored)
        else:
            found = entries_to_snippets(iter_wiki(wiki)) if own else []
    places = ((snippet, snippet.source.partition("/")) for snippet in found)
    return [snippet for snippet, (folder, inside, _) in places if not (inside and came(folder))]


def _joined(world: World, books: Sequence[Lore], snippets: Sequence[Snippet], name: str) -> Json:
    """One book of all; a lorebook alone keeps what it says of itself."""
    first = books[0].book if books else {"name": world.info.title, "extensions": {}}
    entries = [entry for book in books for entry in book.edited(world.path)["entries"]]
    own = [_entry(world, piece, name) for piece in _pieces(snippets)]
    return read_book(first | {"entries": [*entries, *own]}, "")


def _pieces(snippets: Iterable[Snippet]) -> Iterator[list[Snippet]]:
    """Snippets that follow each other on one page, together as long as an entry may be."""
    for _, run in groupby(
        snippets, key=lambda one: (one.title, one.source, one.chapter, one.people)
    ):
        piece: list[Snippet] = []
        for snippet in run:
            if piece and sum(len(one.text) for one in (*piece, snippet)) > _LONGEST:
                yield piece
                piece = []
            piece.append(snippet)
        yield piece


def _entry(world: World, piece: Sequence[Snippet], name: str) -> Json:
    """The entry of some snippets of one page."""
    first, *others = piece
    cast = {person.name: person.aliases for person in world.info.characters}
    names = dict.fromkeys((*first.aliases, *cast.get(first.title, ())))
    text = "\n".join((first.display, *(one.text for one in others)))
    is_plot = first.chapter is not None
    page = Page(first.title, tuple(one for one in names if one != first.title), text)
    order = _OF_WIKI if first.title not in cast else _OF_CAST
    if first.title == name:
        order = _OF_SELF
    entry = entry_of(page, _OF_PLOT if is_plot else order)
    # Who talks is always named: what happened to them comes up with the others of it.
    met = [one for one in cast if one != name and one in text]
    if is_plot and first.title == name and met:
        entry["keys"] = [key for one in met for key in (one, *cast[one])]
    ours = {"source": first.source, "heading": first.heading, "chapter": first.chapter}
    extensions: Json = {
        OURS: {key: value for key, value in ours.items() if value not in (None, "")}
    }
    if first.people and not name:
        names_of = {"isExclude": False, "names": list(first.people), "tags": []}
        extensions["character_filter"] = names_of
    comment = " / ".join(filter(None, (first.title, first.heading)))
    return entry | {"comment": comment, "extensions": extensions}
