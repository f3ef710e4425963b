"""A character card: version 1, 2 or 3, as JSON; what nobody knows in it stays in it.

    card = parse_card(read_json(data))
    card.version, card.text("first_mes")        # 2, "门没锁。{{user}}自己进来。"
    parse_card(card.as_version(3).document())   # another version of the same character

The character's fields stand in ``data`` under the names of version 2 and 3, whatever the file was.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from roleplay.cards.documents import Json
from roleplay.cards.fields import filled, mapping, number, objects, text, texts, words
from roleplay.cards.lorebook import book_v2, book_v3, read_book, searched
from roleplay.errors import CardError
from roleplay.messages import Message, message

Version = Literal[1, 2, 3]
SPECS: Mapping[Version, tuple[str, str]] = {
    2: ("chara_card_v2", "2.0"),
    3: ("chara_card_v3", "3.0"),
}
"""Version -> the values of ``spec`` and ``spec_version``; version 1 has none."""

_FIRST = dict.fromkeys(
    ("name", "description", "personality", "scenario", "first_mes", "mes_example"), text
)
_SECOND: dict[str, Callable[[Any, str], Any]] = {
    **_FIRST,
    "creator_notes": text,
    "system_prompt": text,
    "post_history_instructions": text,
    "alternate_greetings": texts,
    "tags": words,
    "creator": text,
    "character_version": text,
    "extensions": mapping,
}
_GROUP = "group_only_greetings"
_THIRD: dict[str, Callable[[Any, str], Any]] = {**_SECOND, _GROUP: texts}
_REQUIRED: Mapping[Version, Mapping[str, Callable[[Any, str], Any]]] = {
    1: _FIRST,
    2: _SECOND,
    3: _THIRD,
}
_THIRD_ONLY: dict[str, Callable[[Any, str], Any]] = {
    "assets": objects,
    "nickname": text,
    "creator_notes_multilingual": mapping,
    "source": texts,
    "creation_date": number(0),
    "modification_date": number(0),
}
_OLDEST = {
    "char_name": "name",
    "char_persona": "description",
    "char_greeting": "first_mes",
    "world_scenario": "scenario",
    "example_dialogue": "mes_example",
}
"""What programs before version 1 called the fields."""


@dataclass(frozen=True)
class Card:
    """A card with what came beside it.

    Attributes:
        data: the fields of the character, those that the version requires all there.
        outer: fields beside ``data``, which some programs write.
        files: path in the file -> content of pictures and others that came with it.
        picture: the PNG that the card was in, without the card.
        notices: what a reader should know, and what no error is made of.
    """

    data: Json
    version: Version = 3
    outer: Json = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    picture: bytes | None = None
    notices: tuple[Message, ...] = ()

    def text(self, name: str) -> str:
        """A field of text, empty where there is none."""
        return str(self.data.get(name, ""))

    @property
    def book(self) -> Json | None:
        """The lorebook, where there is one."""
        book: Json | None = self.data.get("character_book")
        return book

    def as_version(self, version: Version) -> Self:
        """The card in another version; an older one has no place for all that a newer one says."""
        if version == self.version:
            return self
        given = dict(self.data)
        if version == 1:
            given = {name: given[name] for name in _FIRST}
        if version < 3:
            given = {key: given[key] for key in given if key not in (*_THIRD_ONLY, _GROUP)}
        if "character_book" in given:
            convert = book_v3 if version == 3 else book_v2
            given["character_book"] = convert(given["character_book"])
        data = filled(given, _REQUIRED[version], {}, "data.")
        return replace(self, data=data, version=version)

    def document(self) -> Json:
        """The card as its version writes it."""
        # Programs that repeat fields outside must not find old ones there.
        outer = {key: self.data.get(key, self.outer[key]) for key in self.outer}
        if self.version == 1:
            return {**outer, **self.data}
        spec, number = SPECS[self.version]
        data = dict(self.data)
        if self.book is not None:
            data["character_book"] = (book_v3 if self.version == 3 else searched)(self.book)
        return {"spec": spec, "spec_version": number, "data": data} | outer


def parse_card(document: Any) -> Card:
    """A card from its JSON.

    Raises:
        CardError: it is no card, or a field is of a type that does not fit.
    """
    if not isinstance(document, dict):
        raise CardError("cards.no-card")
    version, notices = _version(document)
    if version == 1:
        return _flat(document)
    at, given = "data.", mapping(document["data"], "data")
    optional = _THIRD_ONLY if version == 3 else {}
    data = filled(given, _REQUIRED[version], optional, at)
    if data.get("character_book") is None:
        data.pop("character_book", None)
    else:
        place = f"{at}character_book"
        data["character_book"] = read_book(mapping(data["character_book"], place), f"{place}.")
    outer = {key: document[key] for key in document if key not in ("spec", "spec_version", "data")}
    return Card(data, version, outer, notices=notices)


def _version(document: Json) -> tuple[Version, tuple[Message, ...]]:
    """The version that a document follows, and what is strange about it."""
    spec, number = str(document.get("spec", "")), str(document.get("spec_version", ""))
    if not isinstance(document.get("data"), dict):
        return 1, ()
    if spec == SPECS[2][0]:
        return 2, ()
    if not spec:
        return 2, (message("cards.no-spec"),)
    try:
        is_newer = spec != SPECS[3][0] or float(number) > float(SPECS[3][1])
    except ValueError:
        is_newer = True
    told = message("cards.newer", spec=spec[:40], version=number[:20])
    return 3, (told,) if is_newer else ()


def _flat(document: Json) -> Card:
    given = {_OLDEST.get(key, key): value for key, value in document.items()}
    if "name" not in given or not {"description", "first_mes", "personality"} & given.keys():
        raise CardError("cards.no-card")
    # A document that says more than it holds: no data where its spec promises some.
    own = ("spec", "spec_version", "data")
    notices = (message("cards.no-data"),) if "spec" in given else ()
    data = filled({key: given.get(key) for key in _FIRST}, _FIRST, {}, "")
    outer = {key: given[key] for key in given if key not in (*_FIRST, *own)}
    return Card(data, 1, outer, notices=notices)
