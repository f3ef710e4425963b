"""The launcher, copied to a folder whose `.venv` has a Python that writes down what it is asked."""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "launch.py"
PIP = "-m pip install --disable-pip-version-check --progress-bar off -q -r"
PYTHON = """#!/bin/sh
echo "$*" >> "{folder}/calls"
if [ -e "{folder}/fail" ] && echo "$*" | grep -q -e "$(cat "{folder}/fail")"; then exit 3; fi
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the fake Python is a shell script")


@pytest.fixture
def launch(tmp_path: Path) -> ModuleType:
    shutil.copy(SOURCE, tmp_path)
    executable(tmp_path / ".venv" / "bin" / "python", PYTHON.format(folder=tmp_path))
    (tmp_path / "requirements.txt").write_text("gradio==6.31.0\n", encoding="utf-8")
    (tmp_path / "constraints.txt").write_text("gradio==6.31.0\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    spec = importlib.util.spec_from_file_location("launch_copy", tmp_path / "launch.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def executable(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def calls(root: Path) -> list[str]:
    """What the fake Python was asked, in order."""
    return (
        (root / "calls").read_text(encoding="utf-8").splitlines()
        if (root / "calls").exists()
        else []
    )


def fail_at(root: Path, words: str) -> None:
    (root / "fail").write_text(words, encoding="utf-8")


def test_only_the_standard_library_is_imported() -> None:
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names and {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_requirements_are_installed_once(launch: ModuleType, tmp_path: Path) -> None:
    launch.install("requirements.txt", "-r", "requirements.txt")
    launch.install("requirements.txt", "-r", "requirements.txt")
    assert calls(tmp_path) == [f"{PIP} requirements.txt"]


def test_changed_requirements_are_installed_again(launch: ModuleType, tmp_path: Path) -> None:
    launch.install("requirements.txt", "-r", "requirements.txt")
    (tmp_path / "requirements.txt").write_text("gradio==6.32.0\n", encoding="utf-8")
    launch.install("requirements.txt", "-r", "requirements.txt")
    assert len(calls(tmp_path)) == 2


def test_changed_pins_are_installed_again(launch: ModuleType, tmp_path: Path) -> None:
    assert launch.main([]) == 0
    (tmp_path / "constraints.txt").write_text("gradio==6.32.0\n", encoding="utf-8")
    assert launch.main([]) == 0
    pip = f"{PIP} requirements.txt -c constraints.txt"
    assert [call for call in calls(tmp_path) if "requirements" in call] == [pip, pip]


@pytest.mark.parametrize("by_flag", [True, False])
def test_mirrors_reach_pip_uv_and_the_hub(
    launch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_flag: bool
) -> None:
    names = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "HF_ENDPOINT")
    for name in names:
        monkeypatch.setenv(name, "")
    told = f'echo "$* $PIP_INDEX_URL $UV_DEFAULT_INDEX $HF_ENDPOINT" >> "{tmp_path}/calls"\n'
    executable(tmp_path / ".venv" / "bin" / "python", f"#!/bin/sh\n{told}")
    flags = ["--pypi", "http://a/simple", "--hub", "http://b"] if by_flag else []
    if not by_flag:
        monkeypatch.setenv("ROLEPLAY_PYPI", "http://a/simple")
        monkeypatch.setenv("ROLEPLAY_HUB", "http://b")
    assert launch.main([*flags, "--port", "8000"]) == 0
    addresses = "http://a/simple http://a/simple http://b"
    assert calls(tmp_path)[-1] == f"{tmp_path}/app.py --port 8000 {addresses}"
    assert all(call.endswith(addresses) for call in calls(tmp_path))


@pytest.mark.parametrize(
    ("flags", "script"),
    [(["doctor", "--debug"], "scripts/doctor.py"), (["test", "--versions"], "tests/versions.py")],
)
def test_other_commands_are_handed_over(
    launch: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: list[str],
    script: str,
) -> None:
    (tmp_path / "requirements-dev.txt").write_text("pytest==9.2.0\n", encoding="utf-8")
    monkeypatch.setattr(launch, "install_browser", lambda: None)
    assert launch.main(flags) == 0
    last = calls(tmp_path)[-1]
    assert last == " ".join(
        [f"{tmp_path}/{script}", *(part for part in flags if part == "--debug")]
    )


def test_pip_gets_no_proxy_that_it_cannot_use(
    launch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:7891")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:7890")
    told = (
        PYTHON.format(folder=tmp_path) + f'echo "$all_proxy $https_proxy" >> "{tmp_path}/calls"\n'
    )
    executable(tmp_path / ".venv" / "bin" / "python", told)
    launch.install("requirements.txt", "-r", "requirements.txt")
    assert calls(tmp_path)[-1] == " http://127.0.0.1:7890"


def test_a_failed_installation_is_tried_again(launch: ModuleType, tmp_path: Path) -> None:
    fail_at(tmp_path, "pip install")
    with pytest.raises(subprocess.CalledProcessError):
        launch.install("requirements.txt", "-r", "requirements.txt")
    (tmp_path / "fail").unlink()
    launch.install("requirements.txt", "-r", "requirements.txt")
    assert len(calls(tmp_path)) == 2


def test_a_working_venv_is_kept(launch: ModuleType, tmp_path: Path) -> None:
    launch.make_venv()
    assert calls(tmp_path) == ["-m pip --version"]
    assert (
        (tmp_path / ".venv" / "bin" / "python").read_text(encoding="utf-8").startswith("#!/bin/sh")
    )


def test_the_app_gets_the_flags_and_gives_its_status(launch: ModuleType, tmp_path: Path) -> None:
    assert launch.main(["--port", "8000"]) == 0
    assert calls(tmp_path)[-1] == f"{tmp_path}/app.py --port 8000"
    fail_at(tmp_path, "app.py")
    assert launch.main([]) == 3


def test_a_failed_step_ends_with_2_and_says_what_to_check(
    launch: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_at(tmp_path, "pip install")
    assert launch.main([]) == 2
    printed = capsys.readouterr().out
    assert f"a step failed with status 3: {tmp_path}/.venv/bin/python -m pip install" in printed
    assert "check the network and the free disk space, then start again" in printed


def test_all_checks_are_run_in_order(launch: ModuleType, tmp_path: Path) -> None:
    assert launch.run_checks(["-x"]) == 0
    assert calls(tmp_path) == [
        "-m ruff check .",
        "-m ruff format --check .",
        "-m mypy",
        "-m pytest -x",
        "-m pytest -m browser tests",
    ]


def test_checks_stop_at_the_first_that_fails(
    launch: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_at(tmp_path, "mypy")
    assert launch.run_checks([]) == 3
    assert calls(tmp_path)[-1] == "-m mypy"
    assert capsys.readouterr().out.endswith("types failed\n")


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_on_the_path_is_found(
    launch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert launch.find_browser() is None
    browser = executable(tmp_path / "bin" / name)
    assert launch.find_browser() == str(browser)


def test_a_browser_that_is_there_is_not_installed(
    launch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "bin" / "chromium")
    executable(tmp_path / "bin" / "apt-get", f'#!/bin/sh\necho "$*" >> "{tmp_path}/calls"\n')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    launch.install_browser()
    assert calls(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may install")
def test_a_browser_is_installed_where_there_is_none(
    launch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "bin" / "apt-get", f'#!/bin/sh\necho "$*" >> "{tmp_path}/calls"\n')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    launch.install_browser()
    assert calls(tmp_path)[0] == "update -qq"
    assert "chromium" in calls(tmp_path)[1].split()
