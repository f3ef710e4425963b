"""Who speaks each quote of a text, by rules, with the rule's name and how sure it is.

    verdicts = tell_speakers(text, read_blocks(text), People({"闻筝": ("小筝",), "铜婆": ()}), book=True)
    verdicts[0].chances      # {"闻筝": .97, "铜婆": .02, "": .01}

Cues, pronouns, acts and names called give each turn its evidence (:mod:`evidence`), a book's own
voices add to it (:mod:`voice`), and the order of the turns joins it (:mod:`smoothing`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from roleplay.distill.rules.cues import NARRATORS, PRONOUNS
from roleplay.distill.rules.evidence import (
    OTHER,
    WEIGHTS,
    Around,
    mentions_inside,
    pronoun_of,
    weigh,
)
from roleplay.distill.rules.people import People
from roleplay.distill.rules.smoothing import Link, smooth
from roleplay.distill.rules.turns import Block, Turn, read_turns
from roleplay.distill.rules.voice import Voices

# Whoever was seen in so many paragraphs before a turn, or is in so many after it, may speak it.
_REACH = 15
_AHEAD = 3
# More candidates make it slow (smoothing looks at all triples of them) and no better.
_MOST = 7
_BY_VOICE = 2
_PARTNERS = 3
_SUBJECTS = 9
# An answer comes within so many paragraphs; names called count for so many turns around.
_ANSWERED = 2
_CALLED = 3
# Paragraphs of narration between two turns, up to which it matters how many they are.
_NEAR = 3
# Whoever is called is there, as if told of so many paragraphs ago.
_HEARD = 4
_BEYOND_DOUBT = 0.9
# A book of so many turns has cues enough for its voices.
_MANY = 4000
# A conversation's partners are those shown in so many turns before and after.
_TALK = 6
_CLEAR_VOICE = 1.5
# In a translated light novel nearly every quote stands alone on its line.
_APART_SHARE = 0.9


@dataclass(frozen=True)
class Verdict:
    """The chances of the candidates of one turn, and by which rule the first one leads."""

    turn: Turn
    chances: dict[str, float]
    rule: str

    @property
    def best(self) -> str:
        """The likeliest candidate; empty for somebody outside the cast."""
        return max(self.chances, key=lambda name: self.chances[name])


def tell_speakers(
    text: str, blocks: Sequence[Block], people: People, *, book: bool, cut: bool = False
) -> list[Verdict]:
    """A verdict for each turn; ``book``: learn voices, and allow for persons outside the cast.

    ``cut``: the paragraphs are cut into sentences, so that the narration beside a quote may belong
    to it.
    """
    turns = read_turns(text, blocks, people)
    shown = [_shown(turn) for turn in turns]
    links = [_link(turns, i) for i in range(len(turns))]
    around = list(_surroundings(blocks, turns, people, book=book, cut=cut))
    # A window has its candidates given, and too few turns to tell who talks to whom.
    for i, near in enumerate(around if book else ()):
        near.partners = _partners(turns, shown, i)
    found: list[dict[str, float]] = []
    # Twice in a book: at first voices are learned from the lines with a cue, then from all clear
    # ones.
    for _ in range(2 if book and len(turns) < _MANY else 1):
        voices = Voices(zip(shown, (turn.text for turn in turns), strict=True) if book else ())
        for turn, near in zip(turns, around, strict=True):
            # A cue that names somebody needs no voice beside it.
            cued = turn.cue is not None and turn.cue.who not in (None, *PRONOUNS)
            near.voices = {} if cued else voices.score(turn.text)
        scores = [
            _scores(turn, near, people, book=book) for turn, near in zip(turns, around, strict=True)
        ]
        found = smooth(scores, links)
        shown = [who or _clear(chances) for who, chances in zip(shown, found, strict=True)]
    best = [max(chances, key=lambda name: chances[name]) for chances in found]
    return [
        Verdict(turn, found[i], _rule(turn, best, i, around[i].voices))
        for i, turn in enumerate(turns)
    ]


def _clear(chances: Mapping[str, float]) -> str | None:
    """Who speaks beyond doubt, if anybody does."""
    name = max(chances, key=lambda one: chances[one])
    return name if name and chances[name] >= _BEYOND_DOUBT else None


def _shown(turn: Turn) -> str | None:
    """Who speaks, where a cue or the paragraph's only actor shows it."""
    if turn.cue and turn.cue.who not in PRONOUNS:
        return turn.cue.who
    return turn.actors[0] if len({*turn.actors}) == 1 else None


