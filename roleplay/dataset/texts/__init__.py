"""Texts of this project's own that rows are made of.

    items("identity")[0]      # {"kind": "who", "question": "你是谁？"}, a row of identity.jsonl
    words("leads")[0]         # "请问，", a line of leads.txt

``NAME.jsonl`` is for training, ``NAME_test.jsonl`` held out for evaluation; nothing stands in both.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from roleplay import files

Item = Mapping[str, Any]

_FOLDER = Path(__file__).parent


@cache
def items(name: str) -> tuple[Item, ...]:
    """The rows of ``NAME.jsonl``."""
    return tuple(files.read_jsonl(_FOLDER / f"{name}.jsonl"))


@cache
def names(file: str, kind: str) -> tuple[str, ...]:
    """The names of one kind in a file of names."""
    return tuple(row["name"] for row in items(file) if row["kind"] == kind)


@cache
def words(name: str) -> tuple[str, ...]:
    """The lines of ``NAME.txt``."""
    return tuple((_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines())
