"""Who speaks in a Chinese book that nobody described: names at the head of sentences beside quotes.

    discover_cast(text).most_common(2)      # [("行者", 2292), ("八戒", 783)]

A name stands again and again at the head of a sentence that a speech verb leads to a quote
(行者道：“…”, 闻筝没好气地说：“…”) or away from one (“…”铜婆慢悠悠地说。), or that tells an act beside one. Where it
ends is told by what follows it in the whole book: 柳小 is always 柳小苓, 小禾 is followed by this and
that.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from roleplay.distill.rules import chinese
from roleplay.distill.rules.simplify import simplified
from roleplay.distill.rules.turns import Block, read_blocks
from roleplay.distill.rules.words import any_of, characters

_HEAD_ROOM = 14
_LONGEST = 6
_MOST_PLACES = 30
_PART = 50_000
_LONG = 60_000
_AGREED, _SURE = 0.6, 0.85
_GIVEN_SHARE = 0.1
# 操执手曰 is said of 操, and rarer than 操曰; 云长 is no 云.
_RARE = 0.3
_AFTER_NAMES = frozenset("大自佯从领入无然既命知执至到将军兵之而亦乃遂因问引欲")
_BEFORE_NAMES = frozenset("好见请教叫唤令命使遣")
_SEVERAL = re.compile(r"[\s　]*[那这]?[二两三四五六七八九十几数众]+[个名位]")
_LEAD = re.compile(
    rf"^(?:[\s　”’」』]|{any_of('leads', 'cue_leads')}|[那这]?[一二两三几]?[个名位])*"
)
_NOBODY = re.compile(
    rf"{any_of('no_cast')}|[一二两三四五六七八九十几有][人个僧怪妖将后诗声]|.?[们等]|.[这那个了着过地得]"
)
_CJK = re.compile(r"[一-鿿]+")
_CALLED = re.compile(r"(?<=[“「『，。！？])[一-鿿]{2,4}(?=[，！。…？])")
_FULL = re.compile(r"[一-鿿]{1,6}(?:[·•・][一-鿿]{1,6})+")
_SPEECH = characters("speech_stops")
_STOPS = characters("head_stops")
_ROLE = re.compile(rf"(?:{any_of('roles', 'titles')})$")
_SURNAME = re.compile(rf"{any_of('compound_surnames')}|[{characters('surnames')}]")
# 鲁都头, 老院公, 店小二: a title ends the word whatever follows.
_TITLED = re.compile(
    rf"(?:(?:{any_of('compound_surnames')}|"
    rf"[{characters('surnames')}老小店大二三])?(?:{any_of('titles')}))(?![们的])"
)
_FOREIGN = re.compile(rf"[{characters('foreign')}]{{2,6}}")
# 兰开斯特: one character between two that sound foreign is one of them.
_FOREIGN_RUN = re.compile(
    rf"[{characters('foreign')}]+(?:[一-鿿][{characters('foreign')}]{{2,4}})?"
)
_TITLE_END = re.compile(rf"(?<=..)(?:{any_of('titles', 'offices')})$")
_HUMAN = re.compile(rf"[^，。！？]{{0,8}}?(?:{any_of('human')})")


@dataclass(frozen=True)
class Head:
    """How a sentence beside a quote begins; whether it tells of speech, of an act, or neither."""

    text: str
    kind: str
    human: bool
    several: bool = False


@dataclass(frozen=True)
class Found:
    """How often a name heads a cue, an act beside a quote, and other sentences."""

    say: int
    act: int
    tell: int
    human: int
    called: int

    @property
    def total(self) -> int:
        """How often it heads a sentence beside a quote."""
        return self.say + self.act


@lru_cache(maxsize=2)
def read_heads(text: str) -> tuple[Head, ...]:
    """The heads of the sentences of a simplified text, those beside quotes first of all."""
    return tuple(_heads(read_blocks(text)))


def _heads(blocks: Sequence[Block]) -> Iterator[Head]:
    spoken = False
    for i, block in enumerate(blocks):
        last = len(block.plain) - 1
        for j, gap in enumerate(block.plain):
            sentences = chinese.sentences(gap)
            for k, sentence in enumerate(sentences):
                after = (j > 0 or (spoken and not block.quotes)) and k == 0
                ahead = j < last or (
                    not block.quotes and i + 1 < len(blocks) and bool(blocks[i + 1].quotes)
                )
                before = ahead and k == len(sentences) - 1
                kind = "tell"
                if after or before:
                    speaks = chinese.ends_saying if j in (0, last) and not after else chinese.says
                    kind = "say" if speaks(sentence) else "act"
                if head := _LEAD.sub("", sentence)[:_HEAD_ROOM]:
                    several = bool(_SEVERAL.match(sentence))
                    yield Head(head, kind, bool(_HUMAN.match(head, 2)), several)
        spoken = bool(block.quotes) and not block.plain[-1]


class Endings:
    """Where a name ends that begins with given characters, by what follows it in the whole text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next: dict[str, Counter[str]] = {}

    def name(self, head: str) -> str:
        """The name that opens ``head``, one character at least."""
        if titled := _TITLED.match(head):
            return titled[0]
        size = self._first(head)
        while 2 <= size < min(len(head), _LONGEST) and self._goes_on(head[:size], head[size:]):
            size += 1
        return head[:size]

    def _first(self, head: str) -> int:
        """Two characters, or one where the second is a verb (操笑道)."""
        if len(head) < 2 or not _CJK.match(head, 1):
            return 1
        if head[1] in _SPEECH:
            return 1
        if head[1] not in _STOPS or self._goes_on(head[0], head[1:]):
            return 2
        # 许立冬: 许立 is always followed by 冬.
        two = self._following(head[:2])
        third = two[head[2:3]] if head[2:3] not in _STOPS else 0
        return 2 if _SURNAME.match(head) and third >= 3 and third >= _SURE * two.total() else 1

    def _goes_on(self, name: str, rest: str) -> bool:
        """Whether the next character belongs to the name."""
        if not _CJK.match(rest):
            return False
        following = self._following(name)
        count, total = following[rest[0]], following.total()
        if rest[0] in _SPEECH:
            # 陈道明: only where one more character is always the same.
            two = self._following(name + rest[0])
            sure = bool(_CJK.match(rest, 1)) and two[rest[1:2]] >= _SURE * two.total()
            return sure and count >= 3 and count >= _SURE * total
        if rest[0] in _STOPS and rest[1:2] in _SPEECH:
            return False
        if rest[0] in _STOPS:
            known = _SURNAME.match(name) and len(name) == 1 and rest[0] in "小向忙才冷轻低"
            if known and len(rest) > 1 and rest[1] not in _STOPS and rest[1] not in "声心步":
                two = self._following(name + rest[0])
                return bool(two[rest[1]] >= _SURE * two.total() or total < 3)
            return len(name) > 1 and count >= 3 and count >= _SURE * total
        if total < 3:
            surname = _SURNAME.match(name)
            short = surname and len(name) == len(surname[0]) + 1 and not _ROLE.search(name)
            return bool(short) and len(rest) > 1
        if count >= _AGREED * total:
            return True
        # 沈砚冬: 沈砚 never stands alone, his brother 沈砚秋 is all that is seen of it.
        most = following.most_common(1)[0]
        return most[1] >= _SURE * total and most[0] not in _STOPS and bool(_SURNAME.match(name))

    def _following(self, name: str) -> Counter[str]:
        if name not in self._next:
            found: Counter[str] = Counter()
            at = self._text.find(name)
            # A name is dense where it comes first; the whole of a long book takes long.
            end, places = at + _PART, 0
            while at >= 0 and places < _MOST_PLACES:
                found[self._text[at + len(name) : at + len(name) + 1]] += 1
                places += 1
                at = self._text.find(name, at + len(name), end)
            self._next[name] = found
        return self._next[name]


