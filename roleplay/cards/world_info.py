"""SillyTavern's World Info and the character_book of cards, one to the other.

    {"entries": {"0": {"uid": 0, "key": ["小筝"], "order": 100, "disable": false, ...}}}
    {"entries": [{"id": 0, "keys": ["小筝"], "insertion_order": 100, "enabled": true, ...}]}

What only World Info has stands in an entry's ``extensions``, as SillyTavern has it there; fields
that it does not know stand there under our name. What only a book has is kept as ``originalData``
beside the entries, as SillyTavern keeps it.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

from roleplay.cards.documents import Json
from roleplay.cards.fields import flag, mapping, objects, text, words

OURS = "roleplay"
"""Our name in ``extensions``."""
_REST, _FILTER = "world_info", "characterFilter"
_MATCHES = ("persona_description", "character_description", "character_personality")
_MORE_MATCHES = ("character_depth_prompt", "scenario", "creator_notes")

_DIRECT = {
    "key": "keys",
    "keysecondary": "secondary_keys",
    "comment": "comment",
    "content": "content",
    "constant": "constant",
    "selective": "selective",
    "order": "insertion_order",
}
"""Field of World Info -> the same of a book's entry."""
_DEFAULTS: dict[str, Any] = {
    "key": [],
    "keysecondary": [],
    "comment": "",
    "content": "",
    "constant": False,
    "selective": True,
    "order": 100,
}
_EXTENSIONS: dict[str, tuple[str, Any]] = {
    "position": ("position", 0),
    "excludeRecursion": ("exclude_recursion", False),
    "preventRecursion": ("prevent_recursion", False),
    "delayUntilRecursion": ("delay_until_recursion", False),
    "probability": ("probability", 100),
    "useProbability": ("useProbability", True),
    "depth": ("depth", 4),
    "selectiveLogic": ("selectiveLogic", 0),
    "outletName": ("outlet_name", ""),
    "group": ("group", ""),
    "groupOverride": ("group_override", False),
    "groupWeight": ("group_weight", 100),
    "scanDepth": ("scan_depth", None),
    "caseSensitive": ("case_sensitive", None),
    "matchWholeWords": ("match_whole_words", None),
    "useGroupScoring": ("use_group_scoring", None),
    "automationId": ("automation_id", ""),
    "role": ("role", 0),
    "vectorized": ("vectorized", False),
    "sticky": ("sticky", None),
    "cooldown": ("cooldown", None),
    "delay": ("delay", None),
    "ignoreBudget": ("ignore_budget", False),
    "triggers": ("triggers", []),
    **{
        "match" + "".join(map(str.capitalize, name.split("_"))): (f"match_{name}", False)
        for name in (*_MATCHES, *_MORE_MATCHES)
    },
    "displayIndex": ("display_index", None),
    _FILTER: ("character_filter", None),
}
"""Field of World Info -> that of an entry's ``extensions``, and its default."""
_OWN_NAMES = {own for own, _ in _EXTENSIONS.values()}
_OWN = {"uid", "disable", "addMemo", "extensions", *_DIRECT, *_EXTENSIONS}
_BEFORE, _AFTER = "before_char", "after_char"


def is_one(document: Json) -> bool:
    """Whether a lorebook is World Info: its entries stand in an object, or have its keys."""
    entries = document.get("entries")
    if isinstance(entries, list) and entries and isinstance(entries[0], dict):
        return "key" in entries[0] and "keys" not in entries[0]
    return isinstance(entries, dict)


def of_book(book: Json, *, keep: bool = True) -> Json:
    """The World Info of a book that was read.

    :func:`to_book` gives the book back, unless what only a book has is not to be kept.
    """
    made = _plain(book)
    return made | {"originalData": book} if keep and to_book(made) != book else made


def to_book(document: Json) -> Json:
    """The book of World Info, its fields still unchecked.

    Where it came from a card, what the card said of an entry counts for all that was not edited.

    Raises:
        CardError: an entry is no object, or its keys are no texts.
    """
    original = document.get("originalData")
    if isinstance(original, dict) and isinstance(original.get("entries"), list):
        return _edited(original, document)
    known = ("entries", "name", "description", "extensions")
    rest = {key: value for key, value in document.items() if key not in known}
    book = {key: document[key] for key in ("name", "description") if key in document}
    extensions = _with_rest(mapping(document.get("extensions"), "extensions"), rest)
    entries = [_entry(i, found) for i, found in _entries(document)]
    return book | {"extensions": extensions, "entries": entries}


