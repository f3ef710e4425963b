"""How English prose tells who speaks: said-tags before, after and inside, and who acts in a
sentence.

names = Names({"Anna Reed": ("Anna", "Miss Reed"), "I": ()})
cue_after(' said Anna, and went.', names)      # Cue("Anna Reed", "after")
subjects("He turned to Anna.", names)          # ["他"]: Anna is an object; he is 他 everywhere
discover(text).most_common(2)                  # [("Anna", 12), ("Mr. Hale", 7)]
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from roleplay.distill.rules.cues import GROUP, Cue, Grammar, Names
from roleplay.distill.rules.turns import read_blocks

_LISTS: dict[str, str] = json.loads(Path(__file__).with_name("english.json").read_text("utf-8"))


def _any(*names: str) -> str:
    words = [word.replace("_", " ") for name in names for word in _LISTS[name].split()]
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_TITLE = rf"(?:{_any('titles')})"
# A full stop after Mr. ends no sentence.
_SENTENCE = re.compile(rf"(?:\b(?:{_TITLE}|St|[A-Z])\.|[^.!?…])*(?:[.!?…]+[\"”’']*|$)", re.S)
_SAY = rf"(?:{_any('say')}|(?:was|were) \w+ing)"
_THINK = rf"(?:{_any('think')})"
_ADVERB = (
    r"(?:\w+ly|then|only|now|at last|at once|again|also|even|just|never|always|still|had|has|"
    r"to \w+)"
)
# O'Brien, but of Lady Russell's the name alone.
_WORD = r"[A-Z](?:\w|-(?!-)|['’](?!s\b))*[a-z]"
_NAME = rf"(?:{_TITLE}\.? )?{_WORD}(?: (?:(?:de|von|van|du|da|la|le) )?{_WORD}){{0,2}}"
_THE = (
    r"(?:[Tt]he|[Aa]n?|[Hh]is|[Hh]er|[Mm]y|[Oo]ur|[Oo]ld|[Oo]ne of the|[Aa]nother|[Tt]his|"
    r"[Tt]hat|[Tt]heir)"
)
# the old porter from the inn: the words up to a preposition or a verb.
_NOUNS = rf"{_THE} (?:[a-z'’-]+ ){{0,3}}?[a-z'’-]+"
# Up to where the words for one person end: said a tall woman | in black.
_NOUN_END = (
    r"(?= (?:in|of|from|with|at|on|who|to|as|by|behind|beside|near|and|over|through|after|"
    r"before|without|but|when|while)\b|[,.;:!?—]|\s*$)"
)
_WHO = rf"(?:[Hh]e|[Ss]he|I|[Tt]hey|[Ww]e|{_NAME}|(?i:{_any('groups')})|{_NOUNS})"
_VERB_FIRST = re.compile(
    rf"\W*({_THINK}|{_SAY})(?: out)?(?: {_ADVERB}){{0,2}} ((?!{_NOUNS}){_WHO}|"
    rf"{_NOUNS}{_NOUN_END})\b"
)
_WHO_FIRST = re.compile(
    rf"\W*(?:and |but |then )?({_WHO})(?: {_ADVERB}){{0,2}} ({_THINK}|{_SAY})\b"
)
_ENDS_SAYING = re.compile(rf"\b(?:{_SAY}|{_THINK})\b[^.!?;]{{0,60}}[,:]$")
_THINKS = re.compile(rf"\b{_THINK}\b")
# A sentence that has no subject: None is somebody whom no name tells.
_NO_ONE = ""
_PRONOUN = {"he": "他", "she": "她"}
_NOT_SUBJECT = re.compile(
    rf"(?:\b(?:{_any('prepositions')})|['’]s)(?: (?:the|a|an|old|dear|poor))?$"
)
_SUBJECT_WORD = re.compile(r"\b(?:[Hh]e|[Ss]he|I|[Tt]hey)\b")
_OWN = re.compile(
    r"['’]s? (?:\w+ )?(?:voice|face|eyes|eyebrows|hand|hands|head|lips|mouth|smile|moustache|"
    r"shoulders|tone|jaw|fingers)\b"
)
_SUBORDINATE = re.compile(
    r"\W*(?:When|As|While|If|After|Before|Though|Although|Because|Since|Once|Until)\b"
)
# A young man rose: somebody whom no name tells.
_SOMEBODY = re.compile(
    r"\W*(?:(?:[A-Z]\w+ly|Then|Now|And|But|By [^,]{1,20},?) )?(?:[Aa]n?|[Tt]he|"
    r"[Aa]nother) (?:[a-z-]+ ){0,3}?(?:man|woman|boy|girl|lady|gentleman|fellow|stranger|"
    r"voice|person|child)\b"
)
# Nobody answered him: a verb of speech, and nobody speaks.
_SILENT = re.compile(r"\b(?:[Nn]obody|[Nn]o one|[Nn]one|did not|didn['’]t|said nothing|made no)\b")
_GROUP = re.compile(rf"(?i:{_any('groups')})\b")
_FEMALE, _MALE = (re.compile(rf"^(?:{_any(kind)})\b") for kind in ("female", "male"))
# His wife and her father are somebody else in every scene; the porter is one person.
_ROLE = re.compile(r"(?:the|an?|my|our) ((?:(?:old|young|little|head) )?[a-z'’-]+)$", re.I)


def subjects(sentence: str, names: Names) -> list[str | None]:
    """The subject of each sentence: a name, 他 or 她; ``None`` for another person."""
    return [who for one in _sentences(sentence) if (who := _subject(one, names)) != _NO_ONE]


def _sentences(text: str) -> list[str]:
    return [one for one in _SENTENCE.findall(text) if one.strip(' \n."”')]


def _subject(sentence: str, names: Names) -> str | None:
    """Its first nominative; ``_NO_ONE`` where there is none."""
    mentions = {start: (end, name) for start, end, name in names.find(sentence)}
    found = list(_nominatives(sentence, mentions, names))
    # When he had gone she came: the main clause is the later one.
    later = len(found) > 1 and _SUBORDINATE.match(sentence) and "," not in sentence[:3]
    if found:
        return found[1 if later else 0]
    return None if _SOMEBODY.match(sentence) else _NO_ONE


def _nominatives(
    sentence: str, mentions: dict[int, tuple[int, str]], names: Names
) -> Iterator[str | None]:
    """The names and pronouns that are subjects, in order."""
    for match in _SUBJECT_WORD.finditer(sentence):
        mentions.setdefault(match.start(), (match.end(), match[0]))
    for start, (end, name) in sorted(mentions.items()):
        before, rest = sentence[:start].rstrip(), sentence[end:]
        if word := _PRONOUN.get(name.lower()):
            yield word
        elif name in ("They", "they"):
            yield GROUP
        elif name == "I":
            if "I" in names.canonical:
                yield "I"
        elif not _NOT_SUBJECT.search(before) and (
            rest[:1] not in "'’" or not rest or _OWN.match(rest)
        ):
            yield name


def _told(who: str, names: Names) -> str | None:
    """Whom the words of a subject mean; ``_NO_ONE`` for I where nobody tells the story."""
    if word := _PRONOUN.get(who.lower()):
        return word
    if _GROUP.fullmatch(who):
        return GROUP
    found = names.find(who)
    if found:
        return found[-1][2] if found[-1][1] == len(who) or found[-1][0] == 0 else found[0][2]
    return _NO_ONE if who == "I" else None


def cue_before(gap: str, names: Names) -> Cue | None:
    """The cue right before a quote (Anna turned and said,)."""
    sentence = next(reversed(_sentences(gap)), "").strip()
    if not sentence.endswith((",", ":")) or not (
        _ENDS_SAYING.search(sentence) or sentence[-1] == ":"
    ):
        return None
    who = _subject(sentence, names)
    if who == _NO_ONE and (match := _WHO_FIRST.match(sentence)):
        who = _told(match[1], names)
    return None if who == _NO_ONE else Cue(who, "before", _thinks(sentence))


def _thinks(sentence: str) -> bool:
    return bool(_THINKS.search(sentence[-60:]))


def cue_after(gap: str, names: Names) -> Cue | None:
    """The cue right after a quote ( said Anna, and went.)."""
    first = next(iter(_sentences(gap)), "")
    if _SILENT.search(first):
        return None
    if match := _VERB_FIRST.match(first):
        who = _told(match[2], names)
    elif match := _WHO_FIRST.match(first):
        who = _told(match[1], names)
    else:
        return None
    # He was locking the door: an act in progress tells of speech only with a verb of speech.
    verb = match[1] if match.re is _VERB_FIRST else match[2]
    if (
        " " in verb
        and verb.endswith("ing")
        and not re.match(r"\w+ (?:say|ask|shout|call|cry|whisper|tell|mutter|plead|yell)", verb)
    ):
        return None
    return None if who == _NO_ONE else Cue(who, "after", bool(re.fullmatch(_THINK, verb)))


def leads(gap: str) -> bool:
    """Whether it leads to the quote after it."""
    return gap.rstrip().endswith((":", ","))


def is_pure_cue(clause: str, names: Names) -> bool:
    """Whether it is only a said-tag (said Anna)."""
    match = _VERB_FIRST.match(clause) or _WHO_FIRST.match(clause)
    return bool(match) and bool(
        re.fullmatch(rf"(?: {_ADVERB})?\W*", clause[match.end() if match else 0 :])
    )


ENGLISH = Grammar(
    subjects=subjects,
    cue_before=cue_before,
    cue_after=cue_after,
    cue_alone=cue_after,
    leads=leads,
    is_pure_cue=is_pure_cue,
    oneself=re.compile(r"(?:I am|I['’]m|[Mm]y name is|[Tt]he name['’]s) $"),
    oneself_after=re.compile(r"(?!)"),
    title=re.compile(""),
    female_title=re.compile(r"(?!)"),
    male_title=re.compile(r"(?!)"),
    female=_FEMALE,
    male=_MALE,
    female_given=re.compile(r"(?!)"),
    # More often than not in the novels of which one reads.
    male_given=re.compile(
        r"^(?:Dr|Doctor|Captain|Sergeant|Colonel|Major|General|Inspector|Judge)\b"
    ),
    next_pronoun=re.compile(
        r"[^.!?“”\"]{0,60}?[.,;]? (?:and |but |as |when )?\b(he|she|his|her)\b", re.I
    ),
    sentence=_SENTENCE,
    narrators=("I",),
    group="everyone",
)

_CUE_NAME = re.compile(
    rf"(?:{_SAY}|{_THINK}) ({_NAME})|({_NAME})(?: {_ADVERB}){{0,2}} (?:{_SAY}|{_THINK})\b"
)
_CUE_ROLE = re.compile(
    rf"^\W*(?:{_SAY})(?: out)? ({_NOUNS}){_NOUN_END}|^\W*({_THE} (?:(?:old|"
    rf"young) )?[a-z'’-]+) (?:{_SAY})\b"
)
_ANY_NAME = re.compile(rf"\b{_NAME}")
_ACTS = re.compile(
    r" (?:\w+ly )?(?:\w+ed|was|had|has|is|sat|stood|came|went|took|rose|ran|drew|gave|got|put|"
    r"made|shook|felt|saw|knew|thought|told|held|swung|swept|bent|left|let|kept|set|laid|lay|"
    r"spoke|began|wore|leant|leaned|hung|caught|brought|broke|bit|threw|turned)\b"
)
_CALL = re.compile(rf"(?:^|[,!?.;—-] ?)({_NAME})(?=[,!?.;—]|$)")
_PLACE = re.compile(r"\b(?:in|at|from|into|near|through|of|to) $")
# In Bath, at Uppercross; "from Anne" and "to Anne" are said of persons.
_WHERE = re.compile(r"\b(?:in|at|into|near|through|towards|leave|left|reached) $")
_WHERE_SHARE, _CUED = 0.2, 3
# Titles that everybody may have: "the lady" is none of them.
_COMMON = ("mr", "mrs", "miss", "ms", "sir", "lady", "lord", "madam")
_NOT_NAMES = frozenset(_LISTS["no_names"].split())
_CONTRACTION = re.compile(r"['’](?:ve|ll|re|m|d|s|t)$")
_KIND = 3  # So many names that end in one common word are kinds of a thing.
_OUTNUMBERS = 3


@lru_cache(maxsize=2)
def _counts(text: str) -> tuple[Counter[str], ...]:
    """(heads of cues, acts in narration, called in quotes, anywhere in narration, there as a
    place) by name.
    """
    cues, acts, called, told, where = (Counter[str]() for _ in range(5))
    for block in read_blocks(text):
        for gap in block.plain:
            cues.update(filter(None, (_clean(m[1] or m[2]) for m in _CUE_NAME.finditer(gap))))
            for match in _ANY_NAME.finditer(gap):
                if name := _clean(match[0]):
                    told[name] += 1
                    where[name] += bool(_WHERE.search(gap[: match.start()]))
                    place = _PLACE.search(gap[: match.start()])
                    acts[name] += bool(_ACTS.match(gap, match.end())) and not place
        for quote in block.quotes:
            said = text[slice(*quote.span)]
            called.update(filter(None, (_clean(match[1]) for match in _CALL.finditer(said))))
    return cues, acts, called, told, where


def _clean(name: str | None) -> str | None:
    """The name without words that only open a sentence (Then Anna)."""
    words = (name or "").split()
    # Luckily Lady Hale.
    titles = [i for i, word in enumerate(words) if re.fullmatch(_TITLE, word.rstrip("."))]
    words = words[titles[-1] if titles and titles[-1] < len(words) - 1 else 0 :]
    while words and _opens(words[0]):
        words.pop(0)
    while words and words[-1] in _NOT_NAMES:
        words.pop()
    if not words or (len(words) == 1 and re.fullmatch(_TITLE, words[0].rstrip("."))):
        return None
    return " ".join(words)


def _opens(word: str) -> bool:
    """Whether a word only opens a sentence: Then, I've; not a title."""
    plain = _CONTRACTION.sub("", word.rstrip("."))
    return plain in _NOT_NAMES and not re.fullmatch(_TITLE, plain)


