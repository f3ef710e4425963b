"""Plain text to marked text: 【词条】 starts a page, and headings are known by how they are written.

    >>> text = "一、人物\\n\\n露易丝\\n露易丝是贵族。\\n\\n才人\\n才人是平民。"
    >>> [split_sections(marked) for _, marked in read_plain_text(text)]
    [[(('人物', '露易丝'), '露易丝是贵族。'), (('人物', '才人'), '才人是平民。')]]

A short line is a heading where most lines of its style have a text under them: 一、 and （一）, 1. and
◆, or nothing but a blank line above. A numbered list has none.
"""

import re
from collections.abc import Iterator

from kb.sections import heading_line, tidy_line, without_marks

_ENTRY = re.compile(r"^\s*【([^】]+)】[:：]?\s*(.*)$")
_SHORT = r"(?P<name>[^\s。！？!?；;，,：:…、|][^。！？!?；;，,：:…|]{0,18}?)\s*[:：]?\s*"
_STYLES = {
    "part": re.compile(
        rf"\s*(?:[一二三四五六七八九十]{{1,3}}、|第[一二三四五六七八九十]{{1,3}}[章节部分]+)\s*{_SHORT}"
    ),
    "sub": re.compile(rf"\s*[（(][一二三四五六七八九十\d]{{1,3}}[）)]\s*{_SHORT}"),
    "number": re.compile(rf"\s*\d{{1,2}}[.、．]\s*{_SHORT}"),
    "numbers": re.compile(rf"\s*\d{{1,2}}\.\d{{1,2}}[.、．]?\s*{_SHORT}"),
    "mark": re.compile(rf"\s*[■◆★●▼◇□▲☆○※]+\s*{_SHORT}"),
    "bare": re.compile(rf"{_SHORT}"),
}
# Of the lines of one style so many have a text under them, where they are headings.
_ENOUGH = 0.6
_FEWEST_BARE = 2
_LINE_OF_TEXT = 15


def read_plain_text(text: str) -> Iterator[tuple[str, str]]:
    """(title, marked text) of what stands above the first 【词条】, and of each of them."""
    lines = without_marks(text).split("\n")
    headings = _headings(lines)
    title, page = "", ""
    for number, line in enumerate(lines):
        if mark := _ENTRY.match(line):
            if title or page.strip():
                yield title, page
            title, page = tidy_line(mark[1]), ""
            line = mark[2]
        page += heading_line(*headings[number]) if number in headings else line + "\n"
    yield title, page


def _headings(lines: list[str]) -> dict[int, tuple[int, str]]:
    """Line number -> (level, name): styles rank in the order in which they come."""
    filled = [number for number, line in enumerate(lines) if line.strip()]
    styles: dict[str, dict[int, str]] = {}
    for number in filled:
        found = ((style, pattern.fullmatch(lines[number])) for style, pattern in _STYLES.items())
        style, match = next(((style, match) for style, match in found if match), ("", None))
        is_apart = style != "bare" or number == 0 or not lines[number - 1].strip()
        if match and is_apart:
            styles.setdefault(style, {})[number] = match["name"].strip()
    following = dict(zip(filled, [*filled[1:], -1], strict=False))
    ranked = [
        style for style, found in styles.items() if _has_texts(style, found, lines, following)
    ]
    return {
        number: (2 + rank, name)
        for rank, style in enumerate(ranked)
        for number, name in styles[style].items()
    }


def _has_texts(
    style: str, found: dict[int, str], lines: list[str], following: dict[int, int]
) -> bool:
    """Whether most lines of a style stand above something else, and bare ones above a text."""
    below = [following[number] for number in found]
    if style == "bare":
        good = sum(number >= 0 and len(lines[number].strip()) >= _LINE_OF_TEXT for number in below)
        return good >= max(_FEWEST_BARE, _ENOUGH * len(found))
    return sum(number >= 0 and number not in found for number in below) >= _ENOUGH * len(found)
