"""Which of the ranked hits are shown: no two that say one thing, and no more than a budget holds.

    >>> choose([(0.9, "最喜欢桂花糕。"), (0.8, "最喜欢桂花糕！"), (0.3, "养了一只猫。")], k=2, ...)   # the first and the third

Two texts say one thing when they share most of their character pairs, or when the shorter one's pairs are
nearly all in the longer. Nothing is scored here.
"""

from collections.abc import Callable, Iterable

from kb.duplicates import bigrams

_ALIKE, _CONTAINED = 0.6, 0.75
# A stub's few pairs are easily in any longer text.
_TOO_SHORT_TO_JUDGE = 5


def choose(
    texts: Iterable[tuple[str, str]], *, k: int, budget: int | None = None, count: Callable[[str], int] = len
) -> list[int]:
    """Places of the first `k` that fit the budget together and do not repeat one another.

    `texts` are (what it says, what is shown and counted), best first; what does not fit is passed over.
    """
    chosen: list[int] = []
    seen: list[frozenset[str]] = []
    left = budget
    for place, (said, shown) in enumerate(texts):
        if len(chosen) == k:
            break
        pairs = bigrams(said)
        if any(says_the_same(pairs, other) for other in seen):
            continue
        if left is not None:
            size = count(shown)
            if size > left:
                continue
            left -= size
        chosen.append(place)
        seen.append(pairs)
    return chosen


def says_the_same(left: frozenset[str], right: frozenset[str]) -> bool:
    """True when six tenths of all pairs are shared, or three quarters of the shorter text's."""
    shared = len(left & right)
    shorter = min(len(left), len(right))
    return shared >= _ALIKE * len(left | right) or (shorter >= _TOO_SHORT_TO_JUDGE and shared >= _CONTAINED * shorter)
