"""Who speaks in a book that nobody described: names found by the cues beside its quotes.

    discover_cast(text).most_common(2)      # [("行者", 2292), ("八戒", 783)]

A name is what stands again and again at the head of a sentence that a speech verb leads to a quote
(行者道：“…”, 闻筝没好气地说：“…”) or away from one (“…”铜婆慢悠悠地说。). Aliases stay apart (孙行者,
行者): merging them is done in :mod:`aliases`.

    find_strangers(text, Names({"陆迟": ()}))      # ["陆父", "老蒙"]: beside quotes, of the form of a name, not in the cast
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from roleplay.distill.cues import Names

_VERB = r"(?:说道|问道|答道|笑道|叫道|喊道|喝道|骂道|叹道|怒道|道|曰|说|问|答|喊|叫|嘟囔|嘀咕|开口|吼|嚷)"
_HEAD = r"(?:^|(?<=[。！？”’」』…\n 　]))"
_BEFORE = re.compile(rf"{_HEAD}([一-鿿·]{{1,12}}?)({_VERB})[：:]\s?[“「『\"‘]")
_AFTER = re.compile(rf"[”」』]([一-鿿·]{{2,14}}?)({_VERB})(?:了?[一几两]?[声句遍])?[。，！…]")
_BESIDE = re.compile(
    r"(?:[”」』]|^[ \t　]*)([一-鿿]{2})(?=[^“”\n]{0,60}(?:[：:][“「『]|(?<=[。，…！])[“「『]|$))", re.M
)
_FAMILY = "赵钱孙李周吴郑王冯陈卫蒋沈韩杨朱秦许何吕张孔曹严华金魏陶姜谢邹喻苏潘葛范彭鲁韦马苗方俞任袁柳唐薛雷贺倪汤罗毕郝安常乐于傅齐康伍余顾孟黄穆萧尹姚邵汪毛戴宋庞熊纪舒屈项祝董梁杜阮蓝闵季贾江童颜郭梅盛林钟徐邱骆高夏蔡田樊胡凌霍万管卢莫丁邓石崔龚程邢裴陆段侯乔谭温庄晏柴瞿文欧牛蒙古向易廖游简曾沙关红聂耿丛岳"
"""Common family names: 老蒙 is a person, 老话 is none."""
_KIN = "父|母|妻|嫂|婶|婆|伯|叔|姨|氏"
_OFFICES = (
    "先生|小姐|太太|夫人|大夫|掌柜|老板娘?|师傅|老师|医生|护士|队长|班长|经理|局长|主任|教授|警官|法官|船长|"
    "员外|将军|都头|太守|县令|师爷|管家|捕头|公子|姑娘|嬷嬷|道长|长老|施主"
)
_TRADES = "(?:接线|售票|服务|列车|管理|保安|邮递|营业|店|船|司仪|巡逻)员|老板娘|掌柜的|店小二|看门人|守塔人|守门人|摆渡人|更夫|船夫|车夫|渔夫|樵夫|马夫|轿夫|媒婆|管家|捕头|师爷|货郎|郎中|老和尚|老道士|小和尚|小道士"
_STRANGER = re.compile(
    rf"(?:[”」』]|^)[ \t　]*(?:一[个名位])?(?:[^，。“”\n]{{1,8}}的)?"
    rf"((?:[老小][{_FAMILY}](?![一-鿿]{{0,2}}[家街巷铺店])|[{_FAMILY}](?:{_KIN}|{_OFFICES})|{_TRADES}))"
    r"(?![一-鿿]{0,3}(?:的|们))(?=[^“”「」\n]{0,60}(?:[：:，。…！][“「『]|[。！…]?$))",
    re.M,
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


def find_strangers(text: str, names: Names, *, at_least: int = 2) -> list[str]:
    """Names that stand ``at_least`` times beside a quote, as one who speaks or acts, and that the cast lacks.

    Only what has the form of a name is taken: a family name with an office, a kinship or 老, or a trade; 少年 and 老人
    may be anybody. A name of which the cast knows a part stays away: it may be that person's own.
    """
    counts = Counter(match[1] for match in _STRANGER.finditer(text))
    return [name for name, count in counts.most_common() if count >= at_least and not names.find(name)]


def _given_names(text: str, singles: Counter[str]) -> Counter[str]:
    """Names of one character (操曰): a cue follows one in ten or more of their places at a clause's head."""
    heads = {name: sum(text.count(mark + name) for mark in "。！？”，") for name in singles}
    return Counter({name: count for name, count in singles.items() if count >= _GIVEN_SHARE * heads[name]})


def _heads(text: str) -> Iterator[str]:
    """The head of each cue sentence: a name and what may follow it (行者, 铜婆慢悠悠地)."""
    for pattern in (_BEFORE, _AFTER):
        for match in pattern.finditer(text):
            head = _LEAD.sub("", match[1], count=1) if _LEAD.match(match[1]) else match[1]
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
