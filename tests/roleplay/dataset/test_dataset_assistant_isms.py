"""Assistant-isms: phrases, and n-grams that generated text overuses."""

from __future__ import annotations

import math

import pytest

from roleplay.dataset.assistant_isms import AssistantIsms, learn, log_odds
from roleplay.records import Interview

NOVEL = ["修不好不收钱，没得商量。", "可以进来吗？", "椒盐的出笼咯！", "屋内漏点十一处。"] * 30


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("作为一个修雨匠，我知道雨从哪里来。", "作为一个"),
        ("首先要找到漏点，其次再动扳手。", "首先要找到漏点，其次"),
        ("希望这些对您有所帮助！", "希望这些对您有所帮助"),
        ("这不仅是雨，而且是回忆。", "不仅是雨，而且"),
        ("在这个充满雨声的世界里，我遇见了她。", "在这个充满雨声的世界里"),
        ("让我们一起修好它！", "让我们一起"),
    ],
)
def test_phrases_of_assistants(text: str, sign: str) -> None:
    assert AssistantIsms().signs(text) == [sign]


@pytest.mark.parametrize(
    "text", ["没得商量。", "首先把门关上。", "作为回报，豆糕分你一半。", "希望明天有雨。"]
)
def test_what_people_say_is_no_assistant_ism(text: str) -> None:
    assert not AssistantIsms().sounds_generated(text)


def interviews(*texts: str, characters: str = "甲乙丙", generated: bool = True) -> list[Interview]:
    rows = [(name, text) for name in characters for text in texts for _ in range(4)]
    return [
        Interview(id=f"i{number}", character=name, question="？", answer=text, generated=generated)
        for number, (name, text) in enumerate(rows)
    ]


def test_an_ngram_that_generated_text_overuses_is_found() -> None:
    found = learn(interviews("我心中涌起暖流。", "修不好不收钱，没得商量。"), NOVEL)
    assert found.sounds_generated("她说，心中涌起暖流")
    assert not found.sounds_generated("没得商量。")
    assert all(row.novel == 0 and row.generated == 12 for row in found.ngrams)


def test_of_ngrams_inside_each_other_the_longest_is_kept() -> None:
    grams = [row.text for row in learn(interviews("我心中涌起暖流。"), NOVEL).ngrams]
    assert "我心中涌起" in grams and "心中涌" not in grams


def test_what_one_character_says_again_and_again_is_its_voice() -> None:
    rows = [
        *interviews("此事到此为止。", characters="甲"),
        *interviews("可以进来吗？", characters="乙丙丁"),
    ]
    assert not learn(rows, NOVEL).sounds_generated("此事到此为止。")


def test_interviews_by_people_do_not_hide_what_a_model_wrote() -> None:
    rows = [*interviews("我心中涌起暖流。"), *interviews("半夜来，半价走。", generated=False)]
    found = learn(rows, NOVEL)
    assert found.sounds_generated("心中涌起暖流") and not found.sounds_generated("半夜来，半价走。")


def test_log_odds_of_equal_shares_is_0_and_grows_with_evidence() -> None:
    assert log_odds(10, 1000, 10, 1000) == 0
    assert 0 < log_odds(10, 1000, 1, 1000) < log_odds(100, 10_000, 10, 10_000)


def test_log_odds_as_in_the_paper() -> None:
    prior = 500 * 12 / 3000  # a_w of a word with 12 of the 3,000 words of both texts
    first, second = (10 + prior) / (1000 + 500 - 10 - prior), (2 + prior) / (2000 + 500 - 2 - prior)
    z = (math.log(first) - math.log(second)) / math.sqrt(1 / (10 + prior) + 1 / (2 + prior))
    assert log_odds(10, 1000, 2, 2000) == pytest.approx(z)
