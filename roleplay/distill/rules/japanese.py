"""How Japanese prose tells who speaks: と言った after a quote or on the next line, は and が after a
name.

names = Names({"小満": (), "私": ()})
cue_after("と小満は言った。", names)           # Cue("小満", "after")
subjects("小満さんが私を見た。", names)        # ["小満"]
discover(text).most_common(2)                # [("小満", 12), ("早瀬", 7)]
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from roleplay.distill.rules.cues import GROUP, Cue, Grammar, Names
from roleplay.distill.rules.turns import read_blocks

_LISTS: dict[str, str] = json.loads(Path(__file__).with_name("japanese.json").read_text("utf-8"))


def _any(*names: str) -> str:
    words = [word for name in names for word in _LISTS[name].split()]
    return "|".join(sorted(words, key=len, reverse=True))


_HONORIFIC = rf"(?:{_any('honorifics')})"
_SAY = re.compile(_any("say"))
_THINK = re.compile(_any("think"))
_SENTENCE = re.compile(r"[^。！？!?…]*[。！？!?…]+[”’」』]*|[^。！？!?…]+$")
# What marks a subject right behind a name; 早瀬の声は is still 早瀬.
_SUBJECT = re.compile(
    rf"{_HONORIFIC}?(?:という娘|という男|という女)?"
    r"(?:[はがも](?!ら|か)|だけが|まで|、|の[^、。]{0,2}(?:声|顔|目|手|表情|口|頬|眉|肩|唇)[はがもに])"
)
_PRONOUN = re.compile(r"(彼女|彼)(?:[はがも]|の[^、。]{0,2}(?:声|顔|目|手|口)[はがも])")
# 若い男が, 女の子は: somebody whom no name tells.
_SOMEBODY = re.compile(r"(?:男|女|人|者|子|少年|少女|青年|若者|老人|老婆|娘)(?:[はがも])")
_GROUP = re.compile(rf"(?:{_any('groups')})(?:[はがも]|たち)?")
_SILENT = re.compile(
    r"(?:返事|答え|応え|言葉|何も|一言|口|声)[^。]{0,8}(?:しなかった|せず|ずに|なかった|しない)|答えず|黙って|笑[いっ](?:た|声が)"
)
_ENDS = re.compile(rf"(?:{_SAY.pattern})[^、。]{{0,8}}[。！？…]?$")
_QUOTED = re.compile(r"^[\s　]*(?:と|って)(?!こ|き|も|て)")
_PURE = re.compile(
    rf"[\s　]*(?:と|って)?、?(?:[一-鿿ァ-ヴー々]{{1,6}}{_HONORIFIC}?[はがも]、?)?"
    rf"[^、。]{{0,6}}(?:{_SAY.pattern})[^、。]{{0,4}}[。、]?"
)
_LONGEST_CUE = 60


def subjects(sentence: str, names: Names) -> list[str | None]:
    """The subjects in order: a name, 他 (彼) or 她 (彼女); ``None`` for another person."""
    found: dict[int, str | None] = {}
    for start, end, name in names.find(sentence):
        if _SUBJECT.match(sentence, end):
            found[start] = name
    for match in _PRONOUN.finditer(sentence):
        found.setdefault(match.start(), "她" if match[1] == "彼女" else "他")
    for match in _SOMEBODY.finditer(sentence):
        if not any(at <= match.start() < at + 6 for at in found):
            found[match.start()] = None
    if group := _GROUP.search(sentence):
        found.setdefault(group.start(), GROUP)
    return [found[at] for at in sorted(found)]


def cue_before(gap: str, names: Names) -> Cue | None:
    """The cue right before a quote (澄江さんは私に言った。, 娘は奥に向かって、)."""
    sentence = next(reversed(_SENTENCE.findall(gap)), "").strip()
    if not leads(sentence) and not _ENDS.search(sentence):
        return None
    found = subjects(sentence, names)
    return Cue(found[0], "before", _thinks(sentence)) if found else None


def cue_after(gap: str, names: Names) -> Cue | None:
    """The cue right after a quote (と小満は言った。, 小満が囁いた。)."""
    first = next(iter(_SENTENCE.findall(gap)), "")
    quoted = bool(_QUOTED.match(first))
    thought = quoted and _thinks(first) and not _SAY.search(first)
    if not (thought or (_SAY.search(first) if quoted else _ENDS.search(first))):
        return None
    # 先生は返事をしなかった, みんなが笑った: no speech unless と leads on from the quote.
    if not quoted and _SILENT.search(first):
        return None
    found = subjects(first, names)
    bare = _role(first)
    if not found and not bare:
        return None
    return Cue(found[0] if found else None, "after", thought)


def _role(sentence: str) -> bool:
    return bool(
        re.match(rf"[\s　]*(?:と|って)?、?[^、。]{{0,8}}(?:{_any('roles')})[はがも]", sentence)
    )


def cue_alone(paragraph: str, names: Names) -> Cue | None:
    """The cue on a line of its own after a quote."""
    first = next(iter(_SENTENCE.findall(paragraph)), "")
    return cue_after(first, names) if len(first) <= _LONGEST_CUE else None


def _thinks(sentence: str) -> bool:
    return bool(_THINK.search(sentence[-20:]))


def leads(gap: str) -> bool:
    """Whether it leads to the quote after it."""
    return gap.rstrip().endswith(("、", "：", ":"))


def is_pure_cue(clause: str, names: Names) -> bool:
    """Whether it is only a cue (と小満は言った)."""
    return bool(_PURE.fullmatch(clause))


JAPANESE = Grammar(
    subjects=subjects,
    cue_before=cue_before,
    cue_after=cue_after,
    cue_alone=cue_alone,
    leads=leads,
    is_pure_cue=is_pure_cue,
    oneself=re.compile(r"(?:私は|僕は|俺は|名前は|駐在の)$"),
    oneself_after=re.compile(r"(?:です(?!か)|といいます|と申します|という者)"),
    title=re.compile(rf"{_HONORIFIC}?"),
    female_title=re.compile("ちゃん|嬢|夫人|姫|姉|おばさん"),
    male_title=re.compile("君|くん|兄|おじさん"),
    female=re.compile(r"(?:夫人|嬢|女将|母|姉|妹|娘|老婆|王女|姫)$"),
    male=re.compile(r"(?:君|くん|父|兄|弟|王子)$"),
    female_given=re.compile(r"[子美代江恵枝乃香奈]$"),
    male_given=re.compile(r"[郎男雄介夫彦也太]$"),
    next_pronoun=re.compile(r"[^。！？「」\n]{0,40}[、。]?[^。、]{0,4}(彼女|彼)[はがの]"),
    sentence=_SENTENCE,
    group="皆",
    narrators=("私", "僕", "俺"),
)

_NAME_SUBJECT = re.compile(
    rf"([一-鿿々ヶ]{{1,6}}?|[ァ-ヴー・]{{2,12}})({_HONORIFIC}?)(?:という[娘男女])?(?=[はがも](?!ら)|"
    rf"の[^、。]{{0,2}}(?:声|顔|目|手|表情)[はがもに])"
)
_HONOURED = re.compile(rf"((?:[一-鿿々ヶ]{{1,4}}?|[ァ-ヴー]{{2,8}}))({_HONORIFIC})(?![一-鿿])")
_AT_HEAD = re.compile(r"(?:^|[、。」』）　\sと])$")
# Said alone as well (先生は答えた); さん is not.
_ALONE = frozenset(
    [
        "先生",
        "巡査",
        "刑事",
        "警部",
        "博士",
        "教授",
        "夫人",
        "社長",
        "部長",
        "課長",
        "店長",
        "船長",
        "隊長",
        "大尉",
        "少佐",
        "大佐",
        "医師",
        "師匠",
        "和尚",
        "親方",
        "殿下",
        "陛下",
    ]
)
_NOBODY = frozenset(_LISTS["nobody"].split())
_ROLES = frozenset(_LISTS["roles"].split())


@lru_cache(maxsize=2)
def _counts(text: str) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """(subjects of cues, subjects of narration, with さん and the like anywhere) by name."""
    cues, acts, honoured = Counter[str](), Counter[str](), Counter[str]()
    for match in _HONOURED.finditer(text):
        if match[1] not in _NOBODY and match[1] not in _ROLES:
            honoured[match[1]] += 1
    blocks = read_blocks(text)
    for i, block in enumerate(blocks):
        beside = bool(block.quotes) or bool(blocks[i - 1].quotes if i else False)
        for gap in block.plain:
            for k, sentence in enumerate(_SENTENCE.findall(gap)):
                speaks = beside and (k == 0) and bool(_SAY.search(sentence))
                for match in _NAME_SUBJECT.finditer(sentence):
                    word = match[1]
                    if not word or not _AT_HEAD.search(sentence[: match.start()]):
                        continue
                    if word not in _NOBODY and word not in _ROLES:
                        (cues if speaks else acts)[word] += 1
                        honoured[word] += bool(match[2])
    return cues, acts, honoured


def discover(text: str, *, at_least: int | None = None) -> Counter[str]:
    """The names of persons, by cues, by さん and the like, and by acts of words in katakana."""
    cues, acts, honoured = _counts(text)
    least = at_least or 2
    found: Counter[str] = Counter()
    for name in sorted({*cues, *acts, *honoured}):
        weight = cues[name] + acts[name]
        kana = bool(re.match("[ァ-ヴー]", name))
        person = cues[name] > 1 or honoured[name] or (cues[name] and kana)
        if person and len(name) > 1 and weight + honoured[name] >= least:
            found[name] = max(weight, 1)
    # 桐野澄江 stands once in full, and is 澄江さん ever after.
    for name in honoured:
        if any(name.endswith(short) and len(name) > len(short) for short in list(found)):
            found[name] = max(found[name], 1)
    return found


def titles_of(text: str, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(真柴, 先生) for each title that follows one person's name alone."""
    owners: dict[str, set[str]] = defaultdict(set)
    for name in names:
        for title in re.findall(rf"{re.escape(name)}({_HONORIFIC})", text):
            owners[title].add(name)
    for title, people in owners.items():
        if len(people) == 1 and title in _ALONE:
            yield people.pop(), title


def find_minor_speakers(text: str, names: Names) -> Counter[str]:
    """The roles that speak by the cues of the book (と老人は言った: 老人)."""
    found: Counter[str] = Counter()
    blocks = read_blocks(text)
    for i, block in enumerate(blocks):
        for gap in block.plain if block.quotes or (i and blocks[i - 1].quotes) else ():
            first = next(iter(_SENTENCE.findall(gap)), "")
            for match in re.finditer(
                rf"({_any('roles')})[はがも]",
                first if _SAY.search(first) or not block.quotes else "",
            ):
                if not names.find(match[1]):
                    found[match[1]] += 1
    return found
