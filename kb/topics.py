"""One page, or one file of many people and things: a page for each that has a section of its own.

    >>> page = [(("露易丝",), "露易丝是贵族。"), (("露易丝", "性格"), "傲。"), (("使魔",), "平民。")]
    >>> [(topic.title, topic.sections) for topic in topics_of("主要人物", page)]
    [('露易丝', [((), '露易丝是贵族。'), (('性格',), '傲。')]), ('使魔', [((), '平民。')])]

A heading names a person or thing under 人物, 道具 and the like, or where its text begins with it; 性格
and 经历 never do. On the page of a person the sections are that person's, whatever they are called.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from kb.aliases import is_name, name_and_more
from kb.names import simplified
from kb.sections import WORDS, Section, plain_heading, without_marks

_GENERIC = frozenset(WORDS["generic"])
_ENDS = "|".join(WORDS["collective-ends"])
# 主要人物介绍, 女性角色一览: what it ends with counts.
_COLLECTIVE = re.compile(rf".{{0,12}}(?:{'|'.join(WORDS['collective'])})(?:{_ENDS})*")
_WEAK = re.compile(rf".{{0,8}}(?:{'|'.join(WORDS['weak-collective'])})(?:{_ENDS})*")
# 魔法能力, 生活状况: what a section tells, not whom it tells of.
_ATTRIBUTE = re.compile(
    rf".{{0,6}}(?:{'|'.join(word for word in WORDS['generic'] if len(word) > 1 and not word.isascii())})"
)
# 与陆迟的关系, 第三章, 2019年.
_DESCRIPTION = re.compile(
    rf".*的.*|.*[与和及].+|[对跟同].+|第.{{1,4}}[章节卷季集话部篇回幕].*|.*\d年.*|[\d\W]+|.*[篇章]|{_ATTRIBUTE.pattern}"
)
# 女主角：露易丝, 1. 露易丝, 【露易丝】.
_BEFORE_NAME = re.compile(
    r"^[\s\d.、．)）(（【\[]*(?:[一二三四五六七八九十]{1,3}[、.．)）]\s*)?(?:[^：:]{1,6}[：:]\s*)?"
)
_FACT = re.compile(r"[^\s：:。，]{1,8}\s*[:：]\s*\S.*")
_LISTED = re.compile(r"([^\s：:。，]{2,20}?)\s*[：:]\s*(\S.{7,})", re.DOTALL)
# A lead of a few words is no page: '以下是主要人物。'
_SHORTEST_LEAD, _LEAD = 8, 100
_ENOUGH_SIBLINGS, _FEWEST_LISTED = 4, 2


class Topic(NamedTuple):
    """A person or thing: its name as written, the sections on it, and where they stood."""

    title: str
    sections: list[Section]


def topics_of(title: str, sections: Sequence[Section]) -> list[Topic]:
    """The page itself, where something of it is left, and a topic for each name with a section.

    The headings above a topic stay in front of its own, but for those like 主要人物.
    """
    page = _Page(title, [*_with_listed(title, sections)])
    found: dict[str, list[Section]] = {}
    for path, text in page.sections:
        depth = page.topic_depth(path)
        name = _name_of(path[depth - 1]) if depth else title
        above = [part for part in (title, *path[: depth - 1]) if depth and not _is_list(part)]
        found.setdefault(name, []).append(((*above, *path[depth:]), text))
    return [Topic(*pair) for pair in found.items()]


class _Page:
    """Which of a page's headings are names: what stands around each is counted once."""

    def __init__(self, title: str, sections: Sequence[Section]) -> None:
        self.sections = sections
        self._title = title
        self._texts: dict[tuple[str, ...], str] = {}
        self._children: dict[tuple[str, ...], dict[str, None]] = {}
        for path, text in sections:
            self._texts.setdefault(path, text)
            for depth in range(len(path)):
                self._children.setdefault(path[:depth], {})[path[depth]] = None
        headings = [
            path[-1] for path in {path[: n + 1] for path, _ in sections for n in range(len(path))}
        ]
        self._counts = Counter(map(plain_heading, headings))
        lead = simplified(without_marks(self._texts.get((), "")))
        parts = self._children.get((), {})
        # A page that tells of its title first is that one's page, and its sections are too.
        self._is_of_one = not _is_list(title) and (
            simplified(name_and_more(title)[0]) in lead[:_LEAD]
            or bool(_facts(lead))
            or 2 * sum(map(_describes, parts)) >= max(len(parts), 2)
        )
        self._lists: dict[tuple[str, ...], bool] = {}
        self._depths: dict[tuple[str, ...], int] = {(): 0}

    def topic_depth(self, path: tuple[str, ...]) -> int:
        """How many of the headings lead to the name whose section it is; 0 for the page itself."""
        if path not in self._depths:
            above = self.topic_depth(path[:-1])
            self._depths[path] = len(path) if self._is_topic(path, above) else above
        return self._depths[path]

    def _is_topic(self, path: tuple[str, ...], above: int) -> bool:
        name, plain = _name_of(path[-1]), plain_heading(path[-1])
        if not is_name(name) or name == self._title or plain in _GENERIC or _is_list(path[-1]):
            return False
        if above and self._counts[plain] > 1:
            return False
        parent = plain_heading(path[-2] if len(path) > 1 else self._title)
        # Right under 人物 it is a name; on a page of one, only what speaks for itself is.
        if _COLLECTIVE.fullmatch(parent):
            return not _ATTRIBUTE.fullmatch(plain)
        of_one = above > 0 or self._is_of_one
        needed = 1 + of_one - bool(_WEAK.fullmatch(parent) or (not of_one and self._only_lists(path[:-1])))
        return not _describes(path[-1]) and self._evidence(path, name) >= needed

    def _evidence(self, path: tuple[str, ...], name: str) -> int:
        """How much speaks for a name: its text begins with it, has facts, or parts as a page has."""
        text = simplified(without_marks(self._texts.get(path, "")))
        own = [plain_heading(child) for child in self._children.get(path, ())]
        siblings = self._has_siblings(path[:-1], _ENOUGH_SIBLINGS)
        spoken_of = siblings and not own and simplified(name) in text
        return (
            text.startswith(simplified(name).split("·")[0])
            + (len(_facts(text)) > 1)
            + any(heading in _GENERIC for heading in own)
            + spoken_of
        )

    def _only_lists(self, parent: tuple[str, ...]) -> bool:
        """Whether a heading has no text of its own, and mostly what could be names under it."""
        if parent not in self._lists:
            text = without_marks(self._texts.get(parent, ""))
            names = [child for child in self._children[parent] if not _describes(child)]
            enough = len(names) >= _FEWEST_LISTED and 3 * len(names) > 2 * len(self._children[parent])
            self._lists[parent] = enough and len(text) < _SHORTEST_LEAD
        return self._lists[parent]

    def _has_siblings(self, parent: tuple[str, ...], enough: int) -> bool:
        names = (child for child in self._children[parent] if not _describes(child))
        return len(list(islice(names, enough))) == enough


