"""Requests as SillyTavern sends them: chat completion (custom) and text completion sources."""

from __future__ import annotations

import json
from typing import Any

import httpx
from loopback_api import MODEL, Served, assistant, system, user

MAIN = "Write 闻筝's next reply in a fictional chat between 闻筝 and Anon."
CHAT: dict[str, Any] = {
    "model": MODEL,
    "temperature": 1,
    "max_tokens": 300,
    "presence_penalty": 0,
    "frequency_penalty": 0.1,
    "top_p": 1,
    "logit_bias": {},
    "n": 1,
    "logprobs": True,
    "top_logprobs": 5,
    "user": "8d4c",
}
TEXT: dict[str, Any] = {
    "model": MODEL,
    "max_new_tokens": 200,
    "max_tokens": 200,
    "logprobs": 10,
    "temperature": 0.7,
    "top_p": 0.5,
    "typical_p": 1,
    "min_p": 0,
    "repetition_penalty": 1.2,
    "frequency_penalty": 0,
    "top_k": -1,
    "min_tokens": 0,
    "add_bos_token": True,
    "dry_sequence_breakers": '["\\n"]',
    "stopping_strings": ["\nAnon:"],
    "stop": ["\nAnon:", "\n闻筝:"],
    "truncation_length": 2048,
    "ban_eos_token": False,
    "sampler_priority": ["temperature"],
    "best_of": 1,
    "n": 1,
    "api_type": "vllm",
    "api_server": "http://127.0.0.1:8000",
    "seed": -1,
    "custom_token_bans": "",
    "negative_prompt": "",
}


def test_the_connection_check_lists_the_models(served: Served) -> None:
    with httpx.Client(trust_env=False) as client:
        answer = client.get(f"{served.url}/models", headers={"Authorization": "Bearer x"})
    assert MODEL in [model["id"] for model in answer.json()["data"]]


def test_a_chat_with_a_card_a_greeting_and_names_in_the_text(served: Served) -> None:
    messages = [
        system(MAIN),
        system("闻筝是修雨匠。\n她急性子。"),
        system("[Start a new Chat]"),
        assistant("闻筝: *头也不抬* 谁？"),
        user("Anon: 是我。\n\n我来取伞。"),
        system("[Write the next reply only as 闻筝.]"),
    ]
    assert served.ask(*messages, **CHAT, stop=["\nAnon:"]).startswith("听到是我。 我来取伞。#")
    assert served.prompt == (
        f"【闻筝最爱吃椒盐豆糕。】\n【{MAIN}】\n【闻筝是修雨匠。】\n【她急性子。】\n"
        "闻筝：\\me 头也不抬\n闻筝：谁？\nAnon：是我。 我来取伞。\n闻筝："
    )


def test_example_chats_are_lines_before_the_chat(served: Served) -> None:
    messages = [
        system("[Example Chat]"),
        system("伞呢？", name="example_user"),
        system("没得商量。", name="example_assistant"),
        system("[Start a new Chat]"),
        user("你好"),
    ]
    served.ask(*messages, **CHAT)
    assert served.prompt.endswith("】\n问：伞呢？\n闻筝：没得商量。\n问：你好\n闻筝：")


def test_a_group_has_names_before_every_line(served: Served) -> None:
    messages = [
        system("[Start a new group chat. Group members: 闻筝, 陆迟]"),
        assistant("陆迟: 我、我来晚了。"),
        assistant("闻筝: 又迟到。"),
        user("你们吵什么？"),
    ]
    served.ask(*messages, **CHAT)
    assert served.prompt.endswith(
        "】\n陆迟：我、我来晚了。\n闻筝：又迟到。\n问：你们吵什么？\n闻筝："
    )


def test_names_in_their_field_count_unless_they_are_only_underscores(served: Served) -> None:
    messages = [
        assistant("谁？", name="__"),
        user("是我。", name="Ada_L"),
        assistant("我来晚了。", name="陆迟"),
        user("坐。", name="___"),
    ]
    served.ask(*messages, **CHAT)
    assert served.prompt.endswith(
        "】\n闻筝：谁？\nAda_L：是我。\n陆迟：我来晚了。\n问：坐。\n闻筝："
    )


def test_a_streamed_chat_is_events_up_to_done(served: Served) -> None:
    body = {**CHAT, "messages": [user("你好")], "stream": True, "seed": 5}
    answer = served.post("/chat/completions", body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, done, rest = answer.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "") and answer.text.isascii()
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == served.ask(user("你好"), seed=5)


def test_swipes_are_several_choices(served: Served) -> None:
    answer = served.post("/chat/completions", {**CHAT, "messages": [user("你好")], "n": 3})
    choices = answer.json()["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2]
    assert all(choice["logprobs"] is None for choice in choices)


def test_a_text_completion_with_a_story_string(served: Served) -> None:
    prompt = (
        "闻筝是修雨匠。\n***\n闻筝: 谁？\n\n没人吗？\nAnon: 是我。\n"
        "陆迟: 还有我。\nAnon: *收伞* 坐下说。\n闻筝:"
    )
    answer = served.post("/completions", {**TEXT, "prompt": prompt})
    assert answer.json()["choices"][0]["text"].startswith("听到坐下说。#")
    assert served.prompt == (
        "【闻筝最爱吃椒盐豆糕。】\n【闻筝是修雨匠。】\n闻筝：谁？ 没人吗？\nAnon：是我。\n"
        "陆迟：还有我。\nAnon：\\me 收伞\nAnon：坐下说。\n闻筝："
    )
    told = served.parrot.told[-1]
    assert (told.seed, told.top_k, told.repetition_penalty) == (None, 0, 1.2)


def test_a_streamed_text_completion(served: Served) -> None:
    body = {**TEXT, "prompt": "陆迟: 我来晚了。\n闻筝:", "stream": True}
    *events, done, _ = served.post("/completions", body).text.split("\n\n")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    text = "".join(chunk["choices"][0]["text"] for chunk in chunks)
    assert done == "data: [DONE]" and text.startswith("听到我来晚了。#")
