"""What is worth learning: the weight of every line, and which questions are left out.

    weights, dropped = line_weights(chapters, context)
    weights[3]      # [0.0, 1.0, 0.3, ...], parallel to the lines of chapter 3
    dropped         # {"unknown speaker": 12, "only punctuation": 3, "duplicate": 7}

A line of weight 0 still stands in its scene as context. Near duplicates are pairs of the same
character whose answer and the line before it differ in marks alone, or in few character pairs.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable

from roleplay.dataset.interviews import Asked
from roleplay.dataset.scenes import Chapters
from roleplay.dataset.settings import BuildContext, DatasetSettings
from roleplay.prompts import visible_lines
from roleplay.records import UNKNOWN, Line

Dropped = Counter[str]
"""Reason -> how many lines or questions were left out, or count less, for it."""

_SAID = re.compile(r"\w")
_SHORT = 3
# Character pairs in common, as a share of all: another "呢" at the end is over it, a clause is not.
_SIMILAR = 0.85
_NEAR = 2  # Answers whose lengths differ by more letters are not compared.


def line_weight(
    line: Line, characters: Collection[str], settings: DatasetSettings
) -> tuple[float, str]:
    """How much a line counts in the loss, and why it counts less than 1.

    At most three letters or digits ("啊？", "哦。") teach dullness; 8 % of a distilled book are such.
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


def line_weights(
    chapters: Chapters, context: BuildContext
) -> tuple[dict[int, list[float]], Dropped]:
    """The weights of all lines of a training part, duplicates at 0; and what was dropped."""
    weights, dropped = plain_weights(chapters, context)
    seen = Seen()
    for chapter, lines in chapters.items():
        for place, line in enumerate(lines):
            if not weights[chapter][place]:
                continue
            # Four lines back, as others' thoughts may stand between a line and what it answers.
            before = visible_lines(lines[:place][-4:], line.char or "")[-1:]
            if seen.add(line.char or "", "".join(row.text for row in before), line.text):
                weights[chapter][place] = 0.0
                dropped["duplicate"] += 1
    return weights, dropped


def plain_weights(
    chapters: Chapters, context: BuildContext
) -> tuple[dict[int, list[float]], Dropped]:
    """The weights of each line by itself: what held-out scenes have."""
    dropped: Dropped = Counter()
    weights: dict[int, list[float]] = {}
    for chapter, lines in chapters.items():
        judged = [line_weight(line, context.characters, context.settings) for line in lines]
        weights[chapter] = [weight for weight, _ in judged]
        dropped.update(reason for _, reason in judged if reason)
    return weights, dropped


def unique(asked: Iterable[Asked], held_out: Collection[str] = ()) -> tuple[list[Asked], Dropped]:
    """The questions without duplicates, answers that say nothing, and those in ``held_out``."""
    seen, dropped, kept = Seen(), Counter[str](), []
    probes = {plain(text) for text in held_out}
    for row in asked:
        if plain(row.question) in probes:
            dropped["question held out for a probe"] += 1
        elif not _SAID.search(row.answer):
            dropped["only punctuation"] += 1
        elif seen.add(row.character, row.question, row.answer):
            dropped["duplicate"] += 1
        else:
            kept.append(row)
    return kept, dropped


def plain(text: str) -> str:
    """The letters and digits of a text, without marks and white space."""
    return "".join(_SAID.findall(text)).lower()


class Seen:
    """Pairs of a context and an answer met so far, compared within one character."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, int], list[set[str]]] = {}

    def add(self, character: str, context: str, answer: str) -> bool:
        """Remember a pair; whether it, or one like it, was there."""
        length = len(plain(answer))
        own = _bigrams("q", plain(context)) | _bigrams("a", plain(answer))
        sizes = range(length - _NEAR, length + _NEAR + 1)
        others = (pairs for size in sizes for pairs in self._pairs.get((character, size), ()))
        found = any(len(own & pairs) >= _SIMILAR * len(own | pairs) for pairs in others)
        self._pairs.setdefault((character, length), []).append(own)
        return found


def _bigrams(mark: str, text: str) -> set[str]:
    return {f"{mark}{text[at : at + 2]}" for at in range(max(len(text) - 1, 1))}