def _edited(original: Json, document: Json) -> Json:
    """The card's book with the entries that World Info has now."""
    plain = _plain(_typed(original))["entries"]
    known = dict(zip(plain, original["entries"], strict=True))
    entries = []
    for place, found in _entries(document):
        uid = str(found.get("uid", place))
        base, same = known.get(uid), plain.get(uid) == found
        made = base if base is not None and same else _entry(place, found)
        if base is not None and not same:
            extensions = mapping(base.get("extensions"), "extensions") | made["extensions"]
            made = {**base, **made, "extensions": extensions}
        entries.append(made)
    return original | {"entries": entries}


def _typed(book: Json) -> Json:
    """A book whose entries can be looked at, though nobody has checked them."""
    return {**book, "entries": objects(book["entries"], "originalData.entries")}


def _entries(document: Json) -> list[tuple[int, Json]]:
    return list(enumerate(objects(document["entries"], "entries")))


def _plain(book: Json) -> Json:
    """A book's World Info without what only a book has."""
    extensions = mapping(book.get("extensions"), "extensions")
    others, rest = _without_rest(extensions)
    made: Json = {key: book[key] for key in ("name", "description") if key in book}
    places = enumerate(zip(_uids(book["entries"]), book["entries"], strict=True))
    entries = {str(uid): _world_entry(uid, i, entry) for i, (uid, entry) in places}
    return {**made, **rest, **({"extensions": others} if others else {}), "entries": entries}


def _uids(entries: list[Json]) -> Iterator[int]:
    """A number for each entry: its own, or one that no entry has."""
    own = [entry.get("id") for entry in entries]
    numbers = [uid if type(uid) is int else None for uid in own]
    taken, fresh = set(numbers), count()
    seen: set[int] = set()
    for uid in numbers:
        if uid is None or uid in seen:
            uid = next(number for number in fresh if number not in taken)
        seen.add(uid)
        yield uid


def _world_entry(uid: int, place: int, entry: Json) -> Json:
    extensions = mapping(entry.get("extensions"), "extensions")
    made: Json = {"uid": uid}
    for name, own in _DIRECT.items():
        made[name] = entry.get(own, False if name == "selective" else _DEFAULTS[name])
    made["comment"] = made["comment"] or entry.get("name", "")
    made["addMemo"] = bool(made["comment"])
    made["disable"] = not entry.get("enabled", True)
    for name, (own, default) in _EXTENSIONS.items():
        if name != _FILTER or own in extensions:
            made[name] = extensions.get(own, default)
    if "position" not in extensions:
        made["position"] = 0 if entry.get("position", _BEFORE) == _BEFORE else 1
    if made["caseSensitive"] is None:
        made["caseSensitive"] = entry.get("case_sensitive")
    if made["displayIndex"] is None:
        made["displayIndex"] = place
    others, rest = _without_rest(extensions)
    others = {key: value for key, value in others.items() if key not in _OWN_NAMES}
    return {**made, **rest, **({"extensions": others} if others else {})}


def _entry(place: int, found: Json) -> Json:
    """The book's entry of one of World Info."""
    at, given = f"entries.{place}.", {**_DEFAULTS, **found}
    made = {own: given[name] for name, own in _DIRECT.items()}
    # Only these are looked at here, the others when the book is read.
    made["keys"] = words(made["keys"], f"{at}key")
    made["comment"] = text(made["comment"], f"{at}comment")
    extensions = {
        own: found.get(name, place if name == "displayIndex" else default)
        for name, (own, default) in _EXTENSIONS.items()
        if name != _FILTER or name in found
    }
    rest = {key: value for key, value in found.items() if key not in _OWN}
    others = mapping(found.get("extensions"), f"{at}extensions")
    made |= {
        "id": found.get("uid", place),
        "enabled": not flag(False)(found.get("disable"), f"{at}disable"),
        "position": _BEFORE if extensions["position"] == 0 else _AFTER,
        "extensions": _with_rest(others | extensions, rest),
    }
    return made


def ours_of(extensions: Json) -> Json:
    """What stands under our name in ``extensions`` or ``extra``."""
    found = extensions.get(OURS)
    return found if isinstance(found, dict) else {}


def _with_rest(extensions: Json, rest: Json) -> Json:
    if not rest:
        return extensions
    return extensions | {OURS: {**ours_of(extensions), _REST: rest}}


def _without_rest(extensions: Json) -> tuple[Json, Json]:
    """The extensions without the fields that :func:`_with_rest` put there, and those fields."""
    ours = ours_of(extensions)
    if not isinstance(ours.get(_REST), dict):
        return extensions, {}
    own = {key: value for key, value in ours.items() if key != _REST}
    others = {key: value for key, value in extensions.items() if key != OURS}
    return others | ({OURS: own} if own else {}), ours[_REST]
