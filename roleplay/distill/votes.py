"""Who speaks, when the rules and a model were asked: agreement, a focused question, a vote, or ``unknown``.

    settled(rule, first)            # Label, or None: ask once more
    voted(rule, first, focused)     # Label(source="vote") with two of three, else unknown with the reason

The rules' explicit cues (闻筝说：“…”) weigh more than a model that is not sure. Nobody is ever picked by chance.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from roleplay.distill.spans import Label
from roleplay.records import UNKNOWN, Line

EXPLICIT = ("before", "after", "inside")
SURE = 0.7
"""A model's confidence from which it counts as sure."""
_EXPLICIT_CONFIDENCE, _RULE_CONFIDENCE, _AGREED, _VOTED = 0.95, 0.7, 0.95, 0.85


@dataclass(frozen=True)
class Ruling:
    """What the rules say of a span: nobody is None."""

    speaker: str | None
    explicit: bool = False
    confidence: float = _RULE_CONFIDENCE


def ruling(line: Line | None) -> Ruling:
    """The rules' answer in a line of theirs."""
    if line is None or line.char in (None, UNKNOWN):
        return Ruling(None)
    explicit = line.cue in EXPLICIT
    default = _EXPLICIT_CONFIDENCE if explicit else _RULE_CONFIDENCE
    return Ruling(line.char, explicit, default if line.confidence is None else line.confidence)


def settled(rule: Ruling, first: Label | None) -> Label | None:
    """The label where no more questions are needed: both agree, or a cue stands against an unsure model."""
    if rule.speaker is None or first is None:
        return None
    if first.speaker == rule.speaker:
        return first.model_copy(update={"confidence": max(first.confidence, _AGREED)})
    if rule.explicit and (first.speaker is None or first.confidence < SURE):
        update = {"speaker": rule.speaker, "confidence": rule.confidence, "source": "rules", "reason": None}
        return first.model_copy(update=update)
    return None


def voted(number: int, rule: Ruling, first: Label | None, focused: Label | None) -> Label:
    """The speaker that two of the three name; ``unknown`` where no two agree.

    An explicit cue whose model gave no answer at all stands alone.
    """
    base = first or focused or Label(n=number, kind="say")
    votes = [rule.speaker, first.speaker if first else None, focused.speaker if focused else None]
    for name in filter(None, votes):
        if votes.count(name) >= 2:
            return base.model_copy(update={"speaker": name, "confidence": _VOTED, "source": "vote", "reason": None})
    if rule.explicit and votes[1:] == [None, None]:
        update = {"speaker": rule.speaker, "confidence": rule.confidence, "source": "rules", "reason": None}
        return base.model_copy(update=update)
    update = {"speaker": None, "confidence": 0.0, "source": "vote", "reason": _reason(votes)}
    return base.model_copy(update=update)


def _reason(votes: Iterable[str | None]) -> str:
    rule, first, focused = (vote or "nobody" for vote in votes)
    return f"no two agree: rules {rule}, model {first}, asked again {focused}"
