"""What is refused: each field with a wrong value, keys, models, sizes, with the right status."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest
from loopback_api import MODEL, Served, system, user

from roleplay.backends.scripted import ScriptedBackend
from roleplay.errors import ModelError
from roleplay.serving.http import MAX_BODY

CHAT: dict[str, Any] = {"model": MODEL, "messages": [user("你好")]}
TEXT: dict[str, Any] = {"model": MODEL, "prompt": "你好"}
IMAGE = [{"type": "image_url", "image_url": {"url": "data:"}}]


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The error object of an answer with that status."""
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert {*error} == {"message", "type", "param", "code"}
    assert error["message"] and "\n" not in error["message"]
    return error


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("model", None, "model"),
        ("model", 3, "'3' is no text"),
        ("messages", None, "messages"),
        ("messages", [], "messages: is empty"),
        ("messages", "你好", "messages"),
        ("messages", ["你好"], "messages.0"),
        ("messages", [{"content": "?"}], "messages.0.role: is missing"),
        ("messages", [{"role": "tool", "content": "?"}], "messages.0.role: 'tool' is none of"),
        ("messages", [user("?"), {"role": "user", "content": IMAGE}], "messages.1.content: only"),
        ("messages", [{"role": "user", "content": {"text": "?"}}], "messages.0.content"),
        ("messages", [{"role": "user", "content": "?", "name": 3}], "messages.0.name"),
        ("n", 0, "n: 0 must be at least 1"),
        ("n", 21, "n: 21 must be at most 20"),
        ("n", 1.5, "n: '1.5' is no number"),
        ("n", True, "n: 'True' is no number"),
        ("stream", "yes", "stream"),
        ("stream_options", 3, "stream_options"),
        ("stream_options", {"include_usage": "yes"}, "stream_options.include_usage"),
        ("stop", [""], "stop.0: is empty"),
        ("stop", "", "stop.0: is empty"),
        ("stop", [1], "stop.0: '1' is no text"),
        ("stop", {"a": 1}, "stop.0"),
        ("stop", ["x"] * 65, "stop"),
        ("stop", ["x" * 201], "stop.0"),
        ("seed", "7", "seed: '7' is no number"),
        ("seed", 2**63, "seed"),
        ("temperature", -0.1, "temperature: -0.1 must be at least 0"),
        ("temperature", 5.1, "temperature: 5.1 must be at most 5"),
        ("temperature", "hot", "temperature: 'hot' is no number"),
        ("temperature", float("nan"), "temperature"),
        ("top_p", 0, "top_p: 0.0 must be above 0"),
        ("top_p", 1.1, "top_p: 1.1 must be at most 1"),
        ("top_k", "x", "top_k: 'x' is no number"),
        ("repetition_penalty", 0, "repetition_penalty: 0.0 must be above 0"),
        ("max_tokens", 0, "max_tokens: 0 must be at least 1"),
        ("max_completion_tokens", -1, "max_completion_tokens: -1 must be at least 1"),
    ],
)
def test_a_wrong_value_is_named(served: Served, field: str, value: Any, told: str) -> None:
    body = json.dumps({**CHAT, field: value})  # as httpx refuses to write a nan
    with httpx.Client(trust_env=False) as client:
        error = refused(client.post(f"{served.url}/chat/completions", content=body), 400)
    assert told in error["message"] and error["param"].split(".")[0] == field
    assert error["type"] == "invalid_request_error" and served.parrot.prompts == []


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("prompt", None, "prompt"),
        ("prompt", ["a", "b"], "prompt: must be one text, or a list of one"),
        ("prompt", [[1, 2]], "prompt: must be one text"),
        ("prompt", [], "prompt: must be one text"),
        ("echo", True, "echo: is not supported here"),
        ("suffix", "end", "suffix: is not supported here"),
    ],
)
def test_a_wrong_value_of_a_completion_is_named(
    served: Served, field: str, value: Any, told: str
) -> None:
    error = refused(served.post("/completions", {**TEXT, field: value}), 400)
    assert told in error["message"] and error["param"] == field


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"model": "\\ud800"}']
)
def test_a_body_that_is_no_object_is_refused(served: Served, body: bytes) -> None:
    with httpx.Client(trust_env=False) as client:
        error = refused(client.post(f"{served.url}/chat/completions", content=body), 400)
    assert error["param"] is None


@pytest.mark.parametrize("name", ["gpt-4o", "闻筝", "雨/谁", "灯/闻筝", "", "雨/", "../雨/闻筝"])
def test_an_unknown_model_names_the_known(served: Served, name: str) -> None:
    error = refused(served.post("/chat/completions", {**CHAT, "model": name}), 404)
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert MODEL in error["message"] and name in error["message"]
    with pytest.raises(openai.NotFoundError):
        served.client().models.retrieve("x/y")


def test_an_error_is_in_the_language_of_the_client(served: Served) -> None:
    chinese = {"Accept-Language": "zh-CN,zh;q=0.9"}
    answer = served.post("/chat/completions", {**CHAT, "n": 0}, headers=chinese)
    assert refused(answer, 400)["message"] == "n：0 至少是 1"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/chat/completions", 405), ("GET", "/nothing", 404), ("DELETE", "/models", 405)],
)
def test_a_route_that_is_not_there(served: Served, method: str, path: str, status: int) -> None:
    with httpx.Client(trust_env=False) as client:
        error = refused(client.request(method, f"{served.url}{path}"), status)
    assert error["message"] == f"there is no {method} /v1{path} here"


