"""What any language has: the names of a cast in a text, and what the clause beside a quote tells.

    names = Names({"闻筝": ("小筝",), "Anna": ()})
    names.find("小筝和Annabel")                 # [(0, 2, "闻筝")]: Annabel is another word

A :class:`Grammar` (:mod:`chinese`, :mod:`english`, :mod:`japanese`) reads sentences with the names.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Cast = Mapping[str, Sequence[str]]
"""Names of the characters, each with its aliases."""

PRONOUNS = ("他", "她", "它")
"""Stand where a name would, until somebody finds out whom they mean; he and 彼 are 他 here."""

GROUP = "众人"
"""Who speaks where several do at once (众人齐声道); English and Japanese books have it too."""

NARRATORS = ("我", "I", "私", "僕", "俺")
"""The names of a first-person narrator."""

_LETTER = re.compile(r"[A-Za-z]")


@dataclass(frozen=True)
class Cue:
    """What a cue tells: ``who`` (a name, a pronoun, None for another person), by which rule."""

    who: str | None
    rule: str
    thought: bool = False


class Names:
    """The names of a cast as a matcher; a longer name wins over a shorter one at the same place."""

    def __init__(self, cast: Cast) -> None:
        pairs = [(form, who) for who, aliases in cast.items() for form in (who, *aliases) if form]
        pairs += [(form.capitalize(), who) for form, who in pairs if form.startswith("the ")]
        # A form of two persons is the first one's: the cast has its main persons first.
        self.canonical = dict(reversed(pairs))
        forms = sorted(self.canonical, key=len, reverse=True)
        # Of hundreds of forms none begins at most places: one look at the character tells.
        heads = "".join(sorted({form[0] for form in forms}))
        every = "|".join(map(_pattern, forms))
        self._pattern = re.compile(f"(?=[{re.escape(heads)}])(?:{every})" if forms else r"(?!)")

    def find(self, text: str) -> list[tuple[int, int, str]]:
        """(start, end, name) of each mention, aliases resolved."""
        return [(m.start(), m.end(), self.canonical[m[0]]) for m in self._pattern.finditer(text)]


def _pattern(form: str) -> str:
    """A form as a whole word; 我们 is not 我, and 僕たち not 僕."""
    if form in NARRATORS and form != "I":
        return rf"{form}(?![们們]|たち|達|ら(?!な))"
    edges = (r"\b" if _LETTER.match(end) else "" for end in (form[0], form[-1]))
    return re.escape(form).join(edges)


@dataclass(frozen=True)
class Grammar:
    """How one language tells who speaks; ``who`` as in :class:`Cue`.

    ``subjects``: the subject of each clause that has one. ``cue_before``, ``cue_after``: what the
    narration right before or after a quote tells; ``cue_alone``: what a paragraph of its own after
    it tells. ``leads``: whether narration leads to the quote after it (by a colon). ``oneself`` and
    ``oneself_after`` stand before and after the own name (我是, です), ``title`` after a called one.
    ``female_title``, ``male_title`` stand after a name; ``female``, ``male``: titles that tell;
    the ``_given`` ones guess by a given name.
    ``group`` is how a crowd is shown, which the rules call 众人.
    ``next_pronoun`` goes from the end of a name to a pronoun (group 1) that means the same person.
    """

    subjects: Callable[[str, Names], list[str | None]]
    cue_before: Callable[[str, Names], Cue | None]
    cue_after: Callable[[str, Names], Cue | None]
    cue_alone: Callable[[str, Names], Cue | None]
    leads: Callable[[str], bool]
    is_pure_cue: Callable[[str, Names], bool]
    oneself: re.Pattern[str]
    oneself_after: re.Pattern[str]
    title: re.Pattern[str]
    female_title: re.Pattern[str]
    male_title: re.Pattern[str]
    female: re.Pattern[str]
    male: re.Pattern[str]
    female_given: re.Pattern[str]
    male_given: re.Pattern[str]
    next_pronoun: re.Pattern[str]
    sentence: re.Pattern[str]
    narrators: tuple[str, ...]
    group: str = GROUP
