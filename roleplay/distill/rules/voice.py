"""How the persons of one book talk, learned from the lines whose speaker a cue names.

    voices = Voices([("咕噜九号", "报告！漏点十一处。完毕。"), ...])
    voices.score("报告！降雨概率百分之零。完毕。")      # {"咕噜九号": 2.5, "铜婆": 0.4}

Weak evidence by choice: scores are capped, and a person with few cued lines has none.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

_FEWEST = 5
_SMOOTH = 2.0
_STRONGEST = 4
_TRUST = 0.5
# About what an act beside the quote counts in evidence.py, and half of a cue.
_CAP = 4.5


class Voices:
    """Pairs of characters, line ends included, that one person uses more than others."""

    def __init__(self, lines: Iterable[tuple[str | None, str]]) -> None:
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        spoken: Counter[str] = Counter()
        total: Counter[str] = Counter()
        for name, text in lines:
            if not name:
                continue
            found = _pairs(text)
            counts[name].update(found)
            total.update(found)
            spoken[name] += 1
        self._weights: dict[str, dict[str, float]] = defaultdict(dict)
        lines_in_all = spoken.total()
        for name, own in counts.items():
            for pair, count in own.items() if spoken[name] >= _FEWEST else ():
                usual = total[pair] / lines_in_all
                # Drawn to the usual rate: three lines with 报告 in six are no habit yet.
                rate = (count + _SMOOTH * usual) / (spoken[name] + _SMOOTH)
                if count > 2 and rate > 1.5 * usual:
                    self._weights[pair][name] = math.log(rate / usual)

    def score(self, text: str) -> dict[str, float]:
        """Each known person whose words the text has; persons left out score 0."""
        found: dict[str, list[float]] = defaultdict(list)
        for pair in _pairs(text):
            for name, weight in self._weights.get(pair, {}).items():
                found[name].append(weight)
        return {
            name: min(_CAP, sum(sorted(own)[-_STRONGEST:]) * _TRUST) for name, own in found.items()
        }


def _pairs(text: str) -> list[str]:
    """Each pair once, in the text's order: a set's changes from run to run, and ties with it."""
    marked = f"^{text.strip()}$"
    return list(dict.fromkeys([*map("".join, pairwise(marked)), marked[-3:]]))