def discover(text: str, *, at_least: int | None = None) -> Counter[str]:
    """The names of persons, by cues, acts and calls; roles (the porter) by cues alone."""
    cues, acts, called, told, where = _counts(text)
    least = at_least or 1
    surnames = {name.split()[-1] for name in told}
    lower = Counter(re.findall(r"\b[a-z]+\b", text))
    kinds = _kinds(told, lower)
    found: Counter[str] = Counter()
    for name in sorted({*cues, *acts, *called}):
        titled = re.match(rf"{_TITLE}\.? ", name)
        weight = cues[name] + acts[name]
        # The Crofts are a family, and Bath is a town.
        several = name.endswith("s") and name.split()[-1][:-1] in surnames
        town = not titled and where[name] > max(1.0, _WHERE_SHARE * told[name])
        # Tea, such: written small more often.
        word = " " not in name and lower[name.lower()] > told[name]
        kind = not titled and name.split()[-1] in kinds
        if cues[name] < _CUED and (several or town or word or kind):
            continue
        person = cues[name] or titled or acts[name] > 1 or (acts[name] and called[name])
        if person and (weight >= least or (titled and told[name] + called[name])):
            found[name] = max(weight, 1)
    # A full name that narration tells once (Edmund Garrow) joins its parts.
    for name in sorted({*told, *called}):
        parts = name.split()
        known = len(parts) > 1 and any(part in found or _titled(part, found) for part in parts)
        known &= parts[-1] not in kinds
        # Not what only opens a sentence: Cold-hearted Anna!
        if known and (name in found or re.search(rf"[a-z,;]\s{re.escape(name)}\b", text)):
            found[name] = max(found[name], 1)
    return found


