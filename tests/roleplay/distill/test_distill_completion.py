"""What gateways really send, read without raising: an answer, a refusal, or a fault in their words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.distill.llm.completion import Fault, parse, read_completion
from roleplay.distill.llm.ledger import CUT, REFUSED, Entry, Ledger
from roleplay.distill.llm.replies import read_labels

ASKED = {"key": "k", "task": "label", "model": "m"}


def read(body: Any, status: int = 200) -> Entry | Fault:
    return read_completion(status, body, prompt_tokens=900, **ASKED)


def answer(message: Any, finish: Any = "stop", **more: Any) -> Entry:
    entry = read({"choices": [{"index": 0, "finish_reason": finish, "message": message}], **more})
    assert isinstance(entry, Entry)
    return entry


def fault(body: Any, status: int = 200) -> Fault:
    found = read(body, status)
    assert isinstance(found, Fault)
    return found


@pytest.mark.parametrize(
    "content",
    [
        "[1]",
        [{"type": "text", "text": "[1"}, {"type": "text", "text": "]"}],
        [{"type": "thinking", "thinking": [{"type": "text", "text": "[2]"}]}, "[1]"],
        [{"type": "output_text", "text": {"value": "[1]"}}],
        {"type": "text", "text": "[1]"},
    ],
)
def test_content_is_a_text_or_its_parts(content: Any) -> None:
    assert answer({"role": "assistant", "content": content}).text == "[1]"


def test_content_that_is_an_object_already_is_its_json() -> None:
    assert json.loads(answer({"content": {"labels": [{"n": 1}]}}).text) == {"labels": [{"n": 1}]}


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_what_stands_in_a_field_for_thinking_is_no_answer(name: str) -> None:
    entry = answer({"role": "assistant", name: '[{"n": 1}]'}, "length")
    assert (entry.text, entry.finish) == ("", CUT)
    assert entry.completion_tokens > 1


@pytest.mark.parametrize("finish", ["length", "MAX_TOKENS", "max_output_tokens", "model_length"])
def test_a_cut_answer_has_many_names(finish: str) -> None:
    assert answer({"content": "[1"}, finish).finish == CUT


@pytest.mark.parametrize("finish", ["content_filter", "sensitive", "SAFETY", "RECITATION"])
def test_a_filter_in_the_finish_is_a_refusal(finish: str) -> None:
    assert answer({"content": "[1"}, finish).finish == REFUSED


def test_a_refusal_in_its_own_field_is_kept_with_what_it_cost() -> None:
    usage = {"prompt_tokens": 70, "completion_tokens": 9}
    entry = answer({"content": None, "refusal": "I cannot."}, usage=usage)
    assert (entry.finish, entry.text, entry.prompt_tokens) == (REFUSED, "I cannot.", 70)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "content management policy", "code": "content_filter", "type": None}),
        (400, {"message": "Content Exists Risk", "type": "invalid_request_error"}),
        (400, {"code": "data_inspection_failed", "message": "Input data may be unsuitable"}),
        (400, {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"}),
        (403, {"message": "requires moderation and your input was flagged", "code": 403}),
        (200, {"message": "Invalid prompt: ...", "code": "invalid_prompt"}),
    ],
)
def test_a_refusal_of_what_the_request_says_is_an_answer(status: int, error: Any) -> None:
    entry = read({"error": error}, status)
    assert isinstance(entry, Entry) and entry.finish == REFUSED
    assert entry.text == error["message"] and entry.prompt_tokens == 0


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, "The model name is case-sensitive"),
        (429, "Rate limit of this moderation tier"),
        (400, "max_tokens is too large"),
    ],
)
def test_other_errors_are_no_refusal(status: int, said: str) -> None:
    assert fault({"error": {"message": said}}, status).said == said


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (
            {"error": {"message": "Provider returned error", "code": 502}},
            502,
            "Provider returned error",
        ),
        ({"choices": None, "error": {"message": "Rate limit", "code": "429"}}, 429, "Rate limit"),
        ({"error": "busy"}, 0, "busy"),
        ({"detail": [{"loc": ["body"], "msg": "wrong"}]}, 0, "wrong"),
        ({"base_resp": {"status_code": 1008, "status_msg": "no money"}}, 0, "no money"),
        ([{"error": {"message": "first", "code": 503}}], 503, "first"),
        ({"choices": [{"error": {"message": "died", "code": 504}}]}, 504, "died"),
    ],
)
def test_the_error_inside_is_read(body: Any, status: int, said: str) -> None:
    found = fault(body)
    assert (found.status, found.said, found.is_error) == (status, said, True)


@pytest.mark.parametrize("body", ["<html><b>welcome</b> home</html>", {}, {"choices": []}, 7, None])
def test_what_calls_itself_no_error_is_none(body: Any) -> None:
    assert not fault(body).is_error


def test_an_answer_beside_an_error_was_cut_by_it() -> None:
    entry = answer({"content": '[{"n": 1}'}, "error", error={"message": "died", "code": 502})
    assert (entry.text, entry.finish) == ('[{"n": 1}', CUT)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        7,
        {"prompt_tokens": None, "completion_tokens": 0},
        {"prompt_tokens": "9", "completion_tokens": -1},
        {"prompt_tokens": 10**30, "completion_tokens": float("nan")},
    ],
)
def test_tokens_that_nobody_counted_are_estimated(usage: Any) -> None:
    entry = answer({"content": "雨雨雨"}, usage=usage)
    assert (entry.prompt_tokens, entry.completion_tokens) == (900, 4)


def test_tokens_of_another_spelling_count() -> None:
    entry = answer({"content": "雨"}, usage={"input_tokens": 5, "output_tokens": 6.0})
    assert (entry.prompt_tokens, entry.completion_tokens) == (5, 6)


def test_numbers_that_python_refuses_to_read_lose_nothing() -> None:
    body = b'{"usage": {"prompt_tokens": %s}, "choices": [{"message": {"content": "[1]"}}]}'
    entry = read(parse(body % (b"9" * 9000)))
    assert isinstance(entry, Entry) and (entry.text, entry.prompt_tokens) == ("[1]", 900)


def test_half_an_emoji_can_be_kept(tmp_path: Any) -> None:
    entry = answer({"content": '{"n": 1, "kind": "say", "speaker": "\ud83d"}'}, "\udc00")
    Ledger(tmp_path / "ledger.jsonl").put(entry)
    kept = Ledger(tmp_path / "ledger.jsonl").get("k")
    assert kept == entry and kept.text.endswith('"\ufffd"}')
    assert answer({"content": "\ud83d\ude00"}).text.endswith("😀")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
NAMES = st.sampled_from(
    ["choices", "message", "content", "text", "error", "code", "usage", "finish_reason", "type"]
) | st.sampled_from(["refusal", "reasoning", "prompt_tokens", "detail", "delta", "\ud83d"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner))


@given(VALUES, st.sampled_from([200, 400, 500]))
def test_any_json_is_an_entry_or_a_fault_that_can_be_written(body: Any, status: int) -> None:
    found = read(body, status)
    shown = found.model_dump_json() if isinstance(found, Entry) else found.said + found.whole
    assert isinstance(shown.encode(), bytes)


@given(st.binary())
def test_any_bytes_are_read(data: bytes) -> None:
    assert isinstance(read(parse(data)), Entry | Fault)


@given(st.text(st.sampled_from('{}[]":,\\n1en kidsayun"“”<think>/雨\ud83d')) | st.text())
def test_any_reply_is_read(reply: str) -> None:
    for label in read_labels(reply, {1, 2}).labels.values():
        assert label.model_dump_json().encode()
