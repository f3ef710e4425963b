"""Who speaks each quote of a text, by rules, with the rule's name and how sure it is.

    verdicts = tell_speakers(text, paragraph_spans(text), People({"闻筝": ("小筝",), "铜婆": ()}), book=True)
    verdicts[0].chances      # {"闻筝": .97, "铜婆": .02, "": .01}

Cues, pronouns, acts and names called give each turn its own evidence (:mod:`evidence`), a book's own voices
add to it (:mod:`voice`), and the order of the turns joins it (:mod:`chain`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roleplay.distill.chain import Link, chances
from roleplay.distill.cues import PRONOUNS, subjects
from roleplay.distill.evidence import OTHER, Around, mentions_inside, pronoun_of, weigh
from roleplay.distill.people import People
from roleplay.distill.turns import Block, Turn, read_turns
from roleplay.distill.voice import Voices

_REACH = 15
_AHEAD = 3
_MOST = 7
_SAME = (-3.0, -1.3, -0.3)
_BACK = (1.8, 0.6, 0.2)
_CONTINUED = 6.0
_CLEAR_VOICE = 1.5


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

    ``cut``: the paragraphs are cut into sentences, so that the narration beside a quote may belong to it.
    """
    turns = read_turns(text, blocks, people.names)
    if not turns:
        return []
    reader = _Surroundings(blocks, turns, people, _voices(turns) if book else None, cut=cut)
    scores = [_scores(turn, reader.around(i), people, book=book) for i, turn in enumerate(turns)]
    found = chances(scores, [_link(turns, i) for i in range(len(turns))])
    best = [max(chance, key=lambda name: chance[name]) for chance in found]
    return [
        Verdict(turn, chance, _rule(turn, best, i, reader.voice(i)))
        for i, (turn, chance) in enumerate(zip(turns, found, strict=True))
    ]


def _voices(turns: Sequence[Turn]) -> Voices:
    """The voices of the persons whom a cue or the paragraph's only actor names."""
    return Voices((who, turn.text) for turn in turns if (who := _shown(turn)))


def _shown(turn: Turn) -> str | None:
    """Who speaks, where the paragraph itself shows it."""
    if turn.cue and turn.cue.who not in PRONOUNS:
        return turn.cue.who
    actors = [who for who in (*turn.before, *turn.inside, *turn.after) if who not in PRONOUNS]
    return actors[0] if actors and len({*actors}) == 1 else None


def _scores(turn: Turn, around: Around, people: People, *, book: bool) -> dict[str, float]:
    cue = turn.cue
    if book and cue and cue.who and cue.who not in PRONOUNS:
        return {cue.who: 0.0}
    if not book:
        return weigh(turn, around, people, people.all)
    nearest = sorted(around.seen, key=lambda name: around.seen[name])[:_MOST]
    by_voice = sorted(around.voices, key=lambda name: -around.voices[name])[:2]
    beside = [who for who in (*turn.before, *turn.inside, *turn.after) if who and who not in PRONOUNS]
    return weigh(turn, around, people, list(dict.fromkeys([*nearest, *by_voice, *beside, OTHER])))


def _link(turns: Sequence[Turn], i: int) -> Link:
    """How turn ``i`` hangs on those before it: less with each paragraph of narration between."""
    if not i:
        return Link()
    turn, gap = turns[i], max(0, turns[i].block - turns[i - 1].block - 1)
    if turn.continues:
        return Link(same=_CONTINUED)
    same = _SAME[gap] if gap < len(_SAME) else 0.0
    wide = gap + (max(0, turns[i - 1].block - turns[i - 2].block - 1) if i > 1 else 9)
    return Link(same=same, back=_BACK[wide] if wide < len(_BACK) else 0.0)


def _rule(turn: Turn, best: Sequence[str], i: int, voices: dict[str, float]) -> str:
    """By which rule the best candidate of turn ``i`` leads."""
    name, cue = best[i], turn.cue
    if cue and cue.who == (name or None):
        return cue.rule
    if turn.continues and i and best[i - 1] == name:
        return "continued"
    if name in (*turn.before, *turn.inside, *turn.after):
        return "pronoun" if cue else "action"
    if pronoun_of(turn):
        return "pronoun"
    if voices.get(name, 0.0) >= _CLEAR_VOICE:
        return "voice"
    return "alternation" if i > 1 and best[i - 2] == name else "nearest"


class _Surroundings:
    """Reads the narration around the turns, forwards, once."""

    def __init__(
        self, blocks: Sequence[Block], turns: Sequence[Turn], people: People, voices: Voices | None, *, cut: bool
    ) -> None:
        self._cut = cut
        self._turns = turns
        self._people = people
        self._seen: dict[int, list[tuple[str, bool]]] = {}
        self._narration: dict[int, list[str | None]] = {}
        for index, block in enumerate(blocks):
            told = "\n".join(block.plain)
            found = [who for gap in block.plain for who in subjects(gap, people.names)]
            acting = {who for who in found if who}
            self._seen[index] = [(who, who in acting) for _, _, who in people.names.find(told)]
            if not block.quotes:
                self._narration[index] = found
        self._called = [frozenset(mentions_inside(turn.text, people)[0]) for turn in turns]
        self._voices = [voices.score(turn.text) if voices else {} for turn in turns]
        self._last: dict[str, int] = {}
        self._order: list[str] = []
        self._done = 0

    def voice(self, i: int) -> dict[str, float]:
        """The voices heard in turn ``i``."""
        return self._voices[i]

    def around(self, i: int) -> Around:
        """What stands around turn ``i``; to be called in order."""
        turn = self._turns[i]
        self._advance(turn.block)
        seen = {name: turn.block - at for name, at in self._last.items() if turn.block - at <= _REACH}
        for at in range(turn.block, turn.block + _AHEAD + 1):
            for name, _ in self._seen.get(at, ()):
                seen[name] = min(seen.get(name, _REACH), at - turn.block + 1)
        for name in (*self._named_near(i),):
            seen.setdefault(name, _REACH)
        before, after = self._narration.get(turn.block - 1) or [], self._narration.get(turn.block + 1) or []
        return Around(
            seen=seen,
            subjects=self._order[::-1],
            lead=next((who for who in reversed(before) if who and who not in PRONOUNS), None),
            follow=next((who for who in after if who and who not in PRONOUNS), None),
            called_before=self._called[i - 1] if i and turn.block - self._turns[i - 1].block <= 2 else frozenset(),
            called_after=self._next_called(i),
            voices=self._voices[i],
            cut=self._cut,
        )

    def _next_called(self, i: int) -> frozenset[str]:
        near = i + 1 < len(self._turns) and self._turns[i + 1].block - self._turns[i].block <= 2
        return self._called[i + 1] if near else frozenset()

    def _named_near(self, i: int) -> set[str]:
        """Who is called in the turns near ``i``."""
        near = range(max(0, i - 3), min(len(self._turns), i + 4))
        return {name for t in near for name in self._called[t]}

    def _advance(self, block: int) -> None:
        """Take in the narration of the paragraphs before ``block``."""
        for index in range(self._done, block):
            for name, acts in self._seen.get(index, ()):
                self._last[name] = index
                if acts:
                    self._order = [*(other for other in self._order[-8:] if other != name), name]
        self._done = max(self._done, block)