@lru_cache(maxsize=2)
def endings_of(text: str) -> Endings:
    """The endings of a text, counted once for its cast and its minor speakers."""
    return Endings(text)


def find_names(text: str) -> dict[str, Found]:
    """The names at the heads of the sentences of a simplified text, with what tells of each."""
    groups: dict[str, list[Head]] = defaultdict(list)
    for head in read_heads(text):
        # 大圣, unlike 大怒.
        if _TITLED.match(head.text) or not _NOBODY.match(head.text):
            groups[head.text[:2]].append(head)
    endings = endings_of(text)
    found: dict[str, list[Head]] = defaultdict(list)
    for members in groups.values():
        # Sentences that tell of no speech are many, and alone they name nobody.
        if any(head.kind != "tell" for head in members):
            for head in members:
                found[endings.name(head.text)].append(head)
    fulls = {_trimmed_full(full, text) for full in set(_FULL.findall(text))}
    for full in sorted(filter(None, fulls)):
        found[full].append(Head(full, "tell", True))
    called = Counter(_CALLED.findall(text))
    return {name: _summary(heads, called[name]) for name, heads in found.items()}


def _trimmed_full(full: str, text: str) -> str | None:
    """A foreign name without the words around it (我叫莉泽·冯·海登正把: 莉泽·冯·海登), if it is one."""
    first, *middle, last = re.split("([·•・])", full)
    heads = [first[i:] for i in range(len(first) - 1)]
    # Somebody is called by the first part alone, too; 禁·零号 is a shelf.
    first = next((one for one in heads if text.count(one) > text.count(f"{one}{middle[0]}")), "")
    tails = [last[:size] for size in range(len(last), 1, -1)]
    again = next((one for one in tails if text.count(one) > 1), "")
    run = _FOREIGN_RUN.match(last)
    last = _TITLE_END.sub("", max(again, run[0] if run else "", key=len)) or last[:2]
    return first + "".join(middle) + last if first else None


