"""Plain text to marked text: 【词条】 starts a page, and headings are known by how they are written.

    >>> text = "一、人物\\n\\n露易丝\\n露易丝是贵族的女儿，住在学院里。\\n\\n才人\\n才人是平民，从东京来到这个世界。"
    >>> [split_sections(marked) for _, marked in read_plain_text(text)]
    [[(('人物', '露易丝'), '露易丝是贵族的女儿，住在学院里。'), (('人物', '才人'), '才人是平民，从东京来到这个世界。')]]

A short line is a heading where most lines of its style have a text under them: 一、 and （一）, 1. and
◆, or nothing but a blank line above. A numbered list has none.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from kb.sections import heading_line, tidy_line, without_marks

_ENTRY = re.compile(r"^\s*【([^】]+)】[:：]?\s*(.*)$")
# The last style is a bare line.
_STYLES = [
    re.compile(
        rf"\s*{mark}(?P<name>[^\s。！？!?；;，,：:…、|][^。！？!?；;，,：:…|]{{0,18}}?)\s*[:：]?\s*"
    )
    for mark in (
        r"(?:[一二三四五六七八九十]{1,3}、|第[一二三四五六七八九十]{1,3}[章节部分]+)\s*",
        r"[（(][一二三四五六七八九十\d]{1,3}[）)]\s*",
        r"\d{1,2}[.、．]\s*(?!\d)",
        r"\d{1,2}\.\d{1,2}[.、．]?\s*",
        r"[■◆★●▼◇□▲☆○※]+\s*",
        "",
    )
]
_BARE = len(_STYLES) - 1
# Of the lines of one style so many have a text under them, where they are headings.
_ENOUGH, _FEWEST_BARE, _LINE_OF_TEXT = 0.6, 2, 15


def read_plain_text(text: str) -> Iterator[tuple[str, str]]:
    """(title, marked text) of what stands above the first 【词条】, and of each of them."""
    lines = without_marks(text).split("\n")
    headings = _headings(lines)
    title, page = "", ""
    for number, line in enumerate(lines):
        if mark := _ENTRY.match(line):
            yield title, page
            title, page, line = tidy_line(mark[1]), "", mark[2]
        page += heading_line(*headings[number]) if number in headings else line + "\n"
    yield title, page


def _headings(lines: list[str]) -> dict[int, tuple[int, str]]:
    """Line number -> (level, name): styles rank in the order in which they come."""
    filled = [number for number, line in enumerate(lines) if line.strip()]
    below = dict(pairwise(filled))
    styles: dict[int, dict[int, str]] = {}
    for number in filled:
        matches = ((style, mark.fullmatch(lines[number])) for style, mark in enumerate(_STYLES))
        style, match = next(((style, match) for style, match in matches if match), (_BARE, None))
        if match and (style != _BARE or number == 0 or not lines[number - 1].strip()):
            styles.setdefault(style, {})[number] = match["name"].strip()
    ranked = []
    for style, found in styles.items():
        texts = [
            below[number] for number in found if number in below and below[number] not in found
        ]
        if style == _BARE:
            texts = [number for number in texts if len(lines[number].strip()) >= _LINE_OF_TEXT]
        if len(texts) >= max(_ENOUGH * len(found), _FEWEST_BARE if style == _BARE else 1):
            ranked.append(found)
    return {
        number: (2 + rank, found[number]) for rank, found in enumerate(ranked) for number in found
    }
