"""How somebody opens and ends what is said, so that a template does not flatten the voice.

    voice = learn_voice(["报告！屋内漏点十一处。完毕。", "报告！有雨。完毕。", ...])
    voice.dress("没听说过。", random.Random(7))      # "报告！没听说过。完毕。"

Only habits that can be counted: a first and a last clause that come again and again, a last
particle, and a word for "I".
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from roleplay.dataset.texts import words

# A clause with the marks that end it.
_CLAUSE = re.compile(r"[^，。！？…～；,!?~;]+[，。！？…～；,!?~;]+")
_COMMAS = "，,；;"  # An opening that ends so leads into what follows, and fits no other text.
_PARTICLES = "哟嘛呀哦啦呢咯哩喵"
# A habit has at most 8 characters, and is in 12 % of the lines and in 4 of them: less is chance.
_LONGEST, _LEAST, _FEWEST = 8, 0.12, 4


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
            # 我们 stays: the words for "I" have no plural.
            text = re.sub("我(?!们)", self.self_word, text)
        # Behind another particle, 吧 or 吗 a second one is no Chinese.
        plain_end = re.search(rf"[^{_PARTICLES}吧吗]。\Z", text)
        if _wanted(self.particle, chance) and plain_end:
            text = f"{text[:-1]}{self.particle[0]}。"
        if _wanted(self.opening, chance):
            text = self.opening[0] + text
        return text + self.closing[0] if _wanted(self.closing, chance) else text


Voices = Mapping[str, Voice]
"""By the name of the character."""


def _wanted(habit: tuple[str, float], chance: random.Random) -> bool:
    return bool(habit[0]) and chance.random() < habit[1]


def learn_voice(lines: Iterable[str]) -> Voice:
    """The habits of what one character says."""
    said = [line.strip() for line in lines if line.strip()]
    clauses = [found for line in said if len(found := _CLAUSE.findall(line)) > 1]
    ends = [line.rstrip("。！？…～!?~") for line in said]
    text = "\n".join(said)
    # A word for "I" that is said oftener than 我.
    self_word = max(words("selves"), key=text.count)
    said_often = text.count(self_word) >= max(_FEWEST, text.count("我"))
    return Voice(
        opening=_habit([row[0] for row in clauses if row[0][-1] not in _COMMAS], len(said)),
        closing=_habit([row[-1] for row in clauses], len(said)),
        particle=_habit([end[-1] for end in ends if end and end[-1] in _PARTICLES], len(said)),
        self_word=self_word if said_often else "",
    )


def _habit(found: Sequence[str], total: int) -> tuple[str, float]:
    """The most frequent of short texts, if it is frequent."""
    short = Counter(text for text in found if len(text) <= _LONGEST)
    for text, count in short.most_common(1):
        if count >= max(_FEWEST, _LEAST * total):
            return text, count / total
    return "", 0.0
