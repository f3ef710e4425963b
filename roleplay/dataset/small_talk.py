"""Answers to what asks for nothing: a remark, a greeting, a tease.

    rows = small_talk_rows(chapters, weights, voices, context, most_tokens=4_000)
    rows[0]      # Asked("陆迟", "让他背，馆规第一条。", "馆规第一条，不许跑。", "small_talk", chapter=1)
    rows[-1]     # Asked("闻筝", "你太笨了。", "说谁笨呢！没得商量。", "small_talk")

Interviews and protection rows ask for something, and a model that knows them alone answers "你好笨啊"
with its name. Some rows are the novel's: a line, and what a character says right after it. The
others are remarks of our own with plain replies, dressed in the character's habits of speech.
"""

from collections.abc import Iterator
from itertools import pairwise

from roleplay.dataset.curation import line_weight
from roleplay.dataset.interviews import Asked, answer_tokens, choose
from roleplay.dataset.protection import plain_rows
from roleplay.dataset.scenes import Chapters, Weights
from roleplay.dataset.settings import BuildContext, DatasetSettings
from roleplay.dataset.voice import Voices

_NOVEL_SHARE = 0.4  # At most: the novel's replies are learnt in their scenes already.


def small_talk_rows(
    chapters: Chapters,
    weights: Weights,
    voices: Voices,
    context: BuildContext,
    *,
    most_tokens: float,
) -> list[Asked]:
    """The novel's replies and our own, in turns, up to ``most_tokens`` but one of each at least."""
    found = list(_replies(chapters, weights, context.settings))
    rows = choose(found, most_tokens=_NOVEL_SHARE * most_tokens, context=context)
    left = most_tokens - answer_tokens(rows, context)
    return rows + plain_rows("small_talk", (), voices, context, left)


def _replies(chapters: Chapters, weights: Weights, settings: DatasetSettings) -> Iterator[Asked]:
    """What is said right after somebody else, who is known for certain and said more than "嗯"."""
    for chapter, lines in chapters.items():
        for (before, _), (line, weight) in pairwise(zip(lines, weights[chapter], strict=True)):
            is_reply = before.kind == line.kind == "say" and before.char != line.char
            if not is_reply or not before.char or not line.char:
                continue
            if weight == 1 == line_weight(before, (before.char,), settings)[0]:
                yield Asked(line.char, before.text, line.text, "small_talk", chapter=chapter)
