"""One page, or one file of many people and things: a page for each that has a section of its own.

    >>> page = [(("露易丝",), "露易丝是贵族。"), (("露易丝", "性格"), "傲。"), (("西尔芙",), "风龙。")]
    >>> topics_of("主要人物", page)
    [('露易丝', [((), '露易丝是贵族。'), (('性格',), '傲。')]), ('西尔芙', [((), '风龙。')])]

A heading names a person or thing under 人物, 道具 and the like, or where its text begins with it; 性格
and 经历 never do. On the page of a person the sections are that person's, whatever they are called.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from kb.aliases import is_name, name_and_more
from kb.names import simplified
from kb.sections import WORDS, Section, plain_heading, without_marks

_GENERIC = frozenset(WORDS["generic"])
_ENDS = "|".join(WORDS["collective-ends"])
# 主要人物介绍, 女性角色一览: what it ends with counts.
_COLLECTIVE = re.compile(rf".{{0,12}}(?:{'|'.join(WORDS['collective'])})(?:{_ENDS})*")
_WEAK = re.compile(rf".{{0,8}}(?:{'|'.join(WORDS['weak-collective'])})(?:{_ENDS})*")
# 魔法能力, 生活状况, 第三章: what a section tells, not whom it tells of.
_LONG = "|".join(word for word in WORDS["generic"] if len(word) > 1 and not word.isascii())
_ATTRIBUTE = re.compile(rf".{{0,6}}(?:{_LONG})|第.{{1,4}}[章节卷季集话部篇回幕].*|[\d\W]+")
# 露易丝的魔法, 技术和产业, 2019年: any of them might be a thing in a list of things.
_DESCRIPTION = re.compile(r".*的.*|.*[与和及].+|[对跟同].+|.*\d年.*|.*[篇章]")
# 女主角：露易丝, 1. 露易丝, 【露易丝】.
_BEFORE_NAME = re.compile(
    r"^[\s\d.、．)）(（【\[]*(?:[一二三四五六七八九十]{1,3}[、.．)）]\s*)?(?:[^：:]{1,6}[：:]\s*)?"
)
_FACT = re.compile(r"^[^\s：:。，]{1,8}\s*[:：]\s*\S.*$", re.M)
_LISTED = re.compile(r"([^\s：:。，]{2,20}?)\s*[：:]\s*(\S.{7,})", re.S)
# A lead of a few words is no page: '以下是主要人物。'
_SHORTEST_LEAD, _LEAD = 8, 100

_Path = tuple[str, ...]


def topics_of(title: str, sections: Sequence[Section]) -> list[tuple[str, list[Section]]]:
    """(name, sections) of the page itself, where something is left, and of each name in it.

    The headings above a topic stay in front of its own, but for those like 主要人物.
    """
    page = _Page(title, [*_with_listed(title, sections)])
    found: dict[str, list[Section]] = {}
    for path, text in page.sections:
        depth = page.topic_depth(path)
        name = _name_of(path[depth - 1]) if depth else title
        above = [part for part in (title, *path[: depth - 1]) if depth and not _is_list(part)]
        found.setdefault(name, []).append(((*above, *path[depth:]), text))
    return list(found.items())


class _Page:
    """Which of a page's headings are names: what stands around each is counted once."""

    def __init__(self, title: str, sections: Sequence[Section]) -> None:
        self.sections, self._title = sections, title
        self._texts: dict[_Path, str] = {}
        # The headings under each, and of them those that could be names.
        self._children: dict[_Path, dict[str, bool]] = {}
        for path, text in sections:
            self._texts.setdefault(path, simplified(without_marks(text)))
            for depth, heading in enumerate(path):
                below = self._children.setdefault(path[:depth], {})
                below.setdefault(heading, not _describes(heading))
        headings = (plain_heading(one) for below in self._children.values() for one in below)
        self._counts = Counter(headings)
        lead, parts = self._texts.get((), ""), self._children.get((), {}).values()
        # A page that tells of its title first is that one's page, and its sections are too.
        of_one = simplified(name_and_more(title)[0]) in lead[:_LEAD] or _FACT.search(lead)
        described = len(parts) - sum(parts) >= max(2 * len(parts) / 3, 2)
        self._is_of_one = not _is_list(title) and bool(of_one or described)
        self._depths: dict[_Path, int] = {(): 0}

    def topic_depth(self, path: _Path) -> int:
        """How many of the headings lead to the name whose section it is; 0 for the page itself."""
        if path not in self._depths:
            above = self.topic_depth(path[:-1])
            self._depths[path] = len(path) if self._is_topic(path, above > 0) else above
        return self._depths[path]

    def _is_topic(self, path: _Path, inside: bool) -> bool:
        name, plain = _name_of(path[-1]), plain_heading(path[-1])
        parent = plain_heading(path[-2] if len(path) > 1 else self._title)
        is_thing = is_name(name) and name != self._title and not _is_list(path[-1])
        if not is_thing or plain in _GENERIC or (inside and self._counts[plain] > 1):
            return False
        # Right under 人物 it is a name; on a page of one, only what speaks for itself is.
        if _COLLECTIVE.fullmatch(parent):
            return not _ATTRIBUTE.fullmatch(plain)
        of_one = inside or self._is_of_one
        siblings, above = self._children[path[:-1]].values(), self._texts.get(path[:-1], "")
        only_lists = not of_one and len(siblings) > 1 and len(above) < _SHORTEST_LEAD
        only_lists = only_lists and 3 * sum(siblings) > 2 * len(siblings)
        text = self._texts.get(path, "")
        spoken_for = (
            text.startswith(simplified(name).split("·")[0])
            + (len(_FACT.findall(text)) > 1)
            + any(plain_heading(child) in _GENERIC for child in self._children.get(path, ()))
        )
        needed = 1 + of_one - bool(_WEAK.fullmatch(parent) or only_lists)
        return not _describes(path[-1]) and spoken_for >= needed


def _with_listed(title: str, sections: Sequence[Section]) -> Iterator[Section]:
    """The sections; in a list of people, lines '西尔芙：塔巴莎的使魔…' are sections of their own."""
    for path, text in sections:
        lines = [(line, _LISTED.fullmatch(without_marks(line))) for line in text.split("\n")]
        named = [
            match
            for _, match in lines
            if match and is_name(match[1]) and not (_describes(match[1]) or _is_list(match[1]))
        ]
        if len(named) < 2 or not _COLLECTIVE.fullmatch(plain_heading((title, *path)[-1])):
            named = []
        rest = "\n".join(line for line, match in lines if match not in named or not match)
        yield from [(path, rest)] if rest else []
        yield from (((*path, match[1]), match[2]) for match in named)


def _name_of(heading: str) -> str:
    """女主角：露易丝（CV：某） -> 露易丝."""
    return name_and_more(_BEFORE_NAME.sub("", name_and_more(heading)[0]) or heading)[0]


def _describes(heading: str) -> bool:
    """Whether a heading says what its section tells, and not whom it tells of."""
    plain = plain_heading(heading)
    return plain in _GENERIC or bool(_DESCRIPTION.fullmatch(plain) or _ATTRIBUTE.fullmatch(plain))


def _is_list(heading: str) -> bool:
    """Whether a heading only says what kind of things stand under it."""
    plain = plain_heading(heading)
    return bool(_COLLECTIVE.fullmatch(plain) or _WEAK.fullmatch(plain))