def _partners(turns: Sequence[Turn], shown: Sequence[str | None], i: int) -> dict[str, float]:
    """Who is shown speaking in the turns around turn ``i``, the nearest most."""
    found: dict[str, float] = {}
    for j in range(max(0, i - _TALK), min(len(turns), i + _TALK + 1)):
        who, far = shown[j], abs(turns[j].block - turns[i].block)
        if j != i and who and far <= _REACH:
            found[who] = max(found.get(who, 0.0), 1 - (abs(i - j) - 1) / _TALK)
    return found


def _scores(turn: Turn, around: Around, people: People, *, book: bool) -> dict[str, float]:
    if not book:
        return weigh(turn, around, people, people.all)
    if turn.cue and turn.cue.who and turn.cue.who not in PRONOUNS:
        return {turn.cue.who: 0.0}
    nearest = sorted(around.seen, key=lambda name: around.seen[name])[:_MOST]
    partners = sorted(around.partners, key=lambda name: -around.partners[name])[:_PARTNERS]
    by_voice = sorted(around.voices, key=lambda name: -around.voices[name])[:_BY_VOICE]
    names = [*partners, *nearest, *by_voice, *(who for who in turn.actors if who), OTHER]
    return weigh(turn, around, people, list(dict.fromkeys(names)))


def _link(turns: Sequence[Turn], i: int) -> Link:
    """How turn ``i`` hangs on those before it."""
    same, back = link_features(turns, i)
    return Link(sum(WEIGHTS[key] for key in same), sum(WEIGHTS[key] for key in back))


def link_features(turns: Sequence[Turn], i: int) -> tuple[list[str], list[str]]:
    """The weights for the same speaker as in the turn before, and as in the one before that.

    They go by the paragraphs of narration between: few answer themselves, and the one before the
    last comes back.
    """
    if not i:
        return [], []
    turn, cue, here = turns[i], turns[i].cue, turns[i].block == turns[i - 1].block
    # 阿岚说：“谁？”她想：“莫非是他？” is one person still.
    still = here and cue is not None and cue.thought and cue.who in PRONOUNS
    if turn.continues or still:
        return ["continued"], []
    near = pairwise(turns[max(0, i - 2) : i + 1])
    gaps = [max(0, turn.block - before.block - 1) for before, turn in near]
    same = [f"same_{gaps[-1]}" if gaps[-1] < _NEAR else "same_far"]
    wide = sum(gaps) if i > 1 else _NEAR
    if wide >= _NEAR:
        return same, []
    bare = not (turn.before or turn.inside or turn.after)
    return same, [f"back_{wide}", *(["back_bare"] if bare else [])]


def _rule(turn: Turn, best: Sequence[str], i: int, voices: Mapping[str, float]) -> str:
    """By which rule the best candidate of turn ``i`` leads."""
    name, cue = best[i], turn.cue
    if cue and cue.who == (name or None):
        return cue.rule
    if turn.continues and i and best[i - 1] == name:
        return "continued"
    if name in turn.actors:
        return "pronoun" if cue else "action"
    if pronoun_of(turn):
        return "pronoun"
    if voices.get(name, 0.0) >= _CLEAR_VOICE:
        return "voice"
    return "alternation" if i > 1 and best[i - 2] == name else "nearest"


