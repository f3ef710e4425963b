"""Near-duplicates: what is found is alike, the same text is always found, and many are fast."""

import os
import subprocess
import sys
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kb.duplicates import bigrams, numbers_in, similar_pairs

TEXT = "沈灯在吹烟镇的河边点了一盏灯，看它随水慢慢漂远，直到雨把最后一点光也浇灭。"
LETTERS = [chr(0x4E00 + n) for n in range(3000)]


def made(number: int, length: int = 100) -> str:
    """A text of its own for every number, without chance."""
    return "".join(LETTERS[(number * 7919 + i * i * 31 + i * number) % 3000] for i in range(length))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="沈灯在河边，。", max_size=30), max_size=12))
def test_pairs_are_alike_and_the_same_text_is_found(texts: list[str]) -> None:
    sets = [bigrams(text) for text in texts]
    found = list(similar_pairs(texts))
    assert all(len(sets[a] & sets[b]) >= 0.9 * len(sets[a] | sets[b]) and a > b for a, b in found)
    same = [(a, b) for a in range(len(texts)) for b in range(a) if sets[a] == sets[b]]
    assert set(same) <= set(found)


def test_nearly_all_that_are_just_alike_enough_are_found() -> None:
    texts = [made(number) for number in range(500)]
    changed = [text[:50] + "乙甲丙" + text[53:] for text in texts]
    assert len(set(similar_pairs([*texts, *changed])) & {(n + 500, n) for n in range(500)}) >= 490


def test_marks_and_blanks_do_not_count() -> None:
    assert list(similar_pairs([TEXT, TEXT.replace("，", " ")])) == [(1, 0)]


def test_texts_that_share_their_half_are_not_alike() -> None:
    assert list(similar_pairs([TEXT, TEXT[:18] + made(1, 18)])) == []


def test_nothing_gives_nothing() -> None:
    assert list(similar_pairs([])) == []
    assert list(similar_pairs(["", "。"])) == [(1, 0)]


def test_numbers() -> None:
    assert numbers_in("第十三口钟重300斤") == ["十三", "300"]


def test_thousands_of_texts_take_seconds() -> None:
    texts = [made(number) for number in range(5000)]
    began = time.process_time()
    assert (5000, 0) in list(similar_pairs([*texts, texts[0]]))
    assert time.process_time() - began < 5


def test_boilerplate_does_not_cost_the_square_of_its_copies() -> None:
    began = time.process_time()
    assert len(list(similar_pairs([TEXT] * 5000))) < 5000 * 21
    assert time.process_time() - began < 5


def test_every_process_finds_the_same_pairs() -> None:
    code = (
        "from test_kb_duplicates import made; from kb.duplicates import similar_pairs\n"
        "texts = [made(number) for number in range(2000)]\n"
        "print(list(similar_pairs([*texts, *(t[:50] + '乙甲丙丁' + t[54:] for t in texts)])))"
    )
    path = os.pathsep.join(map(str, (Path(__file__).parents[2], Path(__file__).parent)))
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(found) == 1
