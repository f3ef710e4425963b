"""Style that ruff does not check: no line is over 100 characters, Chinese ones counted as one.

What a checker is told at the end of a line (``# type: ignore[...]``, ``# noqa: ...``) is left out.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 100
FOLDERS = ("roleplay", "kb", "scripts", "benchmarks", "tests")
FILES = [*ROOT.glob("*.py"), *(path for top in FOLDERS for path in (ROOT / top).rglob("*.py"))]
TOLD = re.compile(r"  # (type: ignore|noqa)\S*( \w+)?$")
EXCEPTIONS = {
    # Pieces of HTML pages, one element a line.
    "tests/kb/test_kb_webpage.py": 4,
    "tests/kb/test_kb_wiki.py": 1,
}
"""File -> number of its lines that may be longer: data that cannot be cut."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_line_is_too_long(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    long = [
        f"line {number} has {len(line)}: {line.strip()[:60]}"
        for number, line in enumerate(lines, 1)
        if len(TOLD.sub("", line)) > WIDTH
    ]
    assert len(long) <= EXCEPTIONS.get(str(path.relative_to(ROOT)), 0), long


def test_no_exception_is_left_over() -> None:
    assert all((ROOT / name).exists() for name in EXCEPTIONS)
