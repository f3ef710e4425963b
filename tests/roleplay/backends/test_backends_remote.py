"""A remote model over real HTTP on loopback: both ways of asking, streaming, n, keys, faults."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from roleplay.backends import remote
from roleplay.backends.base import generate
from roleplay.backends.remote import RemoteBackend
from roleplay.dialogue import CharacterAgent, last_reply
from roleplay.errors import ModelError, SamplingError
from roleplay.prompts import Prompt
from roleplay.sampling import SamplingParams

PROMPT = Prompt(("【雨停了】\n", "问：几岁？\n", "闻筝："))
PARAMS = SamplingParams(seed=1)
Answer = Callable[[str, dict[str, Any]], tuple[int, list[list[str]] | dict[str, Any]]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind = self.path.removeprefix("/v1/")
        server.asked.append((kind, body, self.headers.get("Authorization", "")))
        status, told = server.answer(kind, body)
        if status != 200:
            data = json.dumps(told).encode()
            self._head(status, "application/json", len(data))
            self.wfile.write(data)
            return
        self._head(200, "text/event-stream", None)
        for step in told:
            for place, piece in enumerate(step):
                own = {"text": piece} if kind == "completions" else {"delta": {"content": piece}}
                row = {"id": "x", "object": "c", "created": 0, "model": "m"}
                row |= {"choices": [{"index": place, "finish_reason": None, **own}]}
                self._chunk(f"data: {json.dumps(row)}\n\n".encode())
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _head(self, status: int, kind: str, length: int | None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def log_message(self, *_: object) -> None:
        """Tests print nothing."""


@contextmanager
def serve(answer: Answer) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads, server.answer, server.asked = True, answer, []
    server.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def says(*steps: list[str]) -> Answer:
    return lambda kind, body: (200, list(steps))


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(remote, "_keys", {})


def test_the_script_is_continued_and_candidates_stream() -> None:
    with serve(says(["没得", "十", "走"], ["商量。", "七。", "。"])) as server:
        backend = RemoteBackend(server.url, "m")
        steps = list(backend.stream(PROMPT, n=3, params=PARAMS))
    assert steps[0] == ["没得", "", ""] and steps[-1] == ["没得商量。", "十七。", "走。"]
    [(kind, body, _)] = server.asked
    assert kind == "completions" and body["prompt"] == PROMPT.text
    assert (body["n"], body["seed"], body["stop"]) == (3, 1, ["\n"])


def test_a_server_that_only_chats_is_asked_there_from_then_on() -> None:
    def answer(kind: str, body: dict[str, Any]) -> Any:
        if kind == "completions":
            return 404, {"error": {"message": "Not Found"}}
        return 200, [["闻筝："], ["十七。\n陆迟：哦。"]]

    with serve(answer) as server:
        backend = RemoteBackend(server.url, "m")
        assert generate(backend, PROMPT, n=1, params=PARAMS) == ["十七。"]
        assert generate(backend, PROMPT, n=1, params=PARAMS) == ["十七。"]
    assert [kind for kind, *_ in server.asked] == ["completions"] + ["chat/completions"] * 2
    told = server.asked[1][1]["messages"]
    assert told[0]["role"] == "system" and told[1]["content"] == PROMPT.text


def test_a_server_that_gives_one_at_a_time_is_asked_again() -> None:
    with serve(says(["好。"])) as server:
        backend = RemoteBackend(server.url, "m")
        assert generate(backend, PROMPT, n=3, params=PARAMS) == ["好。"] * 3
        generate(backend, PROMPT, n=2, params=PARAMS)
    assert [body.get("n", 1) for _, body, _ in server.asked] == [3, 1, 1, 1, 1]
    assert [body["seed"] for _, body, _ in server.asked] == [1, 2, 3, 1, 2]


def test_a_key_is_of_its_address_or_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(says(["好。"])) as server:
        backend = RemoteBackend(server.url, "m")
        generate(backend, PROMPT, n=1, params=PARAMS)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
        generate(backend, PROMPT, n=1, params=PARAMS)
        remote.use_key(server.url, "sk-session")
        generate(backend, PROMPT, n=1, params=PARAMS)
        remote.use_key(server.url, "")
        generate(backend, PROMPT, n=1, params=PARAMS)
    keys = [key.removeprefix("Bearer ") for *_, key in server.asked]
    assert keys == ["none", "sk-environment", "sk-session", "sk-environment"]
    assert "sk-" not in repr(backend) + backend.name


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "refuses the key"), (404, "knows no m"), (418, r"refused the request to m \(418\)")],
)
def test_what_the_server_refuses_is_told_with_what_it_says(status: int, told: str) -> None:
    body = {"error": {"message": "so sk-secret-key is wrong"}}
    with serve(lambda kind, asked: (status, body)) as server:
        remote.use_key(server.url, "sk-secret-key")
        with pytest.raises(ModelError, match=told) as caught:
            generate(RemoteBackend(server.url, "m"), PROMPT, n=1, params=PARAMS)
    assert "sk-secret-key" not in str(caught.value) and "so ... is wrong" in str(caught.value)


def test_nobody_at_the_address_is_told() -> None:
    with pytest.raises(ModelError, match="nobody answers at http://127.0.0.1:9/v1"):
        RemoteBackend("http://127.0.0.1:9/v1", "m").check()


@pytest.mark.parametrize("address", ["", "localhost:8000", "ftp://x", "http://", "http://:99999x/"])
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(ModelError, match="is no address: write one like"):
        RemoteBackend(address, "m")


def test_a_model_has_a_name_and_a_key_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="has no name"):
        RemoteBackend("http://localhost/v1", " ")
    monkeypatch.setenv("OPENAI_API_KEY", "ｓｋ")
    with pytest.raises(ModelError, match="letters that no key has"):
        RemoteBackend("http://localhost/v1", "m")


def test_the_number_of_candidates_is_checked() -> None:
    with pytest.raises(SamplingError):
        list(RemoteBackend("http://localhost/v1", "m").stream(PROMPT, n=99, params=PARAMS))


def test_a_reader_who_leaves_ends_the_request() -> None:
    with serve(says(*[["字"]] * 2000)) as server:
        backend = RemoteBackend(server.url, "m")
        stream = backend.stream(PROMPT, n=1, params=PARAMS)
        assert next(stream) == ["字"]
        stream.close()  # type: ignore[attr-defined]
        assert generate(backend, PROMPT, n=1, params=PARAMS)[0].startswith("字字")


def test_an_agent_talks_through_it() -> None:
    with serve(says(["十七。", "不告诉你。"])) as server:
        agent = CharacterAgent(RemoteBackend(server.url, "m"), characters=["闻筝"])
        reply = last_reply(agent.ask("闻筝", "几岁？", n=2, params=PARAMS))
    assert reply.candidates == ("十七。", "不告诉你。")
