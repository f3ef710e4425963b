"""What a clause beside a quote tells."""

from __future__ import annotations

import pytest

from roleplay.distill.rules.chinese import (
    ends_saying,
    first_subject,
    is_pure_cue,
    says,
    subjects,
    thinks,
)
from roleplay.distill.rules.cues import Names

NAMES = Names({"闻筝": ("小筝",), "铜婆": (), "咕噜九号": ("咕噜",), "行者": ()})


@pytest.mark.parametrize(
    ("sentence", "who"),
    [
        ("闻筝没好气地说：", "闻筝"),
        ("这时小筝说：", "闻筝"),
        ("铜婆没理她，闻筝说：", "闻筝"),
        ("闻筝瞪着铜婆，说：", "闻筝"),
        ("行者又向铜婆道：", "行者"),
        ("隔壁卖豆糕的铜婆吆喝：", "铜婆"),
        ("咕噜的灯闪了一下：", "咕噜九号"),
        ("她弯下腰问：", "她"),
        ("闻筝没动，那人说：", None),
        ("闻筝的师父说：", None),
        ("说着对闻筝道：", None),
        ("沉默了一会儿：", None),
    ],
)
def test_the_last_subject(sentence: str, who: str | None) -> None:
    found = subjects(sentence, NAMES)
    assert (found[-1] if found else None) == who


def test_first_subject_is_who_opens_the_sentence() -> None:
    assert first_subject("闻筝接过壶，铜婆笑了。", NAMES) == "闻筝"
    assert first_subject("灯灭了，风停了，闻筝笑了。", NAMES) is None


@pytest.mark.parametrize(
    "clause",
    [
        "闻筝没好气地说：",
        "行者道：",
        "行者笑道：",
        "铜婆慢悠悠地说。",
        "她低声说，",
        "那怪道：",
        "闻筝对铜婆说：",
        "陆迟心想：",
    ],
)
def test_a_pure_cue(clause: str) -> None:
    assert is_pure_cue(clause, NAMES)


@pytest.mark.parametrize(
    "clause", ["闻筝把扳手一拍：", "闻筝接过壶嘴灌了他一口，", "雨停了。", "说" * 50]
)
def test_narration_is_no_pure_cue(clause: str) -> None:
    assert not is_pure_cue(clause, NAMES)


def test_saying_and_thinking() -> None:
    assert ends_saying("闻筝大叫一声：")
    assert not ends_saying("闻筝说完就走了：")
    assert thinks("行者心中暗道：")
    assert not thinks("行者道：")
    assert not says("他知道这条道路，听说很长")


def test_a_longer_name_wins() -> None:
    assert Names({"闻": (), "闻筝": ()}).find("闻筝走了") == [(0, 2, "闻筝")]


def test_an_empty_cast_finds_nobody() -> None:
    assert Names({}).find("闻筝走了") == []
