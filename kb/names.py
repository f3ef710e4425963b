"""The names of pages: found in a text whole, and known by all the names that a page goes by.

    >>> names = Names(snippets)                     # a page 沈灯, also called 小灯
    >>> names.found_in("小灯最喜欢什么"), names.titles_missing_from("小灯最喜欢什么")
    (['小灯'], ['沈灯'])
    >>> sorted(names.of_one("小灯"))
    ['小灯', '沈灯']

Names are compared in one width and lower case; one character alone is too common to look for.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from kb.snippets import Snippet

_SHORTEST = 2


class Names:
    """Titles and aliases by their first two characters: one pass over a text finds them all."""

    def __init__(self, snippets: Iterable[Snippet]) -> None:
        self._titles: defaultdict[str, set[str]] = defaultdict(set)
        self._groups: defaultdict[str, set[str]] = defaultdict(set)
        for title, aliases in {(snippet.title, snippet.aliases) for snippet in snippets}:
            group = {normalise(name) for name in (title, *aliases)} - {""}
            for name in group:
                self._groups[name] |= group
                self._titles[name].add(normalise(title))
        self._by_start = names_by_start(self._titles)

    def found_in(self, text: str) -> list[str]:
        """Names that stand in the text, sorted."""
        return find_names(normalise(text), self._by_start)

    def titles_missing_from(self, text: str) -> list[str]:
        """Titles of the pages that the text names by an alias only, sorted."""
        found = self.found_in(text)
        return sorted({title for name in found for title in self._titles[name]} - set(found))

    def of_one(self, name: str) -> frozenset[str]:
        """All names, normalised, of whoever is called `name`, that one included."""
        return frozenset(self._groups.get(normalise(name), ())) | {normalise(name)}

    def all(self) -> list[str]:
        """Every name that is looked for, sorted."""
        return sorted(name for names in self._by_start.values() for name in names)


def names_by_start(names: Iterable[str]) -> dict[str, set[str]]:
    """Normalised names of two characters and more by their first two, for `find_names`."""
    table: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        if len(name) >= _SHORTEST:
            table[name[:_SHORTEST]].add(name)
    return table


def find_names(text: str, by_start: dict[str, set[str]]) -> list[str]:
    """Names of the table that stand in a normalised text, sorted."""
    starts = {text[at : at + _SHORTEST] for at in range(len(text) - 1)} & by_start.keys()
    return sorted(name for start in starts for name in by_start[start] if name in text)


def normalise(text: str) -> str:
    """One width (NFKC), lower case, no line ends: 'ＡＢ\\n１' -> 'ab 1'."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())
