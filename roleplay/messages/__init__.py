"""What the program says, in the reader's language: a key with values, one catalogue a language.

    text("world.missing", path="worlds/x")          # in the language of this process
    Message("world.missing", {"path": "worlds/x"}).text("zh")

A value may be a message itself, or several: they are told in the same language. ``zh.json`` and
``en.json`` hold the texts, with named slots as ``str.format`` takes them. A slot ``detail`` (what a
library said, in English) stands in the English text alone.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

_spoken: Language = "en"


@dataclass(frozen=True)
class Message:
    """A text that is not told yet: its key in the catalogue, and the values of its slots."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def text(self, language: Language | None = None) -> str:
        """The text in a language, by default in that of this process."""
        return text(self.key, language, **self.values)

    def __str__(self) -> str:
        return self.text()


def message(key: str, /, **values: Any) -> Message:
    """A message from a key and the values of its slots."""
    return Message(key, values)


def text(key: str, language: Language | None = None, /, **values: Any) -> str:
    """The text of ``key`` with its slots filled.

    Raises:
        KeyError: the catalogue has no such key, or a slot has no value.
    """
    wanted = language or _spoken
    told = {name: _told(part, wanted) for name, part in values.items()}
    return catalogue(wanted)[key].format(**told)


def speak(language: Language) -> None:
    """Set the language of this process."""
    global _spoken
    _spoken = language


def spoken() -> Language:
    """The language of this process."""
    return _spoken


def language_of(wanted: str) -> Language:
    """That of a locale (zh_CN.UTF-8) or Accept-Language header; Chinese where nothing is said."""
    first = wanted.split(",")[0].strip().lower()
    return "en" if first and not first.startswith("zh") else "zh"


def system_language(environment: Mapping[str, str] = os.environ) -> Language:
    """That of a terminal: ROLEPLAY_LANGUAGE, else the locale; English where that is C or POSIX."""
    names = ("ROLEPLAY_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    return language_of(next(filter(None, map(environment.get, names)), "en"))


@cache
def catalogue(language: Language) -> dict[str, str]:
    """Key -> text, all of one language."""
    path = Path(__file__).with_name(f"{language}.json")
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _told(value: Any, language: Language) -> Any:
    """A value as its slot shows it: messages and errors in the language, several of them joined."""
    if hasattr(value, "text") and callable(value.text):
        return value.text(language)
    if isinstance(value, list | tuple):
        return "; ".join(str(_told(part, language)) for part in value)
    return value
