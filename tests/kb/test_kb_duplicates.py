"""Near-duplicates: the same as comparing every two texts, but fast."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from kb.duplicates import bigrams, numbers_in, similar_pairs

TEXT = "沈灯在河边点了一盏灯，看它慢慢漂远。"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="沈灯在河边，。", max_size=30), max_size=12))
def test_pairs_are_those_of_comparing_every_two(texts: list[str]) -> None:
    sets = [bigrams(text) for text in texts]
    every_two = [
        (number, earlier)
        for number in range(len(texts))
        for earlier in range(number)
        if len(sets[number] & sets[earlier]) >= 0.9 * len(sets[number] | sets[earlier])
    ]
    assert list(similar_pairs(texts)) == every_two


def test_marks_and_blanks_do_not_count() -> None:
    assert list(similar_pairs([TEXT, TEXT.replace("，", " ")])) == [(1, 0)]


def test_numbers() -> None:
    assert numbers_in("第十三口钟重300斤") == ["十三", "300"]


def test_thousands_of_texts_take_seconds() -> None:
    letters = [chr(0x4E00 + n) for n in range(3000)]
    texts = ["".join(letters[(n * 7919 + i * i * 31) % 3000] for i in range(100)) for n in range(5000)]
    began = time.process_time()
    assert len(list(similar_pairs([*texts, texts[0]]))) >= 1
    assert time.process_time() - began < 10
