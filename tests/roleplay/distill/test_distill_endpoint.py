"""The endpoint's client against a real server on loopback with every fault that passes, and every one that does not."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from roleplay.distill.batches import read_batch, write_batch
from roleplay.distill.llm.client import CachedClient, PendingError
from roleplay.distill.llm.costs import (
    CostLimitError,
    Meter,
    count_tokens,
    estimate,
    load_prices,
    most_calls,
)
from roleplay.distill.llm.endpoint import (
    Endpoint,
    EndpointError,
    EndpointSettings,
    RequestError,
    retry_after,
    settings_from,
)
from roleplay.distill.llm.ledger import CUT, REFUSED, Entry, Ledger
from roleplay.distill.llm.requests import LLMRequest, messages_of
from roleplay.errors import ModelError, PromptError, WorldError
from roleplay.files import read_jsonl, write_jsonl
from tests.roleplay.distill.loopback import Reply, Server, completion, error_body, serve


def question(text: str) -> LLMRequest:
    return LLMRequest("label", "m", ({"role": "user", "content": text},), {"type": "object"}, 50)


QUESTION = question("谁？")
GOOD = Reply("[]")
PRICES = {"m": (1.0, 10.0)}


def ask(
    server_url: str, *, timeout: float = 5.0, attempts: int = 5, key: str = "sk-secret"
) -> Entry:
    settings = EndpointSettings(
        "m", server_url, key, timeout=timeout, attempts=attempts, pause=0.01
    )

    async def once() -> Entry:
        async with Endpoint(settings) as endpoint:
            return await endpoint.ask(QUESTION)

    return asyncio.run(once())


def in_turn(*replies: Reply) -> Iterator[Server]:
    left = list(replies)
    return serve(lambda body: left.pop(0) if len(left) > 1 else left[0])


@pytest.mark.parametrize(
    "fault",
    [
        Reply(status=500, body=error_body("boom")),
        Reply(status=503, body="<html>busy</html>"),
        Reply(status=429, body=error_body("slow down"), headers={"Retry-After": "0"}),
        Reply(drop=True),
    ],
)
def test_what_passes_is_tried_again(fault: Reply) -> None:
    with in_turn(fault, fault, GOOD) as server:
        assert ask(server.url).text == "[]"
    assert len(server.requests) == 3 and sum(server.paid.values()) == 1


@pytest.mark.parametrize(
    "slow", [Reply("[]", delay=1.0, good=False), Reply("[]", drip=0.05, good=False)]
)
def test_a_slow_answer_is_asked_again(slow: Reply) -> None:
    with in_turn(slow, GOOD) as server:
        assert ask(server.url, timeout=0.3).text == "[]"


def test_retry_after_is_obeyed() -> None:
    started = time.monotonic()
    with in_turn(
        Reply(status=429, body=error_body("slow"), headers={"Retry-After": "0.5"}), GOOD
    ) as server:
        ask(server.url)
    assert time.monotonic() - started >= 0.5


def test_retry_after_may_be_a_date() -> None:
    asked = retry_after(
        {"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)}
    )
    assert asked is not None and 50 < asked <= 60


@pytest.mark.parametrize(
    ("value", "seconds"), [("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None)]
)
def test_retry_after_in_the_past_or_unreadable(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}) == seconds


def test_it_gives_up_with_one_clear_line() -> None:
    told = r'says "boom": failed 3 times, at last with 500: run the same command again later'
    with (
        in_turn(Reply(status=500, body=error_body("boom"))) as server,
        pytest.raises(EndpointError, match=told),
    ):
        ask(server.url, attempts=3)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (
            Reply(status=401, body=error_body("bad key sk-secret")),
            r"refused the key \(401\): check OPENAI_API_KEY",
        ),
        (
            Reply(status=404, body=error_body("no model")),
            r"no model 'm' \(404\): check the address",
        ),
        (Reply(status=429, body=error_body("x", "insufficient_quota")), "account is empty"),
        (
            Reply(body="<html>welcome</html>"),
            "is no chat completion: its address often ends in /v1",
        ),
        (Reply(body='{"choices": [{"index": 0}]}'), "is no chat completion"),
        (Reply(body='{"choices": null}'), "is no chat completion"),
        (Reply(status=413, body=error_body("too long")), r"refused the request \(413\)"),
    ],
)
def test_what_does_not_pass_is_told_at_once(reply: Reply, told: str) -> None:
    with in_turn(reply) as server, pytest.raises(EndpointError, match=told) as error:
        ask(server.url)
    assert len(server.requests) == 1 and "sk-secret" not in str(error.value)


def test_nobody_at_the_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(EndpointError, match="cannot be reached: check OPENAI_BASE_URL"):
        ask(url)


def test_a_refused_form_is_not_tried_again() -> None:
    def answer(body: dict[str, object]) -> Reply:
        return (
            Reply(status=400, body=error_body("response_format"))
            if "response_format" in body
            else GOOD
        )

    with serve(answer) as server:
        settings = EndpointSettings("m", server.url, pause=0.01)

        async def twice() -> None:
            async with Endpoint(settings) as endpoint:
                await endpoint.ask(QUESTION)
                await endpoint.ask(QUESTION)

        asyncio.run(twice())
    formats = [body.get("response_format", {}).get("type") for body in server.requests]
    assert formats == ["json_schema", "json_object", None, None]


def test_a_refused_parameter_is_left_out() -> None:
    def answer(body: dict[str, object]) -> Reply:
        for name in ("max_tokens", "temperature"):
            if name in body:
                return Reply(status=400, body=error_body(f"Unsupported parameter: '{name}'"))
        return GOOD

    with serve(answer) as server:
        ask(server.url)
    last = server.requests[-1]
    assert len(server.requests) == 3 and last["max_completion_tokens"] == QUESTION.max_tokens
    assert last["response_format"]["type"] == "json_schema"


def test_the_key_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert "sk-secret" not in repr(settings_from("m"))
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(EndpointError, match="no API key for .*: set OPENAI_API_KEY"):
        settings_from("m")


def client(path: Path, url: str | None = None, max_cost: float | None = None) -> CachedClient:
    ledger = Ledger(path / "ledger.jsonl")
    meter = Meter("m", PRICES, max_cost)
    meter.remember(ledger)
    return CachedClient(
        ledger, meter, Endpoint(EndpointSettings("m", url, pause=0.01)) if url else None
    )


def run(one: CachedClient) -> Entry:
    async def once() -> Entry:
        async with one:
            return await one.ask(QUESTION)

    return asyncio.run(once())


def test_nothing_is_paid_for_twice(tmp_path: Path) -> None:
    with in_turn(GOOD) as server:
        assert run(client(tmp_path, server.url)) == run(client(tmp_path, server.url))
    assert len(server.requests) == 1


def test_the_cost_limit_is_hard(tmp_path: Path) -> None:
    with in_turn(GOOD) as server:
        with pytest.raises(
            CostLimitError, match=r"stopped before passing --max-cost 0.001: \$0.0000 spent"
        ):
            run(client(tmp_path, server.url, max_cost=0.001))
        run(client(tmp_path, server.url, max_cost=0.1))
    assert len(server.requests) == 1
    assert client(tmp_path).meter.spent == pytest.approx(100e-6 + 200e-6)


def test_a_limit_needs_a_price() -> None:
    with pytest.raises(ModelError, match="--max-cost needs a price and 'x' has none"):
        Meter("x", PRICES, 1.0)


def test_the_estimate_comes_before_the_first_call() -> None:
    told = estimate([QUESTION] * 2, Meter("m", PRICES))
    assert str(told) == "2 calls, about 22 tokens read and 100 written, about $0.00"
    assert told.text("zh") == "2 次请求，约读 22 个词元、写 100 个，约 $0.00"
    assert "no price for 'x'" in str(estimate([QUESTION], Meter("x", PRICES)))
    assert count_tokens("雨雨雨abc") == 5 and load_prices()["gpt-4o-mini"] == (0.15, 0.6)


def test_the_meter_tells_what_was_paid_in_two_languages() -> None:
    meter = Meter("m", PRICES, calls=2, read=12_300, wrote=40, spent=0.5)
    assert str(meter) == "2 calls, 12k+40 tokens, $0.50"
    assert meter.text("zh") == "2 次请求，12k+40 个词元，$0.50"
    assert str(Meter("x", PRICES)) == "0 calls, 0+0 tokens"


def test_a_failed_call_is_told_without_the_librarys_words_in_chinese() -> None:
    with in_turn(Reply(drop=True)) as server, pytest.raises(EndpointError) as error:
        ask(server.url, attempts=1)
    assert "RemoteProtocolError" in str(error.value)
    assert "RemoteProtocolError" not in error.value.text("zh") and "1 次" in error.value.text("zh")


@pytest.mark.parametrize("row", [7, {"custom_id": 7}, {"custom_id": "x", "response": "oops"}])
def test_a_batch_row_of_another_form_is_no_answer(tmp_path: Path, row: object) -> None:
    write_jsonl(tmp_path / "in.jsonl", [row])
    took = read_batch(tmp_path / "in.jsonl", Ledger(tmp_path / "ledger.jsonl"), model="m")
    assert took.taken == 0 and len(took.failed) == 1


def test_a_batch_goes_out_and_comes_in(tmp_path: Path) -> None:
    one = client(tmp_path)
    with pytest.raises(PendingError):
        run(one)
    assert write_batch(tmp_path / "out.jsonl", one.pending.values()) == 1
    (row,) = read_jsonl(tmp_path / "out.jsonl")
    assert (row["custom_id"], row["method"], row["url"]) == (
        QUESTION.key,
        "POST",
        "/v1/chat/completions",
    )
    good = {
        "custom_id": row["custom_id"],
        "response": {"status_code": 200, "body": json.loads(completion("[1]"))},
    }
    bad = {
        "custom_id": "b" * 64,
        "response": {"status_code": 500, "body": {"error": "boom"}},
        "error": None,
    }
    write_jsonl(
        tmp_path / "in.jsonl",
        [bad, {"custom_id": "c", "response": None, "error": {"code": "expired"}}, good],
    )
    took = read_batch(tmp_path / "in.jsonl", one.ledger, model="m")
    assert took.taken == 1
    assert str(took.failed[0]) == "bbbbbbbbbbbb: 500 boom"
    assert "expired" in str(took.failed[1]) and "expired" not in took.failed[1].text("zh")
    assert run(client(tmp_path)).text == "[1]"


def test_all_missing_slots_are_told_at_once() -> None:
    with pytest.raises(
        PromptError, match=r"prompt x: no value for \['a', 'b'\], no slot for \['c'\]"
    ):
        messages_of("{{a}}\n---\n{{b}}{{d}}", {"c": "", "d": ""}, "x")


def test_slots_are_filled_once() -> None:
    system, user = messages_of("问{{a}}\n---\n{{b}}", {"a": "{{b}}", "b": "雨"}, "x")
    assert (system["content"], user["content"]) == ("问{{b}}", "雨")


def test_what_was_sent_before_a_stop_is_kept(tmp_path: Path) -> None:
    """A third request would pass the limit; the second is on its way, and its answer is not lost."""
    second, third = question("又是谁？"), question("还有谁？")

    async def both(one: CachedClient) -> None:
        async with one:
            await one.ask(QUESTION)
            results = [asyncio.ensure_future(one.ask(request)) for request in (second, third)]
            await asyncio.sleep(0.05)
            await results[1]

    with in_turn(GOOD, Reply("[]", delay=0.3)) as server:
        one = client(tmp_path, server.url, max_cost=0.004)
        with pytest.raises(CostLimitError):
            asyncio.run(both(one))
    assert len(server.requests) == 2
    assert Ledger(tmp_path / "ledger.jsonl").get(second.key) is not None


def test_the_same_question_is_never_in_flight_twice(tmp_path: Path) -> None:
    async def twice(one: CachedClient) -> list[Entry]:
        async with one:
            return await asyncio.gather(one.ask(QUESTION), one.ask(QUESTION))

    with in_turn(Reply("[]", delay=0.05)) as server:
        first, second = asyncio.run(twice(client(tmp_path, server.url)))
    assert first == second and len(server.requests) == 1


def body_of(message: dict[str, Any], finish: str = "stop", **more: Any) -> Reply:
    """A completion with this message, as a gateway sent it."""
    choice = {"index": 0, "finish_reason": finish, "message": message}
    return Reply(body=json.dumps({"choices": [choice], **more}))


def refusal(message: str, code: Any = None, status: int = 400) -> Reply:
    return Reply(status=status, body=json.dumps({"error": {"message": message, "code": code}}))


CUT_OFF = body_of({"role": "assistant", "reasoning_content": "想了很久"}, "length")


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "Provider returned error", "code": 502}},
        {"choices": None, "error": {"message": "Rate limit exceeded", "code": "429"}},
        {"error": "upstream busy"},
    ],
)
def test_an_error_inside_of_a_200_is_tried_again_and_never_kept(body: dict[str, Any]) -> None:
    with in_turn(Reply(body=json.dumps(body)), GOOD) as server:
        assert ask(server.url).text == "[]"
    assert len(server.requests) == 2


def test_an_error_inside_of_a_200_is_told_in_its_own_words() -> None:
    wrong = Reply(body=json.dumps({"error": {"message": "No such model: sk-secret", "code": 404}}))
    with (
        in_turn(wrong) as server,
        pytest.raises(EndpointError, match="No such model: ...") as error,
    ):
        ask(server.url)
    assert len(server.requests) == 1 and "sk-secret" not in str(error.value)
    assert "No such model" in error.value.text("zh")


@pytest.mark.parametrize(
    "reply",
    [
        refusal("Insufficient Balance", "invalid_request_error", 402),
        refusal("Access denied: Arrearage", 400),
        refusal("您的账户余额不足", "1113", 429),
    ],
)
def test_an_empty_account_stops_at_once_with_the_endpoints_words(reply: Reply) -> None:
    with (
        in_turn(reply) as server,
        pytest.raises(EndpointError, match="the account is empty") as told,
    ):
        ask(server.url)
    assert len(server.requests) == 1 and not isinstance(told.value, RequestError)
    assert json.loads(reply.body)["error"]["message"] in str(told.value)


def test_what_one_request_says_may_be_refused_and_the_form_stays() -> None:
    refused = refusal("content management policy", "content_filter")
    with in_turn(GOOD, refused, GOOD) as server:

        async def three() -> list[str]:
            async with Endpoint(EndpointSettings("m", server.url)) as endpoint:
                return [(await endpoint.ask(question(str(n)))).finish for n in range(3)]

        assert asyncio.run(three()) == ["stop", REFUSED, "stop"]
    formats = [body["response_format"]["type"] for body in server.requests]
    assert formats == ["json_schema"] * 3


def test_an_unknown_refusal_before_any_answer_may_be_of_the_form() -> None:
    def answer(body: dict[str, Any]) -> Reply:
        return refusal("Bad Request") if "response_format" in body else GOOD

    with serve(answer) as server:
        assert ask(server.url).text == "[]"
    assert len(server.requests) == 3


def test_an_endpoint_that_refuses_everything_is_given_up(tmp_path: Path) -> None:
    async def many(one: CachedClient) -> list[Entry | BaseException]:
        async with one:
            asked = (one.ask(question(str(n))) for n in range(9))
            return await asyncio.gather(*asked, return_exceptions=True)

    with in_turn(refusal("no", status=418)) as server:
        errors = asyncio.run(many(client(tmp_path, server.url)))
    assert len(server.requests) == 3
    assert 'says "no": refused the request (418)' in str(errors[2])
    assert [type(error) for error in errors] == [PendingError] * 2 + [EndpointError] + [
        PendingError
    ] * 6


def test_the_first_request_goes_alone_and_a_wrong_key_costs_one_call(tmp_path: Path) -> None:
    async def many(one: CachedClient) -> None:
        async with one:
            await asyncio.gather(*(one.ask(question(str(n))) for n in range(9)))

    with (
        in_turn(refusal("bad key", status=401)) as server,
        pytest.raises(EndpointError, match="refused the key"),
    ):
        asyncio.run(many(client(tmp_path, server.url)))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        ("max_tokens is too large: 300. This model supports at most 260 tokens", 260),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 256]", 256),
    ],
)
def test_fewer_tokens_are_asked_for_where_that_many_are_too_many(told: str, sent: int) -> None:
    def answer(body: dict[str, Any]) -> Reply:
        return refusal(told) if body["max_tokens"] > sent else GOOD

    with serve(answer) as server:
        ask(server.url)
    assert [body["max_tokens"] for body in server.requests] == [300, sent]


def test_room_to_think_is_given_once_and_from_then_on(tmp_path: Path) -> None:
    async def two(one: CachedClient) -> list[Entry]:
        async with one:
            return [await one.ask(question(str(n))) for n in range(2)]

    def answer(body: dict[str, Any]) -> Reply:
        return Reply('[{"n": 1}]') if body["max_tokens"] > 10_000 else CUT_OFF

    with serve(answer) as server:
        one = client(tmp_path, server.url)
        assert [entry.finish for entry in asyncio.run(two(one))] == ["stop", "stop"]
        assert one.meter.calls == 3
        again = client(tmp_path, server.url)
        assert [entry.text for entry in asyncio.run(two(again))] == ['[{"n": 1}]'] * 2
    assert len(server.requests) == 3
    assert sum(entry.completion_tokens for entry in one.ledger) == one.meter.wrote > 0


def test_a_model_that_only_thinks_is_asked_twice_and_never_again(tmp_path: Path) -> None:
    with in_turn(CUT_OFF) as server:
        assert [run(client(tmp_path, server.url)).finish for _ in range(2)] == [CUT, CUT]
    assert len(server.requests) == 2


def test_a_cut_answer_of_a_batch_is_asked_again_with_room(tmp_path: Path) -> None:
    one, out, back = client(tmp_path), tmp_path / "out.jsonl", tmp_path / "in.jsonl"
    response = {"status_code": 200, "body": json.loads(CUT_OFF.body)}
    write_jsonl(back, [{"custom_id": QUESTION.key, "response": response}])
    assert read_batch(back, one.ledger, model="m").taken == 0
    with pytest.raises(PendingError):
        run(one)
    write_batch(out, one.pending.values())
    (row,) = read_jsonl(out)
    assert row["custom_id"] == QUESTION.key and row["body"]["max_tokens"] > 10_000
    assert read_batch(back, one.ledger, model="m").taken == 1
    assert run(client(tmp_path)).finish == CUT


def test_a_batch_file_that_is_none_says_so(tmp_path: Path) -> None:
    ledger, path = Ledger(tmp_path / "ledger.jsonl"), tmp_path / "in.jsonl"
    path.write_bytes(b'{"custom_id": \xff\n[[[[' + b"[" * 100_000 + b'\n{"custom_id": "\\ud83d"}\n')
    assert len(read_batch(path, ledger, model="m").failed) == 3
    with pytest.raises(WorldError, match=r"cannot be read \(no such file\)"):
        read_batch(tmp_path / "none", ledger, model="m")


@pytest.mark.parametrize("key", ["sk-密钥", "sk 1", "sk-１", "sk\nx"])
def test_a_key_that_no_header_takes_is_one_line(key: str) -> None:
    with pytest.raises(EndpointError, match="OPENAI_API_KEY holds a character that no key has"):
        EndpointSettings("m", "http://127.0.0.1:9", key)


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999999/v1", "http://\x00"])
def test_an_address_that_is_none_is_one_line(url: str) -> None:
    with pytest.raises(EndpointError, match="cannot be asked .*: check the address"):
        Endpoint(EndpointSettings("m", url))


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9", "socks://x", "%"])
def test_this_machine_is_asked_without_a_proxy(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    with in_turn(GOOD) as server:
        assert ask(server.url).text == "[]"
        assert ask(server.url.replace("127.0.0.1", "localhost")).text == "[]"


def test_a_proxy_that_cannot_be_used_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks4://127.0.0.1:9")
    with pytest.raises(EndpointError, match="http_proxy, https_proxy and all_proxy"):
        Endpoint(EndpointSettings("m", "http://example.invalid/v1"))


def test_the_most_calls_count_what_is_asked_again() -> None:
    focused = LLMRequest("focus", "m", QUESTION.messages, {})
    assert most_calls([QUESTION, focused], 8) == 4 + 2 + 2
    assert most_calls([QUESTION] * 100, 8) == 408 and most_calls([], 8) == 0


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=307, headers={"Location": "http://127.0.0.1:99999999/"}),
        Reply(status=308, headers={"Location": "/v1/chat/completions"}),
        Reply(status=302, headers={"Location": "http://[::1"}),
        Reply(body="no gzip", headers={"Content-Encoding": "gzip"}),
        Reply(body="{", headers={"Content-Length": "900"}),
        Reply(body="[" * 100_000),
        Reply(body='{"choices": ' + "[" * 700 + "]" * 700 + "}"),
        Reply(body='{"choices": [{"message": {"content": ' + "[" * 700 + "]" * 700 + "}}]}"),
        Reply(status=503, body="null", headers={"Retry-After": "nan"}),
        Reply(status=429, body="7", headers={"Retry-After": "1e999999"}),
        Reply(status=400, body='{"error": {"message": ["\\ud83d", {"message": 7}]}}'),
        Reply(status=600, body="\x00"),
    ],
)
def test_nothing_that_is_sent_is_more_than_one_line(reply: Reply) -> None:
    with in_turn(reply) as server:
        try:
            entry = ask(server.url, attempts=1, timeout=2.0)
            assert entry.model_dump_json()
        except EndpointError as error:
            assert "\n" not in str(error) and str(error).encode()


def test_room_that_an_endpoint_refuses_without_a_word_is_made_smaller() -> None:
    def answer(body: dict[str, Any]) -> Reply:
        return refusal("Bad Request") if body["max_tokens"] > 6000 else GOOD

    settings = EndpointSettings("m", "", pause=0.01)

    async def two(endpoint: Endpoint) -> int:
        async with endpoint:
            await endpoint.ask(QUESTION)
            await endpoint.ask(replace(question("想"), room=16_000))
            return endpoint.most_tokens

    with serve(answer) as server:
        assert asyncio.run(two(Endpoint(replace(settings, base_url=server.url)))) <= 6000
    assert [body["max_tokens"] for body in server.requests] == [300, 16_300, 8150, 4075]


def test_whoever_thinks_is_given_time() -> None:
    async def roomy(url: str) -> str:
        async with Endpoint(EndpointSettings("m", url, timeout=0.2, attempts=1)) as endpoint:
            return (await endpoint.ask(replace(QUESTION, room=16_000))).text

    with in_turn(Reply("[]", delay=0.4)) as server:
        assert asyncio.run(roomy(server.url)) == "[]"


def test_who_waits_is_told_why() -> None:
    told = []

    async def once(url: str) -> Entry:
        settings = EndpointSettings("m", url, pause=0.01)
        async with Endpoint(settings) as endpoint:
            endpoint.on_wait = lambda message: told.append(message.text("en"))
            return await endpoint.ask(QUESTION)

    with in_turn(Reply(status=500, body=error_body("out of memory")), GOOD) as server:
        assert asyncio.run(once(server.url)).text == "[]"
    assert len(told) == 1
    assert "out of memory" in told[0]
    assert "(500): asked again in 0 s, 1 of" in told[0]
