"""What is worth learning: the weight of every line, and which questions are left out.

    weights, dropped = line_weights(chapters, materials)
    weights[3]      # [0.0, 1.0, 0.3, ...], parallel to the lines of chapter 3
    dropped         # {"unknown speaker": 12, "only punctuation": 3, "duplicate": 7}

A line of weight 0 still stands in its scene as context. Near duplicates are pairs of the same character whose answer and
the line before it differ in marks alone, or in few of their character pairs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from roleplay.dataset.interviews import Asked
from roleplay.dataset.scenes import Chapters
from roleplay.dataset.settings import DatasetSettings, Materials
from roleplay.prompts import visible_lines
from roleplay.records import UNKNOWN, Line

Dropped = Counter[str]
"""Reason -> how many lines or questions were left out, or count less, for it."""

_SAID = re.compile(r"\w")
_SHORT = 3
_TAIL = 1
_SIMILAR = 0.85
_NEAR = 2


def line_weight(line: Line, characters: Collection[str], settings: DatasetSettings) -> tuple[float, str]:
    """How much a line counts in the loss, and why it counts less than 1.

    A line of at most three letters or digits ("啊？", "哦。") teaches dullness; 8 % of a distilled book are such lines.
    """
    if line.kind == "info":
        return 0.0, ""
    if line.char == UNKNOWN:
        return 0.0, "unknown speaker"
    if line.char not in characters:
        return 0.0, ""
    if line.confidence is not None and line.confidence < settings.min_confidence:
        return 0.0, "doubtful speaker"
    letters = len(_SAID.findall(line.text))
    if not letters:
        return 0.0, "only punctuation"
    if line.kind == "say" and letters <= _SHORT:
        return settings.interjection_weight, "interjection (counts less)"
    return 1.0, ""


def line_weights(chapters: Chapters, materials: Materials) -> tuple[dict[int, list[float]], Dropped]:
    """The weights of all lines of a training part, duplicates at 0; and what was dropped."""
    weights, dropped = plain_weights(chapters, materials)
    seen = Seen()
    for chapter, lines in chapters.items():
        for place, line in enumerate(lines):
            if weights[chapter][place] and seen.add(line.char or "", _tail(lines[:place], line), line.text):
                weights[chapter][place] = 0.0
                dropped["duplicate"] += 1
    return weights, dropped


def plain_weights(chapters: Chapters, materials: Materials) -> tuple[dict[int, list[float]], Dropped]:
    """The weights of each line by itself: what held-out scenes have."""
    dropped: Dropped = Counter()
    weights: dict[int, list[float]] = {}
    for chapter, lines in chapters.items():
        judged = [line_weight(line, materials.characters, materials.settings) for line in lines]
        weights[chapter] = [weight for weight, _ in judged]
        dropped.update(reason for _, reason in judged if reason)
    return weights, dropped


def unique(asked: Iterable[Asked], held_out: Collection[str] = ()) -> tuple[list[Asked], Dropped]:
    """The questions without duplicates, without answers that say nothing, and without those in ``held_out``."""
    seen, dropped = Seen(), Counter[str]()
    kept, kept_out = [], {plain(text) for text in held_out}
    for row in asked:
        if plain(row.question) in kept_out:
            dropped["question held out for a probe"] += 1
        elif not _SAID.search(row.answer):
            dropped["only punctuation"] += 1
        elif seen.add(row.character, row.question, row.answer):
            dropped["duplicate"] += 1
        else:
            kept.append(row)
    return kept, dropped


def _tail(before: Sequence[Line], line: Line) -> str:
    seen = visible_lines(before[-4:], line.char or "")
    return "".join(row.text for row in seen[-_TAIL:])


def plain(text: str) -> str:
    """The letters and digits of a text, without marks and white space."""
    return "".join(_SAID.findall(text)).lower()


class Seen:
    """Pairs of a context and an answer met so far; compared within one character and among answers of like length."""

    def __init__(self) -> None:
        self._exact: set[tuple[str, str, str]] = set()
        self._pairs: dict[tuple[str, int], list[frozenset[str]]] = {}

    def add(self, character: str, context: str, answer: str) -> bool:
        """Remember a pair; whether it, or one like it, was there."""
        context, answer = plain(context), plain(answer)
        key = (character, context, answer)
        found = key in self._exact or self._is_near(character, context, answer)
        self._exact.add(key)
        self._pairs.setdefault((character, len(answer)), []).append(_bigrams(context, answer))
        return found

    def _is_near(self, character: str, context: str, answer: str) -> bool:
        own = _bigrams(context, answer)
        sizes = range(len(answer) - _NEAR, len(answer) + _NEAR + 1)
        others = (pairs for size in sizes for pairs in self._pairs.get((character, size), ()))
        return any(len(own & pairs) >= _SIMILAR * len(own | pairs) for pairs in others)


def _bigrams(context: str, answer: str) -> frozenset[str]:
    marked = [f"q{context[at : at + 2]}" for at in range(max(len(context) - 1, 1))]
    return frozenset([*marked, *(f"a{answer[at : at + 2]}" for at in range(max(len(answer) - 1, 1)))])


def merged(*parts: Mapping[str, int]) -> dict[str, int]:
    """Counts of reasons added up, the most frequent first."""
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(total.most_common())
