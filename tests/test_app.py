"""app.py up to the page: its flags, also from the environment, and its errors in one line."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import app
from roleplay import messages
from roleplay.errors import UsageError, WorldError
from roleplay.options import read_options
from roleplay.stages.character import Choice
from roleplay.ui.server import Settings
from roleplay.world import World


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "WORLD",
        "MODEL",
        "CHECKPOINT",
        "QUANTIZATION_BIT",
        "HOST",
        "PORT",
        "GRADIO_SERVER_NAME",
        "GRADIO_SERVER_PORT",
    ):
        monkeypatch.setenv(name, "")  # so that what the app itself sets is undone after the test
        monkeypatch.delenv(name)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    folder = tmp_path / "worlds" / "雨"
    folder.mkdir(parents=True)
    info = {"title": "第十三场雨", "characters": [{"name": "闻筝"}, {"name": "陆迟"}]}
    (folder / "world.json").write_text(json.dumps(info), encoding="utf-8")
    return folder


@pytest.fixture
def busy_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


def failure(capsys: pytest.CaptureFixture[str], *argv: str | Path, begins: str = "error: ") -> str:
    """The one line that the app prints when it ends with 2."""
    assert app.main([*map(str, argv)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(begins) and error.count("\n") == 1
    return error


def test_a_port_in_use_is_one_line(
    world: Path, busy_port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = failure(capsys, "--world", world, "--port", busy_port)
    assert f"cannot listen on 127.0.0.1:{busy_port} (the port is taken)" in error
    assert error.endswith("stop the program that does, or choose another PORT\n")


def test_a_port_out_of_range_is_one_line(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = failure(capsys, "--world", world, "--port", "99999")
    assert error == "error: --port must be at most 65535, not 99999\n"


def test_an_unknown_world_lists_the_known(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = failure(capsys, "--world", world.parent / "none")
    assert error.endswith("known worlds are 雨\n")


def test_an_adapter_folder_that_is_none_is_one_line(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = failure(capsys, "--world", world, "--checkpoint", world)
    assert f"{world} is not a checkpoint of this program" in error


def test_a_world_without_characters_is_one_line(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    World.create(world.parent / "空", "空")
    error = failure(capsys, "--world", world.parent / "空")
    assert "names no characters: add them, or distil the novel first" in error


def test_debug_lets_the_error_through(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="no world folder"):
        app.main(["--world", str(tmp_path / "none"), "--debug"])


def test_errors_are_in_the_language_of_the_terminal(
    world: Path, busy_port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROLEPLAY_LANGUAGE", "zh")
    error = failure(capsys, "--world", world, "--port", busy_port, begins="出错了：")
    assert f"不能在 127.0.0.1:{busy_port} 上监听（端口已被占用）" in error


def test_the_flag_for_the_language_wins(
    world: Path, busy_port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROLEPLAY_LANGUAGE", "zh")
    failure(capsys, "--world", world, "--port", busy_port, "--language", "en")
    monkeypatch.setenv("ROLEPLAY_LANGUAGE", "en")
    taken = ("--world", world, "--port", busy_port, "--language", "zh")
    assert "端口已被占用" in failure(capsys, *taken, begins="出错了：")


def test_the_help_is_in_the_language_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for language, wanted in (("zh", "端口（默认 7860）"), ("en", "port to listen on")):
        monkeypatch.setenv("ROLEPLAY_LANGUAGE", language)
        with pytest.raises(SystemExit, match="0"):
            app.main(["--help"])
        shown = capsys.readouterr().out
        assert wanted in shown and messages.text("cli.app") in "".join(shown.split("\n"))


def test_flags_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "PORT": "8000",
        "HOST": "0.0.0.0",
        "WORLD": "worlds/雨",
        "MODEL": "chatglm-6b",
        "CHECKPOINT": "none",
        "QUANTIZATION_BIT": "4",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    wanted = Settings(Path("worlds/雨"), Choice("chatglm-6b", "none", 4), "0.0.0.0", 8000)
    assert read_options(Settings, {}) == wanted
    assert read_options(Settings, {"port": 9000}).port == 9000


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTIZATION_BIT", "")
    monkeypatch.setenv("PORT", "")
    assert read_options(Settings, {}) == Settings()


def test_a_flag_wins_over_the_environment(
    world: Path, busy_port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD", str(world))
    monkeypatch.setenv("PORT", "1")
    assert f"127.0.0.1:{busy_port}" in failure(capsys, "--port", busy_port)


def test_what_a_space_sets_is_the_address(
    world: Path, busy_port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRADIO_SERVER_NAME", "localhost")
    monkeypatch.setenv("GRADIO_SERVER_PORT", busy_port)
    assert f"cannot listen on localhost:{busy_port}" in failure(capsys, "--world", world)


@pytest.mark.parametrize("spelling", ["--quantization_bit", "--quantization-bit"])
def test_the_flag_of_earlier_versions_still_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spelling: str
) -> None:
    error = failure(capsys, f"{spelling}=4", "--world", tmp_path / "none")
    assert "no world folder" in error
    with pytest.raises(SystemExit, match="2"):
        app.main([spelling, "3"])
    assert "argument --quantization-bit: invalid choice: 3" in capsys.readouterr().err


def test_a_port_in_the_environment_that_is_no_number_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "八千")
    assert "the environment variable PORT is '八千': give a number" in failure(capsys)
    with pytest.raises(UsageError):
        read_options(Settings, {})
