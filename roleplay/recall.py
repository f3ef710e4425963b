"""What a character once answered to something like it: in talk, an interview or the novel.

    recall = Recall(exchanges, vectors, embed)
    recall.near("闻筝", "晚安，明天见。", 2)    # [Recalled("晚安，别熬夜拧管子。", "就剩半圈……", 0.71)]

Vectors are of what was said, and of a follow-up together with the answer that it follows: "why?"
alone is near to every other "why?". A reply that is recalled is the character's own words; whether
it fits what was said now is for the ranker to tell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Embed = Callable[[Sequence[str]], Any]
"""Texts -> float32 [texts, d], each of length 1."""


@dataclass(frozen=True)
class Exchange:
    """What was said to ``character``, and its answer; ``before`` is what it answered before."""

    character: str
    said: str
    answer: str
    before: str = ""

    @property
    def key(self) -> str:
        """What an exchange is found by."""
        return key_of(self.said, self.before)


def key_of(said: str, before: str) -> str:
    """What is said, after the answer that it follows."""
    return f"{before} {said}" if before else said


@dataclass(frozen=True)
class Recalled:
    """An exchange that is near, and how near: the cosine of what was said then and now."""

    said: str
    answer: str
    score: float


class Recall:
    """The exchanges of a world, by character."""

    def __init__(self, exchanges: Sequence[Exchange], vectors: Any, embed: Embed) -> None:
        """Take ``vectors`` float32 [exchanges, d] of the keys, each of length 1."""
        self._exchanges, self._vectors, self._embed = exchanges, vectors, embed
        self._places: dict[str, list[int]] = {}
        for place, one in enumerate(exchanges):
            self._places.setdefault(one.character, []).append(place)

    def near(self, character: str, said: str, k: int, *, before: str = "") -> list[Recalled]:
        """At most ``k`` exchanges with a character, the nearest first; each answer once.

        Args:
            before: what the character answered last, if something follows on it.
        """
        places = self._places.get(character, [])
        if not places or not said.strip():
            return []
        keys = [said, key_of(said, before)] if before else [said]
        asked = self._embed(keys)
        scores = (self._vectors[places] @ asked.T).max(axis=1)
        found: dict[str, Recalled] = {}
        for number in np.argsort(-scores, kind="stable"):
            one = self._exchanges[places[int(number)]]
            found.setdefault(one.answer, Recalled(one.said, one.answer, float(scores[number])))
            if len(found) == k:
                break
        return list(found.values())
