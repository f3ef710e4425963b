"""How Chinese prose tells who speaks: speech verbs, and the subject of the clause beside a quote.

    names = Names({"闻筝": ("小筝",), "铜婆": ()})
    subjects("铜婆没理她，闻筝没好气地说：", names)     # ["铜婆", "闻筝"]: one a clause
    subjects("老人对闻筝说：", names)                  # []: 闻筝 is spoken to
    is_pure_cue("闻筝没好气地说：", names)             # True: it tells who speaks and nothing else

Rules of form only, on simplified text: whom a pronoun means and who answers whom is told elsewhere.
"""

import re

from roleplay.distill.rules.cues import GROUP, NARRATORS, PRONOUNS, Cue, Grammar, Names
from roleplay.distill.rules.words import any_of, characters

# A cue stands at most so many characters from its quote.
_NEAR = 40
# Hold a speech verb, but nobody speaks: 道理, 知道, 听说.
_TALKED_ABOUT = re.compile(r"道[理路士观德具]|[知难味过通街轨铁]道|听说|据说|小说|传说|学问")
_SAY = re.compile(any_of("say"))
_THINK = any_of("think")
_ENDING = r"(?:了|着|起来|出声|一声|一句|两声|几声|一遍)?[了着]?[：:，,。！？；…—\s]*"
_SAY_END = re.compile(rf"(?:{_SAY.pattern}){_ENDING}$")
_IN_HEART = re.compile(r"心[里中下头]?[^，。：说道]{0,2}[忽默暗数明一]?[^，。：]{0,5}[：:]$")
# “…”阿岚这么想着，松了一口气。
_THOUGHT_AFTER = re.compile(rf"[^，。！？]{{0,12}}(?:{_THINK})[着道]?[，。]")
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
# A clause that brings somebody in says so before who it is.
_COMES = re.compile(
    r"[^，]{0,10}?(?:[来走站坐进蹲跪躺跑冲]+(?:[进出过]?来)?[了着]|进来的是|来的是|出现了)(?=[^，])"
)
_UNNAMED = re.compile(rf"[一两]?[个位名]?[^，]{{0,10}}?(?:{any_of('passers_by')}|人|汉子?)")
# Several at once; 三人 only at the head: 三人行 would be another word anyway.
_GROUP = re.compile(rf"(?:[在满堂厅上的]*)?(?:{any_of('groups')})")
_SENTENCE = re.compile(r"[^。！？!?…]*[。！？!?…]+[”’」』]*|[^。！？!?…]+$")
# 闻筝没说话, 听他这么说: a speech verb after a quote, but it is not the quote that is spoken.
_SILENT = re.compile(
    r"没(?:有)?(?:再|来得及)?(?:言语|说|吭声|回答|答|接话|作声|开口|理|否认)|"
    r"不(?:言|说|答|吭声|接话|语|作声)|听[了着到见]?[^，。]{0,6}说|话[还没未犹]"
)
_NAME = re.compile(rf"(?:(?![{characters('no_name')}])[一-鿿]){{1,4}}")
_VERB = re.compile(
    r"(?:[低小轻大高厉]声|[笑怒喝骂叫喊叹哭问答回应说])*[说道曰问答喊叫]+[着了]?[：:，]?$"
)
_NO_NAMES = frozenset(any_of("no_cast", "no_persons", "passers_by", "think", "leads").split("|"))
_NO_NAME = re.compile(
    rf"^(?:[一两二三四五六七八九十几][个名位人只条把件次下声句天年月日点步排间家座股道片阵口眼息车旁时边面般切些]|{any_of('no_name_heads')})|"
    rf"(?:{any_of('no_name_tails')})$|[我你他她它们]"
)
# A longer sentence on a line of its own tells a story, and is no cue.
_LONGEST_CUE = 40
# 堂下看的人都道, 左邻右舍都拥进来，齐声道: but 我都说了 is one person's.
_ALL_SAY = re.compile(
    r"(?:齐声|异口同声|七嘴八舌地?|[^我你他她，。]{2,8}都[^，。]{0,4})(?:道|说|喊|叫|笑|问|嚷|答)[道着]?[：:，]?$"
)
_SIGHS = re.compile(r"叹了?(?:一?口)?气?$|知道$")
# Opens the predicate of a sentence whose subject was told before (沉默了一会儿, 想了想).
_NO_NOUN = re.compile(
    rf"[{characters('head_stops')}沉默顿咬深愣良半过片眨挥皱耸吸抱撇舔犹迟咳自终满双只一不]|[一-鿿]{{1,6}}[地着]|[一-鿿][了了一]"
)


def sentences(text: str) -> list[str]:
    """The sentences of narration."""
    return _SENTENCE.findall(text)


