"""How Chinese prose tells who speaks: speech verbs, and the subject of the clause beside a quote.

    names = Names({"闻筝": ("小筝",), "铜婆": ()})
    subject("铜婆没理她，闻筝没好气地说：", names)      # "闻筝": the last clause that has a subject
    subject("老人对闻筝说：", names)                   # None: 闻筝 is spoken to
    is_pure_cue("闻筝没好气地说：", names)             # True: it tells who speaks and nothing else

Rules of form only: whom a pronoun means and who answers whom is told elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

Cast = Mapping[str, Sequence[str]]
"""Names of the characters, each with its aliases."""

_SAY_WORDS = (
    "说道 说 问道 问 答道 回答 答 笑道 叫道 叫声 喊道 喊 喝道 喝 骂道 骂 叹道 怒道 喜道 哭道 告道 劝道 "
    "应道 回道 续道 接道 道 曰 云 言 嘟囔 嘀咕 咕哝 嚷 吼 尖叫 大叫 惊叫 低语 自语 "
    "开口 补充 纠正 追问 反问 解释 提醒 宣布 吩咐 命令 回应 应声 "
    "插嘴 接话 接口 "
    "打断 抱怨 感叹 惊呼 招呼 报告 念 唱 哼 催促 催 叮嘱 承认 坦白 强调 保证 "
    "反驳 抗议 哀求 求饶 安慰 警告 威胁 "
    "公布 附和 请求 恳求 吆喝 讨价还价 叹 叹了口气 發問 說道 說 問道 問 笑著說 喊著"
)
_SAY = _SAY_WORDS.split()
_THINK_WORDS = "心想 心道 心说 暗想 暗道 暗忖 暗自 寻思 思忖 思量 默念 想道 想着 想 琢磨 心里 心中 嘀咕着想"
_THINK = _THINK_WORDS.split()
_NEAR = 40
"""A cue stands at most so many characters from its quote."""

SHE = "她"
PRONOUNS = ("他", "她", "它")
"""Stand where a name would, until somebody finds out whom they mean."""

_TALKED_ABOUT = re.compile(r"道[理路士观德具]|[知难味过通街轨铁]道|听说|据说|小说|传说|学问")

_SAY_ANY = re.compile("|".join(sorted(_SAY, key=len, reverse=True)))
_THINK_ANY = re.compile("|".join(sorted(_THINK, key=len, reverse=True)))
_ENDING = r"(?:了|着|起来|出声|一声|一句|两声|几声|一遍)?[了着]?[：:，,。！？；…—\s]*"
_SAY_END = re.compile(rf"(?:{_SAY_ANY.pattern}){_ENDING}$")
_THINK_END = re.compile(rf"(?:{_THINK_ANY.pattern}){_ENDING}$")

_CLAUSE = re.compile(r"[^，,；;。！？!?…—：:\n]+")
_LEAD = re.compile(
    r"(?:[\s　”’」』]|却说|且说|话说|只见|忽见|只听得?|忽听得?|忽然|突然|这时候?|此时|那时|于是|接着|随后|"
    r"然后|最后|终于|"
    r"可是|但是|不过|只有|连|就连|原来|果然|片刻后|过了?一会儿?|良久|半晌|正说间|当下|当时|次日|"
    r"[那这但却又便而]|[一二两三四五六七八九十几]个)*"
)
_ATTRIBUTE = re.compile(r"[^着了过向对看望把被将给]{1,10}的")
_OWN = re.compile(
    r"的[一-鿿]{0,3}(?:声|嗓|手|指|脸|眼|目光|眉|嘴|头|肩|心|身子|背|腿|膝|脚|耳|喉咙|话|语气|笑|灯|笔尖|伞|袖|影子)"
)
_MANNER = (
    r"(?:[一-鿿]{1,6}地|[一-鿿]{1,3}着|[低小轻大高厉沉细齐失闷柔冷]声|[又便也都却就才只再忙急乃遂即亦复慌]|"
    r"连忙|赶紧|赶忙|终于|忽然|突然|笑嘻嘻|冷冷|淡淡|缓缓|慢慢|悄悄)"
)
_WHO = r"(?:[他她它其]|[那这]?[一-鿿]{1,3}?|[一-鿿]{1,4}(?:人|子|婆|爷|女|娘))"
_TO_WHOM = r"(?:[对向与冲朝跟][一-鿿]{1,6}?)"
_PURE = re.compile(
    rf"(?:{_WHO})?{_MANNER}*{_TO_WHOM}?{_MANNER}*(?:{_SAY_ANY.pattern}|{_THINK_ANY.pattern}){_ENDING}|嘴上却?说"
)
_NOT_ALONE = re.compile(r"[军兵](?!师)|等(?!了|着|待|到|不)|们|众将")
"""After a name: others, not the person (绍军, 行者等)."""
_OTHERS = re.compile(
    r"们|二人|俩|[老小大二三]?(?:爸|妈|娘|爹|爷|奶|姑|姨|舅|叔|婶|哥|弟|姐|妹|嫂|儿子|女儿|丈夫|妻子|媳妇|师父|师兄)|"
    r"的(?![一-鿿]{0,3}(?:声|嗓|手|指|脸|眼|目光|眉|嘴|头|肩|心|身|背|腿|膝|脚|耳|喉|话|语气|笑))"
)
"""What follows a pronoun that does not speak itself: 他们, 他爸, 她的同学."""
_SOMEBODY = re.compile(
    r"[他她它]|[那这][一-鿿]{0,3}(?:人|个|位|怪|妖|猴|汉|僧|官|兵|伙)|众|诸[将官臣侯]|[二两三四五六七八九十][臣将僧妖官怪王仙]|后人|二人|三人|两人|一人|有人|左右|"
    r"[一-鿿]{0,3}(?:老者|老头|老太太|女人|男人|少年|少女|姑娘|孩子|小妖|和尚|巡检)"
)


class Names:
    """The names of a cast as a matcher; a longer name wins over a shorter one at the same place."""

    def __init__(self, cast: Cast) -> None:
        pairs = [(form, name) for name, aliases in cast.items() for form in (name, *aliases) if form]
        self.canonical = dict(reversed(pairs))
        forms = sorted(self.canonical, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, forms)) if forms else r"(?!)")

    def find(self, text: str) -> list[tuple[int, int, str]]:
        """(start, end, name) of each mention, aliases resolved."""
        return [(m.start(), m.end(), self.canonical[m[0]]) for m in self._pattern.finditer(text)]


def subject(sentence: str, names: Names) -> str | None:
    """Who does what the sentence tells: its last subject: a name, a pronoun, or ``None``."""
    found = subjects(sentence, names)
    return found[-1] if found else None


def first_subject(sentence: str, names: Names) -> str | None:
    """Who opens the sentence: its first subject, if that stands in one of the first two clauses."""
    head = "，".join(_CLAUSE.findall(sentence)[:2])
    found = subjects(head, names)
    return found[0] if found else None


def subjects(sentence: str, names: Names) -> list[str | None]:
    """The subject of each clause that has one: a name, a pronoun, ``None`` for another person."""
    found: list[str | None] = []
    for clause in _CLAUSE.findall(sentence):
        mentions = names.find(clause)
        name = _clause_subject(clause, mentions) if mentions else None
        if name or (mentions and _LEAD.fullmatch(clause[: mentions[0][0]])):
            found.append(name)
        elif somebody := _SOMEBODY.match(clause.strip()) or _SOMEBODY.match(_LEAD.sub("", clause, count=1)):
            alone = somebody[0] in PRONOUNS and not _OTHERS.match(clause, clause.index(somebody[0]) + 1)
            found.append(somebody[0] if alone else None)
    return found


def says(sentence: str) -> bool:
    """Whether a speech verb stands anywhere in the sentence."""
    return bool(_SAY_ANY.search(_TALKED_ABOUT.sub("", sentence)))


def ends_saying(sentence: str) -> bool:
    """Whether the sentence ends with a speech verb, as right before a quote."""
    return bool(_SAY_END.search(sentence[-_NEAR:]))


def thinks(sentence: str) -> bool:
    """Whether the sentence ends with a verb of thought: what follows or went before was not said aloud."""
    return bool(_THINK_END.search(sentence[-_NEAR:]))


def is_pure_cue(clause: str, names: Names) -> bool:
    """Whether the clause is only a cue: (who) (to whom) (how) + a verb of speech or thought."""
    bare = clause.strip(" \t\n　，,。：:；;…—")
    if len(bare) > _NEAR:
        return False
    for start, end, _ in reversed(names.find(bare)):
        bare = f"{bare[:start]}他{bare[end:]}"
    return bool(_PURE.fullmatch(bare))


def _clause_subject(clause: str, mentions: list[tuple[int, int, str]]) -> str | None:
    """The first mention, if it opens the clause (卖豆糕的郝婶) and owns no other person (闻筝的师父)."""
    start, end, name = mentions[0]
    if _LEAD.fullmatch(clause[:start]) is None and _ATTRIBUTE.fullmatch(clause[:start]) is None:
        return None
    rest = clause[end:]
    return None if _NOT_ALONE.match(rest) or (rest[:1] in ("的", "之") and not _OWN.match(rest)) else name
