"""How somebody opens and ends what is said, so that a text from a template does not flatten the voice.

    voice = learn_voice(["报告！屋内漏点十一处。完毕。", "报告！本机没有鼻子。完毕。", ...])
    voice.dress("没听说过。", random.Random(7))      # "报告！没听说过。完毕。"

Only habits that can be counted: a first and a last clause that come again and again, a last particle, and a word for "I".
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_CLAUSE = re.compile(r"[^，。！？…～；,!?~;]+[，。！？…～；,!?~;]+")
_COMMAS = "，,；;"
"""An opening that ends so leads into what follows, and fits no other text."""

_PARTICLES = "哟嘛呀哦啦呢咯哩喵"
_SELVES = (
    "本机",
    "本官",
    "本座",
    "本王",
    "本宫",
    "老身",
    "老朽",
    "老夫",
    "在下",
    "吾",
    "朕",
    "妾身",
    "奴家",
    "人家",
    "俺",
)
_LONGEST = 8
_LEAST = 0.12
_FEWEST = 4


@dataclass(frozen=True)
class Voice:
    """Habits with their shares of lines: (text, share) pairs, empty where there is none."""

    opening: tuple[str, float] = ("", 0.0)
    closing: tuple[str, float] = ("", 0.0)
    particle: tuple[str, float] = ("", 0.0)
    self_word: str = ""

    def dress(self, text: str, chance: random.Random) -> str:
        """``text`` with the habits, each as often as in the lines they were learnt from."""
        if self.self_word:
            text = re.sub("我(?!们)", self.self_word, text)
        if _wanted(self.particle, chance) and text.endswith("。") and text[-2] not in _PARTICLES + "吧吗":
            text = f"{text[:-1]}{self.particle[0]}。"
        if _wanted(self.opening, chance):
            text = self.opening[0] + text
        return text + self.closing[0] if _wanted(self.closing, chance) else text


def _wanted(habit: tuple[str, float], chance: random.Random) -> bool:
    return bool(habit[0]) and chance.random() < habit[1]


def learn_voice(lines: Iterable[str]) -> Voice:
    """The habits of what one character says."""
    said = [line.strip() for line in lines if line.strip()]
    clauses = [found for line in said if len(found := _CLAUSE.findall(line)) > 1]
    ends = [line.rstrip("。！？…～!?~") for line in said]
    return Voice(
        opening=_habit([row[0] for row in clauses if row[0][-1] not in _COMMAS], len(said)),
        closing=_habit([row[-1] for row in clauses], len(said)),
        particle=_habit([end[-1] for end in ends if end and end[-1] in _PARTICLES], len(said)),
        self_word=_self_word(said),
    )


def _habit(found: Sequence[str], total: int) -> tuple[str, float]:
    """The most frequent of short texts, if it is frequent."""
    short = Counter(text for text in found if len(text) <= _LONGEST)
    for text, count in short.most_common(1):
        if count >= max(_FEWEST, _LEAST * total):
            return text, count / total
    return "", 0.0


def _self_word(said: Sequence[str]) -> str:
    """A word for "I" that is said oftener than 我."""
    text = "\n".join(said)
    word = max(_SELVES, key=text.count)
    return word if text.count(word) >= max(_FEWEST, text.count("我")) else ""
