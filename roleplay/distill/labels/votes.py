"""Who speaks, when rules and model were asked: agreement, a focused question, a vote.

    settled(rule, first)            # Label, or None: ask once more
    voted(2, rule, first, focused)  # Label(source="vote") by two of three, else unknown and why

The rules' explicit cues (闻筝说：“…”) weigh more than an unsure model. Nobody is picked by chance.
"""

from dataclasses import dataclass

from roleplay.distill.labels.spans import Label
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
    """The label where nothing need be asked: both agree, or a cue against an unsure model."""
    if rule.speaker is None or first is None:
        return None
    if first.speaker == rule.speaker:
        return first.model_copy(update={"confidence": max(first.confidence, _AGREED)})
    if rule.explicit and (first.speaker is None or first.confidence < SURE):
        return first.told(rule.speaker, rule.confidence, "rules")
    return None


def voted(number: int, rule: Ruling, first: Label | None, focused: Label | None) -> Label:
    """The speaker that two of the three name; ``unknown`` where no two agree.

    An explicit cue whose model gave no answer at all stands alone.
    """
    base = first or focused or Label(n=number, kind="say")
    votes = [rule.speaker, *(label.speaker if label else None for label in (first, focused))]
    for name in filter(None, votes):
        if votes.count(name) >= 2:
            return base.told(name, _VOTED, "vote")
    if rule.explicit and votes[1:] == [None, None]:
        return base.told(rule.speaker, rule.confidence, "rules")
    said = ("rules", "model", "asked again")
    told = ", ".join(f"{who} {vote or 'nobody'}" for who, vote in zip(said, votes, strict=True))
    return base.told(None, 0.0, "vote", f"no two agree: {told}")
