"""How the persons of one book talk, learned from the lines whose speaker a cue names.

    voices = Voices([("咕噜九号", "报告！漏点十一处。完毕。"), ...])
    voices.score("报告！降雨概率百分之零。完毕。")      # {"咕噜九号": 2.5, "铜婆": -0.4, ...}

Weak evidence by choice: the score is capped, and a person with few cued lines has none.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

_FEWEST = 5
_SMOOTH = 2.0
_STRONGEST = 4
_TRUST = 0.5
_CAP = 4.5


class Voices:
    """Pairs of characters (and the marks at a line's ends) that one person uses more than the others."""

    def __init__(self, lines: Iterable[tuple[str, str]]) -> None:
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._lines: Counter[str] = Counter()
        total: Counter[str] = Counter()
        for name, text in lines:
            found = _pairs(text)
            counts[name].update(found)
            total.update(found)
            self._lines[name] += 1
        everyone = max(self._lines.total(), 1)
        self._weights: dict[str, dict[str, float]] = defaultdict(dict)
        for name, own in counts.items():
            if self._lines[name] >= _FEWEST:
                for pair, count in own.items():
                    usual = total[pair] / everyone
                    rate = (count + _SMOOTH * usual) / (self._lines[name] + _SMOOTH)
                    if count > 2 and rate > 1.5 * usual:
                        self._weights[pair][name] = math.log(rate / usual)

    def score(self, text: str) -> dict[str, float]:
        """Each known person whose words the text has; persons left out score 0."""
        found: dict[str, list[float]] = defaultdict(list)
        for pair in _pairs(text):
            for name, weight in self._weights.get(pair, {}).items():
                found[name].append(weight)
        return {name: min(_CAP, sum(sorted(own)[-_STRONGEST:]) * _TRUST) for name, own in found.items()}


def _pairs(text: str) -> set[str]:
    marked = f"^{text.strip()}$"
    return {marked[i : i + 2] for i in range(len(marked) - 1)} | {marked[-3:]}
