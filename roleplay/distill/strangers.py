"""Speakers whom no cast names, found by their cue alone: 接线员说：“…”, 那婆子笑道：“…”.

    find_strangers(text, Names({"闻筝": ("小筝",)}))      # Counter({"接线员": 2, "老和尚": 1})

One cue is enough for a word that looks like a person (a surname, 老 or 小 before a name, a trade, a relation);
another word needs three. Groups (众人, 二人), words for anybody (老者, 少年: often somebody of the cast, seen by a
stranger) and words that share a form with the cast (孙行者 beside 行者) stay unnamed.
"""

from __future__ import annotations

import re
from collections import Counter

from roleplay.distill.cast import cue_heads
from roleplay.distill.cues import Names

_ENOUGH = 3
_SHORTEST, _LONGEST = 2, 4
_ROLE_WORDS = (
    "人 员 者 匠 师傅 师父 父 母 爷 爷爷 婆 婆婆 婆子 婶 娘 娘子 老板娘 嫂 叔 伯 哥 姐 妹 公 公公 公主 公子 夫人 氏 官 "
    "大夫 妇 汉 僧 和尚 道士 道长 尼姑 兵 卒 将军 客 医生 警察 学生 先生 老师 教授 司机 保安 护士 小二 伙计 "
    "掌柜 掌柜的 老板 管家 管家婆 总管 丫鬟 丫头 丫环 太监 侍卫 侍女 书生 秀才 郎中 船家 店家 妈妈 妈 爸 爸爸 爹 奶奶 姥姥 外婆 "
    "太太 小姐 姑姑 姨 舅 舅舅 经理 主任 秘书 记者 律师 法官 皇帝 太后 皇后 太子 丞相 太守 县令 知县 长老 方丈 童子 童儿 "
    "院主 嬷嬷 车夫 樵夫 渔夫 轿夫 猎户 邻居 同学 同事 老叟 道童 贼 军士 喇嘛 寡妇 龙王 太公 老儿"
)
_ROLES = "|".join(sorted(_ROLE_WORDS.split(), key=len, reverse=True))
_SHORT_ROLES = "王|公|师|工|贩|姨|[队校院部局船村镇县市省厂班科处站排连营团组会社馆]长"
"""Only at the end of the word: 司徒王允 is no 司徒王."""
_SURNAMES = (
    "赵钱孙李周吴郑王冯陈卫蒋沈韩杨朱秦许何吕张孔曹严魏陶姜谢邹苏潘葛范彭鲁韦马苗俞袁柳鲍史唐薛雷贺倪汤罗郝邬傅齐康伍余顾孟黄穆萧尹姚邵"
    "汪毛戴宋庞熊纪舒项祝董梁杜阮蓝季贾江童郭梅林刁钟徐邱骆高夏蔡田樊胡凌霍虞柯卢莫丁邓洪崔龚程邢裴陆荣翁段侯武刘詹龙叶黎白蒲赖卓乔"
    "谭姬冉桑燕尚温庄晏瞿阎习廖耿寇聂敖冷曾沙丰关荀"
)
_STOPS = (
    "笑怒喜惊哭叹喝骂叫喊问答说道曰言又便也却就忙乃遂对向与急即亦听回谢看低轻在才把拱跪近接暗以奏告谏闻见谓呼"
    "着了过起来上下转抬点摇想走站坐手头眼声气都再还只跟冲和的地得是不没一半凑嘴里有使令教唤因忽皆俱各出指叱略报进密应扯立见当瞋赞泣"
)
_STOP = re.compile(rf"[{_STOPS}]|(.)\1(?=地|(.)\2)")
_PREFIX = f"[^{_STOPS}大众诸群个\\W]"
_TRADE = r"[^了着过的地得是不没道曰说问答一半又便也却就忙有使令教唤因忽皆俱各出叱谏扯住见谓遂乃遣对向与跟冲把拜跪闻奏告报大众诸群个\W]"
"""What a trade may begin with: also a verb (接线员, 看门人)."""
_PERSON = re.compile(
    rf"(?:[^{_STOPS}的]{{1,5}}的)?{_TRADE}{{0,2}}(?:{_ROLES}|{_SHORT_ROLES})|[老小阿]{_PREFIX}|[{_SURNAMES}]{_PREFIX}{{1,2}}"
)
_ROLE_HEAD = re.compile(
    rf"(?:[^{_STOPS}的]{{1,5}}的{_TRADE}{{0,2}}?(?:{_ROLES}|女人|男人|姑娘|老人|少年|孩子)|{_TRADE}{{0,2}}?(?:{_ROLES}))"
)
_VERSE = re.compile("[诗赋]")
"""Whoever wrote a poem long ago is nobody of the story."""
_SENTENCE_END = "。！？!?…”’」』》）)：:；"
_SPACE = 12
_NOBODY = re.compile(
    r".*[他她它其我你汝吾咱自谁们众诸俩两几每各某群满些]|[二三四五六七八九十]|[别后旁路行来古今前后世男女老]人|"
    r"或|.*(?:老者|长者|使者|学者|作者|记者们|对方|左右|大家|兄弟|弟兄|夫妻|师徒|君臣|父子|母子|军|马)$|"
    r"[女男]?[人子]$|[止问劝谏]之|常言|须臾|思量|心中"
)
_ANYBODY = re.compile(r"[老小大]?(?:老者|老头|老人|老太太|女人|男人|女子|男子|女孩|男孩|少年|少女|青年|姑娘|孩子|巡检)")


def find_strangers(text: str, names: Names) -> Counter[str]:
    """The speakers outside the cast, with the number of their cues."""
    heads = (head for start, head in cue_heads(text) if _opens(text, start) and not _VERSE.search(head))
    found = Counter(name for head in heads if (name := name_of(head)) and not _shares(head, name, names))
    sure = {name for name, count in found.items() if count >= _ENOUGH or _PERSON.fullmatch(name)}
    return Counter({name: found[name] for name in sorted(sure) if not _grown(name, sure)})


def _opens(text: str, start: int) -> bool:
    """Whether a sentence begins there: a line of a hard-wrapped text may begin within a word."""
    before = text[max(0, start - _SPACE) : start].rstrip()
    return not before or before[-1] in _SENTENCE_END


def name_of(head: str) -> str | None:
    """The person at the head of a cue (陆父憨憨地: 陆父), if it can be one."""
    stop = _STOP.search(head, 1)
    name = head[: stop.start()] if stop else head
    role = _ROLE_HEAD.match(head)
    if role and (not _PERSON.fullmatch(name) or "的" in role[0]):
        name = role[0] if len(role[0]) >= _SHORTEST else name
    fits = _SHORTEST <= len(name) <= _LONGEST or (role and "的" in name)
    starts = bool(role) or name[:1] not in _STOPS
    return name if fits and starts and not _NOBODY.match(name) and not _ANYBODY.fullmatch(name) else None


def _shares(head: str, name: str, names: Names) -> bool:
    """Whether the word has a name of the cast in or right after it (太中大夫孔融), or is a part of one."""
    touched = any(start <= head.index(name) + len(name) for start, _, _ in names.find(head))
    return touched or any(name in form for form in names.canonical)


def _grown(name: str, names: set[str]) -> bool:
    """Whether the word is another one and what follows it (老蒙客客: 老蒙)."""
    return any(name[:size] in names for size in range(_SHORTEST, len(name)))
