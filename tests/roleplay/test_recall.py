"""Exchanges that are near: by what was said, and by what a follow-up follows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from roleplay.dataset.texts import items
from roleplay.recall import SCENE, Exchange, Recall, keys_of, kind_of
from roleplay.stages import recall as stage
from roleplay.world import World

SAID = [
    Exchange("闻筝", "晚安，明天见。", "窗关好。"),
    Exchange("闻筝", "为什么？", "水不等人。", before="窗关好。"),
    Exchange("闻筝", "为什么？", "因为你笨。", before="我不去。"),
    Exchange("陆迟", "晚安。", "您、您也晚安。"),
]


def embed(texts: Sequence[str]) -> Any:
    """Letters as dimensions: near is who shares them."""
    rows = np.zeros((len(texts), 4096), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for letter in text:
            row[ord(letter) % 4096] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


RECALL = Recall(SAID, embed(keys_of(SAID)), embed)


def test_the_nearest_of_the_character_alone() -> None:
    [found] = RECALL.near("闻筝", "晚安啦", 1)
    assert found.answer == "窗关好。" and 0.1 < found.score < 1
    assert RECALL.near("陆迟", "晚安。", 3)[0].score > 0.8
    assert RECALL.near("郝婶", "晚安。", 3) == RECALL.near("闻筝", " ", 3) == []


def test_a_follow_up_is_found_by_what_it_follows() -> None:
    assert RECALL.near("闻筝", "为什么？", 1, before="窗关好。")[0].answer == "水不等人。"
    assert RECALL.near("闻筝", "为什么？", 1, before="我不去。")[0].answer == "因为你笨。"


def test_a_greeting_after_a_greeting_is_not_what_once_followed_it() -> None:
    before = "您也很惊讶吧？我把铜铃绑在脚脖子上睡的。"
    known = [
        Exchange("陆迟", "那同屋的人呢？", "他比我早到一个时辰。", before=before),
        Exchange("陆迟", "你好", "您、您好。"),
    ]
    recall = Recall(known, embed(keys_of(known)), embed)
    assert recall.near("陆迟", "你好", 1, before=before)[0].answer == "您、您好。"
    asked = recall.near("陆迟", "同屋的人呢？", 1, before=before)
    assert asked[0].answer == "他比我早到一个时辰。"


def test_a_worlds_exchanges_are_kept_with_what_they_were_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    class Embedder:
        name = "letters"

        def encode(self, texts: Sequence[str]) -> Any:
            calls.append(len(texts))
            return embed(texts)

    monkeypatch.setattr(stage, "get_embedder", Embedder)
    world = World.load(tiny.write_world(tmp_path / "toy"))
    row = {"character": "阿灯", "turns": [["灯呢？", "在船上。"], ["哪条船？", "绿的。"]]}
    (world.path / "conversations.jsonl").write_text(json.dumps(row), encoding="utf-8")
    first = stage.world_recall(world)
    assert first and first.near("阿灯", "灯呢？", 1)[0].answer == "在船上。"
    made, asked = calls
    assert made >= len(stage.exchanges_of(world)) and asked == 1
    stage.world_recall(world)
    assert calls == [made, asked]  # nothing is made twice
    (world.path / "recall.npz").write_bytes(b"broken")
    stage.world_recall(world)
    assert calls == [made, asked, made]
    assert stage.exchanges_of(world)[1].before == "在船上。"


def test_ways_to_say_the_same_are_one_and_a_flipped_person_is_another() -> None:
    known = [
        Exchange("闻筝", "我真没用", "谁说的。", also=("我什么都做不好",)),
        Exchange("闻筝", "你真没用", "你来拧。", also=("你什么都不会",)),
    ]
    recall = Recall(known, embed(keys_of(known)), embed)
    assert recall.near("闻筝", "我什么都做不好啊", 1)[0].answer == "谁说的。"
    assert recall.near("闻筝", "你真没用！", 1)[0].answer == "你来拧。"


def test_what_was_said_of_one_is_not_near_to_another_and_registers_fit_anybody() -> None:
    known = [
        Exchange("闻筝", "你觉得陆迟怎么样", "磨蹭。"),
        Exchange("闻筝", "你觉得铜婆怎么样", "我师父。"),
        Exchange("lady", "你觉得{name}怎么样", "{name}么，日子久了才知道。"),
    ]
    names = {"陆迟": "陆迟", "铜婆": "铜婆", "婆婆": "铜婆", "黛玉": "黛玉", "闻筝": "闻筝"}
    registers = {"黛玉": "lady"}
    recall = Recall(known, embed(keys_of(known)), embed, people=names, registers=registers)
    assert recall.near("闻筝", "你觉得婆婆怎么样？", 1)[0].answer == "我师父。"
    assert recall.near("黛玉", "你觉得陆迟怎么样？", 1)[0].answer == "陆迟么，日子久了才知道。"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("你昨天去哪儿了", "{question}"),
        ("Where were you?", "{question}"),
        ("帮我拿一下。", "{request}"),
        ("我们走吧！", "{request}"),
        ("我家的厨房塌了。", "{statement}"),
        ("婶儿，豆糕还有没有？给我留两块！", "{question}"),
        ("我不会。教教我！", "{request}"),
        ("我想过了。就这样。", "{statement}"),
    ],
)
def test_where_nothing_is_near_there_is_an_answer_to_its_kind(said: str, kind: str) -> None:
    assert kind_of(said) == kind
    known = [Exchange("闻筝", "晚安", "窗关好。"), Exchange("闻筝", kind, "等我拧完。")]
    recall = Recall(known, embed(keys_of(known)), embed)
    assert "等我拧完。" in [one.answer for one in recall.near("闻筝", said, 1)]
    assert [one.answer for one in recall.near("闻筝", "晚安", 1)] == ["窗关好。"]


def test_the_register_is_told_by_the_lines_of_the_novel(tmp_path: Path) -> None:
    world = World.load(tiny.write_world(tmp_path / "toy"))
    found = stage.registers_of(world)
    assert set(found) == set(world.names)
    known = {row["register"] for row in items("registers")}
    assert set(found.values()) <= known


def test_age_gender_and_marked_words_decide_the_register(tmp_path: Path) -> None:
    path = tiny.write_world(tmp_path / "toy")
    info = json.loads((path / "world.json").read_text(encoding="utf-8"))
    for person, gender in zip(info["characters"], ("m", "f"), strict=False):
        person["gender"] = gender
    (path / "world.json").write_text(json.dumps(info), encoding="utf-8")
    man, woman = (person["name"] for person in info["characters"][:2])
    world = World.load(path)
    assert stage.registers_of(world) == {man: "modern-man", woman: "modern-woman"}
    script = (path / "script.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in script.split("\n") if line]
    for row in rows:
        if "say" in row:
            row["say"] = {man: "洒家怕甚么！", woman: "吾不知也，汝自问之。"}[row["char"]]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (path / "script.jsonl").write_text(text, encoding="utf-8")
    found = stage.registers_of(World.load(path))
    assert found == {man: "fighter", woman: "classical-lady"}


def test_who_is_asked_for_a_name_answers_with_one() -> None:
    known = [Exchange("闻筝", "你好", "站左边。"), Exchange("闻筝", "你是谁", "闻筝，修雨匠。")]
    recall = Recall(known, embed(keys_of(known)), embed, people={"闻筝": "闻筝", "小筝": "闻筝"})
    found = recall.near("闻筝", "你好，请问您是？", 2)
    assert [one.answer for one in found] == ["闻筝，修雨匠。"]


@pytest.mark.parametrize(
    ("language", "lines", "expected"),
    [
        ("en", ("I am obliged to you, sir.", "Pray sit down."), ("en-gentleman", "en-lady")),
        ("en", ("Get in the car.", "Okay, whatever."), ("en-plain", "en-plain")),
        ("ja", ("わしに任せるのじゃ。", "そうなんだ、よかった。"), ("ja-elder", "ja-girl")),
        ("ja", ("行ってまいります。", "お待ちしています。"), ("ja-polite", "ja-polite")),
    ],
)
def test_registers_of_other_languages(
    tmp_path: Path, language: str, lines: tuple[str, str], expected: tuple[str, str]
) -> None:
    path = tiny.write_world(tmp_path / "toy")
    info = json.loads((path / "world.json").read_text(encoding="utf-8"))
    info["language"] = language
    for person, gender in zip(info["characters"], ("m", "f"), strict=False):
        person["gender"] = gender
    (path / "world.json").write_text(json.dumps(info), encoding="utf-8")
    man, woman = (person["name"] for person in info["characters"][:2])
    script = (path / "script.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in script.split("\n") if line]
    for row in rows:
        if "say" in row:
            row["say"] = {man: lines[0], woman: lines[1]}[row["char"]]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (path / "script.jsonl").write_text(text, encoding="utf-8")
    assert stage.registers_of(World.load(path)) == {man: expected[0], woman: expected[1]}


def test_an_answer_of_a_register_is_found_by_every_way_to_say_the_matter(tmp_path: Path) -> None:
    world = World.load(tiny.write_world(tmp_path / "toy"))
    registers = stage.registers_of(world)
    name = next(iter(registers))
    recall = stage.world_recall(world)
    assert recall is not None
    greeting = next(row for row in items("everyday") if row["number"] == 1)
    answers = {
        row["answer"]
        for row in items("registers")
        if row["register"] == registers[name] and row["said"][0] == greeting["ways"][0]
    }
    for way in greeting["ways"][:6]:
        assert recall.near(name, way, 1)[0].answer in answers, way


@pytest.mark.parametrize("said", ["陆迟，早上好", "早上好，陆迟！", "婆婆, 早上好, 陆迟", "早上好"])
def test_a_name_that_only_calls_is_no_matter(said: str) -> None:
    known = [
        Exchange("陆迟", "早上好", "您、您早。"),
        Exchange("陆迟", "你觉得陆迟早上来得早吗", "他比我早到一个时辰。"),
    ]
    people = {"陆迟": "陆迟", "婆婆": "铜婆"}
    recall = Recall(known, embed(keys_of(known)), embed, people=people)
    assert recall.near("陆迟", said, 1)[0].answer == "您、您早。"


def test_many_answers_to_one_thing_leave_room_for_other_things(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("roleplay.recall._MOST", 3)
    greetings = [Exchange("陆迟", "你好", f"您好，{number}。", also=("早",)) for number in range(9)]
    known = [*greetings, Exchange("陆迟", "雨停了吗", "停了。"), Exchange("陆迟", "晚安", "安。")]
    recall = Recall(known, embed(keys_of(known)), embed)
    assert recall.near("陆迟", "雨停了吗", 1)[0].answer == "停了。"
    assert recall.near("陆迟", "晚安", 1)[0].answer != "安。"  # one more than are kept


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("昨夜那口枯井又响了。晚安，明天见。", "窗关好。"),
        ("晚安，明天见。昨夜那口枯井又响了！", "窗关好。"),
        ("晚安，明天见。有没有鬼", "有，是猫。"),  # the last of it
        ("井又响了，有没有鬼？", "有，是猫。"),
        ("昨夜那口枯井又响了，你快去叫铜婆来看看。晚安，明天见。", ""),  # too little of it
    ],
)
def test_of_much_that_is_said_a_part_that_is_known_is_answered(
    said: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roleplay.recall._LETTERS", 0.0)

    known = [*SAID, Exchange("闻筝", "有没有鬼", "有，是猫。")]
    found = Recall(known, tiny.vectors_apart(keys_of(known)), tiny.vectors_apart).near(
        "闻筝", said, 1
    )[0]
    assert (found.score >= 0.3) == bool(answer)
    assert not answer or found.answer == answer


def test_in_a_scene_a_gesture_stands_for_whatever_happens() -> None:
    known = [
        *SAID,
        Exchange("闻筝", SCENE, "…… \\me 侧过头"),
        Exchange("闻筝", "{statement}", "听着呢。"),
        Exchange("陆迟", "{statement}", "我在听。"),
    ]
    recall = Recall(known, embed(keys_of(known)), embed)
    strange = "绿洲裂开十七块。"
    assert recall.near("闻筝", strange, 1)[-1].answer == "听着呢。"
    assert recall.near("闻筝", strange, 1, in_scene=True)[-1].answer == "…… \\me 侧过头"
    assert recall.near("陆迟", strange, 1, in_scene=True)[-1].answer == "我在听。"
