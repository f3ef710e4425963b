"""How Chinese prose tells who speaks: speech verbs, and the subject of the clause beside a quote.

    names = Names({"闻筝": ("小筝",), "铜婆": ()})
    subjects("铜婆没理她，闻筝没好气地说：", names)     # ["铜婆", "闻筝"]: one a clause
    subjects("老人对闻筝说：", names)                  # []: 闻筝 is spoken to
    is_pure_cue("闻筝没好气地说：", names)             # True: it tells who speaks and nothing else

Rules of form only: whom a pronoun means and who answers whom is told elsewhere.
"""

import re
from collections.abc import Mapping, Sequence

from roleplay.distill.rules.words import any_of

Cast = Mapping[str, Sequence[str]]
"""Names of the characters, each with its aliases."""

PRONOUNS = ("他", "她", "它")
"""Stand where a name would, until somebody finds out whom they mean."""

# A cue stands at most so many characters from its quote.
_NEAR = 40
# Hold a speech verb, but nobody speaks: 道理, 知道, 听说.
_TALKED_ABOUT = re.compile(r"道[理路士观德具]|[知难味过通街轨铁]道|听说|据说|小说|传说|学问")
_SAY = re.compile(any_of("say"))
_THINK = any_of("think")
_ENDING = r"(?:了|着|起来|出声|一声|一句|两声|几声|一遍)?[了着]?[：:，,。！？；…—\s]*"
_SAY_END = re.compile(rf"(?:{_SAY.pattern}){_ENDING}$")
_THINK_END = re.compile(rf"(?:{_THINK}){_ENDING}$")

_CLAUSE = re.compile(r"[^，,；;。！？!?…—：:\n]+")
# May stand before a subject: marks left over from a quote, connectives, 一个.
_LEAD = re.compile(rf"(?:[\s　”’」』]|{any_of('leads')}|[一二两三四五六七八九十几]个)*")
# 卖豆糕的郝婶, but not 看着闻筝的郝婶, where two persons stand in the clause.
_ATTRIBUTE = re.compile(r"[^着了过向对看望把被将给]{1,10}的")
# 闻筝的声音 is still 闻筝, 闻筝的师父 is not.
_OWN = re.compile(rf"的[一-鿿]{{0,3}}(?:{any_of('body', 'belongings')})")
_MANNER = (
    rf"(?:[一-鿿]{{1,6}}地|[一-鿿]{{1,3}}着|[低小轻大高厉沉细齐失闷柔冷]声|{any_of('manners')})"
)
_WHO = r"(?:[他她它其]|[那这]?[一-鿿]{1,3}?|[一-鿿]{1,4}(?:人|子|婆|爷|女|娘))"
_TO_WHOM = r"(?:[对向与冲朝跟][一-鿿]{1,6}?)"
_PURE = re.compile(
    rf"(?:{_WHO})?{_MANNER}*{_TO_WHOM}?{_MANNER}*(?:{_SAY.pattern}|{_THINK}){_ENDING}|嘴上却?说"
)
# After a name: others, not the person (绍军, 行者等).
_NOT_ALONE = re.compile(r"[军兵](?!师)|等(?!了|着|待|到|不)|们|众将")
# What follows a pronoun that does not speak itself: 他们, 他爸, 她的同学.
_OTHERS = re.compile(
    rf"们|二人|俩|[老小大二三]?(?:{any_of('kin')})|的(?![一-鿿]{{0,3}}(?:{any_of('body')}|身|喉))"
)
_SOMEBODY = re.compile(
    rf"{any_of('somebody')}|[那这][一-鿿]{{0,3}}(?:人|个|位|怪|妖|猴|汉|僧|官|兵|伙)|诸[将官臣侯]|"
    rf"[二两三四五六七八九十][臣将僧妖官怪王仙]|[一-鿿]{{0,3}}(?:{any_of('anybody')})"
)


class Names:
    """The names of a cast as a matcher; a longer name wins over a shorter one at the same place."""

    def __init__(self, cast: Cast) -> None:
        pairs = [(form, who) for who, aliases in cast.items() for form in (who, *aliases) if form]
        # A form of two persons is the first one's: the cast has its main persons first.
        self.canonical = dict(reversed(pairs))
        forms = sorted(self.canonical, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, forms)) if forms else r"(?!)")

    def find(self, text: str) -> list[tuple[int, int, str]]:
        """(start, end, name) of each mention, aliases resolved."""
        return [(m.start(), m.end(), self.canonical[m[0]]) for m in self._pattern.finditer(text)]


def first_subject(sentence: str, names: Names) -> str | None:
    """Who opens the sentence: its first subject, if that stands in one of the first two clauses."""
    found = subjects("，".join(_CLAUSE.findall(sentence)[:2]), names)
    return found[0] if found else None


def subjects(sentence: str, names: Names) -> list[str | None]:
    """The subject of each clause that has one: a name, a pronoun, ``None`` for another person."""
    found: list[str | None] = []
    for clause in _CLAUSE.findall(sentence):
        mentions = names.find(clause)
        name = _clause_subject(clause, mentions[0]) if mentions else None
        if name or (mentions and _LEAD.fullmatch(clause[: mentions[0][0]])):
            found.append(name)
            continue
        bare = _LEAD.sub("", clause, count=1)
        if somebody := _SOMEBODY.match(clause.strip()) or _SOMEBODY.match(bare):
            after = clause.index(somebody[0]) + 1
            alone = somebody[0] in PRONOUNS and not _OTHERS.match(clause, after)
            found.append(somebody[0] if alone else None)
    return found


def says(sentence: str) -> bool:
    """Whether a speech verb stands anywhere in the sentence."""
    return bool(_SAY.search(_TALKED_ABOUT.sub("", sentence)))


def ends_saying(sentence: str) -> bool:
    """Whether the sentence ends with a speech verb, as right before a quote."""
    return bool(_SAY_END.search(sentence[-_NEAR:]))


def thinks(sentence: str) -> bool:
    """Whether the sentence ends with a verb of thought: the quote beside it was not said aloud."""
    return bool(_THINK_END.search(sentence[-_NEAR:]))


def is_pure_cue(clause: str, names: Names) -> bool:
    """Whether the clause is only a cue: (who) (to whom) (how) + a verb of speech or thought."""
    bare = clause.strip(" \t\n　，,。：:；;…—")
    if len(bare) > _NEAR:
        return False
    for start, end, _ in reversed(names.find(bare)):
        bare = f"{bare[:start]}他{bare[end:]}"
    return bool(_PURE.fullmatch(bare))


def _clause_subject(clause: str, mention: tuple[int, int, str]) -> str | None:
    """The mention, if it opens the clause (卖豆糕的郝婶) and owns no other person (闻筝的师父)."""
    start, end, name = mention
    if not (_LEAD.fullmatch(clause[:start]) or _ATTRIBUTE.fullmatch(clause[:start])):
        return None
    rest = clause[end:]
    others = _NOT_ALONE.match(rest) or (rest.startswith(("的", "之")) and not _OWN.match(rest))
    return None if others else name
