"""Real novels of the public domain, read by tests where they are found, not in the repository."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "novels"


def book(name: str) -> Path:
    """The path of a book; skips the test where it is absent."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"no {path}: put the book there to run this test")
    return path
