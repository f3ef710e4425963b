"""Who speaks in a book that nobody described: names found by the cues beside its quotes.

    discover_cast(text).most_common(2)      # [("行者", 2292), ("八戒", 783)]

A name is what stands again and again at the head of a sentence that a speech verb leads to a quote
(行者道：“…”, 闻筝没好气地说：“…”) or away from one (“…”铜婆慢悠悠地说。). Aliases stay apart
(孙行者, 行者) in it; ``find_people`` gives persons instead, with sure aliases merged.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from roleplay.distill.rules.aliases import Alias, merge_aliases
from roleplay.distill.rules.words import any_of, characters

_VERB = rf"(?:{any_of('cue_verbs')})"
_HEAD = r"(?:^|(?<=[。！？”’」』…\n 　]))"
# The name is as short as can be, or it would take the verb's first character (笑道) with it.
_BEFORE = re.compile(rf"{_HEAD}([一-鿿·]{{1,12}}?){_VERB}[：:]\s?[“「『\"‘]")
_AFTER = re.compile(rf"[”」』]([一-鿿·]{{2,14}}?){_VERB}(?:了?[一几两]?[声句遍])?[。，！…]")
# Who opens a sentence beside a quote, with or without a speech verb (“…”行者笑了。).
_BESIDE = re.compile(
    r"(?:[”」』]|^[ \t　]*)([一-鿿]{2})(?=[^“”\n]{0,60}(?:[：:][“「『]|(?<=[。，…！])[“「『]|$))",
    re.M,
)
_ENOUGH_CUES = 2
_GIVEN_SHARE = 0.1
_AGREED_SHARE = 0.6
_LONGEST = 8
_COMPOUND_SURNAMES = re.compile(any_of("compound_surnames"))
_LEAD = re.compile(rf"^(?:{any_of('cue_leads')})+")
_NOBODY = re.compile(rf"{any_of('no_cast')}|[一二两三四五六七八九十几有][人个僧怪妖将后诗]")
_STOP = re.compile(f"[{characters('cue_stops')}]")


def find_people(text: str) -> list[Alias]:
    """The persons whom a book's cues give away, sure aliases merged; who speaks most is first."""
    return merge_aliases(text, dict(discover_cast(text).most_common()))


def discover_cast(text: str, *, at_least: int = 5) -> Counter[str]:
    """The names that open two or more cues and ``at_least`` sentences beside a quote, counted."""
    singles: Counter[str] = Counter()
    groups: dict[str, list[str]] = defaultdict(list)
    for _, opening in cue_heads(text):
        stop = _STOP.search(opening, 1)
        head = opening[: stop.start()] if stop else opening
        if not head or _NOBODY.match(head):
            continue
        if len(head) == 1:
            singles[head] += 1
        else:
            groups[head[: 3 if _COMPOUND_SURNAMES.match(head) else 2]].append(head)
    # Names of one character (操曰): a cue follows one in ten of their places at a clause's head.
    places = {name: sum(text.count(mark + name) for mark in "。！？”，") for name in singles}
    counts = Counter({name: n for name, n in singles.items() if n >= _GIVEN_SHARE * places[name]})
    beside = Counter(match[1] for match in _BESIDE.finditer(text))
    for start, members in groups.items():
        if len(members) >= _ENOUGH_CUES and len(name := _grow(start, members)) <= _LONGEST:
            counts[name] = max(len(members), beside[start])
    return Counter({name: n for name, n in counts.items() if n >= at_least})


def cue_heads(text: str) -> Iterator[tuple[int, str]]:
    """Where each cue begins, and what opens it, up to the speech verb (行者, 铜婆慢悠悠地)."""
    for pattern in (_BEFORE, _AFTER):
        for match in pattern.finditer(text):
            yield match.start(1), _LEAD.sub("", match[1])


def _grow(start: str, members: list[str]) -> str:
    """``start`` made longer as long as most of the heads agree on the next character."""
    name = start
    while True:
        longer = [head for head in members if head.startswith(name) and head != name]
        following = Counter(head[len(name)] for head in longer).most_common(1)
        if not following or following[0][1] < _AGREED_SHARE * len(members):
            return name
        name += following[0][0]