def _summary(heads: Sequence[Head], called: int) -> Found:
    kinds = Counter(head.kind for head in heads)
    human = sum(head.human for head in heads)
    return Found(kinds["say"], kinds["act"], kinds["tell"], human, called)


def discover_cast(text: str, *, at_least: int | None = None) -> Counter[str]:
    """The names of a book's persons, counted by the sentences beside quotes that they head.

    ``at_least``: by default two cues, in a long book up to five.
    """
    text = simplified(text)
    least = at_least if at_least is not None else max(2, min(5, len(text) // 60_000))
    counts: Counter[str] = Counter()
    places = clause_heads(text)
    all_found = find_names(text)
    for name, found in all_found.items():
        if len(name) == 1:
            # 操曰: a cue follows one in ten of its places at a clause's head.
            given = found.say >= _GIVEN_SHARE * places[name] and name not in _STOPS
            if given and found.say >= max(least, 5):
                counts[name] = found.say
        elif is_person(name, found, least, text):
            counts[name] = found.total + (found.tell if _FULL.fullmatch(name) else 0)
    for name in [name for name in counts if _is_longer(name, all_found, counts)]:
        del counts[name]
    return counts


def clause_heads(text: str) -> Counter[str]:
    """How often each character begins a clause."""
    return Counter(re.findall(r"(?<=[。！？”，])[一-鿿]", text))


def _is_longer(name: str, found: Mapping[str, Found], counts: Mapping[str, int]) -> bool:
    """Whether it is a name of the cast and a word beside it: 操大 (操大怒曰), 好行者."""
    head, tail = name[:1], name[1:]
    if head in _BEFORE_NAMES and tail in counts:
        return found[tail].say >= found[name].say
    if len(name) != 2 or head not in counts:
        return False
    most = 1.0 if tail in _AFTER_NAMES else 0.0 if _SURNAME.match(head) else _RARE
    return found[name].say <= most * found[head].say


def has_family(name: str, text: str) -> bool:
    """Whether a surname stands before the name again and again (俊杰 of 许俊杰), the same one."""
    before = Counter(text[at.start() - 1] for at in re.finditer(name, text) if at.start())
    most = max((before[one] for one in characters("surnames")), default=0)
    return most > (len(text) > _LONG) and most >= _GIVEN_SHARE * before.total()


def is_person(name: str, found: Found, least: int, text: str) -> bool:
    """Whether what a name heads shows a person: cues, or acts of a word that looks like one."""
    # 花三更: what speaks again and again, and does what people do, may look like a thing.
    speaks = found.say >= 3 and 2 * found.human >= found.total
    if not (speaks or chinese.may_be_name(name) or _TITLED.fullmatch(name)):
        return False
    looks = looks_like_name(name)
    if _FULL.fullmatch(name):
        return True
    if not looks and len(name) == 2:
        looks = has_family(name, text)
    if found.say >= least and (looks or found.say >= max(3, least) or found.called):
        return True
    acts = found.act + found.tell >= 2 and 3 * found.human >= found.act + found.tell
    weight = found.say + 0.5 * found.act + 0.2 * found.tell + 0.5 * min(found.called, 4)
    if (looks or found.called > 0) and acts and weight >= least:
        return True
    # Few cues, but a name all over the book.
    # In a whole book any noun stands beside a quote now and then (今日, 东海).
    told = found.say > 0 and found.human > 0 if len(text) > _LONG else found.total > 0
    return looks and told and text.count(name) > least


def looks_like_name(name: str) -> bool:
    """Whether a word looks like a person's name: a surname with a given name, 老 or 小, a role."""
    surname = _SURNAME.match(name)
    given = surname is not None and 1 <= len(name) - surname.end() <= 2
    return (
        given
        or name[0] in "老小阿"
        or bool(_FOREIGN.fullmatch(name))
        or bool(_ROLE.search(name))
        or "·" in name
    )
