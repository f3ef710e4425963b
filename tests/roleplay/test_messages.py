"""What is told: every key in use stands in both catalogues, with the same slots, and no other."""

from __future__ import annotations

import ast
import errno
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from pydantic import BaseModel, Field, ValidationError

from roleplay import errors, messages
from roleplay.errors import FormError, RoleplayError, WorldError, reason
from roleplay.messages import Message, catalogue, message, text

ROOT = Path(messages.__file__).resolve().parents[2]
SOURCES = [
    ROOT / "app.py",
    *(path for top in ("roleplay", "scripts") for path in (ROOT / top).rglob("*.py")),
]
TELLERS = {"message", "Message", "text", "say", "step", "label"}
"""Functions whose first argument is a key."""


def error_classes(kind: type[RoleplayError] = RoleplayError) -> set[str]:
    found = {kind.__name__}
    for child in kind.__subclasses__():
        found |= error_classes(child)
    return found


KINDS = error_classes()


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """(file, call, key) of every call that names a key: errors, messages, events, labels."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (name := called(node)) and node.args:
                for key in constants(node.args[0]):
                    ui = path.parent.name == "ui" and name in ("say", "label")
                    if name in TELLERS or name in KINDS:
                        yield str(path.relative_to(ROOT)), node, f"ui.{key}" if ui else key


def called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def constants(node: ast.expr) -> list[str]:
    """The texts that an expression may be: a constant, or either side of a choice."""
    if isinstance(node, ast.IfExp):
        return [*constants(node.body), *constants(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def slots(told: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(told) if name}


CALLS = [(place, node, key) for place, node, key in calls() if "." in key or " " in key]


def test_every_key_is_in_both_catalogues() -> None:
    missing = {
        f"{place}: {key}"
        for place, _, key in CALLS
        if key not in catalogue("zh") or key not in catalogue("en")
    }
    assert len(CALLS) > 200 and missing == set()


def test_the_slots_are_filled_where_a_key_is_used() -> None:
    wrong = []
    for place, node, key in CALLS:
        names = {word.arg for word in node.keywords}
        if (
            None in names
            or key not in catalogue("en")
            or called(node) in ("Message", "step", "say", "text", "label")
        ):
            continue  # values handed on as a dict, or formatted by the call itself
        if names != slots(catalogue("en")[key]):
            wrong.append(f"{place}:{node.lineno} {key} {names ^ slots(catalogue('en')[key])}")
    assert wrong == []


def test_both_languages_have_the_same_keys_and_slots() -> None:
    chinese, english = catalogue("zh"), catalogue("en")
    assert chinese.keys() == english.keys()
    # What a library said, in English, stands in the English text alone.
    differing = [key for key in english if slots(english[key]) - {"detail"} != slots(chinese[key])]
    assert differing == []


def test_no_text_is_left_over() -> None:
    used = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    unused = [
        key
        for key in catalogue("en")
        if f'"{key}"' not in used and f"'{key}'" not in used and not is_made_up(key, used)
    ]
    assert unused == []


def is_made_up(key: str, used: str) -> bool:
    """Keys of the page are named without their area; some are made of an area and a name."""
    area, _, name = key.partition(".")
    if area == "ui":
        starts = (name[: place + 1] for place, letter in enumerate(name) if letter == "_")
        made = any(f'f"{start}{{' in used for start in starts)
        return made or f'"{name}"' in used or f"'{name}'" in used
    return f'"{area}.{{' in used or f'f"{area}.' in used


def test_no_english_sentence_stands_in_a_chinese_text() -> None:
    english = re.compile(r"(?:\b[A-Za-z]{2,}\b[ ,]+){3,}")
    for key, told in catalogue("zh").items():
        bare = re.sub(r"`[^`]*`|\{[^}]*\}|--[\w-]+|python [\w/.-]+", "", told)
        assert not english.search(bare), f"{key}: {told}"


def test_no_raise_holds_a_sentence_of_its_own() -> None:
    sentences = []
    for place, node, key in calls():
        if called(node).endswith("Error") and called(node) in error_classes() and " " in key:
            sentences.append(f"{place}:{node.lineno} {key[:60]}")
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and called(node) in KINDS and node.args:
                made = isinstance(node.args[0], ast.JoinedStr | ast.BinOp)
                sentences += [f"{path.name}:{node.lineno}"] * made
    assert sentences == []


@pytest.mark.parametrize("name", sorted(error_classes()))
def test_every_error_class_is_told_in_both_languages(name: str) -> None:
    kind = getattr(errors, name, None)
    if kind is None:
        pytest.skip("defined beside what raises it; its keys are walked above")
    error = kind("files.missing", path="worlds/x")
    assert (str(error), error.text("zh")) == ("worlds/x is missing", "缺少 worlds/x")


def test_a_message_in_a_message_is_in_the_same_language() -> None:
    inner = message("form.at", place="characters.0.name", what=message("form.empty"))
    error = WorldError("files.unwritable", path="x", reason=inner)
    assert "characters.0.name: is empty" in str(
        error
    ) and "characters.0.name：是空的" in error.text("zh")


def test_an_error_is_one_line() -> None:
    assert "\n" not in WorldError("files.missing", path="a\nb").text()


class Form(BaseModel):
    count: int = Field(0, ge=1)
    name: str = ""


@pytest.mark.parametrize(
    ("values", "english", "chinese"),
    [
        ({"count": 0}, "count: 0 must be at least 1", "count：0 至少是 1"),
        ({"count": "x"}, "count: 'x' is no number", "count：'x' 不是数字"),
        ({"name": 3}, "name: '3' is no text", "name：'3' 不是文本"),
    ],
)
def test_what_pydantic_says_is_never_shown(
    values: dict[str, object], english: str, chinese: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Form.model_validate(values)
    told = reason(caught.value)
    assert (told.text("en"), told.text("zh")) == (english, chinese)


def test_what_the_system_says_is_never_shown() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    assert (reason(full).text("en"), reason(full).text("zh")) == ("the disk is full", "磁盘已满")
    assert reason(OSError(9999, "strange")).text("en") == "system error 9999"


def test_a_form_error_is_found_inside_pydantics() -> None:
    assert isinstance(FormError("form.empty"), ValueError)


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({}, "en"),
        ({"LANG": "en_GB.UTF-8", "ROLEPLAY_LANGUAGE": "zh"}, "zh"),
    ],
)
def test_the_terminal_speaks_the_language_of_its_locale(
    environment: dict[str, str], language: str
) -> None:
    assert messages.system_language(environment) == language


def test_a_key_without_a_text_is_an_error() -> None:
    with pytest.raises(KeyError, match="no-such"):
        text("no-such.key")
    with pytest.raises(KeyError):
        Message("files.missing").text()
