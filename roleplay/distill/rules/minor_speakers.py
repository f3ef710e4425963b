"""Minor speakers, whom no cast names, found by their cue alone: 接线员说：“…”, 那婆子笑道：“…”.

    find_minor_speakers(text, Names({"闻筝": ("小筝",)}))      # Counter({"接线员": 2, "老和尚": 1})

One cue is enough for a word that looks like a person (a surname, 老 or 小 before a name, a trade, a
relation); another word needs three. Groups (众人), words for anybody (老者, often somebody of the cast
in disguise) and words that share a form with the cast (孙行者 beside 行者) stay unnamed.
"""

import re
from collections import Counter

from roleplay.distill.rules.chinese import may_be_name
from roleplay.distill.rules.chinese_cast import Endings, endings_of, looks_like_name, read_heads
from roleplay.distill.rules.cues import Names
from roleplay.distill.rules.simplify import simplified
from roleplay.distill.rules.words import any_of, characters

_ENOUGH = 3
_SHORTEST, _LONGEST = 2, 4
_ROLES = any_of("roles")
# Only at the end of the word: 司徒王允 is no 司徒王.
_SHORT_ROLES = "王|公|师|工|贩|姨|夫|匠|[摊店船房地雇财寨庄]主|[队校院部局船村镇县市省厂班科处站排连营团组会社馆]长"
_STOPS = characters("head_stops")
# A doubled character begins an adverb (客客气气地).
_STOP = re.compile(rf"[{_STOPS}]|(.)\1(?=地|(.)\2)")
_PREFIX = f"[^{_STOPS}大众诸群个\\W]"
# A trade may begin with what elsewhere ends a name: 接线员, 看门人.
_TRADE = rf"[^{characters('trade_stops')}\W]"
_OF = f"[^{_STOPS}的]{{1,5}}的"
_PERSON = re.compile(
    rf"(?:{_OF})?{_TRADE}{{0,2}}(?:{_ROLES}|{any_of('titles')}|{_SHORT_ROLES})|[老小阿]{_PREFIX}|"
    rf"[{characters('surnames')}]{_PREFIX}{{1,2}}"
)
_ROLE_HEAD = re.compile(
    rf"{_OF}{_TRADE}{{0,2}}?(?:{_ROLES}|女人|男人|姑娘|老人|少年|孩子)|{_TRADE}{{0,2}}?(?:{_ROLES})"
)
_TRADES = re.compile(rf"{_TRADE}{{0,2}}(?:{any_of('titles')})")
# Whoever wrote a poem long ago is nobody of the story.
_VERSE = re.compile("[诗赋]")
_NOBODY = re.compile(
    rf".*[他她它其我你汝吾咱自谁们众诸俩两几每各某群满些]|[二三四五六七八九十]|[别后旁路行来古今前后世男女老]人|"
    rf"或|.*(?:{any_of('no_persons')})$|[女男]?[人子]$|[止问劝谏]之|常言|须臾|思量|心中"
)
_ANYBODY = re.compile(rf"[老小大]?(?:{any_of('passers_by')})")


def find_minor_speakers(text: str, names: Names) -> Counter[str]:
    """The speakers outside the cast, with the number of their cues; by simplified characters."""
    found: Counter[str] = Counter()
    text = simplified(text)
    endings = endings_of(text)
    for head in read_heads(text):
        if head.kind == "tell" or _VERSE.search(head.text):
            continue
        # 两个和尚 are several, and who they are nobody can tell.
        name = None if head.several else name_of(head.text, endings)
        # An act alone shows a guard or a driver, but 老歪 may be a wrench.
        speaks = head.kind == "say" or (name and _TRADES.fullmatch(name))
        if name and speaks and not _shares(head.text, name, names):
            found[name] += 1
    sure = {name for name, count in found.items() if count >= _ENOUGH or _PERSON.fullmatch(name)}
    # 老蒙客客 is 老蒙 and what follows it.
    grown = {name for name in sure if any(name[:size] in sure for size in range(2, len(name)))}
    return Counter({name: found[name] for name in sorted(sure - grown)})


def name_of(head: str, endings: Endings) -> str | None:
    """The person at the head of a cue (陆父憨憨地: 陆父), if it can be one."""
    stop = _STOP.search(head, 1)
    name = head[: stop.start()] if stop else re.split(r"\W", head)[0]
    grown = endings.name(head)
    if len(name) > _LONGEST or (len(grown) > len(name) and looks_like_name(grown)):
        name = grown
    role = _ROLE_HEAD.match(head)
    # A role says more than where the word seems to end (接线员), 卖花的女人 more than 卖花.
    if role and len(role[0]) >= _SHORTEST and (not _PERSON.fullmatch(name) or "的" in role[0]):
        name = role[0]
    fits = _SHORTEST <= len(name) <= _LONGEST or (role and "的" in name)
    starts = role or name[:1] not in _STOPS
    nobody = _NOBODY.match(name) or _ANYBODY.fullmatch(name) or not may_be_name(name)
    return name if fits and starts and not nobody else None


def _shares(head: str, name: str, names: Names) -> bool:
    """Whether a name of the cast stands in or right after the word (太中大夫孔融), or around it."""
    touched = any(start <= head.index(name) + len(name) for start, _, _ in names.find(head))
    return touched or any(name in form for form in names.canonical)
