"""OpenAI's own client: models, chat and completions, whole and streamed, with every setting."""

from __future__ import annotations

from typing import Any

import pytest
from loopback_api import MODEL, Served, assistant, system, user

from roleplay.sampling import MAX_NEW_TOKENS


def chat(served: Served, text: str = "你好", **more: Any) -> Any:
    messages: Any = [user(text)]
    return served.client().chat.completions.create(model=MODEL, messages=messages, **more)


def streamed(chunks: Any) -> dict[int, str]:
    """The text of each choice of a stream."""
    texts: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            text = choice.text if hasattr(choice, "text") else choice.delta.content
            texts[choice.index] = texts.get(choice.index, "") + (text or "")
    return texts


def test_the_models_are_the_characters_of_the_worlds(served: Served) -> None:
    models = served.client().models.list().data
    names = [model.id for model in models]
    assert sorted(names) == sorted(["雨/闻筝", "雨/陆迟", "雨/Ada Byron", "灯/阿灯"])
    assert {model.owned_by for model in models} == {"雨", "灯"}
    assert all(model.created > 1_700_000_000 and model.object == "model" for model in models)


def test_a_single_model_can_be_looked_up(served: Served) -> None:
    assert served.client().models.retrieve("雨/陆迟").id == "雨/陆迟"
    assert served.client().models.retrieve("雨/小筝").id == MODEL


def test_an_answer_has_everything(served: Served) -> None:
    answer = chat(served, seed=7)
    assert (answer.object, answer.model, answer.system_fingerprint) == (
        "chat.completion",
        MODEL,
        "parrot",
    )
    assert answer.id.startswith("chatcmpl-")
    [choice] = answer.choices
    assert choice.message.role == "assistant" and choice.finish_reason == "stop"
    assert choice.message.content.startswith("听到你好#")
    usage = answer.usage
    assert usage.completion_tokens == len(choice.message.content)
    assert usage.prompt_tokens == len(served.prompt)
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_background_is_applied(served: Served) -> None:
    chat(served, "你最爱吃什么？")
    assert served.prompt == "【闻筝最爱吃椒盐豆糕。】\n问：你最爱吃什么？\n闻筝："


def test_a_conversation_is_history_and_the_system_message_background(served: Served) -> None:
    more = [user("你是谁？"), assistant("闻筝。没得商量。"), user("你好")]
    served.ask(system("雨下了三天。\n铺子关着门。"), *more)
    assert served.prompt == (
        "【闻筝最爱吃椒盐豆糕。】\n【雨下了三天。】\n【铺子关着门。】\n"
        "问：你是谁？\n闻筝：闻筝。没得商量。\n问：你好\n闻筝："
    )


def test_a_long_system_message_leaves_room_for_the_rest(served: Served) -> None:
    long = "。".join(f"第{number}件事她都记得" for number in range(500))
    served.ask(system(f"雨下了三天。\n{long}"), user("你好"))
    shown = served.prompt
    assert shown.startswith("【闻筝最爱吃椒盐豆糕。】\n【雨下了三天。】\n【第0件事她都记得。】")
    assert shown.endswith("】\n问：你好\n闻筝：") and len(shown) < 700


def test_other_speakers_make_a_scene(served: Served) -> None:
    heard = served.ask(
        user("【雨停了】\n陆迟：我来晚了。\n小筝：又迟到。"),
        assistant("罚你扫地。"),
        user("*推门* 有人吗？", name="Ada"),
        seed=1,
    )
    assert heard.startswith("听到有人吗？#")
    assert served.prompt == (
        "【闻筝最爱吃椒盐豆糕。】\n【雨停了】\n陆迟：我来晚了。\n闻筝：又迟到。\n"
        "闻筝：罚你扫地。\nAda：\\me 推门\nAda：有人吗？\n闻筝："
    )


def test_the_same_seed_gives_the_same_answer(served: Served) -> None:
    answers = [chat(served, seed=seed).choices[0].message.content for seed in (3, 3, 4)]
    assert answers[0] == answers[1] != answers[2]
    assert [params.seed for params in served.parrot.told] == [3, 3, 4]


def test_n_answers_come_in_order(served: Served) -> None:
    answer = chat(served, n=3, seed=1)
    texts = [choice.message.content for choice in answer.choices]
    assert [choice.index for choice in answer.choices] == [0, 1, 2] and len({*texts}) == 3
    assert answer.usage.completion_tokens == sum(map(len, texts))
    assert streamed(chat(served, n=3, seed=1, stream=True)) == dict(enumerate(texts))


def test_settings_reach_the_model(served: Served) -> None:
    more = {"top_k": 40, "repetition_penalty": 1.2}
    chat(served, temperature=0, top_p=0.5, max_tokens=9, extra_body=more)
    told = served.parrot.told[-1]
    assert (told.temperature, told.top_p, told.max_new_tokens) == (0, 0.5, 9)
    assert (told.top_k, told.repetition_penalty) == (40, 1.2)


