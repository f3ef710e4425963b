"""Which discovered names are one person: merged only with evidence, and the evidence is kept.

    merge_aliases(text, {"孙行者": 9, "行者": 2673})
    # [Alias(name="行者", aliases=("孙行者",), gender="m", evidence=("孙行者 ends with 行者, ...",))]

Two names are merged where one is the tail or the head of the other (孙行者, 行者), only one longer
name fits, they never speak to each other, and they are named close together. An unsure pair, or one
that shares no character (悟空, 行者), stays apart, for a person (or a model) to merge.
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from roleplay.distill.rules import chinese_cast, japanese
from roleplay.distill.rules.chinese import CHINESE
from roleplay.distill.rules.cues import Grammar
from roleplay.distill.rules.english import ENGLISH, joined_forms, last_names, titles_of
from roleplay.distill.rules.japanese import JAPANESE
from roleplay.distill.rules.people import People
from roleplay.distill.rules.simplify import simplified
from roleplay.distill.rules.words import any_of, characters

_SHORTEST = 2
_NEAR = 600
_ENOUGH = 3
# Words for many persons: never the sign of one.
_COMMON = re.compile(any_of("titles"))
_DOT = re.compile("[·•・]")
_OFFICE = re.compile(any_of("offices"))
_SURNAME = re.compile(rf"{any_of('compound_surnames')}|[{characters('surnames')}]")
# 鲁都头, 孙小姐, and 老周.
_TITLES = any_of("titles", "offices", "addresses")
_ROLE = re.compile(any_of("titles", "roles", "offices"))
_TWICE = 2
_BY_CHANCE, _CLEARLY = 0.1, 0.8
_MOST = 100
_TITLED = re.compile(rf"({_SURNAME.pattern})({_TITLES})")
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


def merge_aliases(text: str, counts: Mapping[str, int], grammar: Grammar = CHINESE) -> list[Alias]:
    """The alias table of the names found in ``text``; the most frequent form names the person."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    if grammar is ENGLISH:
        found |= joined_forms(counts)
        for name, form in titles_of(counts):
            found[name].append((form, f"{name} alone has that title"))
        for name, form in last_names(text, counts):
            found[name].append((form, f"{form} is the last name of {name} alone"))
    for name, form in _offices(text, counts) if grammar is CHINESE else ():
        found[name].append((form, f"{form} is the title of {name} alone"))
    for name, form in _given_alone(text, counts) if grammar is CHINESE else ():
        found[name].append((form, f"{form} is the given name of {name}, and of nobody else"))
    if grammar is JAPANESE:
        for name, form in japanese.titles_of(text, counts):
            found[name].append((form, f"{name}{form}, and nobody else has that title"))
    done = {form for pairs in found.values() for form, _ in pairs}
    for short in counts if grammar is not ENGLISH else ():
        if short not in done and (partner := _partner(text, short, counts)):
            # A foreign name is shown in full; else the form that is used most.
            full = bool(_parts(partner[0])) or grammar is JAPANESE
            pair = (partner[0], short)
            head, tail = pair if full else sorted(pair, key=lambda name: -counts[name])
            if full and (moved := found.pop(short, None)):
                found[head] += moved
            found[head].append((tail, partner[1]))
    taken = {tail for pairs in found.values() for tail, _ in pairs}
    made: list[Alias] = []
    for name in (name for name in counts if name not in taken):
        pairs = _joined(found, name)
        # The many who say little are not worth a search of the whole book each.
        if grammar is CHINESE and len(made) < _MOST:
            mine = {name, *(tail for tail, _ in pairs)}
            pairs += [pair for pair in _other_forms(text, name, counts) if pair[0] not in mine]
        # 斯通 of 阿尔文·斯通, also where nobody is called by it beside a quote.
        for part in _parts(name) if grammar is not ENGLISH else ():
            known = {part, name}.intersection(known for pair in pairs for known in pair)
            if not known and part not in counts and len(_owners(part, counts)) == 1:
                pairs.append((part, f"{part} is a part of {name}, and of no other name"))
        # In the book's own script, as the name itself is.
        pairs = [(_own(text, form), told) for form, told in pairs]
        others, evidence = zip(*pairs, strict=True) if pairs else ((), ())
        made.append(Alias(name, tuple(dict.fromkeys(others)), None, tuple(dict.fromkeys(evidence))))
    people = People({one.name: one.aliases for one in made}, None, grammar)
    people.learn_pronouns(text)
    told = {name: _GENDERS.get(people.pronoun[name]) for name in set(people.all) - people.guessed}
    return [replace(one, gender=told.get(one.name)) for one in made]


def _own(text: str, form: str) -> str:
    """A simplified form as the text writes it (许俊杰: 許俊傑)."""
    at = -1 if form in text else simplified(text).find(form)
    return form if at < 0 else text[at : at + len(form)]


