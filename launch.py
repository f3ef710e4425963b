"""The launcher: `python3 launch.py` starts the app, `python3 launch.py test` runs every check.

It needs Python 3.11 or newer and the standard library alone. It makes `.venv` beside itself,
installs `requirements.txt` (in the exact versions of `constraints.txt`) and the package into it,
again only when a file changed, and hands over. Flags are passed through to `app.py`:

    python3 launch.py --port 8000
    HOST=0.0.0.0 MODEL=/models/mine CHECKPOINT=none WORLD=worlds/mine python3 launch.py
    python3 launch.py doctor               # what this machine can do, and what is missing
    python3 launch.py test --versions      # the core tests on other Pythons: gigabytes, an hour
    python3 launch.py --pypi ADDRESS --hub ADDRESS     # mirrors of the package index, the model hub
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
MIRRORS = {"--pypi": ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), "--hub": ("HF_ENDPOINT",)}
"""A flag, also ROLEPLAY_PYPI and ROLEPLAY_HUB -> what pip, uv and the hub's client read."""
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main(argv: list[str]) -> int:
    """Install what is missing, then run the app or the checks; their exit status."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file meets whatever Python the user has
        found = sys.version.split()[0]
        print(f"Python 3.11 or newer is needed, this is {found}: install a newer one, start again")
        return 2
    os.environ.setdefault("PYTHONUTF8", "1")  # consoles, logs and files, on Windows too
    argv = use_mirrors(argv)
    testing = argv[:1] == ["test"]
    try:
        make_venv()
        pinned = ["-r", "requirements.txt", "-c", "constraints.txt"]
        install("requirements.txt constraints.txt", *pinned)
        install("pyproject.toml", "--no-deps", "-e", ".")  # the package in place, and its command
        if testing:
            install("requirements-dev.txt", "-r", "requirements-dev.txt")
            install_browser()
    except subprocess.CalledProcessError as error:
        print(f"a step failed with status {error.returncode}: {' '.join(map(str, error.cmd))}")
        print("check the network and the free disk space, then start again: what is done is kept")
        return 2
    if testing and argv[1:2] == ["--versions"]:
        return hand_over(ROOT / "tests" / "versions.py", argv[2:])
    if testing:
        return run_checks(argv[1:])
    if argv[:1] == ["doctor"]:
        return hand_over(ROOT / "scripts" / "doctor.py", argv[1:])
    return hand_over(ROOT / "app.py", argv)


def use_mirrors(argv: list[str]) -> list[str]:
    """Set what the mirrors' flags or variables say, for all that is started; the other flags."""
    left = list(argv)
    for flag, names in MIRRORS.items():
        address = os.environ.get(f"ROLEPLAY_{flag[2:].upper()}")
        if flag in left[:-1]:
            place = left.index(flag)
            address = left[place + 1]
            del left[place : place + 2]
        if address:
            os.environ.update(dict.fromkeys(names, address))
    return left


def make_venv() -> None:
    """Create `.venv` unless it is there and works."""
    probe = [str(PYTHON), "-m", "pip", "--version"]
    if PYTHON.exists() and subprocess.run(probe, capture_output=True).returncode == 0:
        return
    print(f"creating {VENV}", flush=True)
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        print((made.stdout + made.stderr).strip())
        print("Python's venv module is missing or broken. Debian, Ubuntu: `apt-get install")
        print("python3-venv`; Fedora: `dnf install python3`; Windows and macOS: Python's own")
        print("installer. Then start again.")
        raise SystemExit(2)


def install(names: str, *arguments: str) -> None:
    """Let pip install into `.venv`, unless the files `names` are as they were the last time."""
    name, *more = names.split()
    content = b"".join((ROOT / part).read_bytes() for part in (name, *more))
    digest = hashlib.sha256(content).hexdigest()
    stamp = VENV / f".installed-{name}"
    if stamp.exists() and stamp.read_text() == digest:
        return
    print(f"installing {name} (minutes the first time)", flush=True)
    quiet = ["--disable-pip-version-check", "--progress-bar", "off", "-q"]
    pip = [str(PYTHON), "-m", "pip", "install", *quiet, *arguments]
    subprocess.run(pip, check=True, cwd=ROOT, env=without_socks())
    stamp.write_text(digest)


def without_socks() -> dict[str, str]:
    """The environment without SOCKS proxies: pip fails where there is one."""
    return {
        name: value
        for name, value in os.environ.items()
        if not (name.lower().endswith("_proxy") and value.lower().startswith("socks"))
    }


def install_browser() -> None:
    """Install Debian's Chromium for the browser test where none is found and the user may."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if find_browser() or not shutil.which("apt-get") or not root:
        return
    print("installing chromium for the browser test", flush=True)
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    packages = ["--no-install-recommends", "chromium", "fonts-noto-cjk"]
    for command in (["update", "-qq"], ["install", "-y", "-qq", *packages]):
        subprocess.run(["apt-get", *command], check=True, stdout=subprocess.DEVNULL, env=env)


def find_browser() -> str | None:
    """The path of Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def run_checks(extra: list[str]) -> int:
    """Lint, types, tests, browser test; stops at the first that fails."""
    python = str(PYTHON)
    steps = [
        ["lint", python, "-m", "ruff", "check", "."],
        ["format", python, "-m", "ruff", "format", "--check", "."],
        ["types", python, "-m", "mypy"],
        ["tests", python, "-m", "pytest", *extra],
        ["browser", python, "-m", "pytest", "-m", "browser", "tests"],
    ]
    for name, *command in steps:
        print(f"== {name}", flush=True)
        if status := subprocess.run(command, cwd=ROOT).returncode:
            print(f"{name} failed")
            return status
    return 0


def hand_over(script: Path, argv: list[str]) -> int:
    """Run a script in the foreground; Ctrl-C ends it."""
    try:
        return subprocess.run([PYTHON, str(script), *argv], cwd=ROOT).returncode
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
