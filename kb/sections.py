"""What all page formats are rendered to first: lines of text with heading marks, cut into sections.

    >>> split_sections("沈灯是灯匠。" + heading_line(2, "喜好") + "糕")
    [((), '沈灯是灯匠。'), (('喜好',), '糕')]
    >>> bold_names(f"{bold('沈灯')}，人称{bold('小灯')}，是灯匠。")
    ['沈灯', '小灯']

The marks are control characters that no page has (`without_marks` takes them out of what is read); they
never leave this package.
"""

import re
from collections.abc import Iterable
from typing import TypeAlias

Section: TypeAlias = tuple[tuple[str, ...], str]

# A line that starts with this mark and a level is a heading; with '+' it only opens a new section.
MARK = "\x02"
_BOLD, _BOLD_END = "\x03", "\x04"
_MARKS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_BOLD_RUN = re.compile(f"{_BOLD}([^{_BOLD}{_BOLD_END}\n]+){_BOLD_END}")
_SENTENCE_END = re.compile(r"[。！？!?]|\.\s")
_BLANKS = re.compile(r"[ \t\u00a0\u3000]+")
# A bold word after one of these, or at the start, is what the page's subject is called; others are only stressed.
_CUE = re.compile(r"(?:^|[叫称名号即或、，（(/]|又|aka|or)[\s「『“\"《：:]*$", re.IGNORECASE)
_NAME_LOOKBACK = 8


def heading_line(level: int, text: str) -> str:
    """The line that `split_sections` takes for a heading of this level (1 is the highest)."""
    return f"\n{MARK}{level} {text.strip()}\n"


def block(lines: Iterable[str]) -> str:
    """Lines that form a section of their own under the heading they stand in; '' when there are none."""
    text = "\n".join(lines)
    return f"\n{MARK}+\n{text}\n{MARK}+\n" if text else ""


def bold(text: str) -> str:
    """Text marked for `bold_names`; a bold text of several lines is no name and stays as it is."""
    return text if "\n" in text or not text.strip() else f"{_BOLD}{text}{_BOLD_END}"


def without_marks(text: str) -> str:
    """Text of a file without the control characters that mean something here."""
    return _MARKS.sub("", text)


def split_sections(text: str) -> list[Section]:
    """Cuts text at its `heading_line`s and joins what stands under one heading; blank lines go."""
    sections: list[Section] = []
    path: list[tuple[int, str]] = []
    lines: list[str] = []

    def close() -> None:
        if lines:
            sections.append((tuple(name for _, name in path), "\n".join(lines)))
            lines.clear()

    for line in text.splitlines():
        if line.startswith(MARK):
            close()
            _descend(path, line[len(MARK) :])
        elif tidy := tidy_line(without_marks(line)):
            lines.append(tidy)
    close()
    return sections


def bold_names(text: str) -> list[str]:
    """The bold words of the page's first sentence with any, where they stand as names; only above the first heading.

    A bold word is a name at the start of the sentence, in a parenthesis, and after words like 叫, 称 or 又名.
    """
    lead = next((part for part in _lead(text) if _BOLD_RUN.search(part)), "")
    end = _SENTENCE_END.search(lead)
    sentence = lead[: end.start()] if end else lead
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
    """Lines of a cell or parameter joined with '、'; marks of headings and sections inside it go."""
    lines = (tidy_line(line) for line in text.splitlines() if not line.startswith(MARK))
    return "、".join(line for line in lines if line)


def _lead(text: str) -> list[str]:
    """Lines above the first heading, those of blocks left out."""
    lines = []
    in_block = False
    for line in text.splitlines():
        if line.startswith(f"{MARK}+"):
            in_block = not in_block
        elif line.startswith(MARK):
            break
        elif not in_block:
            lines.append(line)
    return lines


def _descend(path: list[tuple[int, str]], mark: str) -> None:
    """Changes the heading path in place for one heading mark: '2 喜好' or '+'."""
    level_text, _, name = mark.partition(" ")
    if not level_text.isdigit():
        return
    level = int(level_text)
    while path and path[-1][0] >= level:
        path.pop()
    path.append((level, tidy_line(without_marks(name))))
