"""Which discovered names are one person: merged only with evidence, and the evidence is kept.

    merge_aliases(text, {"孙行者": 9, "行者": 2673})
    # [Alias(name="行者", aliases=("孙行者",), gender="m", evidence=("孙行者 ends with 行者, ...",))]

Two names are merged where one is the tail or the head of the other (孙行者, 行者), only one longer
name fits, they never speak to each other, and they are named close together. An unsure pair, or one
that shares no character (悟空, 行者), stays apart, for a person (or a model) to merge.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from roleplay.distill.rules.chinese import CHINESE
from roleplay.distill.rules.cues import Grammar
from roleplay.distill.rules.people import People
from roleplay.distill.rules.words import any_of, characters

_SHORTEST = 2
_NEAR = 600
_ENOUGH = 3
# Words for many persons: never the sign of one.
_COMMON = re.compile(any_of("titles"))
_OFFICE = re.compile(any_of("offices"))
_SURNAME = re.compile(rf"{any_of('compound_surnames')}|[{characters('surnames')}]")
# 鲁都头, 孙小姐, and 老周.
_TITLED = re.compile(rf"({_SURNAME.pattern})({any_of('titles', 'offices', 'addresses')})")
_GENDERS: dict[str | None, Literal["f", "m"]] = {"他": "m", "她": "f"}


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


def merge_aliases(
    text: str, counts: Mapping[str, int], grammar: Grammar = CHINESE
) -> list[Alias]:
    """The alias table of the names found in ``text``; the most frequent form names the person."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for short in counts:
        if partner := _partner(text, short, counts):
            head, tail = sorted((short, partner[0]), key=lambda name: -counts[name])
            found[head].append((tail, partner[1]))
    taken = {tail for pairs in found.values() for tail, _ in pairs}
    people = People(dict.fromkeys(counts, ()), None, grammar)
    people.learn_pronouns(text)
    made = []
    for name in (name for name in counts if name not in taken):
        others, evidence = zip(*found[name], strict=True) if found[name] else ((), ())
        made.append(Alias(name, others, _GENDERS.get(people.pronoun[name]), evidence))
    return made


def _partner(text: str, short: str, counts: Mapping[str, int]) -> tuple[str, str] | None:
    """The one longer name that ``short`` is a part of, with the evidence; None where unsure."""
    if titled := _TITLED.fullmatch(short):
        return _by_surname(titled[1], titled[2], short, counts)
    if len(short) < _SHORTEST or (_COMMON.fullmatch(short) and not _OFFICE.fullmatch(short)):
        return None
    others = [name for name in counts if name != short]
    longer = [name for name in others if name.startswith(short) or name.endswith(short)]
    longer = [name for name in longer if len(name) > len(short)]
    # 孙行者 with 行者 and 孙行 in it is not clearly a form of either.
    if len(longer) != 1 or any(name in longer[0] for name in others if name != longer[0]):
        return None
    close = _close(text, longer[0], short)
    named = "·" in longer[0] or _is_given(longer[0], short)
    if close < (1 if named else _ENOUGH) or _meet(text, longer[0], short):
        return None
    side = f"{'ends' if longer[0].endswith(short) else 'begins'} with {short}"
    near = f"{close} times both stand within {_NEAR} characters"
    return longer[0], f"{longer[0]} {side}, no other name does, and {near}"


def _is_given(longer: str, short: str) -> bool:
    """Whether it is a surname and the given name (林秀枝, 秀枝)."""
    surname = _SURNAME.match(longer)
    return bool(surname) and longer[surname.end() if surname else 0 :] == short


def _by_surname(
    surname: str, title: str, short: str, counts: Mapping[str, int]
) -> tuple[str, str] | None:
    """The one full name of a surname with a title (孙小姐); two titles may be two persons."""
    full = [
        name
        for name in counts
        if name.startswith(surname) and _is_full(name, surname) and not _TITLED.fullmatch(name)
    ]
    titles = {m[2] for name in counts if (m := _TITLED.fullmatch(name)) and m[1] == surname}
    if len(full) != 1 or len(titles) != 1:
        return None
    return full[0], f"{short} has the surname of {full[0]}, and no other name has"


def _is_full(name: str, surname: str) -> bool:
    return len(surname) < len(name) <= len(surname) + 2


def _close(text: str, longer: str, short: str) -> int:
    """How many mentions of ``longer`` have one of ``short`` alone near them."""
    places = [match.start() for match in re.finditer(re.escape(longer), text)]
    inside = {at + longer.index(short) for at in places}
    found = (match.start() for match in re.finditer(re.escape(short), text))
    alone = [at for at in found if at not in inside]
    count = 0
    for at in places:
        i = bisect_left(alone, at - _NEAR)
        count += i < len(alone) and alone[i] <= at + _NEAR
    return count


def _meet(text: str, longer: str, short: str) -> bool:
    """Whether the text sets both beside each other as two persons (孙行者和行者, 孙行者对行者道)."""
    joint = r"(?:[和与同、]|[对向跟朝看望][着]?)"
    one, two, head = map(re.escape, (longer, short, longer[: -len(short)] or "　"))
    # Not after the rest of the longer name: 孙行者和孙行者 are no two persons.
    return bool(re.search(rf"{one}{joint}{two}|(?<!{head}){two}{joint}{one}", text))
