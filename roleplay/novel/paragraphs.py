"""Where the paragraphs of a text end, and hard-wrapped lines joined to paragraphs.

    paragraph_spans("　　话说天下大势，\\n　　且说张角。\\n")      # [(0, 10), (10, 18)]
    unwrap("　　话说天下大势，分久必合，合久必分。周末七国分争，并入于\\n秦。及秦灭之后，……\\n")
    # "　　话说天下大势，分久必合，合久必分。周末七国分争，并入于秦。及秦灭之后，……\\n"

A text is wrapped where lines end in mid-sentence and most of those are about equally wide; a blank
or an indented line begins a paragraph.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from roleplay.novel import pattern, table
from roleplay.records import Span

_STRETCH = 400  # lines that are judged together: books are put together from several files
_SHORTEST, _LONGEST = 40, 200  # columns; shorter lines are headings and verse
# Of twenty long lines one ends in mid-sentence and none is wider than those; or six do.
_ENOUGH, _FEW, _MANY, _BEYOND = 5, 0.05, 0.3, 1.1
_EVEN, _EVEN_SHARE = 0.8, 0.6  # most broken lines are at least so wide, of the widest
_SLACK = 2  # columns: a closing mark may hang over the edge
_WIDE, _UNSPACED, _FIRST, _HEAD = (pattern(f"wrapping.{name}") for name in table("wrapping"))
_SENTENCE_END = "。！？…”’」』：；—～)）】》.!?:;\"'*_|"
_BLANKS = " \t　"
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


def paragraph_spans(text: str) -> list[Span]:
    """The lines of ``text`` that are not blank, without gaps; each has its own indentation."""
    # Behind the last line break of the blank: what follows it is the next one's indentation.
    ends = [text.rindex("\n", *match.span()) + 1 for match in re.finditer(r"\n\s*", text)]
    ends = [end for end in ends if 0 < end < len(text)]
    return list(zip([0, *ends], [*ends, len(text)], strict=True)) if text else []


def unwrap(text: str) -> str:
    """The text with its hard-wrapped paragraphs in one line each; another text as it is."""
    lines = text.split("\n")
    count = max(1, len(lines) // _STRETCH)
    stretches = pairwise(len(lines) * i // count for i in range(count + 1))
    edges = [edge for a, b in stretches for edge in [_edge(lines[a:b])] * (b - a)]
    after = [lines[i + 1] for i in range(len(lines) - 1) if edges[i] and _is_broken(lines[i])]
    if not after:
        return text
    if sum(not line.strip() for line in after) > 0.8 * len(after):
        return unwrap(re.sub(r"\n[ \t　]*\n", "\n", text))  # a blank line behind each says nothing
    # Where a paragraph goes on; its first line is indented by more (or, hanging, by less).
    indents = Counter(len(line) - len(line.lstrip(_BLANKS)) for line in after if line.strip())
    usual = indents.most_common(1)[0][0]
    words = Counter(_WORD.findall(text.lower()))
    told = lines[:1]
    for i, line in enumerate(lines[1:]):
        start = line.lstrip(_BLANKS)
        if len(line) - len(start) == usual and _goes_on(lines[i], start, edges[i]):
            told[-1:] = [_before(told[-1].rstrip(), start, words), start]
        else:
            told += ["\n", line]
    return "".join(told)


def _is_broken(line: str) -> bool:
    line = line.rstrip()
    return len(line) >= _SHORTEST // 2 and line[-1] not in _SENTENCE_END and not _HEAD.match(line)


def _edge(lines: Sequence[str]) -> int:
    """The column at which the lines are cut; 0: they are not."""
    longer = [_width(line) for line in lines if len(line) >= _SHORTEST // 2]
    broken = sorted(_width(line) for line in lines if _is_broken(line))
    wide = [width for width in broken if _SHORTEST <= width <= _LONGEST]
    edge = wide[len(wide) * 3 // 4] if wide else 0
    even = sum(_EVEN * edge <= width for width in wide)
    wider = sum(width > _BEYOND * edge for width in longer)
    enough = (_FEW if wider <= _FEW / 2 * len(longer) else _MANY) * len(longer)
    is_cut = len(broken) >= enough and even >= max(_ENOUGH, _EVEN_SHARE * len(broken))
    return edge if is_cut else 0


def _width(line: str) -> int:
    line = line.rstrip()
    return len(line) + _WIDE.subn("", line)[1]


def _goes_on(line: str, start: str, edge: int) -> bool:
    if not (edge and line.strip() and start):
        return False
    first = _FIRST.match(start)
    has_room = _width(line) + _width(first[0] if first else "") + _SLACK <= edge
    answered = line.rstrip()[-1] in '”」』"' and start[0] in '“「『"'
    broken = _is_broken(line) and _width(line) >= _EVEN * edge
    return broken or not (has_room or answered or _HEAD.match(start))


def _before(line: str, following: str, words: Mapping[str, int]) -> str:
    """A line as it stands before the next one: with a blank, or without its hyphen."""
    last, first = re.search("([A-Za-z]+)-$", line), _WORD.match(following)
    if last and first:
        start, end = last[1].lower(), first[0]
        # A word that stands here alone is half a word: um-brella, but well-known.
        parts = words[start] > 1 < words[end] and not words[start + end]
        return line if parts or words[f"{start}-{end}"] else line[:-1]
    close = re.search(r"\S(?:--|—)$", line) or _UNSPACED.search(line[-3:] + following[:3])
    return line if close else line + " "
