"""Names found by the cues beside quotes."""

from __future__ import annotations

from collections import Counter

import pytest

from roleplay.distill.rules.cast import discover_cast, find_people
from roleplay.novel.reading import read_novel
from tests.roleplay.novel.books import book


def test_classical_cues() -> None:
    text = "行者道：“好。”八戒笑道：“不好。”" * 5
    assert discover_cast(text) == Counter({"行者": 5, "八戒": 5})


def test_cues_after_a_quote() -> None:
    text = "“哟。”铜婆慢悠悠地说。\n“嘛。”铜婆叹了口气。\n“娃儿。”铜婆低声道。\n" * 3
    assert discover_cast(text)["铜婆"] == 9


def test_a_name_grows_to_its_full_length() -> None:
    assert set(discover_cast("咕噜九号问：“报告！”\n咕噜九号小声说：“完毕。”\n" * 3)) == {
        "咕噜九号"
    }


def test_names_that_speak_seldom_are_left_out() -> None:
    text = "行者道：“好。”" * 4
    assert not discover_cast(text, at_least=5)
    assert discover_cast(text) == Counter({"行者": 4})


def test_pronouns_and_crowds_are_nobody() -> None:
    assert not discover_cast(
        "他说：“好。”众人道：“好。”有诗曰：“好。”后人叹道：“好。”二人道：“好。”" * 9
    )


def test_a_given_name_of_one_character() -> None:
    assert discover_cast("操曰：“善。”操大笑。" * 9) == Counter({"操": 9})


ACTS = ("说：“好。”", "点了点头：“好。”", "笑着道：“坐。”", "抬头看他：“谁？”", "喊：“来！”")


def said(*names: str) -> str:
    return "".join(f"{name}{act}\n" for name in names for act in ACTS)


def test_brothers_share_the_begin_of_their_names() -> None:
    assert discover_cast(said(*["沈砚秋"] * 6, "沈砚冬")) == Counter({"沈砚秋": 30, "沈砚冬": 5})


def test_a_name_that_looks_like_a_thing_speaks_often() -> None:
    assert discover_cast(said("花三更", "灯娘")) == Counter({"花三更": 5, "灯娘": 5})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("xiyouji.utf8.txt", ["行者", "八戒", "三藏", "沙僧"]),
        ("sanguo.gb18030.txt", ["玄德", "孔明", "操", "关公"]),
    ],
)
def test_the_main_persons_of_a_real_book_lead(name: str, expected: list[str]) -> None:
    found = [name for name, _ in discover_cast(read_novel(book(name)).text).most_common(4)]
    assert found == expected


def test_people_are_found_with_their_aliases_the_main_one_first() -> None:
    text = "老周道：“好。”\n" * 5 + "孙行者道：“好。”行者道：“走。”行者道：“走。”\n" * 9
    assert [(person.name, person.aliases) for person in find_people(text)] == [
        ("行者", ("孙行者",)),
        ("老周", ()),
    ]


def test_a_verb_beside_a_name_makes_no_other_person() -> None:
    said = (
        "操曰：“好。”操大怒曰：“拿下！”行者道：“师父。”好行者，即驾云道：“我去。”大圣道：“看棒。”\n"
    )
    found = discover_cast(said * 12)
    assert {"操", "行者", "大圣"} <= set(found)
    assert not {"操大", "好行者", "大怒"} & set(found)


def test_a_noun_beside_a_quote_is_nobody_in_a_whole_book() -> None:
    told = "今日风平浪静，东海无波，柳树垂到水边。" * 60 + "\n三藏道：“走罢。”\n今日天晴。"
    found = discover_cast((told + "“好。”东海水涨。\n") * 60)
    assert set(found) == {"三藏"}
