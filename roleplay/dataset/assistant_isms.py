"""Assistant-isms: what assistants write and no character says.

    isms = learn(world.read_interviews(), [line.text for line in script if line.kind == "say"])
    isms.sounds_generated("总的来说，希望这些对你有所帮助。")      # True

Two signs: a phrase of ``texts/assistant_phrases.txt`` (regular expressions), and n-grams of
characters far more frequent in generated interviews than in what the novel's people say. The second
is the log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi, Quinn 2008, equations
15-22): with counts y of a word in n words of each text and prior a_w = a * (share in both),

    delta = log((y1 + a_w) / (n1 + a - y1 - a_w)) - log((y2 + a_w) / (n2 + a - y2 - a_w))
    z     = delta / sqrt(1 / (y1 + a_w) + 1 / (y2 + a_w))

What only one or two characters write is their voice and no assistant-ism: an n-gram counts if three
characters share it (or all, where there are fewer).
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roleplay.dataset.texts import words
from roleplay.records import Interview

# Most Chinese words have two characters: from three on an n-gram is a turn of phrase.
_SIZES = (3, 4, 5)
_PRIOR = 500.0  # a in the formula above: how many words of evidence the prior is worth.
_FEWEST = 5
_LEAST_Z = 3.0
# z alone grows with the length of the texts, so the share must be this many times larger as well.
_RATIO = 8.0
_SHARED_BY = 3
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True)
class Ngram:
    """An overused n-gram: its z score, and how many texts of each kind hold it."""

    text: str
    z: float
    generated: int
    novel: int


@dataclass(frozen=True)
class AssistantIsms:
    """What sounds generated in one world: the phrases, and its n-grams, the strongest first."""

    ngrams: tuple[Ngram, ...] = ()

    def signs(self, text: str) -> list[str]:
        """The phrases and n-grams that ``text`` holds."""
        matches = (re.search(phrase, text) for phrase in words("assistant_phrases"))
        found = [match.group() for match in matches if match]
        return found + [row.text for row in self.ngrams if row.text in text]

    def sounds_generated(self, text: str) -> bool:
        """Whether there is one."""
        return bool(self.signs(text))


def learn(interviews: Sequence[Interview], novel: Iterable[str]) -> AssistantIsms:
    """The n-grams that interviews overuse against ``novel``, what its people say.

    Those a model wrote are taken, or all where none is marked as such.
    """
    generated = [row for row in interviews if row.generated] or interviews
    ours = Counter(gram for row in generated for gram in _grams(row.answer))
    theirs = Counter(gram for text in novel for gram in _grams(text))
    total, other = max(ours.total(), 1), max(theirs.total(), 1)
    sharing = min(_SHARED_BY, len({row.character for row in generated}))
    found = []
    for gram, count in ours.items():
        if count < _FEWEST or count / total < _RATIO * (theirs[gram] + 0.5) / other:
            continue
        z = log_odds(count, total, theirs[gram], other)
        users = {row.character for row in generated if gram in row.answer}
        if z >= _LEAST_Z and len(users) >= sharing:
            found.append(Ngram(gram, round(z, 2), count, theirs[gram]))
    found.sort(key=lambda row: (-row.z, -len(row.text), row.text))
    # Of n-grams one inside the other and as frequent, the longer is kept.
    inside = {
        row.text
        for row in found
        for other in found
        if row.text in other.text and row != other and other.generated >= row.generated
    }
    return AssistantIsms(tuple(row for row in found if row.text not in inside))


def log_odds(ours: int, total: int, theirs: int, other: int) -> float:
    """z of a word that stands ``ours`` times in ``total`` words and ``theirs`` in ``other``."""
    prior = _PRIOR * (ours + theirs) / (total + other)
    first = math.log((ours + prior) / (total + _PRIOR - ours - prior))
    second = math.log((theirs + prior) / (other + _PRIOR - theirs - prior))
    return (first - second) / math.sqrt(1 / (ours + prior) + 1 / (theirs + prior))


def _grams(text: str) -> set[str]:
    """Each n-gram of a text once, within runs of letters and digits."""
    runs = _WORDS.findall(text)
    return {
        run[at : at + size] for run in runs for size in _SIZES for at in range(len(run) - size + 1)
    }
