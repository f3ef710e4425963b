"""A line of the novel and a character's reply to it, as a question and its answer.

    rows = talk_rows(chapters, weights, materials, most_tokens=3_000)
    rows[0]      # Asked("陆迟", "让他背，馆规第一条。", "馆规第一条，不许跑。……可以吗？", task="talk", chapter=1)

Interviews and protection rows ask for something; people also remark ("你好笨啊"), greet and tease. The novel has an answer
to that, in the character's own words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from roleplay.dataset.curation import line_weight
from roleplay.dataset.interviews import Asked, choose
from roleplay.dataset.scenes import Chapters, Weights
from roleplay.dataset.settings import DatasetSettings, Materials
from roleplay.records import Line


def talk_rows(chapters: Chapters, weights: Weights, materials: Materials, *, most_tokens: float) -> list[Asked]:
    """Replies of the trained characters, in turns, up to ``most_tokens`` but one of each who has one at least.

    Args:
        weights: of every line; a reply that does not count in full is none.
    """
    found = [
        row
        for chapter, lines in chapters.items()
        for row in _replies(chapter, lines, weights[chapter], materials.settings)
    ]
    return choose(found, most_tokens=most_tokens, materials=materials)


def _replies(
    chapter: int, lines: Sequence[Line], weights: Sequence[float], settings: DatasetSettings
) -> Iterator[Asked]:
    """What is said right after somebody else, who is known for certain and said more than "嗯"."""
    for (before, _), (line, weight) in pairwise(zip(lines, weights, strict=True)):
        if not before.kind == line.kind == "say" or not before.char or not line.char or before.char == line.char:
            continue
        if weight == 1 == line_weight(before, (before.char,), settings)[0]:
            yield Asked(line.char, before.text, line.text, "talk", chapter=chapter)