def test_a_body_that_is_too_large_is_refused_also_without_a_length(served: Served) -> None:
    body = {**CHAT, "messages": [user("长" * MAX_BODY)]}
    error = refused(served.post("/chat/completions", body), 413)
    assert error["code"] == "request_too_large" and "1024 KiB" in error["message"]
    with httpx.Client(trust_env=False) as client:
        parts = (b" " * 65536 for _ in range(20))
        refused(client.post(f"{served.url}/chat/completions", content=parts), 413)


def test_a_question_that_does_not_fit_the_model_is_the_clients_mistake(served: Served) -> None:
    error = refused(
        served.post("/chat/completions", {**CHAT, "messages": [user("长" * 2000)]}), 400
    )
    assert error["code"] == "context_length_exceeded" and "1024" in error["message"]


def test_a_long_history_loses_its_oldest(served: Served) -> None:
    messages = [user(f"第{number}句话说得很长很长") for number in range(200)]
    served.ask(*messages)
    assert "问：第199句" in served.prompt and "第0句" not in served.prompt
    assert len(served.prompt) <= 1024


def test_a_key_is_asked_for_everywhere(start: Callable[..., Served]) -> None:
    served = start("秘密")
    for wrong in ("", "Bearer", "Bearer x", "Basic 秘密", "秘密"):
        headers = {"Authorization": wrong.encode()}
        answer = served.post("/chat/completions", CHAT, headers=headers)
        error = refused(answer, 401)
        assert error["code"] == "invalid_api_key" and "秘密" not in answer.text
        assert answer.headers["www-authenticate"] == "Bearer"
    assert refused(served.post("/completions", TEXT), 401)
    with pytest.raises(openai.AuthenticationError):
        served.client("wrong").models.list()
    with pytest.raises(openai.AuthenticationError):
        served.client("wrong").models.retrieve(MODEL)


def test_with_the_key_all_is_open(start: Callable[..., Served]) -> None:
    served = start("sk-secret")
    client = served.client("sk-secret")
    assert len(client.models.list().data) == 4
    messages: Any = [user("你好")]
    assert client.chat.completions.create(model=MODEL, messages=messages).choices


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:3000", 200),
        ("http://127.0.0.1:8000", 200),
        ("https://evil.example", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_without_a_key_no_foreign_page_may_ask(served: Served, origin: str, status: int) -> None:
    answer = served.post("/chat/completions", CHAT, headers={"Origin": origin})
    assert answer.status_code == status
    if status == 403:
        assert origin in refused(answer, 403)["message"]


def test_no_model_yet_is_told_with_when_to_come_again(start: Callable[..., Served]) -> None:
    served = start(loaded=False)
    answer = served.post("/chat/completions", CHAT)
    error = refused(answer, 503)
    assert "no model can answer now (loading" in error["message"]
    assert answer.headers["retry-after"] == "2" and error["code"] == "model_not_ready"
    assert len(served.client().models.list().data) == 4
    served.aviary.gate.set()
    served.engine.agent(10)
    assert served.ask(user("你好"))
    served.engine.unload()
    assert "no model is loaded" in refused(served.post("/completions", TEXT), 503)["message"]


def test_a_world_that_cannot_be_loaded_is_told(start: Callable[..., Served]) -> None:
    served = start()
    (worlds := served.engine.loaded()) and (worlds.world.path.parent / "灯" / "kb").mkdir()
    try:
        error = refused(served.post("/chat/completions", {**CHAT, "model": "灯/阿灯"}), 503)
        assert "kb" in error["message"]
        assert served.ask(user("你好"))
    finally:
        assert worlds
        (worlds.world.path.parent / "灯" / "kb").rmdir()


@pytest.mark.parametrize(
    ("failure", "status", "told"),
    [
        (ModelError("plain", text="the endpoint is gone"), 503, "the endpoint is gone"),
        (ValueError("inner secrets"), 500, "the server failed (ValueError)"),
    ],
)
def test_a_failure_while_writing_is_told(
    served: Served, failure: Exception, status: int, told: str
) -> None:
    served.parrot.failure = failure
    answer = served.post("/chat/completions", CHAT)
    assert told in refused(answer, status)["message"] and "secrets" not in answer.text
    served.parrot.pause = 0.05
    with pytest.raises(openai.APIError, match=told.split(" (")[0]) as caught:
        messages: Any = [user("你好")]
        for _ in served.client().chat.completions.create(
            model=MODEL, messages=messages, stream=True
        ):
            pass
    assert not isinstance(caught.value, openai.APIStatusError)
    served.parrot.reset()
    assert served.ask(user("你好"))


def test_the_context_of_the_model_counts(served: Served) -> None:
    assert isinstance(served.parrot, ScriptedBackend)
    assert refused(served.post("/completions", {**TEXT, "prompt": "长" * 1100}), 400)
    assert served.ask(system("长" * 5000), user("你好"))
