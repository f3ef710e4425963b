"""How often a speaker named by a rule with a chance is right, as measured on books.

    calibrated("action", 0.9)      # 0.98: who acts beside his words nearly always says them
    calibrated("alternation", 0.9) # 0.82

``calibration.json`` has two numbers a kind of rule, a and b:
confidence = 1 / (1 + exp(-(a + b * logit(chance)))).
They were fitted by ``benchmarks/speakers.py`` on the example world and on seven labelled excerpts
of other styles and languages (``tests/data/speakers/tuning``), each with the same weight.
"""

import json
import math
from pathlib import Path

_FITTED: dict[str, list[float]] = json.loads(
    Path(__file__).with_name("calibration.json").read_text("utf-8")
)
_KIND = {"before": "cue", "after": "cue", "inside": "cue", "pronoun": "pronoun", "action": "action"}
# A chance of 1 has no logit.
_EDGE = 0.02, 0.999


def calibrated(rule: str, chance: float) -> float:
    """The confidence for a chance that the rule's candidate has in the smoothing."""
    a, b = _FITTED[kind_of(rule)]
    chance = inside(chance)
    return 1 / (1 + math.exp(-(a + b * math.log(chance / (1 - chance)))))


def kind_of(rule: str) -> str:
    """The kind of a rule: each has a curve of its own."""
    return _KIND.get(rule, "turns")


def inside(chance: float) -> float:
    """A chance that has a logit."""
    return min(max(chance, _EDGE[0]), _EDGE[1])
