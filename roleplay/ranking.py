"""Candidates in order: the one that fits the question, in the right voice, without a fault, first.

    ranker = Ranker(backend, sense)
    ranked = ranker.rank("闻筝", "你怎么又哭了？", prompt, candidates)
    ranked[0].text, ranked[0].reasons

**Fit** is how much likelier a reply becomes by its own prompt than by a neutral one, a token: what
is said to anything ("我只知道身边的事。") gains nothing (Li et al. 2016, arXiv:1510.03055). **Voice**
is the judge's log likelihood of its own character over the best other one. A fault of
:class:`roleplay.sense.Sense`, or a text that stood before, sends a candidate to the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from roleplay.backends.likelihood import count, losses
from roleplay.prompts import ASKER, Prompt
from roleplay.script import format_cue
from roleplay.sense import Sense, letters

_NEUTRAL = {"zh": "嗯。", "en": "Well.", "ja": "うん。"}
_FIT, _FLUENT, _VOICE, _FAULT = 1.3, 0.35, 0.5, 5.0
"""Weights: of the gain by the prompt, the likelihood itself, the voice (nats a token), a fault."""
_OF_DRAWN = {"copy", "template"}
"""Faults of what the model wrote, not of what was written: 110 answers hold a 不知道."""
_KEPT = 4000
"""Losses that are kept."""
_RECALL, _NEAR, _WRITTEN = 8.0, 0.2, 2.2
"""What is recalled gains as far as it is nearer than this, and something for being written."""


@dataclass(frozen=True)
class Ranked:
    """A candidate, its place among those that were drawn, its score, and why it has that."""

    text: str
    place: int
    score: float
    reasons: tuple[tuple[str, float], ...]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ranker:
    """Orders the candidates of a causal model in this process."""

    backend: Any
    sense: Sense
    language: str = "zh"
    _known: dict[tuple[Any, ...], float] = field(default_factory=dict, repr=False, compare=False)
    """Losses by context, cue and body: what was written is met again and again."""

    def rank(
        self,
        character: str,
        question: str,
        prompt: Prompt,
        candidates: Sequence[str],
        recalled: Mapping[str, float] | None = None,
    ) -> list[Ranked]:
        """All candidates, best first.

        Args:
            question: what was said last; empty in a scene.
            prompt: what they answer.
            recalled: of candidates that are the character's own words, how near what was said then
                is to what is said now; these are no copies, nor templates by a word in them.
        """
        *context, cue = prompt.segments
        bodies = [f"{text}\n" for text in candidates]
        own = self._losses(context, cue, bodies)
        neutral = f"{ASKER}：{_NEUTRAL.get(self.language, _NEUTRAL['zh'])}\n"
        before = self._losses([neutral], format_cue(character), bodies)
        seen: set[str] = set()
        ranked = []
        for place, text in enumerate(candidates):
            size = count(self.backend, bodies[place])
            near = (recalled or {}).get(text)
            found = self.sense.faults(character, question, text)
            faults: list[str] = [one for one in found if near is None or one not in _OF_DRAWN]
            if (said := letters(text) or text) in seen:
                faults.append("duplicate")
            seen.add(said)
            reasons = (
                ("fit", _FIT * (before[place] - own[place]) / size),
                ("fluent", -_FLUENT * own[place] / size),
                ("voice", _VOICE * self._voice(character, text)),
                ("recalled", 0.0 if near is None else _WRITTEN + _RECALL * (near - _NEAR)),
                ("faults", -_FAULT * len(faults)),
            )
            score = sum(value for _, value in reasons)
            ranked.append(Ranked(text, place, score, reasons, tuple(faults)))
        return sorted(ranked, key=lambda one: -one.score)

    def _losses(self, context: Sequence[str], cue: str, bodies: Sequence[str]) -> list[float]:
        """As :func:`roleplay.backends.likelihood.losses`; each is computed once."""
        if len(self._known) > _KEPT:
            self._known.clear()
        found = {body: self._known.get((*context, cue, body)) for body in bodies}
        new = [body for body, loss in found.items() if loss is None]
        made = losses(self.backend, context, [(cue, body) for body in new])
        for body, loss in zip(new, made, strict=True):
            found[body] = self._known[(*context, cue, body)] = loss
        return [found[body] or 0.0 for body in bodies]

    def speakers(self, prompt: Prompt, names: Sequence[str]) -> list[str]:
        """Who says the next line of a scene, the likeliest first.

        Args:
            prompt: the scene without a cue.
        """
        costs = losses(self.backend, prompt.segments, [("", format_cue(name)) for name in names])
        return [name for _, name in sorted(zip(costs, names, strict=True))]

    def _voice(self, character: str, text: str) -> float:
        """How much likelier the judge finds the character than the best other one."""
        scores = self.sense.judge.scores(text)
        if len(scores) < 2 or character not in scores:
            return 0.0
        own = scores.pop(character)
        return own - max(scores.values())
