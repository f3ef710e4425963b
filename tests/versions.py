"""The core tests on other versions: `python3 launch.py test --versions [NAME ...]`, by hand.

Makes an environment for each row of ``ROWS`` under ``.cache/versions``, which takes gigabytes, runs
``tests/kb`` and ``tests/roleplay`` in it and prints a line a row. A Python that is not on this
machine is told, not fetched. The ordinary tests ask a resolver only (``test_requirements.py``).
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".cache" / "versions"
UV = [sys.executable, "-m", "uv"]


@dataclass(frozen=True)
class Row:
    """One environment: a Python, an end of the ranges, and what is set beside them."""

    name: str
    python: str
    lowest: bool = False
    pins: tuple[str, ...] = ()


COLAB = ("torch==2.11.*", "transformers==5.15.*", "peft==0.20.*", "gradio==6.24.*", "numpy==2.1.3")
ROWS = (
    Row("lowest", "3.11", lowest=True, pins=("torch==2.9.*",)),
    Row("space", "3.12", pins=("torch==2.11.0",)),
    Row("colab", "3.13", pins=(*COLAB, "sentence-transformers==5.7.*")),
    Row("newest", "3.13"),
)
# Triton's interpreter (not its compiler) fails before 3.7 on numpy 2.4.
_TESTS = (
    "tests/kb",
    "tests/roleplay",
    "--deselect",
    "tests/roleplay/models/test_chatglm_triton.py",
)


def requirements(row: Row, folder: Path) -> Path:
    """The exact versions of a row as a file, by uv's resolver."""
    pins, exact = folder / f"{row.name}.pins", folder / f"{row.name}.txt"
    folder.mkdir(parents=True, exist_ok=True)
    pins.write_text("\n".join(row.pins), encoding="utf-8")
    end = "lowest-direct" if row.lowest else "highest"
    flags = ["--python-version", row.python, "--resolution", end, "-c", pins, "-o", exact]
    command = [*UV, "pip", "compile", "-q", "--no-header", *flags, ROOT / "requirements.txt"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return exact


def run(row: Row) -> str:
    """Install and test; one word for how it went."""
    if subprocess.run([*UV, "python", "find", "--no-python-downloads", row.python]).returncode:
        return "not seen: no such Python here"
    home, exact = FOLDER / row.name, requirements(row, FOLDER)
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    into = ["--python", str(python)]
    dev = [line for line in (ROOT / "requirements-dev.txt").read_text().split() if "==" in line]
    for command in (
        [*UV, "venv", "-q", "--clear", "--no-python-downloads", "--python", row.python, str(home)],
        [*UV, "pip", "install", "-q", *into, "-r", str(exact)],
        [*UV, "pip", "install", "-q", *into, "-c", str(exact), *dev],
        [*UV, "pip", "install", "-q", *into, "--no-deps", "-e", str(ROOT)],
    ):
        subprocess.run(command, check=True)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    tests = [str(python), "-m", "pytest", "-p", "no:cacheprovider", *_TESTS]
    return "failed" if subprocess.run(tests, cwd=ROOT, env=env).returncode else "passed"


def main(names: list[str]) -> int:
    """All rows, or those named; 1 where one failed."""
    chosen = [row for row in ROWS if not names or row.name in names]
    found = {row: run(row) for row in chosen}
    for row, how in found.items():
        print(f"{row.name:8} Python {row.python}  {' '.join(row.pins) or 'as resolved'}: {how}")
    return int(not found or "failed" in found.values())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
