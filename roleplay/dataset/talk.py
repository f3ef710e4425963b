"""Answers to what asks for nothing: a remark, a greeting, a tease.

    rows = talk_rows(chapters, weights, voices, materials, most_tokens=4_000)
    rows[0]      # Asked("陆迟", "让他背，馆规第一条。", "馆规第一条，不许跑。……可以吗？", task="talk", chapter=1)
    rows[-1]     # Asked("闻筝", "你太笨了。", "说谁笨呢！没得商量。", task="talk")

Interviews and protection rows ask for something, and a model that knows them alone answers "你好笨啊" with its name. Some
rows are the novel's: a line, and what a character says right after it. The others are remarks of our own with plain
replies, dressed in the character's habits of speech.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from roleplay.dataset.curation import line_weight
from roleplay.dataset.interviews import Asked, answer_tokens, choose
from roleplay.dataset.protection import Item, Maker, fill, items
from roleplay.dataset.scenes import Chapters, Weights
from roleplay.dataset.settings import DatasetSettings, Materials
from roleplay.dataset.voice import Voice
from roleplay.records import Line

_NOVEL_SHARE = 0.4
"""The most that the novel takes of these rows: its replies are learnt in their scenes already."""


def talk_rows(
    chapters: Chapters, weights: Weights, voices: Mapping[str, Voice], materials: Materials, *, most_tokens: float
) -> list[Asked]:
    """The novel's replies and our own of every trained character, in turns, up to ``most_tokens`` but one at least.

    Args:
        weights: of every line; a reply that does not count in full is none.
    """
    found = [
        row
        for chapter, lines in chapters.items()
        for row in _replies(chapter, lines, weights[chapter], materials.settings)
    ]
    rows = choose(found, most_tokens=_NOVEL_SHARE * most_tokens, materials=materials)
    left = most_tokens - sum(answer_tokens(row, materials) for row in rows)
    makers = {name: _maker(name, voices[name]) for name in materials.characters}
    return rows + fill(items("remarks"), makers, materials, left)


def _replies(
    chapter: int, lines: Sequence[Line], weights: Sequence[float], settings: DatasetSettings
) -> Iterator[Asked]:
    """What is said right after somebody else, who is known for certain and said more than "嗯"."""
    for (before, _), (line, weight) in pairwise(zip(lines, weights, strict=True)):
        if not before.kind == line.kind == "say" or not before.char or not line.char or before.char == line.char:
            continue
        if weight == 1 == line_weight(before, (before.char,), settings)[0]:
            yield Asked(line.char, before.text, line.text, "talk", chapter=chapter)


def _maker(name: str, voice: Voice) -> Maker:
    def make(item: Item, chance: random.Random) -> Asked:
        return Asked(name, item["text"], voice.dress(chance.choice(item["replies"]), chance), "talk")

    return make
