"""Names of old data that may be one person, for somebody to decide on: nothing is merged.

    likely_aliases(lines)[0]
    # Alike(name="闻筝", alias="闻争", lines=(420, 12), chunks=9, why="one character apart")

ChatGPT was asked chunk by chunk and spelled a name as it liked. Offered are names of which one is
in the other (悠二, 坂井悠二) or that are one character apart, and that stand in the same chunks or in
those beside them; groups (佐藤和田中), numbered people (男人2) and pairs like 父亲 and 母亲 are not.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from roleplay.records import UNKNOWN, Line

_MOST = 40
_INSIDE, _APART = "one is in the other", "one character apart"
# Several people, anybody, or somebody of theirs: such a name is another's.
_GROUP = re.compile(
    r"[和与及跟、，,&＆/／等的们之\d０-９A-Za-z]|一[伙行群个名位]|另|夫人|太太|父|母|儿子|女儿"
)
# Two names that differ in such characters alone are two people on purpose.
_OPPOSITES = (
    "男女父母兄弟姐妹哥叔伯姨舅爷奶公婆夫妻",
    "一二三四五六七八九十甲乙丙丁戊己庚辛0123456789ABCDEFGH",
    "长员民兵士官师生客商主仆旅众",
)
# Two of two characters are mostly two people (村长, 船长), of four and more mostly one.
_WEIGHTS = {2: 0.3, 3: 2.0}
_LONG_WEIGHT, _INSIDE_WEIGHT = 3.0, 1.5


@dataclass(frozen=True)
class Alike:
    """Two names, the one with more lines first, and in how many chunks they stand together."""

    name: str
    alias: str
    lines: tuple[int, int]
    chunks: int
    why: str

    def to_json(self) -> dict[str, Any]:
        """The row of the report."""
        return asdict(self)


def likely_aliases(lines: Sequence[Line]) -> list[Alike]:
    """Pairs of names, the likeliest first, forty at most."""
    counts, chunks = Counter[str](), defaultdict[str, set[int]](set)
    for line in lines:
        if line.char and line.char != UNKNOWN:
            counts[line.char] += 1
            chunks[line.char].add(line.src_id or 0)
    near = {
        name: {at + step for at in places for step in (-1, 0, 1)} for name, places in chunks.items()
    }
    found = []
    # Two names with a double letter are one character apart in two ways.
    for one, two, why in dict.fromkeys(_pairs(counts)):
        name, alias = sorted((one, two), key=lambda each: (-counts[each], each))
        together = len(chunks[alias] & near[name])
        weight = _INSIDE_WEIGHT if why == _INSIDE else _WEIGHTS.get(len(alias), _LONG_WEIGHT)
        # How often, and in which part of all places of the rarer.
        score = weight * together**2 / len(chunks[alias])
        found.append((score, Alike(name, alias, (counts[name], counts[alias]), together, why)))
    found.sort(key=lambda pair: -pair[0])
    return [alike for score, alike in found[:_MOST] if score]


def _pairs(counts: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    masked = defaultdict[tuple[int, str], list[str]](list)
    for name in counts:
        yield from ((name, part, _INSIDE) for part in _parts(name) if part in counts)
        for i in range(len(name)):
            left = name[:i] + name[i + 1 :]
            masked[i, left].append(name)
            if 0 < i < len(name) - 1 and left in counts and not _GROUP.search(name):
                yield name, left, _APART
    for (i, _), names in masked.items():
        # Of two characters only the second may differ: the first is a surname.
        long = (name for name in names if len(name) > 2 or (len(name) == 2 and i))
        for one, two in combinations([name for name in long if not _GROUP.search(name)], 2):
            if not any({one[i], two[i]} <= set(known) for known in _OPPOSITES):
                yield one, two, _APART


def _parts(name: str) -> Iterator[str]:
    """The shorter names at the head or the tail of a name; of a group there are none."""
    for length in range(2, len(name)):
        for part, rest in ((name[:length], name[length:]), (name[-length:], name[:-length])):
            if not _GROUP.search(rest):
                yield part
