"""The fields of cards and lorebooks: what a stranger wrote, as the type that it should have.

    filled({"name": 7, "tags": "a, b", "my": 1}, {"name": text, "tags": words}, {}, "data.")
    # {"name": "7", "tags": ["a", "b"], "my": 1}

Fields that no table names stay as they are, in their places.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from roleplay.cards.documents import Json
from roleplay.errors import CardError

Read = Callable[[Any, str], Any]
"""A value and its place in the document -> the value of the right type."""

_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "")
_SHOWN = 40


def filled(raw: Json, required: Mapping[str, Read], optional: Mapping[str, Read], at: str) -> Json:
    """The object with the right types: what is required is there, what is optional never null.

    Raises CardError: a value is of a type that does not fit; the message has its place.
    """
    made: Json = {}
    for key, value in raw.items():
        if key in required:
            made[key] = required[key](value, f"{at}{key}")
        elif key not in optional:
            made[key] = value
        elif value is not None:
            made[key] = optional[key](value, f"{at}{key}")
    missing = {key: read(None, f"{at}{key}") for key, read in required.items() if key not in made}
    return made | missing


def text(value: Any, place: str) -> str:
    """A string, empty for null; a number or truth value as its word."""
    if isinstance(value, str | int | float):
        return str(value)
    if value is not None:
        raise _refusal("cards.no-string", place, value)
    return ""


def texts(value: Any, place: str) -> list[str]:
    """A list of strings; a string alone is the only one, null in a list none."""
    if value is None or value == "" or value == {}:
        return []
    if not isinstance(value, list):
        return [text(value, place)]
    return [text(part, f"{place}.{i}") for i, part in enumerate(value) if part is not None]


def words(value: Any, place: str) -> list[str]:
    """A list of strings; a string alone is cut at its commas."""
    if isinstance(value, str):
        return [part for part in map(str.strip, re.split("[,，]", value)) if part]
    return texts(value, place)


def mapping(value: Any, place: str) -> Json:
    """An object; null and, as some languages write an empty one, an empty list are empty."""
    if isinstance(value, dict):
        return value
    if value not in (None, [], ""):
        raise _refusal("cards.no-object", place, value)
    return {}


def objects(value: Any, place: str) -> list[Json]:
    """A list of objects, also where they are the values of one."""
    found = list(value.values()) if isinstance(value, dict) else value or []
    if not isinstance(found, list):
        raise _refusal("cards.no-list", place, value)
    for i, part in enumerate(found):
        if not isinstance(part, dict):
            raise _refusal("cards.no-object", f"{place}.{i}", part)
    return found


def flag(default: bool) -> Read:
    """A truth value, also as a number or a word."""

    def read(value: Any, place: str) -> bool:
        word = str(value).strip().lower()
        if value is None:
            return default
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise _refusal("cards.no-flag", place, value)

    return read


def number(default: int) -> Read:
    """A number, also as a word."""

    def read(value: Any, place: str) -> int | float:
        if value is None or value == "":
            return default
        try:
            made = float(value) if isinstance(value, str | int | float) else None
        except (ValueError, OverflowError):
            made = None
        if made is None or made != made or abs(made) > 1e15:
            raise _refusal("cards.no-number", place, value)
        return int(made) if made.is_integer() else made

    return read


def whatever(value: Any, place: str) -> Any:
    """Any value: specifications and programs do not agree on its type."""
    return value


def _refusal(key: str, place: str, value: Any) -> CardError:
    return CardError(key, place=place, value=str(value)[:_SHOWN])
