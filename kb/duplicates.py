"""Near-duplicates among many texts, in seconds for a hundred thousand: character bigrams, Jaccard >= 0.9.

    >>> similar_pairs(["沈灯在河边点了一盏灯，看它慢慢漂远。", "杜若养猫。", "沈灯在河边点了一盏灯，看它慢慢漂远了。"])
    ... # yields (2, 0)

Two texts that share nine tenths of their bigrams share at least one of the rarest tenth of either (prefix filtering:
Chaudhuri, Ganti and Kaushik, A Primitive Operator for Similarity Joins, 2006), so that only texts that meet in such a
rare bigram are compared.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

THRESHOLD = 0.9
_NO_WORD = re.compile(r"\W+")
_NUMBER = re.compile(r"[0-9０-９零〇一二两三四五六七八九十百千万廿卅半]+")
# A bigram that stands in this many kept texts tells nothing: boilerplate would cost the square of its copies.
_LONGEST_LIST = 2_000


def similar_pairs(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """(number, earlier number) of every two texts that are alike; numbers rise, and the same text is alike too."""
    sets = [bigrams(text) for text in texts]
    counts = Counter(pair for pairs in sets for pair in pairs)
    seen_in: dict[str, list[int]] = {}
    for number, pairs in enumerate(sets):
        rare = sorted(pairs, key=lambda pair: (counts[pair], pair))
        rare = rare[: len(pairs) - math.ceil(THRESHOLD * len(pairs)) + 1]
        earlier = {other for pair in rare for other in seen_in.get(pair, ())}
        yield from ((number, other) for other in sorted(earlier) if _alike(pairs, sets[other]))
        for pair in rare:
            numbers = seen_in.setdefault(pair, [])
            if len(numbers) < _LONGEST_LIST:
                numbers.append(number)


def bigrams(text: str) -> frozenset[str]:
    """Pairs of neighbouring characters, marks and blanks left out; one character alone is its own pair."""
    letters = _NO_WORD.sub("", text)
    return frozenset(letters[i : i + 2] for i in range(max(len(letters) - 1, 1)))


def numbers_in(text: str) -> list[str]:
    """The numerals of a text in order: two texts that differ in one do not say the same."""
    return _NUMBER.findall(text)


def _alike(left: frozenset[str], right: frozenset[str]) -> bool:
    if min(len(left), len(right)) < THRESHOLD * max(len(left), len(right)):
        return False
    shared = len(left & right)
    return shared >= THRESHOLD * (len(left) + len(right) - shared)