def _kinds(told: Mapping[str, int], lower: Mapping[str, int]) -> set[str]:
    """Last words of many names that are common words, and no family's: Sperm Whale, Right Whale."""
    lasts: dict[str, list[str]] = defaultdict(list)
    for name in told:
        if len(name.split()) > 1:
            lasts[name.split()[-1]].append(name)
    return {
        last
        for last, names in lasts.items()
        if len(names) >= _KIND
        and lower[last.lower()] > sum(told[name] for name in names)
        and not any(re.match(rf"{_TITLE}\.? ", name) for name in names)
    }


def _titled(part: str, found: Mapping[str, int]) -> bool:
    return any(name.endswith(f" {part}") for name in found)


def find_minor_speakers(text: str, names: Names) -> Counter[str]:
    """The roles that the cues of the book name (said the porter: porter)."""
    found: Counter[str] = Counter()
    for block in read_blocks(text):
        for gap in block.plain if block.quotes else ():
            for match in _CUE_ROLE.finditer(gap):
                words = (match[1] or match[2]).split(" from ")[0].split(" in ")[0]
                role = _ROLE.search(words)
                if role and not _is_nobody(role[1]) and not names.find(words):
                    found[role[1].lower()] += 1
    return found


def _is_nobody(role: str) -> bool:
    last = role.split()[-1].lower()
    several = last.endswith("s") and not last.endswith("ss")
    nobody = last in _LISTS["nobody"].split() and " " not in role
    return several or nobody or last in ("voice", "other", "one")