def _joined(found: Mapping[str, list[tuple[str, str]]], name: str) -> list[tuple[str, str]]:
    """The aliases of a name, and theirs: 都头 is 鲁都头's, who is 鲁大椿."""
    pairs = list(found.get(name, ()))
    for tail, _ in pairs:
        pairs += [pair for pair in found.get(tail, ()) if pair not in pairs and pair[0] != name]
    return pairs


def _other_forms(text: str, name: str, counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """How else the text calls a full name (林秀枝): 秀枝, 小林, 林老师; only where it is the only 林."""
    text, plain = simplified(text), simplified(name)
    surname = _SURNAME.match(plain)
    given = plain[surname.end() :] if surname else ""
    if _ROLE.fullmatch(plain):
        return []
    # 俊杰 is called 许俊杰 in full.
    fulls = full_names(text, plain) if len(plain) == 2 and not surname else {}
    if len(fulls) == 1 and not set(fulls).intersection(map(simplified, counts)):
        return [(full, f"{full} ends with {name}, and no other surname does") for full in fulls]
    if not surname or not given or len(given) > 2 or _TITLED.fullmatch(plain):
        return []
    forms = []
    if len(given) == 2 and text.count(given) - text.count(plain) >= _TWICE and given not in counts:
        forms.append((given, f"{given} is the given name of {name}"))
    same = [one for one in map(simplified, counts) if one.startswith(surname[0]) and one != plain]
    if any(not _TITLED.fullmatch(one) for one in same):
        return forms
    small = [mark + surname[0] for mark in "老小" if text.count(mark + surname[0]) >= _TWICE]
    # 糜夫人 is the wife of a 糜 more often than 糜竺.
    titled = set(re.findall(rf"(?<![一-鿿]){surname[0]}(?!夫人|太太|娘子)(?:{_TITLES})", text))
    only = [*small, *(titled if len(titled) == 1 else ())]
    return forms + [
        (form, f"{form} has the surname of {name} alone") for form in only if form not in counts
    ]


def full_names(text: str, given: str) -> dict[str, int]:
    """The surnames with a given name that the text has more than once, and not by chance."""
    places = [at.start() for at in re.finditer(given, text) if at.start()]
    before = Counter(text[at - 1] for at in places if _SURNAME.match(text, at - 1))
    return {
        one + given: count
        for one, count in before.items()
        if count >= _TWICE and count >= _BY_CHANCE * len(places)
    }


def _given_alone(text: str, counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """(曹操, 操) for each full name whose last character alone speaks, and is nobody else's."""
    text = simplified(text)
    found, heads = chinese_cast.find_names(text), chinese_cast.clause_heads(text)
    plains = {simplified(name): name for name in counts}
    for given, name in ((one, found[one]) for one in found if len(one) == 1):
        speaks = name.say >= _TWICE and name.say >= _BY_CHANCE * heads[given]
        families = ((one, _SURNAME.match(one)) for one in plains if one.endswith(given))
        fulls = {
            one: text.count(one)
            for one, family in families
            if family and family.end() == len(one) - 1
        }
        most = max(fulls, key=lambda one: fulls[one], default="")
        if speaks and most and fulls[most] >= _CLEARLY * sum(fulls.values()):
            yield plains[most], given


def _offices(text: str, counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """(奥森队长's name, 队长) for each office that one person alone holds."""
    owners: dict[str, dict[str, str]] = defaultdict(dict)
    held = re.findall(rf"([一-鿿]{{1,4}})({_OFFICE.pattern})", simplified(text))
    plains = {name: simplified(name) for name in counts}
    for before, office in sorted(set(held)):
        for name, plain in plains.items():
            titled = plain.endswith(office) and len(plain) > len(office)
            bearer = any(before.endswith(part) for part in (*_parts(plain), plain))
            if bearer or (titled and before.endswith(plain.removesuffix(office))):
                owners[office][name] = plain
    for office, people in owners.items():
        if len(people) == 1 and simplified(text).count(office) > _TWICE:
            yield next(iter(people)), office


def _parts(name: str) -> list[str]:
    """The parts of a foreign name (阿尔文·斯通), single characters (冯) left out."""
    parts = _DOT.split(name)
    return [part for part in parts if len(part) >= _SHORTEST] if len(parts) > 1 else []


def _owners(part: str, counts: Mapping[str, int]) -> list[str]:
    return [name for name in counts if part in _parts(name)]


def _partner(text: str, short: str, counts: Mapping[str, int]) -> tuple[str, str] | None:
    """The one longer name that ``short`` is a part of, with the evidence; None where unsure."""
    full = [one for one in counts if short in one and one != short and short in _parts(one)]
    if full:
        told = f"{short} is a part of {full[0]}, and of no other name"
        return (full[0], told) if len(full) == 1 else None
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
    named = "·" in longer[0] or _is_given(longer[0], short) or counts[longer[0]] == 1
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
