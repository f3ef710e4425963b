"""The other names of a page: from its facts, its first sentence, its title and its redirects.

    >>> aliases_of("沈灯（灯匠）", [((), "别名: 小灯、灯儿（镇上人叫的）")], bold=["沈灯", "阿灯"])
    ('小灯', '灯儿', '沈灯', '阿灯')

Only what can be a name is one: 2 to 20 characters, no sentence, not a word that pages stress.
"""

import re
from collections.abc import Iterable, Sequence

from kb.sections import WORDS, Section

# A whole line '别名: 小灯、灯儿', as infoboxes and lists of facts are rendered.
_LINE = re.compile(rf"(?:{'|'.join(WORDS['alias-labels'])})\s*[:：]\s*(.+)", re.IGNORECASE)
_SEPARATOR = re.compile(r"[、，,;；/／|]|\s{2,}")
_PARENTHESES = re.compile(r"[（(][^（）()]*[）)]")
_DISAMBIGUATION = re.compile(r"(.+?)\s*[（(][^（）()]+[）)]")
_NO_NAME = re.compile(r"[。！？!?；;：:，,、|=<>{}\[\]#/\n…]")
_LONGEST = 20


def aliases_of(
    title: str, sections: Iterable[Section], *, bold: Sequence[str] = ()
) -> tuple[str, ...]:
    """Names from lines such as '别名: 小灯', from the title's core and from bold words, no title."""
    lines = (_LINE.fullmatch(line) for _, text in sections for line in text.splitlines())
    values = [_PARENTHESES.sub("", match[1]) for match in lines if match]
    parts = (part for value in values for part in _SEPARATOR.split(value))
    written = (part.strip(" 「」『』“”\"'。") for part in parts)
    # '沈灯（灯匠）' -> 沈灯, '雨城:沈灯' -> 沈灯.
    bare = _DISAMBIGUATION.fullmatch(title)
    core = re.split(r"[:：]", bare[1] if bare else title)[-1].strip()
    likely = filter(is_name, (core, *bold))
    names = dict.fromkeys((*(name for name in written if 1 < len(name) <= _LONGEST), *likely))
    return tuple(name for name in names if name != title)


def is_name(text: str) -> bool:
    """True for what can be a name by its form."""
    written = 1 < len(text) <= _LONGEST and any(letter.isalpha() for letter in text)
    return written and text not in WORDS["stressed"] and not _NO_NAME.search(text)
