"""How much speaks for each person of being the speaker of one turn, whatever was said around it.

    weigh(turn, around, people, ["闻筝", "铜婆", OTHER])     # {"闻筝": 6.5, "铜婆": -1.0, "": -1.0}

``weights.json`` has the log weights: set by hand, then fitted by ``benchmarks/speakers.py`` to the
example world's script and the seven excerpts of ``tests/data/speakers/tuning``, each with the same
weight, through the smoothing, and drawn to the hand's values.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from roleplay.distill.rules.cues import NARRATORS, PRONOUNS
from roleplay.distill.rules.people import People
from roleplay.distill.rules.turns import Turn

OTHER = ""
"""Somebody whom the cast does not have."""

WEIGHTS: dict[str, float] = json.loads(Path(__file__).with_name("weights.json").read_text("utf-8"))
# What is after a quote is the next person's act as often, if somebody acts before it.
_AFTER_BESIDE_BEFORE = 0.4
# Paragraphs after which a person is as good as gone.
_LONG_AGO = 12
_CALL_EDGE = "，。！？!?…—、；～ “”‘’\n,.;"


@dataclass
class Around:
    """What stands around a turn: who was seen how long ago, and whom the neighbours speak to."""

    seen: Mapping[str, int]
    """Name -> paragraphs since the last mention in the narration or the last cue."""
    subjects: Sequence[str]
    """The last subjects of the narration before, the newest first."""
    lead: str | None = None
    """The last subject of the narration right before the paragraph."""
    follow: str | None = None
    """The first subject of the narration right after it."""
    called_before: frozenset[str] = frozenset()
    called_after: frozenset[str] = frozenset()
    partners: Mapping[str, float] = field(default_factory=dict)
    """Whom a cue or an act shows speaking in the turns around: 1 in the next one, less further
    off.
    """
    voices: Mapping[str, float] = field(default_factory=dict)
    cut: bool = False
    """The narration beside the paragraph may belong to it."""
    apart: bool = False
    """In this book quotes stand alone on their lines, and the narration beside them is theirs."""


def weigh(turn: Turn, around: Around, people: People, names: Sequence[str]) -> dict[str, float]:
    """The score of each candidate: the sum of what speaks for it, each by its weight."""
    found = features(turn, around, people, names)
    return {
        name: around.voices.get(name, 0.0) + sum(WEIGHTS[key] * value for key, value in own.items())
        for name, own in found.items()
    }


def features(
    turn: Turn, around: Around, people: People, names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """What speaks for each candidate: the name of a weight -> how much of it."""
    called, named, selves = mentions_inside(turn.text, people)
    pronoun = pronoun_of(turn)
    meant = antecedent(turn, around, people, pronoun)
    cut = "cut_" if around.cut else "apart_" if around.apart and turn.alone else ""
    result = {}
    for name in names:
        own = _shown(turn, name)
        if name == OTHER:
            own["shared_other" if turn.shared and not turn.adjoins else "other"] = 1
        else:
            own["recent"] = min(around.seen.get(name, _LONG_AGO), _LONG_AGO)
        own[f"{cut}lead"] = name == around.lead
        own[f"{cut}follow"] = name == around.follow
        own["object"] = name in turn.objects
        if name in selves:
            # I am Anna, says a woman whom the cue cannot name.
            own["self"] = 1
            own["cue_other"] = own.get("cue_other", 0) + (turn.cue is not None and not turn.cue.who)
        else:
            own["called"], own["named"] = name in called, name in named
        own["answers"] = name in around.called_before
        own["called_next"] = name in around.called_after
        if name in NARRATORS and not turn.cue:
            own["narrator_thinks" if _is_thought(turn) else "narrator"] = 1
        if pronoun:
            near = name != OTHER and _is_own(turn, meant)
            own["antecedent_own" if near else "antecedent"] = name == meant
            fits = people.fits(name, pronoun) if name != OTHER else None
            own["fits"], own["misfit"] = fits is True, fits is False
        result[name] = {key: float(value) for key, value in own.items() if value}
    return result


def _shown(turn: Turn, name: str) -> dict[str, float]:
    """By the cue, or by who acts in the paragraph: next to the quote counts most."""
    if turn.cue and turn.cue.who is None:
        return {"cue_other": name == OTHER}
    if turn.cue and turn.cue.who not in PRONOUNS:
        return {"cue": turn.cue.who == name}
    share = _AFTER_BESIDE_BEFORE if turn.before else 1.0
    return {
        "act_before": name in turn.before[-1:],
        "act_inside": name in turn.inside[:1],
        "act_after": share * (name in turn.after[:1]),
    }


def pronoun_of(turn: Turn) -> str | None:
    """The pronoun that stands for the speaker: in the cue, else as the one who acts beside it."""
    if turn.cue:
        return turn.cue.who if turn.cue.who in PRONOUNS else None
    beside = (*turn.inside[:1], *turn.before[-1:], *turn.after[:1])
    return next((who for who in beside if who in PRONOUNS), None)


def antecedent(turn: Turn, around: Around, people: People, pronoun: str | None) -> str | None:
    """Whom the pronoun means: the newest subject that fits, in the paragraph first."""
    if pronoun is None:
        return None
    own = [who for who in reversed([*turn.before, *turn.inside]) if who and who not in PRONOUNS]
    newest = (*own, *around.subjects)
    return next((name for name in newest if people.fits(name, pronoun) is not False), None)


def _is_thought(turn: Turn) -> bool:
    return turn.thought or all(quote.kind == "thought" for quote in turn.quotes)


def _is_own(turn: Turn, name: str | None) -> bool:
    """Whether the narration of the turn itself names him before the pronoun."""
    return name is not None and name in (*turn.before, *turn.inside)


def mentions_inside(text: str, people: People) -> tuple[set[str], set[str], set[str]]:
    """(called, otherwise named, named as oneself) within the spoken words."""
    called, named, selves = set[str](), set[str](), set[str]()
    for start, end, name in people.names.find(text):
        if name in NARRATORS:
            continue
        title = people.grammar.title.match(text, end)
        after = text[title.end() if title else end :][:1]
        itself = people.grammar.oneself.search(text[max(0, start - 12) : start])
        if itself or people.grammar.oneself_after.match(text, end):
            selves.add(name)
        # 青青，… or …，青青！ between two marks is a call; 我找青青。 is not.
        elif (not start or text[start - 1] in _CALL_EDGE) and (not after or after in _CALL_EDGE):
            called.add(name)
        else:
            named.add(name)
    return called, named, selves
