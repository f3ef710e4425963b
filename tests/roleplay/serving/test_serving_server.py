"""The API beside the page, and as a command of its own: keys, ports, a real model."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from loopback_api import CHOICE, MODEL, Aviary, Served, make_world, user, wait_for
from starlette.applications import Starlette

from roleplay import cli
from roleplay.serving.server import KEY, Settings, is_open, mount
from roleplay.stages.engine import Engine

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (KEY, "WORLD", "MODEL", "CHECKPOINT", "HOST", "PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def engine(worlds: Path) -> Engine:
    aviary = Aviary()
    aviary.gate.set()
    made = Engine(models=aviary)
    made.load(worlds / "雨", CHOICE).join(10)
    return made


@pytest.fixture
def page(engine: Engine, worlds: Path) -> Iterator[str]:
    """The address of a page with the API beside it."""
    from roleplay.ui.layout import create_app, launch_options

    app = create_app(engine, title="雨")
    app.queue()
    quiet = {"quiet": True, "prevent_thread_lock": True, "server_name": "127.0.0.1"}
    launched = app.launch(server_port=free_port(), **quiet, **launch_options())
    mount(launched[0], engine, Settings(worlds / "雨"))
    yield launched[1].rstrip("/")
    app.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_the_page_and_the_api_are_one_server(page: str, engine: Engine) -> None:
    aviary = Aviary([engine.agent().backend])  # type: ignore[list-item]
    served = Served(f"{page}/v1", engine, aviary)
    with httpx.Client(trust_env=False) as client:
        assert "gradio" in client.get(page).text
        assert MODEL in [model["id"] for model in client.get(f"{served.url}/models").json()["data"]]
    served.parrot.pause = 0.02
    asked: Any = {"model": MODEL, "messages": [user("很长" * 100)], "max_tokens": 300}
    stream = served.client().chat.completions.create(stream=True, **asked)
    texts = [
        chunk.choices[0].delta.content or "" for chunk, _ in zip(stream, range(9), strict=False)
    ]
    assert max(map(len, texts)) < 5, "the page's server holds the events back"
    stream.close()
    wait_for(lambda: not served.parrot.lock.locked(), 3)
    assert served.parrot.steps < 100
    with pytest.raises(openai.NotFoundError, match="there is no model"):
        served.client().models.retrieve("x")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "::", "my.house"])
def test_beyond_loopback_there_must_be_a_key(
    host: str, engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert is_open(host)
    assert cli.serve(["--host", host]) == 2
    told = capsys.readouterr().err
    assert f"{host} can be reached from other machines" in told and KEY in told
    app = Starlette()
    mount(app, engine, Settings(host=host))
    assert app.routes == [] and "no API: others can reach" in capsys.readouterr().out
    monkeypatch.setenv(KEY, "sk-mine")
    mount(app, engine, Settings(host=host))
    told = capsys.readouterr().out
    assert len(app.routes) == 1 and "sk-mine" not in told
    assert told == f"API http://{host}:8000/v1\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]"])
def test_loopback_needs_none(host: str, engine: Engine) -> None:
    assert not is_open(host)
    app = Starlette()
    mount(app, engine, Settings(host=host))
    assert len(app.routes) == 1


def test_a_port_that_is_taken_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert cli.serve(["--port", str(server.getsockname()[1])]) == 2
    assert "the port is taken" in capsys.readouterr().err


def test_a_wrong_flag_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.serve(["--waiting", "-1"]) == 2
    assert capsys.readouterr().err == "error: --waiting must be at least 0, not -1\n"
    assert cli.serve(["--world", "no/such"]) == 2
    assert "no world folder no/such" in capsys.readouterr().err


def test_the_console_command_has_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["roleplay", "serve", "--help", "--language", "zh"])
    with pytest.raises(SystemExit, match="0"):
        cli.roleplay()
    told = "".join(capsys.readouterr().out.split())
    assert "OpenAI式服务器" in told and "--waiting" in told


def test_the_script_serves_a_real_model_until_it_is_stopped(
    tmp_path: Path, gemma_folder: Path
) -> None:
    world, port = make_world(tmp_path, "雨", {"name": "闻筝"}), free_port()
    flags = ["--model", str(gemma_folder), "--checkpoint", "none", "--port", str(port)]
    command = [sys.executable, "scripts/serve.py", "--world", str(world), *flags]
    env = {**os.environ, KEY: "sk-mine", "PYTHONPATH": str(ROOT), "ROLEPLAY_LANGUAGE": "en"}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=-1, stderr=-1, text=True) as process:
        try:
            plain = httpx.Client(trust_env=False, timeout=60)
            base = {"base_url": f"http://127.0.0.1:{port}/v1", "api_key": "sk-mine"}
            client = openai.OpenAI(http_client=plain, max_retries=100, **base)  # type: ignore[arg-type]
            messages: Any = [user("你好")]
            asked: Any = {"model": MODEL, "messages": messages, "max_tokens": 6, "seed": 1, "n": 2}
            answer = client.chat.completions.create(**asked)
            again = client.chat.completions.create(**asked)
            assert answer.choices == again.choices and len(answer.choices) == 2
            assert answer.system_fingerprint == gemma_folder.name
            streamed = ["", ""]
            for chunk in client.chat.completions.create(stream=True, **asked):
                streamed[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
            assert all(streamed)  # what comes first, which is not always the best two
        finally:
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=20)
    assert process.returncode == 130 and "Traceback" not in error
    assert f"API http://127.0.0.1:{port}/v1\n" in out and "sk-mine" not in out + error
