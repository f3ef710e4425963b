"""Texts that say the same: among very many in seconds, and among the few hits that are shown.

    >>> list(similar_pairs(["她在河边点了一盏灯，漂远了。", "杜若养猫。", "她在河边点了一盏灯漂远了！"]))
    [(2, 0)]

All is counted in character bigrams. `similar_pairs` finds Jaccard >= 0.9: texts are compared where
their MinHash signatures agree in one of eight bands (Broder, On the resemblance and containment of
documents, 1997). Texts that are just 0.9 alike meet with 99.8 %, the same text always.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

THRESHOLD = 0.9
# Six hashes must agree in one of eight bands: 1 - (1 - 0.9^6)^8 = 99.8 % of what is 0.9 alike.
_BANDS, _ROWS = 8, 6
# Boilerplate that stands on every page: compared with the first of its kind, not with all of them.
_MOST_COMPARED = 20
# A paraphrase keeps most pairs of a fact; two facts about one thing share far fewer.
_ALIKE, _CONTAINED = 0.6, 0.75
# A stub's few pairs are easily in any longer text.
_TOO_SHORT_TO_JUDGE = 5
_NO_WORD = re.compile(r"\W+")
_NUMBER = re.compile(r"[0-9０-９零〇一二两三四五六七八九十百千万廿卅半]+")


def similar_pairs(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """(number, earlier number) of texts that are alike, numbers rising; of each kind the first."""
    sets = [bigrams(text) for text in texts]
    bands = [(keys, dict[bytes, list[int]]()) for keys in _band_keys(sets)]
    for number, pairs in enumerate(sets):
        buckets = [seen.setdefault(keys[number], []) for keys, seen in bands]
        for other in sorted({other for bucket in buckets for other in bucket}):
            shared = len(pairs & sets[other])
            if shared >= THRESHOLD * (len(pairs) + len(sets[other]) - shared):
                yield number, other
        for bucket in buckets:
            if len(bucket) < _MOST_COMPARED:
                bucket.append(number)


def choose(texts: Iterable[str], *, k: int) -> list[int]:
    """Places of the first `k` texts, best first, that do not repeat one another.

    One repeats another when they share six tenths of their pairs, or three quarters of the
    shorter one's.
    """
    chosen: dict[int, frozenset[str]] = {}
    for place, text in enumerate(texts):
        if len(chosen) == k:
            break
        pairs = bigrams(text)
        if not any(_says_the_same(pairs, other) for other in chosen.values()):
            chosen[place] = pairs
    return list(chosen)


def bigrams(text: str) -> frozenset[str]:
    """Pairs of neighbouring characters, marks and blanks left out; one alone is its own pair."""
    letters = _NO_WORD.sub("", text)
    return frozenset(map("".join, pairwise(letters))) or frozenset([letters])


def numbers_in(text: str) -> list[str]:
    """The numerals of a text in order: two texts that differ in one do not say the same."""
    return _NUMBER.findall(text)


def _band_keys(sets: Sequence[frozenset[str]]) -> Iterator[list[bytes]]:
    """Of each band one key a set, its six smallest hashes: equal keys are worth comparing."""
    if not sets:
        return
    # Each pair as one number, whose rank is the same in every process, unlike its place in a set.
    pairs = "".join(pair.ljust(2, "\0") for members in sets for pair in members)
    codes = np.frombuffer(pairs.encode("utf-32-le"), dtype=np.uint64)
    kinds, ids = np.unique(codes, return_inverse=True)
    starts = np.cumsum([0, *map(len, sets[:-1])])
    random = np.random.default_rng(20_240_229)
    for _ in range(_BANDS):
        # int32 [sets, 6]: the smallest place of each set's pairs in six random orders of all pairs.
        orders = (random.permutation(len(kinds)).astype(np.int32) for _ in range(_ROWS))
        rows = np.stack([np.minimum.reduceat(order[ids], starts) for order in orders], axis=1)
        yield [row.tobytes() for row in rows]


def _says_the_same(left: frozenset[str], right: frozenset[str]) -> bool:
    shared, shorter = len(left & right), min(len(left), len(right))
    contained = shorter >= _TOO_SHORT_TO_JUDGE and shared >= _CONTAINED * shorter
    return contained or shared >= _ALIKE * len(left | right)
