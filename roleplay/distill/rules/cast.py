"""Who speaks in a book that nobody described, in any language that has rules.

    find_people(text)       # [Alias(name="行者", aliases=("孙行者",), gender="m", evidence=(...,)), ...]
    discover_cast(text).most_common(2)                           # [("行者", 2292), ("八戒", 783)]

Aliases stay apart (孙行者, 行者) in ``discover_cast``; ``find_people`` gives persons, with sure aliases
merged, and a first-person narrator (我, I, 私) among them.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from roleplay.distill.rules import chinese_cast, english, japanese, minor_speakers
from roleplay.distill.rules.aliases import Alias, merge_aliases
from roleplay.distill.rules.chinese import CHINESE
from roleplay.distill.rules.cues import Grammar, Names
from roleplay.distill.rules.simplify import simplified
from roleplay.distill.rules.turns import read_blocks, spoken_quotes

_KANA, _HAN, _LATIN = re.compile("[ぁ-ヺ]"), re.compile("[一-鿿]"), re.compile("[A-Za-z]")
_SAMPLE = 100_000
_CALL = re.compile(r"(?:^|[，。！？…])([一-鿿]{2,3})(?=[，。！？…]|$)")
_CALLED = 3
_NARRATED, _NARRATOR_SHARE = 3, 0.08


@dataclass(frozen=True)
class Language:
    """The rules of one language."""

    grammar: Grammar
    discover: Callable[..., Counter[str]]
    minor: Callable[[str, Names], Counter[str]]


LANGUAGES = {
    "zh": Language(CHINESE, chinese_cast.discover_cast, minor_speakers.find_minor_speakers),
    "en": Language(english.ENGLISH, english.discover, english.find_minor_speakers),
    "ja": Language(japanese.JAPANESE, japanese.discover, japanese.find_minor_speakers),
}
"""The languages whose speakers are told by rules; another one needs a model."""


def language_of(text: str, language: str | None = None) -> Language | None:
    """The rules for a language ("zh", "zh-TW", by default what the text looks like), if any."""
    if language is None:
        sample = text[:_SAMPLE]
        kana, han, latin = (len(one.findall(sample)) for one in (_KANA, _HAN, _LATIN))
        letters = sum(map(str.isalpha, sample))
        if letters > 2 * (kana + han + latin):
            return None
        language = "ja" if 10 * kana > kana + han + latin else "en" if latin > 2 * han else "zh"
    return LANGUAGES.get(language.split("-")[0].lower())


def discover_cast(
    text: str, *, at_least: int | None = None, language: str | None = None
) -> Counter[str]:
    """The names that a book's cues give away, with how often each speaks or acts by a quote."""
    rules = language_of(text, language)
    return rules.discover(text, at_least=at_least) if rules else Counter()


def find_people(text: str, language: str | None = None) -> list[Alias]:
    """The persons whom a book's cues give away, sure aliases merged; who speaks most is first."""
    rules = language_of(text, language)
    if rules is None:
        return []
    counts = dict(rules.discover(text).most_common())
    # In the book's own script: 阿遠 is found as 阿远.
    plain = simplified(text) if rules.grammar is CHINESE else text
    own = {name: text[at : at + len(name)] for name in counts if (at := plain.find(name)) >= 0}
    counts = {own.get(name, name): count for name, count in counts.items()}
    people = merge_aliases(text, counts, rules.grammar)
    if (narrator := find_narrator(text, rules.grammar)) is None:
        return people
    told = [part for block in read_blocks(text) for part in block.plain if part]
    # Mr. Dacre, whom others call and nobody else tells of, is who tells the story.
    mine = [one for one in people if not any(map(Names({one.name: one.aliases}).find, told))]
    called = [(form, _calls(text, form)) for one in mine for form in (one.name, *one.aliases)]
    names = tuple(form for form, count in called if count >= _CALLED)
    if len({one.name for one in mine if {one.name, *one.aliases}.intersection(names)}) > 1:
        names = ()
    if rules.grammar is CHINESE:
        names = _called_names(text, told) or names
    evidence = tuple(f"{name} is called, and never told of" for name in names)
    rest = [one for one in people if not {one.name, *one.aliases}.intersection(names)]
    return [*rest, Alias(narrator, names, None, ("tells the story", *evidence))]


def _calls(text: str, name: str) -> int:
    return sum(
        len(Names({name: ()}).find(text[slice(*quote.span)])) for quote in spoken_quotes(text)
    )


def _called_names(text: str, told: list[str]) -> tuple[str, ...]:
    """Names that are called again and again (阿遠，…) and stand nowhere in the narration."""
    calls = Counter(
        match[1]
        for quote in spoken_quotes(text)
        for match in _CALL.finditer(text[slice(*quote.span)])
    )
    plain = {name: simplified(name) for name in calls}
    return tuple(
        name
        for name, count in calls.items()
        if count >= _CALLED
        and chinese_cast.looks_like_name(plain[name])
        and not any(name in part for part in told)
    )


def find_narrator(text: str, grammar: Grammar) -> str | None:
    """The word by which a narrator calls himself, if one tells the story."""
    told = [part for block in read_blocks(text) for part in block.plain if part]
    share = {word: _mentions(word, told) for word in grammar.narrators}
    word = max(share, key=lambda one: share[one], default=None)
    if word is None or share[word] < max(_NARRATED, _NARRATOR_SHARE * len(told)):
        return None
    return word


def _mentions(word: str, told: list[str]) -> int:
    names = Names({word: ()})
    return sum(bool(names.find(part)) for part in told)
