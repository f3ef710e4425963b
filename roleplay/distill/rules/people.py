"""The persons of a story for whoever looks for a speaker: their names, and the pronoun of each.

    people = People({"闻筝": ("小筝",), "咕噜九号": ()}, genders={"闻筝": "f"})
    people.fits("闻筝", "他")            # False
    people.fits("咕噜九号", "它")        # None: nobody said

A gender comes from the world's list, else from the text (闻筝笑了，她…, counted over the book), else
from the name (郝婶).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from roleplay.distill.rules.chinese import CHINESE
from roleplay.distill.rules.cues import GROUP, NARRATORS, Cast, Grammar, Names

_OF_GENDER = {"m": "他", "f": "她", "n": "它"}
_PRONOUN = {"he": "他", "his": "他", "she": "她", "her": "她", "彼": "他", "彼女": "她"}
# Two of two, five of six: less may be about somebody else.
_ENOUGH, _CLEAR = 2, 0.8


class People:
    """A cast with the pronoun of each person; ``names`` finds their mentions."""

    def __init__(
        self,
        cast: Cast,
        genders: Mapping[str, str | None] | None = None,
        grammar: Grammar = CHINESE,
    ) -> None:
        self.names, self.grammar = Names(cast), grammar
        self.all = tuple(cast)
        given = {name: _OF_GENDER.get((genders or {}).get(name) or "") for name in cast}
        self.guessed: set[str] = set()
        """Whose pronoun nothing tells but the sound of the name, or nothing at all."""
        self._open = {name for name in cast if given[name] is None}
        self.pronoun = given
        for name in self._open:
            forms = (name, *cast[name])
            titled = _told(forms, grammar.female, grammar.male)
            self.pronoun[name] = titled or _told(forms, grammar.female_given, grammar.male_given)
            if titled is None:
                self.guessed.add(name)

    def learn_pronouns(self, text: str) -> None:
        """Set the pronouns that nobody gave by what follows the names in ``text``."""
        seen: dict[str, Counter[str]] = defaultdict(Counter)
        for _, end, name in self.names.find(text):
            if name not in self._open:
                continue
            if match := self.grammar.next_pronoun.match(text, end):
                seen[name][_PRONOUN.get(match[1].lower(), match[1])] += 1
            # 海登小姐: what others call a person tells as well.
            if self.grammar.female_title.match(text, end):
                seen[name]["她"] += 1
            elif self.grammar.male_title.match(text, end):
                seen[name]["他"] += 1
        for name, counts in seen.items():
            pronoun, count = counts.most_common(1)[0]
            if counts.total() >= _ENOUGH and count >= _CLEAR * counts.total():
                self.pronoun[name] = pronoun
                self.guessed.discard(name)

    def fits(self, name: str, pronoun: str) -> bool | None:
        """Whether the pronoun may mean the person; ``None`` where that is not known."""
        # Neither the one who tells nor several at once are he or she.
        known = "我" if name in (*NARRATORS, GROUP) else self.pronoun.get(name)
        return None if known is None else known == pronoun


def _told(forms: Iterable[str], female: re.Pattern[str], male: re.Pattern[str]) -> str | None:
    """The pronoun that the forms of a name tell, if they agree."""
    she, he = (any(map(marks.search, forms)) for marks in (female, male))
    return ("她" if she else "他") if she != he else None