def may_be_name(word: str) -> bool:
    """Whether a word can be a name: no connective, no time or place, nothing that is a thing."""
    return not _NO_NAME.search(word) and word not in _NO_NAMES


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
        if not name and (comes := _COMES.match(clause)):
            # 门口站着巴尔德; 来了一个男孩 is nobody known.
            after = [who for start, _, who in mentions if start == comes.end()]
            if after or _UNNAMED.match(clause, comes.end()):
                found.append(after[0] if after else None)
                continue
        if name or (mentions and _LEAD.fullmatch(clause[: mentions[0][0]])):
            found.append(name)
            continue
        bare = _LEAD.sub("", clause, count=1)
        if _GROUP.match(bare):
            found.append(GROUP)
        elif somebody := _SOMEBODY.match(clause.strip()) or _SOMEBODY.match(bare):
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
    near = sentence[-_NEAR:]
    return bool(_THINK_END.search(near) or _IN_HEART.search(near))


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
    owns = rest.startswith(("的", "之")) and not _OWN.match(rest)
    others = owns or _NOT_ALONE.match(rest) or (name in NARRATORS and _OTHERS.match(rest))
    return None if others else name


def leads(gap: str) -> bool:
    """Whether it leads to the quote after it."""
    return gap.endswith(("：", ":"))


def cue_before(gap: str, names: Names) -> Cue | None:
    """The cue right before a quote (闻筝没好气地说：); its subject may stand in a sentence before."""
    sentences = _SENTENCE.findall(gap)
    if not sentences or gap[-1] in "。！？" or not (leads(gap) or ends_saying(gap)):
        return None
    thought = thinks(sentences[-1])
    for back, sentence in enumerate(reversed(sentences)):
        if not back and _ALL_SAY.search(sentence):
            return Cue(GROUP, "before", thought)
        if found := subjects(sentence, names):
            return Cue(found[-1], "before", thought)
        if not back and (_is_other_name(sentence) or _is_somebodys(sentence)):
            return Cue(None, "before", thought)
    return None


def _is_other_name(sentence: str) -> bool:
    """Whether the last clause is a word that can be a name and a speech verb (孟氏道：)."""
    clause = re.split(r"[，,；]", sentence.rstrip("：:，, "))[-1]
    bare = _VERB.sub("", clause)
    return bare != clause and bool(_NAME.fullmatch(bare))


def _is_somebodys(sentence: str) -> bool:
    """Whether a speech verb ends the sentence and an unknown noun opens it (少女颇为忐忑地问道：)."""
    bare = _LEAD.sub("", sentence.strip(), count=1)
    return ends_saying(sentence) and len(bare) > 1 and not _NO_NOUN.match(bare)


def cue_after(gap: str, names: Names) -> Cue | None:
    """The cue right after a quote (铜婆慢悠悠地说。)."""
    first = next(iter(_SENTENCE.findall(gap)), "")
    thought = thinks(first) or bool(_THOUGHT_AFTER.match(first))
    if _ALL_SAY.search(first.rstrip("。！…")):
        return Cue(GROUP, "after", thought)
    if leads(first) or _SILENT.search(first) or not (thought or says(first)):
        return None
    who = first_subject(first, names)
    bare = first.rstrip("。！？…")
    told = who or subjects(first, names) or _is_other_name(bare) or _is_somebodys(bare)
    return Cue(who, "after", thought) if told else None


def cue_alone(paragraph: str, names: Names) -> Cue | None:
    """The cue on a line of its own after a quote (阿岚问道。); a sigh alone is an act."""
    first = next(iter(_SENTENCE.findall(paragraph)), "").rstrip("。！？… ")
    if not (ends_saying(first) or thinks(first) or _THOUGHT_AFTER.match(first + "。")):
        return None
    return None if _SIGHS.search(first) else cue_after(first + "。", names)


CHINESE = Grammar(
    subjects=subjects,
    cue_before=cue_before,
    cue_after=cue_after,
    cue_alone=cue_alone,
    leads=leads,
    is_pure_cue=is_pure_cue,
    oneself=re.compile(
        r"(?:我[是叫]|我的名字[是叫]|在下|本官|小的|老夫|贫僧|俺|鄙人|姓[一-鿿]名)[，“‘]?$"
    ),
    oneself_after=re.compile(r"(?!)"),
    title=re.compile(rf"(?:{any_of('addresses', 'titles')})?"),
    female_title=re.compile("小姐|姑娘|夫人|太太|女士|师姐|师妹|大婶|大娘|大妈|奶奶|阿姨|公主"),
    male_title=re.compile("先生|公子|少爷|老爷|师兄|师弟|大叔|大伯|大爷|爷爷|叔叔|王子|兄(?!妹)"),
    female=re.compile(r"[婆婶娘妈嫂姑姨妹姐奶妃后媳氏女]$|小姐|姑娘|夫人|太太"),
    male=re.compile(r"[爷叔伯哥弟爸爹公翁汉僧道王]$|先生|师兄|师弟|和尚|道长|老爷|少爷"),
    female_given=re.compile("[莲芳兰梅英凤霞娟燕蓉娜芬琴秀婷莉妮娇媚茜]"),
    male_given=re.compile("[刚强伟勇军龙虎雄]"),
    # It opens the next clause, so that it means who was just named; 他们 means others.
    next_pronoun=re.compile(r"[^。！？“”「」\n]{0,16}[，。；]([他她它])(?!们)"),
    sentence=_SENTENCE,
    narrators=("我",),
)
