"""Aliases: what a page's subject is called, and nobody else."""

import pytest

from kb.aliases import aliases_of, is_name
from kb.sections import Section


def lead(text: str) -> list[Section]:
    return [((), text)]


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("沈灯（灯匠）", ("沈灯",)),
        ("雨城：沈灯", ("沈灯",)),
        ("沈灯/经历", ("沈灯",)),
        ("露易丝·瓦利埃尔", ("露易丝",)),
        ("阿迟（CV：林某、幼年期：原某某）", ("阿迟",)),
        ("阿迟（英文：Late，声优：林某）", ("阿迟", "Late")),
        ("阿迟（又名迟儿）", ("阿迟", "迟儿")),
    ],
)
def test_what_a_title_says(title: str, names: tuple[str, ...]) -> None:
    assert aliases_of(title, []) == names


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("别名: 小灯、灯儿（镇上人叫的）", ("小灯", "灯儿")),
        ("暱稱：小燈", ("小燈",)),
        ("昵称: 小灯（CV：林某）/CV：王某", ("小灯",)),
        ("本名: 日文：アカリ、幼年期：原某某", ("アカリ",)),
        ("声优: 林某", ()),
        ("配音：林某", ()),
        ("姓名: 沈灯，代号: 愚者", ()),
    ],
)
def test_what_a_line_of_facts_says(line: str, names: tuple[str, ...]) -> None:
    assert aliases_of("沈灯", lead(line)) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("沈灯，又名灯儿，是灯匠。", ("灯儿",)),
        ("沈灯外号「铁嘴」，不爱说话。", ("铁嘴",)),
        ("沈灯人称铁嘴的老板怕她。", ()),
        ("沈灯·法兰西斯·露，灯匠。", ("沈灯·法兰西斯·露",)),
        ("灯匠。沈灯，綽號「鐵嘴」。", ("鐵嘴",)),
    ],
)
def test_what_the_first_sentences_say(text: str, names: tuple[str, ...]) -> None:
    assert aliases_of("沈灯", lead(text)) == names


def test_forms_of_several_people_are_nobodys_other_names() -> None:
    page = [((), "沈灯是灯匠。"), (("会议",), "姓名：阿岚"), (("称呼",), "昵称：小灯")]
    assert aliases_of("沈灯", page) == ("小灯",)
    assert aliases_of("会议", lead("姓名：阿岚\n姓名：小满")) == ()


@pytest.mark.parametrize(
    "text", ["主角", "CV", "声优：林某", "一。", "沈", "幼年期：原某某", "1990"]
)
def test_no_names(text: str) -> None:
    assert not is_name(text)
