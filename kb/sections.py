"""What all page formats are rendered to first: lines with heading marks, cut into sections.

    >>> split_sections("沈灯是灯匠。" + heading_line(2, "喜好") + "糕")
    [((), '沈灯是灯匠。'), (('喜好',), '糕')]
    >>> bold_names(f"{bold('沈灯')}，人称{bold('小灯')}，是灯匠。")
    ['沈灯', '小灯']

The marks are control characters that no page has: `without_marks` takes them out of what is read.
`WORDS` are the word lists of the whole package, by name.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

Section: TypeAlias = tuple[tuple[str, ...], str]

WORDS: dict[str, list[str]] = json.loads(Path(__file__).with_name("words.json").read_bytes())

# A line that starts with this mark and a level is a heading; with '+' it only opens a new section.
MARK = "\x02"
_BOLD, _BOLD_END = "\x03", "\x04"
# Every control character but tab, line feed and carriage return.
_MARKS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_BOLD_RUN = re.compile(f"{_BOLD}([^{_BOLD}{_BOLD_END}\n]+){_BOLD_END}")
_SENTENCE_END = re.compile(r"[。！？!?]|\.\s")
_BLANKS = re.compile(r"[ \t\u00a0\u3000]+")
# A bold word after one of these, or at the start, is a name of the page's subject; others are only
# stressed.
_CUE = re.compile(r"(?:^|[叫称名号即或、，（(/]|又|aka|or)[\s「『“\"《：:]*$", re.IGNORECASE)
_NAME_LOOKBACK = 8


def heading_line(level: int, text: str) -> str:
    """The line that `split_sections` takes for a heading of this level (1 is the highest)."""
    return f"\n{MARK}{level} {text.strip()}\n"


def block(lines: Iterable[str]) -> str:
    """Lines as a section of their own under the heading they stand in; '' when there are none."""
    text = "\n".join(lines)
    return f"\n{MARK}+\n{text}\n{MARK}+\n" if text else ""


def bold(text: str) -> str:
    """Text marked for `bold_names`; one of several lines is no name and stays as it is."""
    return text if "\n" in text or not text.strip() else f"{_BOLD}{text}{_BOLD_END}"


def without_marks(text: str) -> str:
    """Text of a file without the control characters that mean something here."""
    return _MARKS.sub("", text)


def split_sections(text: str) -> list[Section]:
    """Cuts text at its `heading_line`s and joins what stands under one heading; blank lines go."""
    path: list[tuple[int, str]] = []
    found: list[tuple[tuple[str, ...], list[str]]] = [((), [])]
    for line in text.splitlines():
        if line.startswith(MARK):
            level, _, name = line[len(MARK) :].partition(" ")
            if level.isdigit():
                path = [part for part in path if part[0] < int(level)]
                path.append((int(level), tidy_line(without_marks(name))))
            found.append((tuple(name for _, name in path), []))
        elif tidy := tidy_line(without_marks(line)):
            found[-1][1].append(tidy)
    return [(headings, "\n".join(lines)) for headings, lines in found if lines]


def bold_names(text: str) -> list[str]:
    """The names among the bold words of the page's first sentence with any, above all headings.

    A bold word is a name at the start of the sentence, in a parenthesis, and after words like 叫,
    称 or 又名.
    """
    lead = next((line for line in _lead(text) if _BOLD_RUN.search(line)), "")
    sentence = _SENTENCE_END.split(lead, maxsplit=1)[0]
    found = []
    for match in _BOLD_RUN.finditer(sentence):
        before = without_marks(sentence[max(match.start() - _NAME_LOOKBACK, 0) : match.start()])
        if not before.strip() or _CUE.search(before):
            found.append(tidy_line(match[1]))
    return found


def tidy_line(line: str) -> str:
    """One space where several blanks stood, none at the ends."""
    return _BLANKS.sub(" ", line).strip()


def one_line(text: str) -> str:
    """Lines of a cell or parameter joined with '、'; marks of headings and sections in it go."""
    lines = (tidy_line(line) for line in text.splitlines() if not line.startswith(MARK))
    return "、".join(filter(None, lines))


def _lead(text: str) -> Iterable[str]:
    """Lines above the first heading, those of blocks left out."""
    in_block = False
    for line in text.splitlines():
        if line.startswith(f"{MARK}+"):
            in_block = not in_block
        elif line.startswith(MARK):
            return
        elif not in_block:
            yield line
