"""A real server on loopback: the API over an engine with a parrot for a model."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
import uvicorn
from starlette.applications import Starlette

from roleplay.backends.scripted import ScriptedBackend
from roleplay.background import Snippet
from roleplay.errors import ModelError
from roleplay.prompts import Prompt
from roleplay.sampling import SamplingParams, check_samples
from roleplay.stages.character import Choice
from roleplay.stages.engine import Engine

MODEL = "雨/闻筝"
CHOICE = Choice("parrot", "none")


class Parrot(ScriptedBackend):
    """Says back the newest line of its prompt, and a number drawn by the seed; one at a time.

    ``steps`` counts what it wrote, ``pause`` (seconds) comes before each character.
    """

    name = "parrot"

    def __init__(self) -> None:
        super().__init__(["?"])
        self.lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """As new."""
        self.pause, self.steps = 0.0, 0
        self.prompts: list[Prompt] = []
        self.told: list[SamplingParams] = []
        self.failure: Exception | None = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        with self.lock:
            yield

    def stream(self, prompt: Prompt, *, n: int, params: SamplingParams) -> Iterator[list[str]]:
        check_samples(n)
        self.prompts.append(prompt)
        self.told.append(params)
        with self.lock:
            drawn = random.Random(params.seed)
            heard = prompt.text.strip().split("\n")[-2].partition("：")[2]
            texts = [f"听到{heard}#{drawn.randrange(10**6)}" for _ in range(n)]
            texts = [text[: params.max_new_tokens] for text in texts]
            for end in range(1, max(map(len, texts)) + 1):
                time.sleep(self.pause)
                self.steps += 1
                if self.failure and end > 3:
                    raise self.failure
                yield [text[:end] for text in texts]


@dataclass
class Aviary:
    """Where parrots come from."""

    made: list[Parrot] = field(default_factory=list)
    failure: ModelError | None = None
    gate: threading.Event = field(default_factory=threading.Event)

    def check_fits(self, choice: Choice, *, freed: int) -> None:
        if self.failure:
            raise self.failure

    def load(self, choice: Choice, checkpoint: Path | None, tell: Any) -> Parrot:
        assert self.gate.wait(10)
        self.made.append(Parrot())
        return self.made[-1]


@dataclass
class Served:
    """A server that answers: its address, the engine and the parrot behind it."""

    url: str
    engine: Engine
    aviary: Aviary

    @property
    def parrot(self) -> Parrot:
        return self.aviary.made[-1]

    @property
    def prompt(self) -> str:
        """The newest one."""
        return self.parrot.prompts[-1].text

    def client(self, key: str = "none", **more: Any) -> openai.OpenAI:
        plain = httpx.Client(trust_env=False)
        return openai.OpenAI(
            base_url=self.url, api_key=key, http_client=plain, **{"max_retries": 0, **more}
        )

    def post(self, path: str, body: Any, **more: Any) -> httpx.Response:
        with httpx.Client(trust_env=False, timeout=30) as client:
            return client.post(f"{self.url}{path}", json=body, **more)

    def ask(self, *messages: dict[str, Any], **more: Any) -> str:
        """The answer to a chat."""
        answer = self.post("/chat/completions", {"model": MODEL, "messages": messages, **more})
        assert answer.status_code == 200, answer.text
        text: str = answer.json()["choices"][0]["message"]["content"]
        return text


def user(text: str, **more: str) -> dict[str, str]:
    return {"role": "user", "content": text, **more}


def assistant(text: str, **more: str) -> dict[str, str]:
    return {"role": "assistant", "content": text, **more}


def system(text: str, **more: str) -> dict[str, str]:
    return {"role": "system", "content": text, **more}


def find(
    query: str, k: int, *, character: str | None = None, chapter: int | None = None
) -> list[Snippet]:
    return [Snippet("闻筝最爱吃椒盐豆糕。", 0.9, "闻筝")][:k]


def make_world(folder: Path, name: str, *people: dict[str, Any]) -> Path:
    (folder / name).mkdir(parents=True)
    info = {"title": name, "characters": people}
    (folder / name / "world.json").write_text(json.dumps(info), encoding="utf-8")
    return folder / name


@contextmanager
def running(app: Starlette) -> Iterator[str]:
    """A server of the application in a thread; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        work = {"target": server.run, "kwargs": {"sockets": [listener]}, "daemon": True}
        thread = threading.Thread(**work)  # type: ignore[arg-type]
        thread.start()
        wait_for(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


def wait_for(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.005)