def _with_listed(title: str, sections: Sequence[Section]) -> Iterator[Section]:
    """The sections; in a list of people, lines '西尔芙：塔巴莎的使魔…' are sections of their own."""
    for path, text in sections:
        lines = text.split("\n")
        listed = [(line, _LISTED.fullmatch(without_marks(line))) for line in lines]
        names = [match for _, match in listed if match and _can_be_listed(match[1])]
        if len(names) < 2 or not _COLLECTIVE.fullmatch(plain_heading((title, *path)[-1])):
            yield path, text
            continue
        rest = [line for line, match in listed if not match or match not in names]
        yield from [(path, "\n".join(rest))] if rest else []
        yield from (((*path, match[1]), match[2]) for match in names)


def _can_be_listed(name: str) -> bool:
    return is_name(name) and plain_heading(name) not in _GENERIC and not _is_list(name)


def _name_of(heading: str) -> str:
    """女主角：露易丝（CV：某） -> 露易丝."""
    return name_and_more(_BEFORE_NAME.sub("", name_and_more(heading)[0]) or heading)[0]


def _describes(heading: str) -> bool:
    """Whether a heading says what its section tells, and not whom it tells of."""
    plain = plain_heading(heading)
    return plain in _GENERIC or bool(_DESCRIPTION.fullmatch(plain))


def _is_list(heading: str) -> bool:
    """Whether a heading only says what kind of things stand under it."""
    plain = plain_heading(heading)
    return bool(_COLLECTIVE.fullmatch(plain) or _WEAK.fullmatch(plain))


def _facts(text: str) -> list[str]:
    return [line for line in text.split("\n") if _FACT.fullmatch(line)]