def joined_forms(counts: Mapping[str, int]) -> dict[str, list[tuple[str, str]]]:
    """Person -> (alias, evidence): the names that share a last or a first name and no other has."""
    result: dict[str, list[tuple[str, str]]] = defaultdict(list)
    full: list[str] = []
    for name in (name for name in counts if len(_bare(name)) > 1):
        # Miss Anne Elliot is Anne Elliot.
        if same := [one for one in full if _bare(one) == _bare(name) and _fits(name, one)]:
            result[same[0]].append((name, f"{name} is {same[0]} with another title"))
        else:
            full.append(name)
    for name in counts:
        words = _bare(name)
        owners = [one for one in full if one != name and _fits(name, one)]
        # Mr. Knightley is not he whom they call Mr. John Knightley.
        title = name.removesuffix(words[0])
        owners = [one for one in owners if not title or f"{title}{one}" not in counts]
        if len(owners) == 1 and len(words) == 1:
            result[owners[0]].append(
                (name, f"{words[0]} is a part of {owners[0]}, and of no other name")
            )
        elif not owners and len(words) == 1 and name != words[0] and words[0] in counts:
            same = [one for one in counts if _bare(one) == words and one != words[0]]
            # Bingley alone is Mr. Bingley, and not his sister.
            men = [one for one in same if not _FEMALE.match(one)]
            # Ahab alone is Captain Ahab, whom the book tells of, and not King Ahab.
            others = sum(counts[one] for one in men or same if one != name)
            if name in (men or same) and counts[name] >= _OUTNUMBERS * others:
                result[name].append((words[0], f"{words[0]} alone is {name}"))
    return {name: _one_gender(pairs) for name, pairs in result.items()}


