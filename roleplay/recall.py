"""What a character once answered to something like it: in talk, an interview or the novel.

    recall = Recall(exchanges, vectors, embed)
    recall.near("闻筝", "晚安，明天见。", 2)    # [Recalled("晚安，别熬夜拧管子。", "就剩半圈……", 0.81)]

What is said is told apart by kernel ridge regression (Saunders et al. 1998): each exchange is a
class, its ways to say the same are the examples, and two texts are alike as far as their vectors
and their runs of letters are. So 你真没用 and 我真没用 are two things, which their vectors alone are
not. A follow-up is also known by the answer that it follows: "why?" alone is near to every other
"why?". A reply that is recalled is the character's own words; whether it fits is for the ranker.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

Embed = Callable[[Sequence[str]], Any]
"""Texts -> float32 [texts, d], each of length 1."""

SURE = 0.3
"""Of what is as near as this, three in four mean the same (docs/experiments.md)."""

NAME = "{name}"
"""Stands in exchanges of a register for whoever the talk is of."""

_REQUEST = "{request}"
KINDS = ("{question}", _REQUEST, "{statement}")
"""Stand for whatever is asked, asked for or told: answers to what nothing known is near."""

SCENE = "{scene}"
"""Stands for whatever happens in a scene where others are, too."""

STANDING_FOR = (*KINDS, SCENE)

_ANYBODY = "某"
"""In what is compared, for ``NAME``."""

_FAR, _LAST = 0.2, 0.12
"""Where nothing is nearer than the first, answers to anything of its kind have the second."""

_ASKS = re.compile(
    "[?？]$|吗|呢$|什么|啥|谁|哪|怎么|咋|为何|几|多少|何|多大|多久|(.)[没不]\\1|有没有|行不行|"
    "か$|^(who|what|why|how|where|when|do|are|is|can)\\b",
    re.IGNORECASE,
)
_ASKS_NAME = re.compile(
    "[你您]是谁|[你您]是[?？]|[你您]叫什么|介绍.{0,3}自己|称呼[你您?？]|哪位[?？]|who are you|your name",
    re.IGNORECASE,
)
"""Whoever is asked so says a name of its own."""

_CALL_FIRST = re.compile("(?P<name>[^，,、]+)[，,、](?P<said>.*[^\\s].*)", re.DOTALL)
_CALL_LAST = re.compile(
    "(?P<said>.+)[，,、](?P<name>[^，,、。.!！?？~～…]+)[。.!！?？~～…]*\\s*", re.DOTALL
)

_SENTENCE = re.compile("[^。.!！?？~～…\\n]+[。.!！?？~～…\\n]*")

_CLAUSE = re.compile("[。.!！?？~～…，,、；;\\s]+")
_PART, _SHORTEST_PART, _PART_OF_ALL = 0.5, 3, 0.3
"""How near a part must be; its fewest letters, and the fewest of all letters that it has."""

_WANTS = re.compile(
    "^(请|帮|给|来|走|别|让|教|陪|快|跟|把|拿|说|(please|let|give|tell|come|show)\\b)|吧$|て$|ください",
    re.IGNORECASE,
)
_VECTORS, _LETTERS, _SHARPNESS = 0.6, 0.4, 4.0
"""How much of likeness is by vectors, how much by letters; how fast it falls with the cosine."""
_RIDGE = 0.1
_OF_OTHERS = 0.4
_FOLLOWS = 0.35
"""The cosine of two follow-ups that can be one: 真的吗 and 你没骗我吧 have 0.37."""
_LOOKED_AT = 12
_MOST = 4000
"""Different keys of one character, the first that come; the regression takes the cube of it."""
_LONGEST_RUN = 3
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


def keys_of(exchanges: Iterable[Exchange], fold: Callable[[str], str] = str) -> list[str]:
    """All keys, each once, in the order in which they come."""
    keys = (fold(key).replace(NAME, _ANYBODY) for one in exchanges for key in one.keys)
    return list(dict.fromkeys(keys))


@dataclass(frozen=True)
class Recalled:
    """An exchange that is near, and how near what was said then and now are, from 0 to 1."""

    said: str
    answer: str
    score: float


def kind_of(said: str) -> str:
    """Which of ``KINDS`` something is, by its words; of several sentences, whether one asks."""
    parts = [part.strip("。.!！~～…，,、 ") for part in _SENTENCE.findall(said)]
    kinds = [0 if _ASKS.search(part) else 1 if _WANTS.search(part) else 2 for part in parts if part]
    return KINDS[min(kinds, default=2)]


def _parts(said: str) -> list[str]:
    """The sentences of something, then its clauses, the last first; none that is little of it."""
    sentences = [part.strip() for part in _SENTENCE.findall(said)]
    parts = [*reversed(sentences), *reversed(_CLAUSE.split(said))]
    least = max(_SHORTEST_PART, len(_LETTER.findall(said)) * _PART_OF_ALL)
    found = [part for part in parts if part != said and len(_LETTER.findall(part)) >= least]
    return list(dict.fromkeys(found))


def plain(body: str) -> str:
    """What is said and done in an answer: no marks, no spaces."""
    return "".join(_MARK.sub("", body).split())


@dataclass(frozen=True)
class _Known:
    """What one character can be asked: the keys, and the regression of classes over them.

    ``answers`` are the exchanges of each class, ``people`` those whom its first key names,
    ``vectors`` and ``letters`` of the keys, ``weights`` float32 [keys, classes].
    """

    answers: list[list[Exchange]]
    people: list[set[str]]
    vectors: NDArray[np.float32]
    letters: "Letters"
    weights: NDArray[np.float32]


class Letters:
    """Texts as unit vectors of the runs of one to three letters that they hold."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Learn which runs are rare: those count more."""
        runs = [set(_runs(text)) for text in texts]
        spread = Counter(run for own in runs for run in own)
        self._places = {run: place for place, run in enumerate(spread)}
        self._weights = [math.log(1 + len(texts) / (1 + count)) for count in spread.values()]
        self.rows = self.of(texts)

    def of(self, texts: Sequence[str]) -> Any:
        """A sparse float32 matrix [texts, runs], rows of length 1 or 0."""
        known = self._places
        places = [sorted({known[run] for run in _runs(one) if run in known}) for one in texts]
        values = [np.array([self._weights[place] for place in row]) for row in places]
        units = [row / np.linalg.norm(row) if row.size else row for row in values]
        starts = np.cumsum([0, *map(len, places)])
        flat = np.concatenate([*units, np.zeros(0)]).astype(np.float32)
        columns = [place for row in places for place in row]
        return sparse.csr_array((flat, columns, starts), (len(texts), len(self._places)))


