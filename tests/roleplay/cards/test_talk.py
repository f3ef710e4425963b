"""Macros, messages and example dialogue of cards."""

from __future__ import annotations

import pytest

from roleplay.cards.examples import Sources, example_blocks, greetings_of, opening_of
from roleplay.cards.macros import decorated, expanded
from roleplay.cards.talk import blocks_of, examples_of, lines_of, said_in
from roleplay.records import Conversation, Interview, Line


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{{char}}和{{USER}}", "闻筝和你"),
        ("{{ Char }} <BOT> <user>", "闻筝 闻筝 你"),
        ("a{{// 记下 }}b{{comment: x}}c{{hidden_key:y}}", "abc"),
        ("{{random:甲}}{{pick:甲}}{{random::乙}}", "甲甲乙"),
        ("{{roll:1}}{{roll:d1}}", "11"),
        ("{{getvar::x}} {{time}} {a} {{}}", "{{getvar::x}} {{time}} {a} {{}}"),
        ("{{roll:99999999999}}", "99999999999"),
    ],
)
def test_macros(text: str, wanted: str) -> None:
    assert expanded(text, char="闻筝", user="你") == wanted


def test_a_chance_is_the_same_every_time() -> None:
    text = "{{random:甲,乙,丙\\,丁}}"
    assert expanded(text, char="", user="") == expanded(text, char="", user="")
    assert expanded(text, char="", user="") in ("甲", "乙", "丙,丁")


@pytest.mark.parametrize(
    ("content", "marks", "bare"),
    [
        ("正文\n@@depth 4", {}, "正文\n@@depth 4"),
        ("@@depth 4\n@@@depth 5\n@@activate\n正文", {"depth": "4", "activate": ""}, "正文"),
        ("@@dont_activate", {"dont_activate": ""}, ""),
    ],
)
def test_decorators_stand_at_the_head(content: str, marks: dict[str, str], bare: str) -> None:
    assert decorated(content) == (marks, bare)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("没得商量。", ["say"]),
        ("*抬头* 没得商量。 *转身*", ["act", "say", "act"]),
        ("(她怎么知道？)", ["think"]),
        ("**重要** 的话", ["say"]),
        ("第一段\n\n第二段", ["say"]),
        (" * ", ["say"]),
        ("", []),
        ("* *", []),
    ],
)
def test_messages_become_lines_and_come_back(text: str, kinds: list[str]) -> None:
    lines = lines_of(text, "闻筝")
    assert [line.kind for line in lines] == kinds
    assert lines_of(said_in(lines), "闻筝") == lines


def test_an_act_with_a_star_in_it_stays_one() -> None:
    line = Line(kind="act", char="闻筝", text="写下 2*3")
    assert [found.kind for found in lines_of(said_in([line]), "闻筝")] == ["act"]


EXAMPLES = """前言
<START>
{{user}}: 早
第二行
{{char}}：晚了。 *收起扳手*
<start>
陆迟: 可以吗？
<BOT>: 不可以。
状态: 生气
闻筝: 走。"""


def test_examples_become_blocks() -> None:
    first, second, third = blocks_of(EXAMPLES, char="闻筝", user="问")
    assert [(line.char, line.kind, line.text) for line in first] == [(None, "info", "前言")]
    assert [(line.char, line.kind, line.text) for line in second] == [
        ("问", "say", "早\n第二行"),
        ("闻筝", "say", "晚了。"),
        ("闻筝", "act", "收起扳手"),
    ]
    assert [(line.char, line.text) for line in third] == [
        ("陆迟", "可以吗？"),
        ("闻筝", "不可以。\n状态: 生气"),
        ("闻筝", "走。"),
    ]


def test_blocks_come_back() -> None:
    blocks = blocks_of(EXAMPLES, char="闻筝", user="问")[1:]
    written = examples_of(blocks, char="闻筝", user="问")
    assert written.startswith("<START>\n{{user}}: 早")
    assert blocks_of(written, char="沈：大人", user="客")[0][1].char == "沈：大人"


def say(char: str, text: str, src: int = 0) -> Line:
    return Line(kind="say", char=char, text=text, src_id=src)


SCRIPT = [
    Line(kind="info", text="雨停了。"),
    Line(kind="info", text="门开了。"),
    say("闻筝", "排队，没得商量。"),
    say("陆迟", "那、那个……"),
    say("闻筝", "嗯？"),
    say("陆迟", "可以进来吗？"),
    Line(kind="think", char="闻筝", text="又是他。"),
    say("闻筝", "门没锁，自己进来。"),
    say("陆迟", "好的。", src=1),
    say("闻筝", "这一句在下一块里说。", src=2),
]


def test_exchanges_of_one_place_are_examples() -> None:
    blocks = example_blocks(Sources(SCRIPT), "闻筝")
    assert [[line.text for line in block] for block in blocks] == [
        ["可以进来吗？", "门没锁，自己进来。"]
    ]


def test_greetings_are_those_of_conversations_else_the_first_words() -> None:
    talks = [
        Conversation(character="闻筝", turns=(("早", "\\me 抬头 \\emoji 微笑"),), topic="greeting"),
        Conversation(character="闻筝", turns=(("走了", "走吧。"),), topic="farewell"),
        Conversation(character="闻筝", turns=(("吃什么", "豆糕。"),), topic="food"),
    ]
    assert greetings_of(Sources(SCRIPT, talks), "闻筝") == ["*抬头*"]
    assert greetings_of(Sources(SCRIPT), "闻筝") == ["*门开了。* 排队，没得商量。"]
    assert greetings_of(Sources(SCRIPT), "花三更") == []
    blocks = example_blocks(Sources((), talks), "闻筝")
    assert [[line.text for line in block] for block in blocks] == [["吃什么", "豆糕。"]]


def test_without_conversations_interviews_are_examples() -> None:
    row = Interview(id="1", character="闻筝", question="几岁？", answer="十六。")
    (block,) = example_blocks(Sources((), (), [row]), "闻筝")
    assert (
        examples_of([block], char="闻筝", user="{{user}}")
        == "<START>\n{{user}}: 几岁？\n{{char}}: 十六。"
    )


def test_the_story_opens_with_its_first_narration() -> None:
    assert opening_of(SCRIPT) == "雨停了。门开了。" and opening_of(SCRIPT, 5) == "雨停了。"
