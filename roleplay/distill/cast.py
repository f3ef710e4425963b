"""Who speaks in a book that nobody described: names found by the cues beside its quotes.

    discover_cast(text).most_common(2)      # [("行者", 2292), ("八戒", 783)]

A name is what stands again and again at the head of a sentence that a speech verb leads to a quote
(行者道：“…”, 闻筝没好气地说：“…”) or away from one (“…”铜婆慢悠悠地说。). Aliases stay apart (孙行者,
行者): merging them is done in :mod:`aliases`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

_VERB = r"(?:说道|问道|答道|笑道|叫道|喊道|喝道|骂道|叹道|怒道|道|曰|说|问|答|喊|叫|嘟囔|嘀咕|开口|吼|嚷)"
_HEAD = r"(?:^|(?<=[。！？”’」』…\n 　]))"
_BEFORE = re.compile(rf"{_HEAD}([一-鿿·]{{1,12}}?)({_VERB})[：:]\s?[“「『\"‘]")
_AFTER = re.compile(rf"[”」』]([一-鿿·]{{2,14}}?)({_VERB})(?:了?[一几两]?[声句遍])?[。，！…]")
_BESIDE = re.compile(
    r"(?:[”」』]|^[ \t　]*)([一-鿿]{2})(?=[^“”\n]{0,60}(?:[：:][“「『]|(?<=[。，…！])[“「『]|$))", re.M
)
_ENOUGH_CUES = 2
_GIVEN_SHARE = 0.1
_LONGEST = 8
_LONG_SURNAMES = "公孙 夏侯 司马 诸葛 皇甫 欧阳 上官 令狐 东方 慕容 太史 司徒 独孤"
_SURNAMES = frozenset(_LONG_SURNAMES.split())
_LEAD = re.compile(
    r"(?:却说|且说|话说|只见|忽见|只听得?|忽听得?|忽然|突然|这时|此时|那时|于是|接着|随后|次日|当时|当下|原来|[那这却又])+"
)
_NOBODY = re.compile(
    r"[他她它其人个我你汝吾朕众诗词赋歌偈赞书诏表檄谣铭略]|[一二两三四五六七八九十几有][人个僧怪妖将后诗]|左右|后人|两个|师徒|君臣|自|何|或|"
    r"[大暗心再不忙急连慌遂乃皆俱相同齐便就才正笑怒喜惊哭叹喝骂叫问答说道曰]|[对向与跟冲朝]|如|若|故|以|及|却|于|所谓|常言|古人|俗语|兵法|圣人|[旁时早]有|唬得|回报|因谓|探马"
)
_STOP = re.compile(
    r"[笑怒喜惊哭叹喝骂叫问答说道曰又便也却就忙乃遂大对向与急即亦上只听回厉谢闻看低小冷轻在才把拱合跪近接暗以奏报]"
)


def discover_cast(text: str, *, at_least: int = 5) -> Counter[str]:
    """The names that open two or more cues and ``at_least`` sentences beside a quote, with their counts."""
    heads = list(_heads(text))
    counts = _given_names(text, Counter(head for head in heads if len(head) == 1))
    groups: dict[str, list[str]] = defaultdict(list)
    for head in heads:
        if len(head) > 1:
            groups[head[: 3 if head[:2] in _SURNAMES else 2]].append(head)
    beside = Counter(match[1] for match in _BESIDE.finditer(text))
    for start, members in groups.items():
        if len(members) >= _ENOUGH_CUES and len(name := _grow(start, members)) <= _LONGEST:
            counts[name] = max(len(members), beside[start])
    return Counter({name: count for name, count in counts.items() if count >= at_least})


def _given_names(text: str, singles: Counter[str]) -> Counter[str]:
    """Names of one character (操曰): a cue follows one in ten or more of their places at a clause's head."""
    heads = {name: sum(text.count(mark + name) for mark in "。！？”，") for name in singles}
    return Counter({name: count for name, count in singles.items() if count >= _GIVEN_SHARE * heads[name]})


def cue_heads(text: str) -> Iterator[tuple[int, str]]:
    """Where each cue sentence begins, and what opens it, up to the speech verb (行者, 铜婆慢悠悠地)."""
    for pattern in (_BEFORE, _AFTER):
        for match in pattern.finditer(text):
            yield match.start(1), _LEAD.sub("", match[1], count=1) if _LEAD.match(match[1]) else match[1]


def _heads(text: str) -> Iterator[str]:
    """The head of each cue sentence: a name and what may follow it (行者, 铜婆慢悠悠地)."""
    for _, head in cue_heads(text):
        stop = _STOP.search(head, 1)
        head = head[: stop.start()] if stop else head
        if head and not _NOBODY.match(head):
            yield head


def _grow(start: str, members: list[str]) -> str:
    """``start`` made longer as long as most of the heads agree on the next character."""
    name = start
    while True:
        following = Counter(head[len(name)] for head in members if head.startswith(name) and len(head) > len(name))
        character, count = following.most_common(1)[0] if following else ("", 0)
        if count < 0.6 * len(members) or not character:
            return name
        name += character
