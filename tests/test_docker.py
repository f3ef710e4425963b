"""The Dockerfile, as far as it can be read without Docker: what it copies, starts and runs as."""

import re
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
STEPS = [line.split(maxsplit=1) for line in LINES if line and not line.startswith(("#", " "))]


def values(kind: str) -> list[str]:
    return [value for name, value in STEPS if name == kind]


def test_it_runs_the_page_as_somebody_who_is_not_root() -> None:
    assert [name for name, _ in STEPS].index("USER") < [name for name, _ in STEPS].index("CMD")
    assert values("USER") == ["reader"] and values("CMD") == ['["python", "app.py"]']
    assert "HOST=0.0.0.0" in values("ENV")[0] and values("HEALTHCHECK")


def test_the_python_is_one_that_the_requirements_know() -> None:
    [image] = values("FROM")
    version = re.search(r"python:3\.(\d+)-slim", image)
    assert version and 11 <= int(version[1]) <= 13


def test_what_the_page_needs_is_copied_and_what_is_private_is_not() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    needed = ["app.py", "roleplay", "kb", "scripts", "worlds", "checkpoints", "requirements.txt"]
    for name in [*needed, "pyproject.toml", "README.md", "LICENSE"]:
        assert (ROOT / name).exists() and not any(fnmatch(name, one) for one in ignored), name
    assert {".git", ".venv", "worlds/*/conversations/"} <= set(ignored)
