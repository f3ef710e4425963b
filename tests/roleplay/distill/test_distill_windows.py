"""One quote in a window of sentences."""

from __future__ import annotations

import pytest

from roleplay.distill.rules.windows import Window, is_cut, join, people_of, tell_window

PEOPLE = people_of({"孙小北": (), "柳青": ("青青",)}, {"孙小北": "m", "柳青": "f"})


def speaker(*sentences: str, target: int) -> str:
    chances = tell_window(Window(sentences, target, PEOPLE))
    return max(chances, key=lambda name: chances[name])


@pytest.mark.parametrize(
    ("sentences", "target", "who"),
    [
        (("青青看着窗外。", "小北说：", "“走吧。”"), 2, "孙小北"),
        (("小北看着窗外。", "“走吧。", "天黑了。”", "柳青轻声说。"), 1, "柳青"),
        (("小北看着柳青。", "“走吧。”", "她说。"), 1, "柳青"),
        (("柳青问小北：“去哪里？”", "回家。"), 1, "孙小北"),
        (("小北道：“走吧。”", "柳青道：“去哪里？”"), 0, "孙小北"),
    ],
)
def test_the_speaker_of_a_window(sentences: tuple[str, ...], target: int, who: str) -> None:
    assert speaker(*sentences, target=target) == who


def test_a_short_form_of_two_persons_is_nobody() -> None:
    people = people_of({"孙小北": (), "李小北": ()}, {})
    assert people.names.find("小北说") == []


def test_a_cue_in_the_next_sentence_is_joined() -> None:
    text, paragraphs, target = join(("“走吧。”", "柳青说。", "天黑了。"), 0, PEOPLE)
    assert (text, paragraphs, target) == ("“走吧。”柳青说。\n天黑了。", [(0, 10), (10, 14)], (0, 5))


def test_windows_cut_into_sentences_are_seen() -> None:
    assert is_cut(("天黑了。", "雨停了。", "他没有动。", "灯灭了。", "风起了。"))
    assert not is_cut(("天黑了。雨停了。", "他没有动。", "灯灭了。", "风起了。", "门开了。"))


def test_a_window_without_words_has_even_chances() -> None:
    assert tell_window(Window(("", ""), 0, PEOPLE)) == {"孙小北": 0.5, "柳青": 0.5}
