"""A Space: the folder stands on its own files alone, and replies come through the marked function."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny

from roleplay.backends.scripted import ScriptedBackend
from roleplay.dialogue import last_reply
from roleplay.errors import AdapterError, DialogueError, UsageError
from roleplay.sampling import SamplingParams
from roleplay.stages import lent_gpu, space
from roleplay.stages.character import Choice
from scripts import make_space


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return tiny.write_world(tmp_path / "灯")


def options(text: str) -> dict[str, Any]:
    """The front matter, each value of which is JSON."""
    _, head, _ = text.split("---\n", 2)
    return {
        name: json.loads(value) for name, value in (row.split(": ", 1) for row in head.splitlines())
    }


def test_the_front_matter_is_that_of_a_free_account() -> None:
    found = options(space.front_matter('雨："一"', "org/model"))
    assert found["title"] == '雨："一"'
    assert found["python_version"] == "3.12.12" and found["app_file"] == "space.py"
    assert found["sdk"] == "gradio" and found["sdk_version"].count(".") == 2
    assert found["preload_from_hub"] == found["models"] == ["org/model"]
    assert len(found["short_description"]) <= 60
    assert found["suggested_hardware"] == "cpu-basic" and found["startup_duration_timeout"] == "1h"


def test_the_bundled_model_is_on_no_hub() -> None:
    assert "preload_from_hub" not in options(space.front_matter("雨", "gemma3-270m"))


def test_torch_is_what_the_host_runs() -> None:
    text = space.requirements("# note\ngradio>=6.24\nnumpy>=2\ntorch>=2.9,<2.14\ntransformers>=5\n")
    assert text.split() == ["numpy>=2", "transformers>=5", "spaces>=0.51", "torch>=2.9,<2.12"]


def test_what_training_needs_stays_at_home(world: Path, tmp_path: Path) -> None:
    for name in ("train.json", "test.passages.jsonl", "jobs", "report"):
        path = world / name
        path.mkdir() if "." not in name else path.write_text("{}", encoding="utf-8")
    output = tmp_path / "out"
    flags = [str(output), "--world", str(world), "--checkpoint", "none"]
    assert make_space.main(flags) == 0
    copied = {path.name for path in (output / "worlds" / "灯").iterdir()}
    assert {"world.json", "script.jsonl"} <= copied
    assert not copied & {"train.json", "test.passages.jsonl", "jobs", "report"}
    assert not list(output.rglob("__pycache__"))


def test_an_adapter_comes_with_the_start_below_it(world: Path, tmp_path: Path) -> None:
    from roleplay.adapters import start
    from roleplay.adapters.checkpoint import AdapterInfo, BaseModelInfo
    from roleplay.files import write_json

    sizes = {"hidden_size": 1, "num_hidden_layers": 1, "vocab_size": 1}
    base = BaseModelInfo(name="gemma3-270m", model_type="gemma3_text", **sizes)
    for name in ("below", "own"):
        (tmp_path / "c" / name / "trainer").mkdir(parents=True)
        (tmp_path / "c" / name / start.WEIGHTS).write_bytes(name.encode())
    named = {"start": "below", "start_digest": start.digest(tmp_path / "c" / "below")}
    info = AdapterInfo(kind="lora", base=base, **named)
    write_json(tmp_path / "c" / "own" / "adapter.json", info.model_dump())
    choice = Choice(checkpoint=str(tmp_path / "c" / "own"))
    output = space.run(space.Settings(output=tmp_path / "out", world=world, choice=choice))
    made = output / "checkpoints"
    assert sorted(path.relative_to(made).as_posix() for path in made.rglob("*.*")) == [
        "below/adapter_model.safetensors",
        "own/adapter.json",
        "own/adapter_model.safetensors",
    ]
    assert '"CHECKPOINT": "checkpoints/own"' in (output / "space.py").read_text(encoding="utf-8")


def test_a_full_folder_and_a_model_of_this_machine_are_refused(world: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="is not empty"):
        space.run(space.Settings(output=tmp_path / "full", world=world))
    with pytest.raises(UsageError, match="lies on this machine"):
        choice = Choice(model=str(tmp_path))
        space.run(space.Settings(output=tmp_path / "new", world=world, choice=choice))
    with pytest.raises(AdapterError):
        choice = Choice(checkpoint=str(tmp_path / "nothing"))
        space.run(space.Settings(output=tmp_path / "new", world=world, choice=choice))
    assert not (tmp_path / "new").exists()


def test_the_page_is_up_from_its_own_files_alone(
    world: Path, llama_folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    assert make_space.main([str(output), "--world", str(world), "--checkpoint", "none"]) == 0
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"SPACE_ID": "me/space", "MODEL": str(llama_folder), "HF_HUB_OFFLINE": "1"}
    env |= {"GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1"}
    log = (tmp_path / "log").open("w+", encoding="utf-8")
    command = [sys.executable, str(output / "space.py")]
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        until(lambda: urllib.request.urlopen(f"{address}/config", timeout=2), process)
        told = ""
        while address not in told:  # the page is up a moment before it says so
            assert process.poll() is None, told
            time.sleep(0.25)
            log.seek(0)
            told = log.read()
        assert told.index("tiny-llama") < told.index(address), told  # loaded, then the page
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def until(ready: Callable[[], Any], process: subprocess.Popen[bytes], seconds: int = 90) -> None:
    for _ in range(seconds * 4):
        assert process.poll() is None, "it ended"
        try:
            ready().close()
            return
        except OSError:
            time.sleep(0.25)
    raise AssertionError("it never answered")


class Lent:
    """Stands for the package ``spaces`` where it finds ZeroGPU: all goes through pickles."""

    def __init__(self) -> None:
        self.seconds: list[int] = []

    def GPU(self, *, duration: int) -> Callable[..., Any]:  # noqa: N802  its own name
        self.seconds.append(duration)

        def mark(function: Callable[..., Any]) -> Callable[..., Any]:
            def far(*args: Any) -> Iterator[Any]:
                for part in function(*pickle.loads(pickle.dumps(args))):
                    yield pickle.loads(pickle.dumps(part))

            return far

        return mark


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> Lent:
    made = Lent()
    monkeypatch.setitem(sys.modules, "spaces", made)  # type: ignore[arg-type]
    monkeypatch.setattr(lent_gpu, "_replies", lent_gpu._marked(lent_gpu._replies))
    return made


def engine(world: Path) -> lent_gpu.LentEngine:
    backend = ScriptedBackend(["灯亮着。", "船来了。"])
    shelf = SimpleNamespace(load=lambda *_: backend, check_fits=lambda *_, **__: None)
    made = lent_gpu.LentEngine(models=shelf)
    made.load_here(world, Choice("first", "none"), background=False)
    return made


def test_a_reply_comes_through_the_marked_function(world: Path, lent: Lent) -> None:
    agent = engine(world).agent()
    assert lent.seconds == [lent_gpu.SECONDS]
    assert [*agent.characters] == ["阿灯", "小舟"]
    reply = last_reply(agent.ask("阿灯", "灯呢？", n=1, params=SamplingParams()))
    assert reply.candidates == ("灯亮着。",)


def test_an_error_keeps_its_words_on_the_way_back(world: Path, lent: Lent) -> None:
    agent = engine(world).agent()
    with pytest.raises(DialogueError) as caught:
        last_reply(agent.ask("谁", "灯呢？", n=1, params=SamplingParams()))
    assert "谁" in str(caught.value)


def test_without_the_package_the_mark_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spaces", None)  # type: ignore[arg-type]
    assert lent_gpu._marked(until) is until


def test_the_real_package_streams_in_its_no_op_mode(world: Path) -> None:
    spaces = pytest.importorskip("spaces")
    assert spaces.GPU(duration=1)(until) is until
    reply = last_reply(engine(world).agent().ask("阿灯", "灯呢？", n=1, params=SamplingParams()))
    assert reply.candidates == ("灯亮着。",)


def test_loading_here_ends_as_loading_behind_does(world: Path, tmp_path: Path) -> None:
    made = engine(world)
    assert made.status().state == "ready"
    made.load_here(tmp_path / "nowhere", Choice("first", "none"))
    assert made.status().state == "ready" and made.status().problem
