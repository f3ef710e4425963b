"""Judgements of one reply: form, identity, facts; small pure functions.

check_form("没得商量。 \\\\emoji 微怒", "闻筝", ["闻筝", "陆迟"])    # None: well-formed
check_form("陆迟：不好意思", "闻筝", ["闻筝", "陆迟"])             # "speaks as 陆迟"
"""

import re
from collections.abc import Collection, Sequence

from roleplay.records import Question
from roleplay.script import parse_body

# How a character says that it does not know: the ways of texts/unknown_answers.jsonl and near ones.
_DECLINES = re.compile(
    "不知道|没听|没见过|从没听|听不懂|答不上|不清楚|不晓得|不懂这|问倒|头一回听|没有这种东西|见都没见|不明白你说"
)


def check_form(reply: str, character: str, names: Collection[str]) -> str | None:
    """Why a reply is not one well-formed line of ``character``, or None where it is one."""
    if not reply.strip():
        return "empty"
    try:
        parse_body(reply, character)
    except ValueError as error:
        return str(error)
    for name in names:
        if name != character and (f"{name}：" in reply or f"{name}:" in reply):
            return f"speaks as {name}"
    return "narrates" if reply.lstrip().startswith("【") else None


def holds_fact(answer: str, question: Question) -> bool:
    """Whether the answer contains one of the expected strings."""
    return any(text in answer for text in question.expected)


def names_itself(reply: str, own: Collection[str], others: Collection[str]) -> bool:
    """Whether a reply to "who are you" holds one of its ``own`` names and none of ``others``.

    One of ``others`` that is part of an own name does not count.
    """
    rest = reply
    for name in sorted(own, key=len, reverse=True):
        # A mark that no name holds: what stands on both sides must not become one.
        rest = rest.replace(name, "\0")
    return "\0" in rest and not any(name in rest for name in others)


def answers_small_talk(reply: str, own: Collection[str]) -> bool:
    """Whether a reply to what was no question is more than an ``own`` name or "I do not know"."""
    named = any(name in reply for name in own)
    return bool(reply.strip()) and not named and not _DECLINES.search(reply)


def distinct_2(texts: Collection[str]) -> float:
    """Different character pairs as a share of all in the texts (Li et al. 2016); 0 for no pair."""
    pairs = [text[i : i + 2] for text in texts for i in range(len(text) - 1)]
    return len(set(pairs)) / len(pairs) if pairs else 0.0


def share(outcomes: Sequence[bool]) -> float:
    """The share of True; 0 where there is nothing."""
    return sum(outcomes) / len(outcomes) if outcomes else 0.0
