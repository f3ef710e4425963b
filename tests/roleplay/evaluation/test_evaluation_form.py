"""Judgements of one reply."""

from __future__ import annotations

import pytest

from roleplay.dataset.texts import items
from roleplay.evaluation.form import answers_small_talk, check_form, distinct_2, names_itself
from roleplay.evaluation.measures import is_interjection

OWN, OTHERS = ("沈砚秋", "沈大人"), ("沈砚冬", "闻筝", "小筝", "大人")


@pytest.mark.parametrize(
    "reply", ["本官沈砚秋。", "沈大人，巡检是也。", "在下沈砚秋，人称沈大人。"]
)
def test_a_reply_that_names_the_character(reply: str) -> None:
    assert names_itself(reply, OWN, OTHERS)


@pytest.mark.parametrize(
    "reply", ["", "我是闻筝。", "本官。", "沈砚秋，闻筝的朋友。", "我是沈砚冬。"]
)
def test_a_reply_that_does_not(reply: str) -> None:
    assert not names_itself(reply, OWN, OTHERS)


@pytest.mark.parametrize(
    ("reply", "answered"),
    [
        ("漏了漏了，别夸我。", True),
        ("阁下请自重。", True),
        ("本官是沈砚秋。", False),
        ("你认错了，我是沈大人。", False),
        ("你问倒本官了，本官真不知道。", False),
        ("没听说过，这是什么东西？", False),
        ("", False),
    ],
)
def test_a_remark_is_answered_with_more_than_the_name(reply: str, answered: bool) -> None:
    assert answers_small_talk(reply, OWN) == answered


def test_every_way_to_decline_is_known() -> None:
    assert not any(answers_small_talk(row["answer"], OWN) for row in items("unknown_answers"))


def test_distinct_2_counts_character_pairs() -> None:
    assert distinct_2(["雨停了", "雨停了"]) == 0.5
    assert distinct_2(["雨"]) == 0


@pytest.mark.parametrize(
    ("text", "bare"),
    [("啊？", True), ("哦。 \\emoji 困惑", True), ("\\me 笑", False), ("雨停了。走吧", False)],
)
def test_a_bare_interjection(text: str, bare: bool) -> None:
    assert is_interjection(text) == bare


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("没得商量。", None),
        ("", "empty"),
        ("陆迟：不好意思", "speaks as 陆迟"),
        ("【雨停了】", "narrates"),
    ],
)
def test_the_form_of_a_line(reply: str, reason: str | None) -> None:
    assert check_form(reply, "闻筝", ["闻筝", "陆迟"]) == reason
