"""Which discovered names are one person: merged only with evidence, and the evidence is kept.

    merge_aliases(text, {"孙行者": 9, "行者": 2673})
    # [Alias(name="行者", aliases=("孙行者",), gender="m", evidence=("孙行者 ends with 行者, and no other name does ...",))]

Two names are merged where one is the tail or the head of the other (孙行者, 行者), only one longer name fits,
they never speak to each other, and they are named close together. 悟空 and 行者 share no character: they stay
apart, for a person (or a model) to merge in ``world.json``. An unsure pair is never merged.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from roleplay.distill.people import People

_SHORTEST = 2
_NEAR = 600
_ENOUGH = 3
_COMMON = re.compile(
    r"(?:大王|小妖|国王|公主|妇人|女子|老者|和尚|道士|太子|长老|菩萨|龙王|先生|夫人|小姐|姑娘|将军|丞相|军士|师父|师傅|"
    r"大哥|二哥|老爷|太太|老师|大夫|大人|掌柜|公子|皇帝|娘娘|太尉|大仙|土地|大圣|天王|星君|真君|老魔|妖王|王子|猴王)"
)
"""Words for many persons: never the sign of one."""


@dataclass(frozen=True)
class Alias:
    """One person of the alias table."""

    name: str
    aliases: tuple[str, ...]
    gender: Literal["f", "m"] | None
    evidence: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The row of the table."""
        return asdict(self)


def merge_aliases(text: str, counts: Mapping[str, int]) -> list[Alias]:
    """The alias table of the names found in ``text``; the most frequent form names the person."""
    found: dict[str, list[tuple[str, str]]] = {}
    for short in counts:
        for longer, evidence in _partners(text, short, counts):
            head, tail = sorted((short, longer), key=lambda name: -counts[name])
            found.setdefault(head, []).append((tail, evidence))
    taken = {tail for pairs in found.values() for tail, _ in pairs}
    people = People(dict.fromkeys(counts, ()))
    people.learn_pronouns(text)
    return [_alias(name, found.get(name, []), people) for name in counts if name not in taken]


def _alias(name: str, pairs: list[tuple[str, str]], people: People) -> Alias:
    pronoun = people.pronoun[name]
    gender: Literal["f", "m"] | None = "m" if pronoun == "他" else "f" if pronoun == "她" else None
    return Alias(name, tuple(other for other, _ in pairs), gender, tuple(evidence for _, evidence in pairs))


def _partners(text: str, short: str, counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """The one longer name that ``short`` is a part of, with the evidence; nothing where it is unsure."""
    if len(short) < _SHORTEST or _COMMON.fullmatch(short):
        return []
    longer = [name for name in counts if name != short and (name.endswith(short) or name.startswith(short))]
    if len(longer) != 1 or any(name != longer[0] and name in longer[0] for name in counts if name != short):
        return []
    name = longer[0]
    close = _close(text, name, short)
    if close < _ENOUGH or _meet(text, name, short):
        return []
    side = "ends" if name.endswith(short) else "begins"
    return [
        (
            name,
            f"{name} {side} with {short}, no other name does, and {close} times both stand within {_NEAR} characters",
        )
    ]


def _places(text: str, name: str, longer: str = "") -> list[int]:
    """Where ``name`` stands, not counting it inside ``longer``."""
    inside = {match.start() + longer.index(name) for match in re.finditer(re.escape(longer), text)} if longer else set()
    return [match.start() for match in re.finditer(re.escape(name), text) if match.start() not in inside]


def _close(text: str, longer: str, short: str) -> int:
    """How many mentions of ``longer`` have one of ``short`` alone near them."""
    alone = _places(text, short, longer)
    count = 0
    for at in _places(text, longer):
        i = bisect_left(alone, at - _NEAR)
        count += i < len(alone) and alone[i] <= at + _NEAR
    return count


def _meet(text: str, longer: str, short: str) -> bool:
    """Whether the text sets both beside each other as two persons (孙行者和行者, 孙行者对行者道)."""
    joint = r"(?:[和与同、]|[对向跟朝看望][着]?)"
    one, two = re.escape(longer), re.escape(short)
    return bool(re.search(rf"{one}{joint}{two}|(?<!{re.escape(longer[: -len(short)] or '　')}){two}{joint}{one}", text))
