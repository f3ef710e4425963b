"""Style that ruff does not check: no line is over 100 characters, Chinese ones counted as one.

What a checker is told at the end of a line (``# type: ignore[...]``, ``# noqa: ...``) is left out.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 100
FOLDERS = ("roleplay", "kb", "scripts", "benchmarks")
FILES = [*ROOT.glob("*.py"), *(path for top in FOLDERS for path in (ROOT / top).rglob("*.py"))]
TOLD = re.compile(r"  # (type: ignore|noqa)\S*( \w+)?$")


def test_no_line_is_too_long() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{number} has {len(line)}: {line.strip()[:60]}"
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        if len(TOLD.sub("", line)) > WIDTH
    ]
    assert not long, "\n".join(long)
