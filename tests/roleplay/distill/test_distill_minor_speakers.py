"""Speakers whom no cast names: persons enter by their cue, other words never do."""

from __future__ import annotations

import pytest

from roleplay.distill.rules.cues import GROUP, Names
from roleplay.distill.rules.minor_speakers import find_minor_speakers
from roleplay.distill.rules.script import OUTSIDE, distil_rules
from roleplay.novel.paragraphs import unwrap

CAST = Names({"柳青青": ("青青",), "周山": ()})

_OTHERS = (
    "她 他们 众人 二人 一人 有人 来人 那人 那声音 那少年 那老者 忽然 回头 起身低声 沉吟半晌 心中大怒 后人有诗叹 两个和尚 其妻 "
    "一个 左右 喇叭里"
)


def found(text: str) -> dict[str, int]:
    return dict(find_minor_speakers(text, CAST))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("接线员说：“喂。”", "接线员"),
        ("“进来吧。”老板娘说。", "老板娘"),
        ("卖花的女人说：“一块钱。”", "卖花的女人"),
        ("老和尚合掌道：“施主请。”", "老和尚"),
        ("那婆子笑道：“好。”", "婆子"),
        ("“慢走。”老蔡客客气气地说。", "老蔡"),
        ("“慢走。”周母凑到青青耳边说。", "周母"),
        ("赵德海低声道：“快走。”", "赵德海"),
    ],
)
def test_a_person_is_named_by_one_cue(text: str, name: str) -> None:
    assert found(text) == {name: 1}


@pytest.mark.parametrize("head", _OTHERS.split())
def test_other_words_are_nobody(head: str) -> None:
    assert not found(f"{head}说：“走吧。”\n{head}道：“走吧。”\n")


def test_a_word_without_the_look_of_a_person_needs_three_cues() -> None:
    text = "铜铃说：“走。”\n"
    assert not found(text * 2)
    assert found(text * 3) == {"铜铃": 3}


@pytest.mark.parametrize("head", ["柳青", "小青青", "太中大夫周山"])
def test_a_word_that_shares_a_form_with_the_cast_is_left_to_the_cast(head: str) -> None:
    assert not found(f"{head}说：“走吧。”")


def test_what_follows_a_name_makes_no_second_one() -> None:
    assert found("“站住！”老蔡喊道。\n“慢走。”老蔡客客气气地说。\n") == {"老蔡": 2}


def test_a_hard_wrapped_line_does_not_begin_a_name() -> None:
    filler = "　　却说那人在山中行走，每日里只是看花看水，并不曾见得有一\n个行人，心中纳闷，不知如何是好。\n\n"
    text = filler * 12 + "　　雨下了好几日也不曾停下，这一天早上门外来了一个黄\n巾者说：“走吧。”\n"
    assert "巾者" not in found(unwrap(text))


def test_the_line_names_the_minor_speaker_and_tells_why() -> None:
    (line,) = distil_rules("接线员说：“喂。”", (), (), {"周山": ()})
    assert (line.char, line.cue, line.source, line.confidence, line.reason) == (
        "接线员",
        "before",
        "rules",
        0.9,
        OUTSIDE,
    )


def test_a_person_of_the_cast_has_no_such_reason() -> None:
    (line,) = distil_rules("周山说：“喂。”", (), (), {"周山": ()})
    assert (line.char, line.reason) == ("周山", None)


@pytest.mark.parametrize("cue", ["众人齐声道：", "左邻右舍都道：", "大家七嘴八舌地问："])
def test_a_group_speaks_as_one(cue: str) -> None:
    *_, line = distil_rules(f"{cue}“好！”", (), (), {"周山": ()})
    assert (line.char, line.confidence, line.reason) == (GROUP, 0.9, OUTSIDE)
