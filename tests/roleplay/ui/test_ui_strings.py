"""The visible strings: every one in both languages, with the same slots."""

from __future__ import annotations

import ast
from pathlib import Path
from string import Formatter

import pytest

from roleplay import ui
from roleplay.ui.strings import LANGUAGES, STRINGS, language_of, say

FOLDER = Path(ui.__file__).parent


def slots(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def used_keys() -> set[str]:
    """The keys that the package hands to ``label`` and ``say``."""
    calls = [node for path in FOLDER.glob("*.py") for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    named = [node for node in calls if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    first = [node.args[0] for node in named if node.func.id in ("label", "say") and node.args]  # type: ignore[attr-defined]
    return {node.value for node in first if isinstance(node, ast.Constant)}


@pytest.mark.parametrize("key", STRINGS)
def test_a_string_is_there_in_both_languages_with_the_same_slots(key: str) -> None:
    texts = STRINGS[key]
    assert len(texts) == len(LANGUAGES) and all(text.strip() for text in texts)
    assert slots(texts[0]) == slots(texts[1])


def test_every_key_that_is_used_exists() -> None:
    used = used_keys()
    assert len(used) > 20 and used - set(STRINGS) == set()


def test_every_state_of_the_engine_has_a_text() -> None:
    assert {"loading", "ready", "failed"} <= set(STRINGS)


def test_slots_are_filled() -> None:
    assert (say("line", "zh", number=3), say("line", "en", number=3)) == ("第 3 行", "line 3")


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "zh"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("ZH", "zh"), ("en-GB,zh;q=0.9", "en"), (" fr ", "en")],
)
def test_the_language_is_the_first_of_the_browser(header: str, language: str) -> None:
    assert language_of(header) == language


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(KeyError, match="no_such"):
        say("no_such", "zh")