def test_the_newer_name_of_the_longest_answer_wins(served: Served) -> None:
    answer = chat(served, max_completion_tokens=5, max_tokens=50)
    [choice] = answer.choices
    assert choice.finish_reason == "length" and len(choice.message.content) == 5
    chat(served, max_tokens=10**6)
    assert served.parrot.told[-1].max_new_tokens == MAX_NEW_TOKENS


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("stop", "text"), [("里说", "听到在雨"), (["!", "雨里"], "听到在"), ("听", ""), (["?"], None)]
)
def test_a_stop_ends_the_answer_before_it(
    served: Served, stop: Any, text: str | None, stream: bool
) -> None:
    asked: dict[str, Any] = {"stop": stop, "seed": 1, "stream": stream}
    answer = chat(served, "在雨里说话", **asked)
    if stream:
        chunks = list(answer)
        found, finish = streamed(chunks)[0], chunks[-1].choices[0].finish_reason
    else:
        found, finish = answer.choices[0].message.content, answer.choices[0].finish_reason
    assert finish == "stop" and (found == text or (text is None and found.startswith("听到在雨里")))


def test_a_stop_ends_the_writing_too(served: Served) -> None:
    served.parrot.pause = 0.01
    chat(served, "很长" * 100, stop="到")
    assert served.parrot.steps < 100


def test_a_stream_is_of_chunks_that_say_who_speaks_and_why_it_ended(served: Served) -> None:
    served.parrot.pause = 0.002
    chunks = list(chat(served, stream=True, seed=7))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop" and len(chunks) > 5
    assert all(chunk.usage is None for chunk in chunks)
    assert streamed(chunks)[0] == chat(served, seed=7).choices[0].message.content


def test_a_stream_ends_with_its_usage_where_that_is_wanted(served: Served) -> None:
    options = {"include_usage": True}
    *_, last = chat(served, stream=True, seed=7, stream_options=options)
    whole = chat(served, seed=7).usage
    assert last.choices == [] and last.usage == whole


def test_a_completion_is_the_next_line_of_a_transcript(served: Served) -> None:
    text = "雨下了三天。\n***\n陆迟：我来晚了。\nAnon: 我也是。\nAnon: 开门。\n闻筝："
    answer = served.client().completions.create(model=MODEL, prompt=text, seed=1)
    assert answer.object == "text_completion" and answer.id.startswith("cmpl-")
    assert answer.choices[0].text.startswith("听到开门。#") and answer.usage
    assert served.prompt == (
        "【闻筝最爱吃椒盐豆糕。】\n【雨下了三天。】\n陆迟：我来晚了。\nAnon：我也是。\n"
        "Anon：开门。\n闻筝："
    )


def test_a_completion_can_be_streamed(served: Served) -> None:
    asked: dict[str, Any] = {"model": MODEL, "prompt": ["陆迟：我来晚了。\n"], "seed": 1, "n": 2}
    client = served.client()
    whole = client.completions.create(**asked)
    options = {"include_usage": True}
    *chunks, last = client.completions.create(stream=True, stream_options=options, **asked)
    assert streamed(chunks) == {choice.index: choice.text for choice in whole.choices}
    assert last.usage == whole.usage and last.choices == []


def test_the_cue_at_the_end_of_a_transcript_speaks_next(served: Served) -> None:
    served.client().completions.create(model=MODEL, prompt="闻筝：又迟到。\n陆迟：")
    assert served.prompt.endswith("闻筝：又迟到。\n陆迟：")


def test_a_plain_completion_is_a_question(served: Served) -> None:
    served.client().completions.create(model=MODEL, prompt="你是谁？")
    assert served.prompt.endswith("问：你是谁？\n闻筝：")


def test_another_world_is_loaded_when_it_is_asked(served: Served) -> None:
    messages: Any = [user("灯亮了吗？")]
    answer = served.client().chat.completions.create(model="灯/阿灯", messages=messages)
    assert answer.choices[0].message.content.startswith("听到灯亮了吗？#")
    loaded = served.engine.loaded()
    assert loaded and loaded.world.name == "灯" and len(served.aviary.made) == 1
    assert served.prompt == "问：灯亮了吗？\n阿灯："
    assert served.ask(user("雨呢？")).startswith("听到雨呢？#")
    loaded = served.engine.loaded()
    assert loaded and loaded.world.name == "雨"


def test_the_best_come_first_where_the_agent_can_tell_but_a_stream_keeps_its_order(
    served: Served,
) -> None:
    class Ranked:
        def __init__(self, text: str) -> None:
            self.text, self.faults = text, ()

    class Backwards:
        def rank(self, who: str, said: str, prompt: Any, candidates: Any, near: Any) -> Any:
            return [Ranked(text) for text in candidates[::-1]]

    loaded = served.engine.loaded()
    assert loaded
    texts = [choice.message.content for choice in chat(served, n=2, seed=1).choices]
    loaded.agent.ranker = Backwards()  # type: ignore[assignment]
    turned = [choice.message.content for choice in chat(served, n=2, seed=1).choices]
    assert turned == texts[::-1]
    assert streamed(chat(served, n=2, seed=1, stream=True)) == dict(enumerate(texts))
