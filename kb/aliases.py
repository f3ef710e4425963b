"""The other names of a page: from its facts, its first sentence, its title and what redirects to it.

    >>> aliases_of("沈灯（灯匠）", [((), "别名: 小灯、灯儿（镇上人叫的）")], bold=["沈灯", "阿灯"])
    ('小灯', '灯儿', '沈灯', '阿灯')

Only what can be a name is one: two to twenty characters, no sentence, not one of the words that pages stress.
"""

import re
from collections.abc import Iterable, Sequence

from kb.sections import Section

_LINE = re.compile(
    r"(?:别名|别号|别称|又名|又称|也叫|昵称|外号|绰号|称号|本名|原名|真名|全名|小名|乳名|化名|英文名|日文名|aliases?)\s*[:：]\s*(.+)",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"[、，,;；/／|]|\s{2,}")
_PARENTHESES = re.compile(r"[（(][^（）()]*[）)]")
_DISAMBIGUATION = re.compile(r"(.+?)\s*[（(][^（）()]+[）)]")
_NO_NAME = re.compile(r"[。！？!?；;：:，,、|=<>{}\[\]#/\n…]")
_STRESSED = {
    "注意",
    "警告",
    "提示",
    "剧透",
    "剧透警告",
    "注",
    "主角",
    "唯一",
    "本条目",
    "本页面",
    "该角色",
    "简介",
    "概要",
}
_LONGEST = 20


def aliases_of(title: str, sections: Iterable[Section], *, bold: Sequence[str] = ()) -> tuple[str, ...]:
    """Names from lines such as '别名: 小灯、灯儿', from the title's core and from bold words; the title is not one."""
    matches = (_LINE.fullmatch(line) for _, text in sections for line in text.splitlines())
    written = [name for match in matches if match for name in _split(match[1])]
    names = [*written, *filter(is_name, (_core(title), *bold))]
    return tuple(dict.fromkeys(name for name in names if name != title))


def is_name(text: str) -> bool:
    """True for what can be a name by its form."""
    letters = any(letter.isalpha() for letter in text)
    return 1 < len(text) <= _LONGEST and letters and text not in _STRESSED and not _NO_NAME.search(text)


def _core(title: str) -> str:
    """'沈灯（灯匠）' -> 沈灯, '雨城:沈灯' -> 沈灯."""
    match = _DISAMBIGUATION.fullmatch(title)
    return re.split(r"[:：]", match[1] if match else title)[-1].strip()


def _split(value: str) -> list[str]:
    """'小灯（镇上人叫的）、灯儿' -> 小灯, 灯儿; what is too long for a name is left out."""
    parts = (part.strip(" 「」『』“”\"'。") for part in _SEPARATOR.split(_PARENTHESES.sub("", value)))
    return [part for part in parts if 1 < len(part) <= _LONGEST]