def _narration(
    blocks: Sequence[Block], people: People, *, book: bool
) -> tuple[list[list[tuple[str, bool]]], list[list[str]]]:
    """Whom each paragraph mentions and whether that one acts; its subjects, if none speaks."""
    mentioned: list[list[tuple[str, bool]]] = []
    narration: list[list[str]] = []
    newest: list[str] = []
    for block in blocks:
        acting = []
        for who in (
            who for gap in block.plain for who in people.grammar.subjects(gap, people.names)
        ):
            if who in PRONOUNS:
                fitting = (name for name in newest if people.fits(name, who) is not False)
                # In a window those whom a pronoun means may stand before its first sentence.
                who = next(fitting, None) if book and not block.quotes else who
            acting.append(who or OTHER)
            if who not in PRONOUNS:
                newest = [who or OTHER, *(one for one in newest[: _SUBJECTS - 1] if one != who)]
        told = people.names.find("\n".join(block.plain))
        found = [(who, who in acting) for _, _, who in told]
        meant = [(who, True) for who in acting if who not in {name for name, _ in found}]
        mentioned.append([*found, *(pair for pair in meant if pair[0] not in PRONOUNS)])
        named = [who for who in acting if who not in (*PRONOUNS, OTHER)]
        narration.append([] if block.quotes else named)
    return mentioned, narration


def _recently(
    last: Mapping[str, int], ahead: Sequence[Sequence[tuple[str, bool]]], at: int
) -> dict[str, int]:
    """How many paragraphs before or after paragraph ``at`` the narration tells of somebody."""
    recent = takewhile(lambda one: at - one[1] <= _REACH, reversed(list(last.items())))
    seen = {name: at - when for name, when in recent if name != OTHER}
    for far, names in enumerate(ahead, 1):
        for name, _ in names:
            if name != OTHER:
                seen[name] = min(seen.get(name, _REACH), far)
    return seen


def _surroundings(
    blocks: Sequence[Block], turns: Sequence[Turn], people: People, *, book: bool, cut: bool
) -> Iterator[Around]:
    """What stands around each turn: reads the narration forwards, once."""
    mentioned, narration = _narration(blocks, people, book=book)
    apart = sum(turn.alone for turn in turns) > _APART_SHARE * len(turns)
    inside = [mentions_inside(turn.text, people) for turn in turns]
    called = [frozenset(names) for names, _, _ in inside]
    known = [names | selves for names, _, selves in inside]
    narrator = dict.fromkeys(set(people.all).intersection(NARRATORS), 1)
    last: dict[str, int] = {}
    told: dict[str, int] = {}
    order: list[str] = []
    done = 0
    for i, turn in enumerate(turns):
        at = turn.block
        for index in range(done, at):
            for name, acts in mentioned[index]:
                # Put anew at the end: the newest last.
                last.pop(name, None)
                last[name] = index
                if acts:
                    order = [*(one for one in order[1 - _SUBJECTS :] if one != name), name]
        if done < at or not i:
            told = _recently(last, mentioned[at : at + _AHEAD + 1], at)
        done = at
        seen = dict(told)
        # Sorted: a set's order changes from run to run, and with it who of equals is let in.
        for name in sorted(set[str]().union(*known[max(0, i - _CALLED) : i + _CALLED + 1])):
            seen.setdefault(name, _HEARD if book else _REACH)
        # Whoever tells the story is always there.
        seen |= narrator
        lead, follow = (narration[at - 1] if at else []), narration[at + 1 : at + 2]
        answers = i > 0 and at - turns[i - 1].block <= _ANSWERED
        asks = i + 1 < len(turns) and turns[i + 1].block - at <= _ANSWERED
        yield Around(
            seen=seen,
            subjects=order[::-1],
            lead=lead[-1] if lead else None,
            follow=follow[0][0] if follow and follow[0] else None,
            called_before=called[i - 1] if answers else frozenset(),
            called_after=called[i + 1] if asks else frozenset(),
            cut=cut,
            apart=apart,
        )
