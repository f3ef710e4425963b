"""No reader is worse than linear in its input: hostile pages take seconds, and do not grow."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kb import hostile

ROOT = Path(__file__).resolve().parents[2]
# All pages of a format together take some ten seconds; what is quadratic takes hours.
SECONDS = 240


@pytest.mark.parametrize("ending", hostile.PAGES)
def test_hostile_pages_are_read_in_time(ending: str) -> None:
    command = [sys.executable, "-m", "tests.kb.hostile", ending]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=True
    )
    sizes = [tuple(map(int, line.split())) for line in result.stdout.splitlines()]
    assert len(sizes) == len(hostile.PAGES[ending])
    assert all(told <= 10 * size + 1000 for size, told in sizes)
