"""The visible strings: every one that is used stands in the catalogues, in both languages."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, get_args

import pytest

from roleplay import ui
from roleplay.messages import LANGUAGES, catalogue
from roleplay.stages.engine import State
from roleplay.ui.strings import label, language, say, translations

FOLDER = Path(ui.__file__).parent


def used_keys() -> set[str]:
    """The keys that the package hands to ``label`` and ``say``, or to a drop-down of a page."""
    calls = [
        node
        for path in FOLDER.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and node.args
    ]
    names = {call: getattr(call.func, "id", getattr(call.func, "attr", "")) for call in calls}
    first = [call.args[0] for call in calls if names[call] in ("label", "say", "character_choice")]
    return {node.value for node in first if isinstance(node, ast.Constant)}


@pytest.mark.parametrize("spoken", LANGUAGES)
def test_every_key_that_is_used_exists(spoken: Any) -> None:
    used = used_keys()
    assert len(used) > 20 and {f"ui.{key}" for key in used} <= catalogue(spoken).keys()


def test_every_state_of_the_engine_has_a_text() -> None:
    assert all(say(state, "zh") != say(state, "en") for state in get_args(State))


def test_slots_are_filled() -> None:
    assert (say("line", "zh", number=3), say("line", "en", number=3)) == ("第 3 行", "line 3")


def test_the_browser_gets_all_labels_in_its_language() -> None:
    found = translations().translations
    assert found["en"]["undo"] == "Undo" and found["zh"]["undo"] == found["zh-TW"]["undo"] == "撤销"
    assert found["en"].keys() == found["zh-CN"].keys() >= used_keys()
    assert label("undo").key == "undo"


@pytest.mark.parametrize(
    ("header", "spoken"),
    [
        ("", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("ZH", "zh"),
        ("en-GB,zh;q=0.9", "en"),
        (" fr ", "en"),
    ],
)
def test_the_language_is_the_first_of_the_browser(chinese: Any, header: str, spoken: str) -> None:
    chinese.headers["accept-language"] = header
    assert language(chinese) == spoken


def test_a_browser_that_says_nothing_reads_chinese(english: Any) -> None:
    english.headers.clear()
    assert (language(None), language(english)) == ("zh", "zh")


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(KeyError, match="no_such"):
        say("no_such", "zh")
