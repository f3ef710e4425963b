"""The names of pages: found in a text whole, and known by all the names that a page goes by.

    >>> names = Names([("沈灯", ["小灯"])])         # a page 沈灯, also called 小灯
    >>> names.found_in("小燈最喜歡什麼"), names.titles_missing_from("小灯最喜欢什么")
    (['小灯'], ['沈灯'])
    >>> sorted(names.of_one("小灯"))
    ['小灯', '沈灯']

Names are compared in one script, width and case; one character alone is too common to look for.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise

import opencc

_SHORTEST = 2
# Ideographs with their extensions, and the compatibility forms.
_IDEOGRAPHS = ((0x3400, 0xA000), (0xF900, 0xFB00), (0x20000, 0x323B0))
# OpenCC keeps these, which simplified text seldom has: 看著, 妳, 牠, 暱稱.
_KEPT_BY_OPENCC = str.maketrans("著妳牠祂暱", "着你它他昵")


class Names:
    """Titles and aliases of all pages: one pass over a text finds them."""

    def __init__(self, pages: Iterable[tuple[str, Sequence[str]]]) -> None:
        """`pages` are (title, other names)."""
        self._titles: defaultdict[str, set[str]] = defaultdict(set)
        self._groups: defaultdict[str, set[str]] = defaultdict(set)
        for title, aliases in {(title, tuple(aliases)) for title, aliases in pages}:
            group = {normalise(name) for name in (title, *aliases)} - {""}
            for name in group:
                self._groups[name] |= group
                self._titles[name].add(normalise(title))
        self.finder = NameFinder(self._titles)

    def found_in(self, text: str) -> list[str]:
        """Names that stand in the text, in the order in which they first do."""
        return list(dict.fromkeys(name for _, name in self.finder.find(normalise(text))))

    def titles_missing_from(self, text: str) -> list[str]:
        """Titles of the pages that the text names by an alias only, sorted."""
        found = self.found_in(text)
        return sorted({title for name in found for title in self._titles[name]} - set(found))

    def titles_of(self, name: str) -> frozenset[str]:
        """Normalised titles of the pages that go by a normalised name."""
        return frozenset(self._titles.get(name, ()))

    def of_one(self, name: str) -> frozenset[str]:
        """All names, normalised, of whoever is called `name`, that one included."""
        return frozenset(self._groups.get(normalise(name), ())) | {normalise(name)}


class NameFinder:
    """Finds normalised names in normalised texts, however many names there are."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name for name in names if len(name) >= _SHORTEST}
        lengths: defaultdict[tuple[str, ...], set[int]] = defaultdict(set)
        for name in self._names:
            lengths[tuple(name[:_SHORTEST])].add(len(name))
        self._lengths = {start: sorted(found, reverse=True) for start, found in lengths.items()}

    def find(self, text: str) -> list[tuple[int, str]]:
        """(place, name) from left to right; of names that overlap, the first and longest.

        A name of Latin letters is whole: Ann does not stand in Anna.
        """
        lengths, found, free = self._lengths, [], 0
        # Few places begin a name: this line is what a long text takes its time for.
        for at in [at for at, start in enumerate(pairwise(text)) if start in lengths]:
            for length in lengths[text[at], text[at + 1]] if at >= free else ():
                name = text[at : at + length]
                if name in self._names and _is_whole(text, at, at + length):
                    found.append((at, name))
                    free = at + length
                    break
        return found


def _is_whole(text: str, start: int, end: int) -> bool:
    """False where a Latin word or a number goes on beyond a name's edge."""
    edges = (text[max(at - 1, 0) : at + 1] for at in (start, end))
    return not any(len(edge) == 2 and edge.isascii() and edge.isalnum() for edge in edges)


def normalise(text: str) -> str:
    """One width (NFKC), lower case, simplified, no line ends: 'ＡＢ\\n１燈' -> 'ab 1灯'."""
    return " ".join(simplified(unicodedata.normalize("NFKC", text).lower()).split())


def simplified(text: str) -> str:
    """Traditional characters as simplified ones, one for one: every place stays what it was.

    Character by character, so that a name is the same in every context.
    """
    return text if text.isascii() else text.translate(_simplified_characters())


@cache
def _simplified_characters() -> dict[int, str]:
    characters = [chr(code) for span in _IDEOGRAPHS for code in range(*span)]
    told = opencc.OpenCC("t2s").convert("\n".join(characters)).split("\n")
    pairs = zip(characters, told, strict=True)
    changed = {ord(one): other for one, other in pairs if one != other and len(other) == 1}
    return changed | {code: chr(other) for code, other in _KEPT_BY_OPENCC.items()}
