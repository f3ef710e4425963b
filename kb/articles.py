"""Which pages tell of the story's world: no talk, no templates, no lists of meanings, none twice.

    >>> is_article("讨论:沈灯"), is_article("沈灯（消歧义）"), is_article("沈灯")
    (False, False, True)

Everything is compared in simplified characters: a page saved in both scripts is one page.
"""

import re
from collections.abc import Sequence
from zlib import crc32

from kb.names import normalise, simplified
from kb.sections import WORDS, Section

_TALK, _OTHERS = "|".join(WORDS["talk"]), "|".join([*WORDS["namespaces"], *WORDS["talk"]])
# 讨论:, 用户讨论:, Talk:, User talk:, and file names in which the colon became another mark.
_NAMESPACE = re.compile(
    rf"(?:{_OTHERS})[\s_]*(?:{_TALK})?\s*[:：]|.{{0,12}}(?:{_TALK}):|(?:{_TALK})(?:_|%3a)", re.I
)
_MEANINGS = re.compile(rf".+[（(](?:{'|'.join(WORDS['disambiguation-titles'])})[）)]", re.I)
_MEANINGS_TEMPLATE = re.compile(
    rf"\{{\{{\s*(?:template:|模板:)?\s*(?:{'|'.join(WORDS['disambiguation-templates'])})\s*[|}}]",
    re.I,
)
_MEANINGS_LINE = re.compile("|".join(WORDS["disambiguation-lines"]), re.I)
_LONGEST_MEANING = 60
_SENTENCE, _SHORTEST_SENTENCE = re.compile(r"[。！？!?\n]+"), 6
# Pages of one title are compared by the 32 smallest hashes of their sentences: half makes a copy.
_SKETCH, _SHARE = 32, 0.5
# A stub's few facts may be another's as well.
_SHORTEST_COPY = 100
# 沈灯 (1), 沈灯 - 副本, 沈灯 copy: what a file system makes of a second copy.
_COPY = re.compile(r"\s*(?:[（(]\d{1,2}[）)]|-?\s*(?:副本|拷贝|copy)(?:\s*[（(]\d+[）)])?)$", re.I)


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
    """The pages seen so far: the sentences of each as hashes, by title, and of all of them."""

    def __init__(self) -> None:
        self._pages: set[frozenset[int]] = set()
        self._by_title: dict[str, list[frozenset[int]]] = {}

    def is_new(self, title: str, text: str) -> bool:
        """False for a page that says what an earlier one does, or half of its namesake."""
        parts = (part for part in _SENTENCE.split(text) if len(part) >= _SHORTEST_SENTENCE)
        hashes = {crc32(normalise(part).encode()) for part in parts}
        sketch = frozenset(sorted(hashes)[:_SKETCH])
        namesakes = self._by_title.setdefault(normalise(title), [])
        copied = any(len(sketch & other) > _SHARE * len(sketch) for other in namesakes)
        copied = copied or (len(text) >= _SHORTEST_COPY and sketch in self._pages)
        # More than these of one title only take time.
        namesakes += [sketch] if len(namesakes) < _SKETCH else []
        self._pages.add(sketch)
        return not copied