def _one_gender(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the titles of the other gender: both, unless one stands before the full name."""
    kinds = [{form for form, _ in pairs if kind.match(form)} for kind in (_FEMALE, _MALE)]
    unsure = [forms for forms in kinds if all(len(_bare(form)) == 1 for form in forms)]
    wrong = set().union(*unsure) if all(kinds) else set()
    return [pair for pair in pairs if pair[0] not in wrong]


def _bare(name: str) -> list[str]:
    words = name.split()
    return words[1:] if re.fullmatch(_TITLE, words[0].rstrip(".")) else words


def _fits(name: str, full: str) -> bool:
    """Whether a name begins with a word of the full one, and no title is of another gender."""
    clash = (_FEMALE.match(name) and _MALE.match(full)) or (
        _MALE.match(name) and _FEMALE.match(full)
    )
    # Mrs Charles Musgrove is Charles Musgrove's wife.
    wife = name.startswith("Mrs") and len(_bare(name)) > 1
    return _bare(name)[0] in _bare(full) and not (clash or wife)


def titles_of(names: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """(person, the captain) for each title that one person alone has."""
    owners: dict[str, list[str]] = defaultdict(list)
    for name in names:
        title = name.split()[0].rstrip(".")
        if re.fullmatch(_TITLE, title):
            owners[{"Dr": "doctor"}.get(title, title.lower())].append(name)
    for title, people in owners.items():
        if len(people) == 1 and title not in _COMMON:
            yield from ((people[0], form) for form in (f"the {title}", title.title()))


def last_names(text: str, names: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """(Dr. Wrenfield, Wrenfield) where the text has it alone, and no other name has it."""
    owners = Counter(_bare(name)[-1] for name in names if _bare(name))
    for name in names:
        last = _bare(name)[-1] if _bare(name) else name
        alone = rf"(?<!\. )(?<!Miss )\b{re.escape(last)}\b"
        only = last != name and last not in names and owners[last] == 1
        if only and re.search(alone, text):
            yield name, last
