"""Which pages tell of the story's world: no talk, no templates, no lists of meanings, none twice.

    >>> is_article("讨论:沈灯"), is_article("沈灯（消歧义）"), is_article("沈灯")
    (False, False, True)
    >>> seen = Duplicates()
    >>> seen.is_new("沈灯", text), seen.is_new("沈燈", text)
    (True, False)

Everything is compared in simplified characters: a page saved in both scripts is one page.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b

from kb.names import normalise, simplified
from kb.sections import WORDS, Section

_OTHERS = "|".join([*WORDS["namespaces"], *WORDS["talk"]])
# 讨论:, 用户讨论:, Talk:, User talk:, and file names in which the colon became another mark.
_TALK = "|".join(WORDS["talk"])
_NAMESPACE = re.compile(
    rf"(?:{_OTHERS})[\s_]*(?:{_TALK})?\s*[:：]|.{{0,12}}(?:{_TALK}):|(?:{_TALK})(?:_|%3a)",
    re.IGNORECASE,
)
_MEANINGS = re.compile(
    rf".+[（(](?:{'|'.join(WORDS['disambiguation-titles'])})[）)]", re.IGNORECASE
)
_MEANINGS_TEMPLATE = re.compile(
    rf"\{{\{{\s*(?:template:|模板:)?\s*(?:{'|'.join(WORDS['disambiguation-templates'])})\s*[|}}]",
    re.IGNORECASE,
)
_MEANINGS_LINE = re.compile("|".join(WORDS["disambiguation-lines"]), re.IGNORECASE)
_LONGEST_MEANING = 60
_SENTENCE = re.compile(r"[。！？!?\n]+")
_SHORTEST_SENTENCE = 6
# Pages are compared by the smallest hashes of their sentences: the same share of them is alike.
_SKETCH, _LOOKED_UP = 32, 4
_ALIKE, _ALIKE_OF_ONE_TITLE = 0.9, 0.5
# A stub's few facts may be another's as well.
_SHORTEST_COPY = 100
# 沈灯 (1), 沈灯 - 副本, 沈灯 copy: what a file system makes of a second copy.
_COPY = re.compile(
    r"\s*(?:[（(]\d{1,2}[）)]|-?\s*(?:副本|拷贝|copy)(?:\s*[（(]\d+[）)])?)$", re.IGNORECASE
)


def is_article(title: str) -> bool:
    """False for pages of talk, users, templates and so on, and for lists of meanings."""
    title = simplified(title).strip()
    return not (_NAMESPACE.match(title) or _MEANINGS.fullmatch(title))


def marks_meanings(markup: str) -> bool:
    """Whether wikitext says that it only lists what its title may mean."""
    return bool(_MEANINGS_TEMPLATE.search(simplified(markup)))


def lists_meanings(sections: Sequence[Section]) -> bool:
    """Whether a page begins with '沈灯可以指：' and goes on with short lines only."""
    first, *rest = [line for _, text in sections for line in text.split("\n")]
    short = all(len(line) <= _LONGEST_MEANING for line in rest)
    return len(rest) > 1 and short and bool(_MEANINGS_LINE.fullmatch(simplified(first)))


def without_copy_mark(stem: str) -> str:
    """沈灯 (1) and 沈灯 - 副本 are 沈灯."""
    return _COPY.sub("", stem) or stem


class Duplicates:
    """The pages seen so far, each as the 32 smallest hashes of its sentences."""

    def __init__(self) -> None:
        self._pages: list[tuple[str, frozenset[int]]] = []
        self._by_hash: dict[int, list[int]] = {}
        self._by_title: dict[str, list[int]] = {}

    def is_new(self, title: str, text: str) -> bool:
        """False for a page whose sentences an earlier one has; of one title half of them do."""
        text = normalise_lines(text)
        hashes = {_hash(part) for part in _SENTENCE.split(text) if len(part) >= _SHORTEST_SENTENCE}
        sketch = sorted(hashes)[:_SKETCH]
        title = normalise(title)
        candidates = {n for one in sketch[:_LOOKED_UP] for n in self._by_hash.get(one, ())}
        for number in candidates.union(self._by_title.get(title, ())):
            other, smallest = self._pages[number]
            alike = _share(sketch, smallest)
            needed = _ALIKE_OF_ONE_TITLE if title == other else _ALIKE
            if sketch and alike >= needed and (title == other or len(text) >= _SHORTEST_COPY):
                return False
        number = len(self._pages)
        self._pages.append((title, frozenset(sketch)))
        keys = [(self._by_title.setdefault(title, []))]
        # Boilerplate that stands on every page need not be looked up again and again.
        for found in (*keys, *(self._by_hash.setdefault(one, []) for one in sketch[:_LOOKED_UP])):
            if len(found) < _SKETCH:
                found.append(number)
        return True


def normalise_lines(text: str) -> str:
    """As `normalise`, line by line."""
    return "\n".join(map(normalise, text.split("\n")))


def _share(sketch: list[int], other: frozenset[int]) -> float:
    """Jaccard similarity of two pages, told from the smallest hashes of both together."""
    smallest = sorted(other.union(sketch))[:_SKETCH]
    return sum(one in other and one in sketch for one in smallest) / max(len(smallest), 1)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
