"""Speakers that no cast names, found by the form of their names beside quotes."""

from __future__ import annotations

import pytest

from roleplay.distill.cast import find_strangers
from roleplay.distill.cues import Names
from roleplay.distill.rules import distil_rules

NAMES = Names({"阿灯": (), "王掌柜": ("老王",)})


def text(*paragraphs: str) -> str:
    return "\n".join(paragraphs) + "\n"


@pytest.mark.parametrize("name", ["接线员", "老蒙", "陆父", "钱大夫", "守塔人", "孙掌柜"])
def test_a_name_that_speaks_twice_is_found(name: str) -> None:
    told = text(f"{name}问：“找谁？”", f"“占线。”{name}说。", "“哦。”阿灯说。")
    assert find_strangers(told, NAMES) == [name]


@pytest.mark.parametrize(
    "head", ["少年", "老话", "声音", "有人", "老王", "他", "众人", "老李家", "接线员的徒弟", "老人", "慢悠悠地"]
)
def test_what_is_no_name_is_not(head: str) -> None:
    assert find_strangers(text(*[f"{head}说：“走吧。”", f"“站住。”{head}说。"] * 2), NAMES) == []


def test_once_is_not_enough() -> None:
    assert find_strangers(text("接线员问：“找谁？”", "“占线。”阿灯说。"), NAMES) == []


def test_a_stranger_is_named_with_its_rule() -> None:
    told = text("接线员问：“找谁？”", "“找王掌柜。”阿灯说。", "“占线。”接线员说。")
    lines = [line for line in distil_rules(told, (), (), {"阿灯": (), "王掌柜": ()}) if line.kind == "say"]
    assert [(line.char, line.cue) for line in lines] == [("接线员", "before"), ("阿灯", "after"), ("接线员", "after")]