def _runs(text: str) -> list[str]:
    letters = "".join(_LETTER.findall(text.lower()))
    sizes = range(1, _LONGEST_RUN + 1)
    return [letters[at : at + size] for size in sizes for at in range(len(letters) - size + 1)]


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
        """Take ``vectors`` float32 [keys, d] of :func:`keys_of`, each of length 1.

        Args:
            people: who is meant by a name, for all names of all people: what was said of one is
                not near to what is said of another.
            registers: by character, the name under which exchanges stand that anybody who speaks
                alike could have had; ``{name}`` in those is whoever the talk is of.
            fold: makes one of ways to print the same, in what is compared.
        """
        self._embed, self._vectors, self._fold = embed, vectors, fold
        folded = {fold(name): person for name, person in (people or {}).items()}
        self._people = dict(sorted(folded.items(), key=lambda pair: -len(pair[0])))
        self._registers = registers or {}
        places = {key: place for place, key in enumerate(keys_of(exchanges, fold))}
        self._of: dict[str, list[tuple[Exchange, str, int]]] = {}
        self._anything: dict[tuple[str, str], list[Exchange]] = {}
        for one in exchanges:
            if one.said in STANDING_FOR:
                self._anything.setdefault((one.character, one.said), []).append(one)
                continue
            keys = [fold(key).replace(NAME, _ANYBODY) for key in one.keys]
            known = [(one, key, places[key]) for key in keys]
            self._of.setdefault(one.character, []).extend(known)
        self._learnt: dict[str, _Known] = {}

    def near(
        self, character: str, said: str, k: int, *, before: str = "", in_scene: bool = False
    ) -> list[Recalled]:
        """At most ``k`` exchanges with a character, the nearest first; each answer once.

        Where none is near, answers to anything of the kind that is said stand behind them.

        Args:
            before: what the character answered last, if something follows on it.
            in_scene: others are there too: where nothing is near, a gesture fits all but a
                request.
        """
        said, before = self._not_called(self._fold(said)), self._fold(before)
        known = self._known(character)
        if not known.answers or not said.strip():
            return []
        whom = next(iter(self._named(said, character)), "")
        scores = self._scores(character, said, before, known)
        if scores.max() < SURE:
            # Of much that is said at once, the last of it that is known is answered.
            for part in _parts(said):
                of_part = self._scores(character, part, "", known)
                if of_part.max() >= _PART:
                    scores = np.maximum(scores, of_part)
                    break
        found: dict[str, Recalled] = {}
        for number in np.argsort(-scores, kind="stable"):
            for one in known.answers[number]:
                answer = one.answer.replace(NAME, whom)
                found.setdefault(answer, Recalled(one.said, answer, float(scores[number])))
            if len(found) >= k:
                break
        nearest = list(found.values())[:k]
        if _ASKS_NAME.search(said):
            names = [name for name, person in self._people.items() if person == character]
            return [one for one in nearest if any(name in self._fold(one.answer) for name in names)]
        if scores.max() < _FAR:
            anything = self._answers_to_anything(character, said, in_scene=in_scene)
            nearest += [Recalled(one.said, one.answer, _LAST) for one in anything]
        return nearest

    def _scores(self, character: str, said: str, before: str, known: _Known) -> Any:
        """How near what is said is to each class, float32 [classes]."""
        named = self._named(said, character)
        whom = next(iter(named), "")
        general = said.replace(whom, _ANYBODY) if whom else said
        keys = list(dict.fromkeys((said, key_of(said, before), general)))
        scores = (self._alike(self._embed(keys), keys, known) @ known.weights).max(axis=0)
        people = set(named.values())
        for number, own in enumerate(known.people):
            # Whoever is only named along is not what is asked about.
            fits = scores[number] >= SURE if people and NAME in own else own == people
            scores[number] *= 1.0 if fits else _OF_OTHERS
        self._doubt_follow_ups(said, scores, known)
        return scores

    def _doubt_follow_ups(self, said: str, scores: Any, known: _Known) -> None:
        """Lower what is near only by the answer before it: a hello is not a question."""
        nearest = np.argsort(-scores, kind="stable")[:_LOOKED_AT]
        after = [number for number in nearest if known.answers[number][0].before]
        if after:
            texts = [said, *(self._fold(known.answers[number][0].said) for number in after)]
            mine, *theirs = np.asarray(self._embed(texts))
            for number, other in zip(after, theirs, strict=True):
                scores[number] *= 1.0 if mine @ other >= _FOLLOWS else _OF_OTHERS

    def _not_called(self, said: str) -> str:
        """Without a name that only calls somebody: 师父，早上好 and 早上好，师父！ are 早上好."""
        for call in (_CALL_FIRST, _CALL_LAST):
            found = call.fullmatch(said)
            if found and found["name"].strip() in self._people:
                said = found["said"].strip()
        return said

    def _answers_to_anything(
        self, character: str, said: str, *, in_scene: bool
    ) -> Sequence[Exchange]:
        """The character's own, else its register's; in a scene a gesture, if there is one."""
        kind = kind_of(said)
        kinds = [SCENE, kind] if in_scene and kind != _REQUEST else [kind]
        speakers = (character, self._registers.get(character, ""))
        found = (self._anything.get((name, kind)) for kind in kinds for name in speakers)
        return next(filter(None, found), ())

    def _known(self, character: str) -> _Known:
        """What a character can be asked, learnt at the first question."""
        if character not in self._learnt:
            register = self._registers.get(character, "")
            own = [*self._of.get(character, ()), *self._of.get(register, ())]
            self._learnt[character] = self._learn(own)
        return self._learnt[character]

    def _learn(self, found: Sequence[tuple[Exchange, str, int]]) -> _Known:
        # Exchanges that begin alike are one class: they are other answers to the same.
        classes: dict[tuple[str, str], dict[str, Exchange]] = {}
        rows: dict[tuple[str, str, str], int] = {}
        for one, key, place in found:
            if (one.before, one.said, key) not in rows and len(rows) == _MOST:
                continue
            classes.setdefault((one.before, one.said), {})[one.answer] = one
            rows.setdefault((one.before, one.said, key), place)
        numbers = {said: number for number, said in enumerate(classes)}
        people: list[set[str]] = [set() for _ in classes]
        for before, said, key in rows:
            one = next(iter(classes[before, said].values()))
            general = NAME in one.said
            named = {NAME} if general else set(self._named(key, one.character).values())
            people[numbers[before, said]] = named
        keys = [key for *_, key in rows]
        known = _Known(
            [list(answers.values()) for answers in classes.values()],
            people,
            self._vectors[list(rows.values())],
            Letters(keys),
            np.zeros((len(rows), len(classes)), np.float32),
        )
        if rows:
            kernel = self._alike(known.vectors, keys, known)
            kernel[np.diag_indices(len(keys))] += _RIDGE
            wanted = np.zeros_like(known.weights)
            wanted[np.arange(len(keys)), [numbers[row[:2]] for row in rows]] = 1
            known.weights[:] = linalg.solve(kernel, wanted, assume_a="pos", overwrite_a=True)
        return known

    def _alike(self, vectors: Any, texts: Sequence[str], known: _Known) -> NDArray[np.float32]:
        """How alike texts and keys are, float32 [texts, keys], from 0 to 1."""
        cosines = vectors @ known.vectors.T
        shared = np.asarray((known.letters.of(texts) @ known.letters.rows.T).todense())
        mixed = _VECTORS * np.exp(_SHARPNESS * (cosines - 1)) + _LETTERS * shared
        return np.asarray(mixed, np.float32)

    def _named(self, text: str, character: str) -> dict[str, str]:
        """Names that a text holds, and whose they are, the longest first; not the character's."""
        found = {}
        for name, person in self._people.items():
            if name in text:
                text = text.replace(name, " ")
                if person != character:
                    found[name] = person
        return found
