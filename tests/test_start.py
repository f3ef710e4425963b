"""What is double-clicked: `start.command` with Pythons that write down how they are called."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OLD, NEW = 1, 0
"""What a Python answers to the question whether it is too old."""

posix = pytest.mark.skipif(os.name == "nt", reason="a shell script")


def python(folder: Path, name: str, answer: int) -> None:
    folder.mkdir(exist_ok=True)
    text = f'#!/bin/sh\n[ "$1" = -c ] && exit {answer}\necho "{name} $PYTHONUTF8 $*"\n'
    (folder / name).write_text(text, encoding="utf-8")
    (folder / name).chmod(0o755)


def start(tmp_path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """`start.command` where only what lies in ``bin`` is found."""
    shutil.copy(ROOT / "start.command", tmp_path)
    (tmp_path / "bin").mkdir(exist_ok=True)
    for tool in ("dirname",):
        if not (tmp_path / "bin" / tool).exists():
            (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or "")
    env = {"PATH": str(tmp_path / "bin")}
    command = ["/bin/sh", str(tmp_path / "start.command"), *flags]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=env)


@posix
def test_the_newest_python_that_will_do_runs_the_launcher(tmp_path: Path) -> None:
    python(tmp_path / "bin", "python3.12", NEW)
    python(tmp_path / "bin", "python3", NEW)
    assert start(tmp_path, "--port", "8000").stdout == "python3.12 1 launch.py --port 8000\n"


@posix
def test_an_old_python_is_passed_over(tmp_path: Path) -> None:
    python(tmp_path / "bin", "python3", OLD)
    python(tmp_path / "bin", "python", NEW)
    assert start(tmp_path).stdout == "python 1 launch.py\n"


@posix
def test_without_a_python_it_says_what_to_do_in_both_languages(tmp_path: Path) -> None:
    python(tmp_path / "bin", "python3", OLD)
    ended = start(tmp_path)
    assert ended.returncode == 2
    assert "Python 3.11 or newer is needed" in ended.stdout and "请先安装" in ended.stdout


@posix
def test_homebrew_may_install_one(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    made = tmp_path / "bin" / "python3.12"
    brew = tmp_path / "bin" / "brew"
    brew.write_text(
        f'#!/bin/sh\nprintf \'#!/bin/sh\\n[ "$1" = -c ] && exit 0\\necho "brewed $*"\\n\' > {made}\n'
        f"{shutil.which('chmod')} +x {made}\n",
        encoding="utf-8",
    )
    brew.chmod(0o755)
    assert start(tmp_path).stdout == "brewed launch.py\n"


def test_the_batch_file_is_one_that_windows_reads() -> None:
    content = (ROOT / "start.bat").read_bytes()
    assert content.count(b"\r\n") == content.count(b"\n") > 10
    text = content.decode("utf-8")
    assert text.startswith("@echo off") and "chcp 65001" in text
    assert "%PYTHON% launch.py %*" in text and "PYTHONUTF8=1" in text


def test_the_file_is_executable() -> None:
    assert os.access(ROOT / "start.command", os.X_OK) or os.name == "nt"
