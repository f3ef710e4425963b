"""Messages and transcripts, read: who says what, what is background, what is no speaker."""

from __future__ import annotations

import pytest

from roleplay.script import format_script
from roleplay.serving.reading import Told, Turn, fitting, read_messages, read_prompt
from roleplay.serving.requests import Message

NAMES = {"闻筝": "闻筝", "小筝": "闻筝", "陆迟": "陆迟", "Ada Byron": "Ada Byron"}


def read(*messages: tuple[str, str]) -> Told:
    rows = [Message.model_validate({"role": role, "content": text}) for role, text in messages]
    return read_messages(rows, "闻筝", NAMES)


def scene(*messages: tuple[str, str]) -> str:
    return format_script(read(*messages).lines())


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("你好", "问：你好"),
        ("你好。\n\n今天呢？", "问：你好。 今天呢？"),
        ("陆迟：我来晚了。", "陆迟：我来晚了。"),
        ("小筝: 又迟到", "闻筝：又迟到"),
        ("Ada Byron:hello", "Ada Byron：hello"),
        ("【雨停了】\n走吧", "【雨停了】\n问：走吧"),
        ("[雨停了]", "【雨停了】"),
        ("等等\n陆迟：好\n慢慢来", "问：等等\n陆迟：好 慢慢来"),
        ("*坐下* 你好 *笑*", "问：\\me 坐下\n问：你好\n问：\\me 笑"),
        ("\\me 坐下", "问：\\me 坐下"),
        ("你**真**好", "问：你**真**好"),
        ("他说：走吧", "问：他说：走吧"),
        ("看 http://a.b", "问：看 http://a.b"),
        ("http://陆迟", "问：http://陆迟"),
        ("12:30 见", "问：12:30 见"),
        ("陆迟：", ""),
        ("", ""),
        (" \n***\n---\n", ""),
        ("\\emoji 没有的", "问：\\\\emoji 没有的"),
        ("2 * 3 * 4", "问：2\n问：\\me 3\n问：4"),
    ],
)
def test_what_a_user_says(text: str, lines: str) -> None:
    assert scene(("user", text)) == lines


def test_a_name_before_every_message_is_a_speaker() -> None:
    told = scene(("user", "Anon: 在吗"), ("assistant", "在。"), ("user", "Anon：开门"))
    assert told == "Anon：在吗\n闻筝：在。\nAnon：开门"
    told = scene(("user", "注意：下雨"), ("assistant", "在。"), ("user", "开门"))
    assert told == "问：注意：下雨\n闻筝：在。\n问：开门"


def test_the_characters_own_name_of_a_card_is_the_character() -> None:
    chat = ("assistant", "Wen: 谁？"), ("user", "Anon: 我"), ("assistant", "Wen: 坐。")
    assert scene(*chat) == "闻筝：谁？\nAnon：我\n闻筝：坐。"


def test_words_alone_are_questions_and_anything_else_a_scene() -> None:
    chat = ("user", "你是谁"), ("assistant", "闻筝。 \\emoji 白眼"), ("user", "几岁")
    assert read(*chat).question() == ([("你是谁", "闻筝。 \\emoji 白眼")], "几岁")
    assert read(("user", "你好")).question() == ([], "你好")
    for other in (
        [("assistant", "谁？"), *chat],
        [*chat, ("user", "说呀")],
        chat[:2],
        [("user", "*敲门*")],
        [("user", "陆迟：我")],
        [("user", "你好"), ("assistant", "*抬头* 谁？"), ("user", "我")],
        [],
    ):
        assert read(*other).question() is None


def test_system_messages_are_notes_but_not_a_clients_directions() -> None:
    told = read(
        ("system", "雨下了三天。\n\n铺子关着门。"),
        ("system", "[Start a new Chat]"),
        ("developer", "[铺子里很暗]"),
        ("system", "[Continue the following message: a\nb]"),
        ("user", "你好"),
    )
    assert told.notes == ("雨下了三天。", "铺子关着门。", "[铺子里很暗]")
    assert told.turns == (Turn("问", "你好"),)


def test_parts_of_text_are_one_text() -> None:
    parts = [{"type": "text", "text": "你"}, {"type": "text", "text": "好"}]
    message = Message.model_validate({"role": "user", "content": parts})
    assert message.content == "你\n好" and Message(role="assistant").content == ""


@pytest.mark.parametrize(
    ("text", "notes", "lines", "character"),
    [
        ("你是谁？", (), "问：你是谁？", "闻筝"),
        ("你是谁？\n陆迟:", (), "问：你是谁？", "陆迟"),
        ("雨下了三天。\n陆迟：在吗", ("雨下了三天。",), "陆迟：在吗", "闻筝"),
        ("陆迟：在吗\n小筝：", (), "陆迟：在吗", "闻筝"),
        ("A: x\nB: y\nA: z\nC:", (), "A：x B: y\nA：z", "闻筝"),
        ("陆迟：在吗\n闻筝：在，", (), "陆迟：在吗\n闻筝：在，", "闻筝"),
        ("时间：三点\n【雨停了】\n闻筝：", ("时间：三点",), "【雨停了】", "闻筝"),
        ("", (), "", "闻筝"),
        ("闻筝：", (), "", "闻筝"),
    ],
)
def test_a_transcript(text: str, notes: tuple[str, ...], lines: str, character: str) -> None:
    told = read_prompt(text, "闻筝", NAMES)
    assert (told.notes, format_script(told.lines()), told.character) == (notes, lines, character)


@pytest.mark.parametrize(
    ("notes", "tokens", "kept"),
    [
        (["一二三", "四五"], 5, ["一二三", "四五"]),
        (["一二三", "四五六", "七"], 5, ["一二三"]),
        (["一。二。三。四。"], 5, ["一。", "二。"]),
        (["Go on. Now wait. Stop."], 16, ["Go on.", "Now wait."]),
        (["一二三四五六"], 5, []),
        ([], 5, []),
    ],
)
def test_notes_are_kept_from_the_first(notes: list[str], tokens: int, kept: list[str]) -> None:
    assert fitting(notes, len, tokens) == kept


def test_a_hostile_text_is_read_in_no_time() -> None:
    for text in ("*" * 200_000, "a" * 200_000, ":" * 200_000, "【" * 200_000, " :" * 100_000):
        read(("user", text), ("user", f"{text}\n" * 2))
        read_prompt(text, "闻筝", NAMES)
