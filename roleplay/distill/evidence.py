"""How much speaks for each person of being the speaker of one turn, apart from what is said before and after.

    scores = weigh(turn, around, people)          # {"闻筝": 6.5, "铜婆": -1.0, "": -1.0}

The empty name stands for somebody outside the cast. The weights are log weights set by hand on the example
world and on the examples in ``tests/data``; the explicit cue is strongest, a mention long ago weakest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from roleplay.distill.cues import PRONOUNS
from roleplay.distill.people import People
from roleplay.distill.turns import Turn

OTHER = ""
"""Somebody whom the cast does not have."""

_W = {
    "cue": 9.0,
    "stranger": 5.0,
    "fits": 1.2,
    "misfit": -5.0,
    "antecedent": 1.5,
    "act_before": 4.5,
    "act_inside": 5.0,
    "act_after": 4.0,
    "lead": 2.2,
    "follow": 0.3,
    "cut_lead": 2.2,
    "cut_follow": 1.0,
    "object": -1.0,
    "named": -1.5,
    "called": -2.5,
    "self": 5.0,
    "answers": 2.0,
    "called_next": 1.5,
    "recent": -0.15,
    "other": -1.5,
}
_SELF = re.compile(r"(?:我[是叫]|我的名字[是叫]|在下|本官|小的|老夫|贫僧|俺|鄙人|姓[一-鿿]名)[，“‘]?$")
_CALL_EDGE = "，。！？!?…—、；～ “”‘’\n"
_TITLE = re.compile(r"(?:小姐|先生|姑娘|师父|师兄|师弟|师妹|大人|老师|同志|哥|姐|叔|婶|大叔|大婶|大哥|兄弟|兄|妹子)?")


@dataclass
class Around:
    """What stands around a turn: who was seen how long ago, and who is spoken to by the neighbours."""

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
    voices: Mapping[str, float] = field(default_factory=dict)
    cut: bool = False
    """The narration beside the paragraph may belong to it."""


def weigh(turn: Turn, around: Around, people: People, candidates: Sequence[str]) -> dict[str, float]:
    """The score of each candidate."""
    called, named, selves = mentions_inside(turn.text, people)
    pronoun = pronoun_of(turn)
    meant = antecedent(turn, around, people, pronoun)
    scores = {}
    for name in candidates:
        score = _W["other"] if name == OTHER else _W["recent"] * min(around.seen.get(name, 12), 12)
        score += _by_cue(turn, name) + _by_acts(turn, name) + around.voices.get(name, 0.0)
        score += _W["cut_lead" if around.cut else "lead"] * (name == around.lead)
        score += _W["cut_follow" if around.cut else "follow"] * (name == around.follow)
        score += _W["object"] * (name in turn.objects)
        score += _W["self"] if name in selves else _W["called"] * (name in called) + _W["named"] * (name in named)
        score += _W["answers"] * (name in around.called_before) + _W["called_next"] * (name in around.called_after)
        if pronoun and name != OTHER:
            fits = people.fits(name, pronoun)
            score += _W["fits"] * (fits is True) + _W["misfit"] * (fits is False) + _W["antecedent"] * (name == meant)
        scores[name] = score
    return scores


def _by_cue(turn: Turn, name: str) -> float:
    cue = turn.cue
    if cue is None or cue.who in PRONOUNS:
        return 0.0
    return (_W["stranger"] if name == OTHER else 0.0) if cue.who is None else _W["cue"] * (cue.who == name)


def _by_acts(turn: Turn, name: str) -> float:
    """Who acts in the paragraph: next to the quote counts most."""
    if turn.cue and turn.cue.who not in PRONOUNS:
        return 0.0
    before, after = turn.before[-1:], turn.after[:1]
    score = _W["act_inside"] * (name in turn.inside[:1])
    score += _W["act_before"] * (name in before) + _W["act_after"] * (name in after) * (0.4 if turn.before else 1.0)
    return score


def pronoun_of(turn: Turn) -> str | None:
    """The pronoun that stands for the speaker: in the cue, else as the one who acts beside the quote."""
    if turn.cue:
        return turn.cue.who if turn.cue.who in PRONOUNS else None
    for who in (*turn.inside[:1], *turn.before[-1:], *turn.after[:1]):
        if who in PRONOUNS:
            return who
    return None


def antecedent(turn: Turn, around: Around, people: People, pronoun: str | None) -> str | None:
    """Whom the pronoun means: the newest subject that fits, in the paragraph first."""
    if pronoun is None:
        return None
    own = [who for who in reversed([*turn.before, *turn.inside]) if who and who not in PRONOUNS]
    fitting = [name for name in (*own, *around.subjects) if people.fits(name, pronoun) is not False]
    return fitting[0] if fitting else None


def mentions_inside(text: str, people: People) -> tuple[set[str], set[str], set[str]]:
    """(called, otherwise named, named as oneself) within the spoken words."""
    called, named, selves = set(), set(), set()
    for start, end, name in people.names.find(text):
        stop = _TITLE.match(text, end)
        after = text[stop.end() if stop else end :][:1]
        if _SELF.search(text[max(0, start - 8) : start]):
            selves.add(name)
        elif (not start or text[start - 1] in _CALL_EDGE) and (not after or after in _CALL_EDGE):
            called.add(name)
        else:
            named.add(name)
    return called, named, selves
