"""Conversations: written ones, those made of the novel, and of relations. A letter is a token."""

from __future__ import annotations

from roleplay.dataset import conversations, relations
from roleplay.dataset.interviews import with_background
from roleplay.dataset.passages import group_passage
from roleplay.dataset.settings import BuildContext, DatasetSettings
from roleplay.dataset.voice import Voice
from roleplay.records import Conversation, Line
from roleplay.world import Character

NAMES = ("闻筝", "陆迟")
CONTEXT = BuildContext(NAMES, len, DatasetSettings(profile_drop=0.0), profiles={"闻筝": "修雨匠"})


def say(char: str, text: str, confidence: float | None = None) -> Line:
    return Line(kind="say", char=char, text=text, confidence=confidence)


def made(*lines: Line) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    groups = conversations.exchanges({3: lines}, {3: [1.0] * len(lines)}, CONTEXT)
    return [
        (group.asked[0].character, tuple((row.question, row.answer) for row in group.asked))
        for group in groups
        if group.asked
    ]


def test_lines_in_turns_are_a_conversation_with_each_of_the_two() -> None:
    lines = say("闻筝", "水管漏了没有？"), say("陆迟", "漏了三处。"), say("闻筝", "梯子给我搬来。")
    assert made(*lines) == [
        ("陆迟", (("水管漏了没有？", "漏了三处。"),)),
        ("闻筝", (("漏了三处。", "梯子给我搬来。"),)),
    ]


def test_a_third_voice_a_doubtful_line_or_narration() -> None:
    third = (
        say("闻筝", "水管漏了没有？"),
        say("郝婶", "豆糕出笼了！"),
        say("陆迟", "我吃两块好了。"),
    )
    assert made(*third) == [("陆迟", (("豆糕出笼了！", "我吃两块好了。"),))]
    doubtful = say("闻筝", "水管漏了没有？", 0.2), say("陆迟", "漏了三处。")
    assert made(*doubtful) == []
    told = (
        say("闻筝", "水管漏了没有？"),
        Line(kind="info", text="雨停了"),
        say("陆迟", "漏了三处。"),
    )
    assert made(*told) == [("陆迟", (("水管漏了没有？", "漏了三处。"),))]


def test_written_ones_bring_their_facts_and_know_what_was_said_before() -> None:
    row = Conversation(
        character="闻筝",
        turns=(("你师父是谁？", "铜婆。"), ("她凶吗？", "手凶，嘴不凶。")),
        facts=("铜婆收闻筝做了学徒。",),
        others=("豆糕三枚一块。",),
    )
    [group] = conversations.written_groups([row], CONTEXT)
    passage = group_passage(with_background(group, CONTEXT))
    text = "".join(segment.text for segment in passage.segments)
    assert text.startswith("【闻筝：修雨匠】\n") and "【铜婆收闻筝做了学徒。】\n" in text
    assert text.endswith("问：你师父是谁？\n闻筝：铜婆。\n问：她凶吗？\n闻筝：手凶，嘴不凶。\n")
    assert (
        "".join(part.text for part in passage.segments if part.weight) == "铜婆。\n手凶，嘴不凶。\n"
    )
    assert conversations.history(group, 1) == [("你师父是谁？", "铜婆。")]


def test_whole_characters_can_be_held_out() -> None:
    rows = [Conversation(character=name, turns=(("在吗？", "在。"),)) for name in NAMES]
    held = BuildContext(NAMES, len, DatasetSettings(held_out=("陆迟",)))
    kept, tested = conversations.split(rows, held)
    assert [row.character for row in kept] == ["闻筝"] and tested == rows[1:]


def test_a_sentence_of_two_is_told_by_each_of_them() -> None:
    people = [Character(name="闻筝"), Character(name="铜婆")]
    voices = {"闻筝": Voice(), "铜婆": Voice()}
    texts = ["铜婆收闻筝做了学徒。闻筝是小说《雨》的角色，铜婆的学徒。"]
    rows = relations.relation_conversations(people, texts, voices, seed=7)
    assert {(row.character, row.turns[0][1]) for row in rows} == {
        ("闻筝", "铜婆收我做了学徒。"),
        ("铜婆", "我收闻筝做了学徒。"),
    }
    assert {row.facts for row in rows} == {("铜婆收闻筝做了学徒。",)}


def test_how_one_calls_the_other_who_answers() -> None:
    people = [Character(name="闻筝", aliases=("小筝",)), Character(name="陆迟")]
    lines = [say("陆迟", "小筝，等等我！"), say("闻筝", "快点。")] * 2
    voices = {name: Voice() for name in NAMES}
    [row] = relations.address_conversations(people, {1: lines}, voices, seed=7)
    assert (row.character, row.turns[0][1]) == ("陆迟", "我叫闻筝“小筝”。")
