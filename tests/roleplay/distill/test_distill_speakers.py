"""Who speaks where no name stands beside the quote: pronouns, turns, names called, voices."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise

import pytest

from roleplay.distill.labels.spans import number_spans
from roleplay.distill.report import coverage
from roleplay.distill.rules import turns
from roleplay.distill.rules.people import People
from roleplay.distill.rules.smoothing import Link, smooth
from roleplay.distill.rules.speakers import tell_speakers
from roleplay.distill.rules.turns import read_blocks, spoken_quotes
from roleplay.distill.rules.voice import Voices

PEOPLE = People({"柳青": ("青青",), "周山": ()}, {"柳青": "f", "周山": "m"})


def told(text: str, *, book: bool = False) -> list[tuple[str, str]]:
    """(speaker, rule) of each turn."""
    verdicts = tell_speakers(text, read_blocks(text), PEOPLE, book=book)
    return [(verdict.best, verdict.rule) for verdict in verdicts]


def test_turns_alternate_after_a_cue() -> None:
    text = "柳青说：“走吧。”\n“去哪里？”\n“回家。”\n周山没有动。\n"
    assert told(text) == [("柳青", "before"), ("周山", "nearest"), ("柳青", "alternation")]


def test_a_later_cue_settles_the_turns_before_it() -> None:
    text = "屋里坐着柳青和周山。\n“走吧。”\n“去哪里？”\n“回家。”周山说。\n"
    assert [name for name, _ in told(text)] == ["周山", "柳青", "周山"]


@pytest.mark.parametrize(("pronoun", "who"), [("她", "柳青"), ("他", "周山")])
def test_a_pronoun_means_whom_it_fits(pronoun: str, who: str) -> None:
    assert told(f"柳青看着周山，周山看着柳青。\n“走吧。”{pronoun}轻声说。\n") == [(who, "pronoun")]


def test_who_is_called_does_not_speak_but_answers() -> None:
    text = "柳青和周山都没有睡。\n“青青，睡了没有？”\n“没有。”\n"
    assert [name for name, _ in told(text)] == ["周山", "柳青"]


def test_two_persons_may_speak_in_one_paragraph() -> None:
    assert told("“走吧。”柳青说。周山答道：“好。”\n") == [("柳青", "after"), ("周山", "before")]


def test_his_father_is_not_he() -> None:
    assert told("周山笑了。\n他爹说：“走吧。”\n", book=True)[0][0] == ""


def test_a_cue_many_turns_later_counts() -> None:
    even = {"甲": 0.0, "乙": 0.0}
    links = [Link(), Link(same=-3, back=2), Link(same=-3, back=2)]
    found = smooth([even, even, {"甲": 5.0, "乙": 0.0}], links)
    assert [max(chance, key=lambda name: chance[name]) for chance in found] == ["甲", "乙", "甲"]
    assert all(sum(chance.values()) == pytest.approx(1) for chance in found)


def test_no_turns_have_no_chances() -> None:
    assert smooth([], []) == []


def test_a_voice_is_learned_from_enough_lines() -> None:
    voices = Voices([("咕噜", "报告！完毕。"), ("柳青", "走吧。")] * 9)
    scores = voices.score("报告！有雨。完毕。")
    assert scores["咕噜"] > 1 and "柳青" not in scores
    assert Voices([("咕噜", "报告！完毕。")]).score("报告！") == {}


def test_a_pronoun_is_learned_from_the_text() -> None:
    people = People({"石头": ()})
    assert people.fits("石头", "她") is None
    people.learn_pronouns("石头笑了，她走了。" * 6)
    assert people.fits("石头", "她") is True and people.fits("石头", "他") is False


def test_a_given_gender_wins_over_the_text() -> None:
    people = People({"石头": ()}, {"石头": "m"})
    people.learn_pronouns("石头笑了，她走了。" * 6)
    assert people.fits("石头", "他") is True


def test_the_quotes_of_a_book_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    monkeypatch.setattr(turns, "find_quotes", lambda text, paragraphs: found.append(text) or [])
    spoken_quotes.cache_clear()
    text = "柳青说：“走吧。”\n"
    read_blocks(text)
    number_spans(text, [])
    coverage(text, [])
    assert found == [text]
    spoken_quotes.cache_clear()


_DISTIL = """
import sys
from roleplay.distill.rules.script import distil_rules
for line in distil_rules(sys.stdin.read(), (), (), dict.fromkeys(sys.argv[1:], ())):
    print(ascii((line.char, line.confidence, line.reason)))
"""


def test_the_same_text_gives_the_same_script_in_every_run() -> None:
    """Sets of names change their order with PYTHONHASHSEED; the candidates among them do not."""
    names = [f"{one}{two}" for one in "甲乙丙丁戊" for two in "青山"]
    text = "".join(f"{name}说：“走吧走吧。”\n" * 5 for name in names) + "雨。\n" * 40
    text += "".join(f"“{one}，{two}，走吧。”\n" for one, two in pairwise(names))
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _DISTIL, *names],
            input=text.encode(),
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONUTF8": "1"},
            check=True,
            capture_output=True,
        ).stdout
        for seed in "123"
    }
    assert len(outputs) == 1
