"""Lorebooks: character_book of a card, lorebook_v3, and SillyTavern's World Info, read as one form.

    book = read_lorebook(read_json(data))
    book["entries"][0]      # {"keys": ["小筝"], "content": "…", "insertion_order": 100, ...}
    write_lorebook(book)    # {"spec": "lorebook_v3", "data": book}
    write_world_info(book)  # {"entries": {"0": {"uid": 0, "key": ["小筝"], ...}}}

The form is that of a character_book; whatever else an entry has stays in it. A book is an object of
JSON, not a class, for unknown fields are a part of it.
"""

import re
from typing import Any

from roleplay.cards import world_info
from roleplay.cards.documents import Json
from roleplay.cards.fields import filled, flag, mapping, number, objects, text, whatever, words
from roleplay.cards.macros import decorated
from roleplay.errors import CardError

SPEC = "lorebook_v3"
_MOST_ENTRIES = 20_000
_BOOK = {"extensions": mapping, "entries": objects}
_BOOK_OPTIONS = {
    "name": text,
    "description": text,
    "scan_depth": number(0),
    "token_budget": number(0),
    "recursive_scanning": flag(False),
}
_ENTRY = {
    "keys": words,
    "content": text,
    "extensions": mapping,
    "enabled": flag(True),
    "insertion_order": number(100),
}
_ENTRY_OPTIONS = {
    "name": text,
    "comment": text,
    "priority": number(0),
    "id": whatever,
    "selective": flag(False),
    "secondary_keys": words,
    "constant": flag(False),
    "position": text,
    "use_regex": flag(False),
    "case_sensitive": flag(False),
}
_OTHERS = {"lorebookVersion": "NovelAI", "kind": "Agnai", "type": "Risu"}
"""What marks a lorebook of another program, by the programs' names."""
_IDEOGRAPH = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_REGEX = re.compile(r"/.+/[a-z]*", re.S)


def is_lorebook(document: Any) -> bool:
    """Whether a document is meant as a lorebook and not as a card."""
    if not isinstance(document, dict):
        return False
    return document.get("spec") == SPEC or ("entries" in document and "data" not in document)


def read_lorebook(document: Any) -> Json:
    """A book from any of its forms.

    Raises:
        CardError: it is none of them, a field is of a wrong type, or it has too many entries.
    """
    if not isinstance(document, dict):
        raise CardError("cards.no-lorebook")
    if document.get("spec") == SPEC:
        return read_book(mapping(document.get("data"), "data"), "data.")
    if "entries" not in document:
        raise CardError("cards.no-lorebook")
    for mark, program in _OTHERS.items():
        if mark in document:
            raise CardError("cards.foreign-lorebook", program=program)
    if world_info.is_one(document):
        return read_book(world_info.to_book(document), "")
    return read_book(document, "")


def read_book(raw: Json, at: str) -> Json:
    """A character_book with the right types, at a place of its document. Raises as above."""
    book = filled(raw, _BOOK, _BOOK_OPTIONS, at)
    if len(book["entries"]) > _MOST_ENTRIES:
        raise CardError("cards.many-entries", count=len(book["entries"]), most=_MOST_ENTRIES)
    entries = enumerate(book["entries"])
    book["entries"] = [
        filled(entry, _ENTRY, _ENTRY_OPTIONS, f"{at}entries.{i}.") for i, entry in entries
    ]
    return book


def write_lorebook(book: Json) -> Json:
    """The stand-alone document of a book, after version 3."""
    return {"spec": SPEC, "data": book_v3(book)}


def write_world_info(book: Json, *, keep: bool = True) -> Json:
    """SillyTavern's document of a book; ``keep`` as for :func:`world_info.of_book`."""
    return world_info.of_book(searched(book), keep=keep)


def searched(book: Json) -> Json:
    """The book whose keys are found inside of Chinese text, where it says nothing of that."""
    return book | {"entries": list(map(_searched, book["entries"]))}


def book_v3(book: Json) -> Json:
    """The book as version 3 demands it: each entry says whether its keys are expressions."""
    entries = [
        entry if "use_regex" in entry else entry | {"use_regex": any(map(is_regex, entry["keys"]))}
        for entry in book["entries"]
    ]
    return searched(book | {"entries": entries})


def book_v2(book: Json) -> Json:
    """The book as version 2 reads it: without the decorators that it would show."""
    entries = [_searched(entry) for entry in book["entries"]]
    bare = [entry | {"content": decorated(entry["content"])[1]} for entry in entries]
    return book | {"entries": bare}


def is_regex(key: str) -> bool:
    """Whether a key is a regular expression: ``/…/`` and flags."""
    return bool(_REGEX.fullmatch(key))


def _searched(entry: Json) -> Json:
    given = entry["extensions"].get("match_whole_words")
    if given is not None or not any(map(_IDEOGRAPH.search, entry["keys"])):
        return entry
    return entry | {"extensions": entry["extensions"] | {"match_whole_words": False}}
