"""What a character once answered to something like it: in talk, an interview or the novel.

    recall = Recall(exchanges, vectors, embed)
    recall.near("闻筝", "晚安，明天见。", 2)    # [Recalled("晚安，别熬夜拧管子。", "就剩半圈……", 0.81)]

How near two ways of speaking are is told by their vectors and by the pairs of letters that both
hold, rare ones counting more. A follow-up is also known by the answer that it follows: "why?" alone
is near to every other "why?". A reply that is recalled is the character's own words; whether it
fits what was said now is for the ranker to tell.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Embed = Callable[[Sequence[str]], Any]
"""Texts -> float32 [texts, d], each of length 1."""

SURE = 0.6
"""What is as near as this means the same more often than not."""

NAME = "{name}"
"""Stands in exchanges of a register for whoever the talk is of."""

_COSINE, _LETTERS, _OF_OTHERS = 0.6, 0.4, 0.5
_LETTER = re.compile(r"\w")
_MARK = re.compile(r"\\(?:me\s|emoji\s+\S+)")


@dataclass(frozen=True)
class Exchange:
    """What was said to ``character``, and its answer; ``before`` is what it answered before.

    ``also`` are other ways to say the same.
    """

    character: str
    said: str
    answer: str
    before: str = ""
    also: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """What an exchange is found by."""
        return tuple(key_of(said, self.before) for said in (self.said, *self.also))


def key_of(said: str, before: str) -> str:
    """What is said, after the answer that it follows."""
    return f"{before} {said}" if before else said


@dataclass(frozen=True)
class Recalled:
    """An exchange that is near, and how near what was said then and now are, from 0 to 1."""

    said: str
    answer: str
    score: float


def plain(body: str) -> str:
    """What is said and done in an answer: no marks, no spaces."""
    return "".join(_MARK.sub("", body).split())


class Recall:
    """The exchanges of a world, by character."""

    def __init__(
        self,
        exchanges: Sequence[Exchange],
        vectors: Any,
        embed: Embed,
        *,
        people: Mapping[str, str] | None = None,
        registers: Mapping[str, str] | None = None,
        fold: Callable[[str], str] = str,
    ) -> None:
        """Take ``vectors`` float32 [keys, d] of all keys in order, each of length 1.

        Args:
            people: who is meant by a name, for all names of all people: what was said of one is
                not near to what is said of another.
            registers: by character, the name under which exchanges stand that anybody who speaks
                alike could have had; ``{name}`` in those is whoever the talk is of.
            fold: makes one of ways to print the same, in what is compared.
        """
        self._embed, self._vectors, self._fold = embed, vectors, fold
        people = {fold(name): person for name, person in (people or {}).items()}
        self._people = dict(sorted(people.items(), key=lambda pair: -len(pair[0])))
        self._registers = registers or {}
        self._found = [(one, fold(key)) for one in exchanges for key in one.keys]
        self._places: dict[str, list[int]] = {}
        for place, (one, _) in enumerate(self._found):
            self._places.setdefault(one.character, []).append(place)

    def near(self, character: str, said: str, k: int, *, before: str = "") -> list[Recalled]:
        """At most ``k`` exchanges with a character, the nearest first; each answer once.

        Args:
            before: what the character answered last, if something follows on it.
        """
        said, before = self._fold(said), self._fold(before)
        places = list(self._places.get(character, ()))
        places += self._places.get(self._registers.get(character, ""), ())
        if not places or not said.strip():
            return []
        named = self._named(said, character)
        whom = next(iter(named), "")
        general = said.replace(whom, NAME) if whom else said
        keys = list(dict.fromkeys((said, key_of(said, before), general)))
        near = self._vectors[places] @ self._embed(keys).T
        shared = np.array([[self._shared(key, place) for key in keys] for place in places])
        scores = (_COSINE * near + _LETTERS * shared).max(axis=1)
        people = set(named.values())
        scores *= [1.0 if self._is_of(place, people) else _OF_OTHERS for place in places]
        found: dict[str, Recalled] = {}
        for number in np.argsort(-scores, kind="stable"):
            one, key = self._found[places[int(number)]]
            answer = one.answer.replace(NAME, whom)
            found.setdefault(answer, Recalled(key, answer, float(scores[number])))
            if len(found) == k:
                break
        return list(found.values())

    def _named(self, text: str, character: str) -> dict[str, str]:
        """Names that a text holds, and whose they are, the longest first; not the character's."""
        found = {}
        for name, person in self._people.items():
            if name in text:
                text = text.replace(name, " ")
                if person != character:
                    found[name] = person
        return found

    def _is_of(self, place: int, people: set[str]) -> bool:
        """Whether an exchange is of these people, or of nobody if there are none."""
        _, key = self._found[place]
        return bool(people) if NAME in key else self._people_of[place] == people

    @cached_property
    def _people_of(self) -> list[set[str]]:
        return [set(self._named(key, one.character).values()) for one, key in self._found]

    def _shared(self, key: str, place: int) -> float:
        """The weight of the pairs of letters that both hold, in that of all pairs of either."""
        asked, known = pairs(key), self._pairs[place]
        whole = sum(map(self._weight, asked | known))
        return sum(map(self._weight, asked & known)) / whole if whole else 0.0

    def _weight(self, pair: str) -> float:
        return math.log(1 + len(self._pairs) / (1 + self._spread[pair]))

    @cached_property
    def _pairs(self) -> list[frozenset[str]]:
        return [pairs(key) for _, key in self._found]

    @cached_property
    def _spread(self) -> Counter[str]:
        """How many keys hold a pair."""
        return Counter(pair for own in self._pairs for pair in own)


def pairs(text: str) -> frozenset[str]:
    """The pairs of neighbouring letters; of a single letter, itself."""
    letters = "".join(_LETTER.findall(text.lower()))
    return frozenset(letters[at : at + 2] for at in range(max(1, len(letters) - 1)))
