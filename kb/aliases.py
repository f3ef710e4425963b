"""The other names of a page: from its facts, its first sentence, its title and its redirects.

    >>> aliases_of("沈灯（灯匠）", [((), "别名: 小灯、灯儿（镇上人叫的）")], bold=["沈灯", "阿灯"])
    ('小灯', '灯儿', '沈灯', '阿灯')

Only what can be a name is one: 2 to 20 characters, no sentence, not a word that pages stress.
Whoever lends a voice or draws is no name of the character: （CV：林某、幼年期：原某某） gives none.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from kb.names import simplified
from kb.sections import WORDS, Section, plain_heading

_LABELS = "|".join(WORDS["alias-labels"])
# A whole line '别名: 小灯、灯儿', as infoboxes and lists of facts are rendered.
_LINE = re.compile(rf"({_LABELS})\s*[:：]\s*(.+)", re.I)
# Labels of what a part is called in another tongue or time: '英文：Lamp', '别名：小灯'.
_NAMING = re.compile(rf"\s*(?:{_LABELS}|{'|'.join(WORDS['languages-named'])})\s*", re.I)
_VOICE = re.compile(rf"(?:{'|'.join(WORDS['voice-labels'])})\b\s*[:：]?", re.I)
_SEPARATOR = re.compile(r"[、，,;；/／|]|\s{2,}|(?<=[\u3000-\u9fff])\s+(?=[\u3000-\u9fff])")
_COLON = re.compile(r"\s*[:：]\s*")
_PARENTHESES = re.compile(r"[（(]([^（）()]*)[）)]")
_NO_NAME = re.compile(r"[。！？!?；;：:，,、|=<>{}\[\]#/\n…（）()]")
# '又名小灯，' in a first sentence: up to a mark, so that '人称铁嘴的老板' gives no 铁嘴的老板.
_ALSO = re.compile(
    rf"(?:{'|'.join(WORDS['alias-phrases'])})(?:叫做|叫|是|为|作|：|:)?\s*(?:"
    r"[「『“\"‘《]([^「」『』“”\"‘’《》。\n]{2,20})[」』”\"’》]"
    r"|([^\s，。；、（）()「」：:的是]{2,12})(?=[，。；、）)]))"
)
# After a name: 露易丝·法兰西斯.
_FURTHER_NAMES = re.compile(r"[·・•‧][\w·・•‧=＝-]+")
_QUOTES = " 「」『』“”\"'。‘’《》【】"
# 露易丝·法兰西斯·露·布朗·杜·拉·瓦利埃尔 has 22.
_LONGEST, _LONGEST_DOTTED, _LEAD = 20, 40, 120


def aliases_of(
    title: str, sections: Sequence[Section], *, bold: Sequence[str] = ()
) -> tuple[str, ...]:
    """Names from lines such as '别名: 小灯', from bold words, the lead and the title, no title."""
    lead = next((text for _, text in sections[:3] if "。" in text), "")[:_LEAD]
    core, _ = name_and_more(title)
    # '雨城:沈灯' -> 沈灯, '沈灯/经历' -> 沈灯; 露易丝·瓦利埃尔 is called by the first name.
    forms = [core, _COLON.split(core)[-1].strip(), core.split("/")[0].strip(), core.split("·")[0]]
    begun = [form for form in forms if form and lead.startswith(form)]
    longer = (match for form in begun if (match := _FURTHER_NAMES.match(lead, len(form))))
    likely = [*forms, *(name for text in (title, *bold) for name in _names_of(text))]
    likely += [*(lead[: match.end()] for match in longer), *_also(lead)]
    names = dict.fromkeys((*_written(sections), *filter(is_name, likely)))
    return tuple(name for name in names if name != title)


def is_name(text: str) -> bool:
    """True for what can be a name by its form."""
    longest = _LONGEST_DOTTED if "·" in text else _LONGEST
    written = 1 < len(text) <= longest and any(letter.isalpha() for letter in text)
    stressed = simplified(text) in WORDS["stressed"] or _VOICE.match(simplified(text))
    return bool(written and not stressed and not _NO_NAME.search(text))


def name_and_more(text: str) -> tuple[str, str]:
    """沈灯（灯匠） gives 沈灯 and 灯匠: a name and what its parentheses say."""
    return _PARENTHESES.sub("", text).strip(_QUOTES), "、".join(_PARENTHESES.findall(text))


def _names_of(text: str) -> Iterator[str]:
    """A title or bold word without its parentheses, and what they say it is called as well."""
    core, more = name_and_more(text)
    yield core
    for part in _SEPARATOR.split(more):
        label, *rest = _COLON.split(part, maxsplit=1)
        if rest and _NAMING.fullmatch(simplified(label)):
            yield rest[0].strip(_QUOTES)
        yield from _also(f"{part}，")


def _written(sections: Sequence[Section]) -> Iterator[str]:
    """Names from whole lines 'label: names'; a label that stands twice tells of several people.

    Only where the page begins and under headings like 基本资料: other sections are on other things.
    """
    generic = WORDS["generic"]
    own = (
        text
        for path, text in sections
        if path == sections[0][0] or not path or plain_heading(path[-1]) in generic
    )
    texts = (line for text in own for line in text.splitlines())
    lines = [(match, line) for line in texts if (match := _LINE.fullmatch(simplified(line)))]
    counts = Counter(match[1] for match, _ in lines)
    for match, line in lines:
        value = _PARENTHESES.sub("", line[match.start(2) :])
        for part in _SEPARATOR.split(value) if counts[match[1]] == 1 else ():
            label, *rest = _COLON.split(part)
            # '日文：アカリ' is a name in another tongue, '幼年期：原某某' a voice.
            if not rest or _NAMING.fullmatch(simplified(label)):
                name = (rest or [label])[-1].strip(_QUOTES)
                yield from [name] if is_name(name) or (name.isdigit() and len(name) > 1) else []


def _also(text: str) -> Iterator[str]:
    """Names after 又名, 人称 and the like."""
    for match in _ALSO.finditer(simplified(text)):
        yield text[slice(*match.span(1 if match[1] else 2))]
