"""GPT flavour: what assistants write and no character says.

    flavour = learn(world.read_interviews(), [line.text for line in script if line.kind == "say"])
    flavour.is_flavoured("总的来说，希望这些对你有所帮助。")      # True
    flavour_rate(answers, flavour)                              # the share of texts that are

Two signs: a phrase of a short list of our own, and n-grams of characters far more frequent in generated interviews than
in what the novel's people say. The second is the log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi,
Quinn 2008, equations 15-22): with counts y of a word in n words of each text and prior a_w = a * (share in both),

    delta = log((y1 + a_w) / (n1 + a - y1 - a_w)) - log((y2 + a_w) / (n2 + a - y2 - a_w))
    z     = delta / sqrt(1 / (y1 + a_w) + 1 / (y2 + a_w))

What only one or two characters write is their voice, not a flavour: an n-gram counts if three characters share it (or all,
where there are fewer).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roleplay.records import Interview

PHRASES = (
    r"作为一[个名位]",
    r"总的来说",
    r"总而言之",
    r"综上所述",
    r"首先.{0,40}其次",
    r"希望.{0,12}有所?帮助",
    r"不仅.{1,20}[而还]且?",
    r"在这个.{0,12}的(世界|时代|社会)[里中]",
    r"让我们一起",
    r"值得注意的是",
    r"需要注意的是",
    r"我(很|非常)(高兴|荣幸|乐意)(能|为|回答|帮)",
    r"如果(您|你)(还)?有(任何|其他|什么)(问题|疑问)",
    r"(人工智能|语言模型|AI助手)",
    r"抱歉，我(无法|不能|没有办法)",
    r"充满(了)?(挑战|机遇|希望|未知)",
    r"不可或缺",
    r"无论.{1,12}都(将|会)",
    r"(共同|一起)(努力|面对|创造)",
    r"重要的(是|一部分)",
    r"从某种(意义|程度)上",
    r"与此同时",
    r"感谢(您|你)的(提问|理解|支持|关注)",
)
"""Typical of assistants, as regular expressions."""

_SIZES = (3, 4, 5)
_PRIOR = 500.0
_FEWEST = 5
_LEAST_Z = 3.0
_RATIO = 8.0
_SHARED_BY = 3
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True)
class Ngram:
    """An n-gram that generated text overuses: its z score, and how many texts of each kind hold it."""

    text: str
    z: float
    generated: int
    novel: int


@dataclass(frozen=True)
class Flavour:
    """What sounds generated in one world: the phrases, and the n-grams found there, the strongest first."""

    ngrams: tuple[Ngram, ...] = ()

    def signs(self, text: str) -> list[str]:
        """The phrases and n-grams that ``text`` holds."""
        found = [match.group() for phrase in PHRASES if (match := re.search(phrase, text))]
        return found + [row.text for row in self.ngrams if row.text in text]

    def is_flavoured(self, text: str) -> bool:
        """Whether there is one."""
        return bool(self.signs(text))


def flavour_rate(texts: Sequence[str], flavour: Flavour | None = None) -> float:
    """The share of texts that hold a phrase or an n-gram; 0 of none."""
    known = flavour or Flavour()
    return sum(map(known.is_flavoured, texts)) / max(len(texts), 1)


def learn(interviews: Sequence[Interview], novel: Iterable[str]) -> Flavour:
    """The n-grams that interviews overuse against ``novel``, what its people say.

    Those a model wrote are taken, or all where none is marked as such.
    """
    marked = [row for row in interviews if row.generated] or list(interviews)
    return Flavour(tuple(overused([(row.character, row.answer) for row in marked], list(novel))))


def overused(generated: Sequence[tuple[str, str]], novel: Sequence[str]) -> list[Ngram]:
    """N-grams of (character, text) pairs far more frequent than in ``novel``, without those inside a longer one."""
    ours = Counter(gram for _, text in generated for gram in _grams(text))
    theirs = Counter(gram for text in novel for gram in _grams(text))
    total, other = max(ours.total(), 1), max(theirs.total(), 1)
    found = []
    for gram, count in ours.items():
        if count < _FEWEST or count / total < _RATIO * (theirs[gram] + 0.5) / other:
            continue
        z = log_odds(count, total, theirs[gram], other)
        if z >= _LEAST_Z and _is_shared(gram, generated):
            found.append(Ngram(gram, round(z, 2), count, theirs[gram]))
    found.sort(key=lambda row: (-row.z, -len(row.text), row.text))
    return _longest(found)


def log_odds(ours: int, total: int, theirs: int, other: int) -> float:
    """The z score of a word that stands ``ours`` times in ``total`` words, and ``theirs`` times in ``other`` ones."""
    prior = _PRIOR * (ours + theirs) / (total + other)
    first = math.log((ours + prior) / (total + _PRIOR - ours - prior))
    second = math.log((theirs + prior) / (other + _PRIOR - theirs - prior))
    return (first - second) / math.sqrt(1 / (ours + prior) + 1 / (theirs + prior))


def _grams(text: str) -> set[str]:
    """Each n-gram of a text once, within runs of letters and digits."""
    runs = _WORDS.findall(text)
    return {run[at : at + size] for run in runs for size in _SIZES for at in range(len(run) - size + 1)}


def _is_shared(gram: str, generated: Sequence[tuple[str, str]]) -> bool:
    everybody = {character for character, _ in generated}
    users = {character for character, text in generated if gram in text}
    return len(users) >= min(_SHARED_BY, len(everybody))


def _longest(found: Sequence[Ngram]) -> list[Ngram]:
    """Of n-grams one inside the other and as frequent, the longer."""
    return [
        row for row in found if not any(row.text in o.text and row != o and o.generated >= row.generated for o in found)
    ]
