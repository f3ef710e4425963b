"""What all page formats are rendered to first: lines with heading marks, cut into sections.

    >>> split_sections("沈灯是灯匠。" + heading_line(2, "喜好") + "糕")
    [((), '沈灯是灯匠。'), (('喜好',), '糕')]
    >>> bold_names(f"{bold('沈灯')}，人称{bold('小灯')}，是灯匠。")
    ['沈灯', '小灯']

The marks are control characters that no page has. What is left of a page's furniture goes here,
whatever its format: contents lists, edit links, empty fields, tags and entities of a source that
was escaped. `WORDS` are the word lists of the whole package by name, in simplified characters.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from kb.names import simplified

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
_CUE = re.compile(r"(?:^|[叫称名号即或、，（(/]|又|aka|or)[\s「『“\"《：:]*$", re.I)
_NAME_LOOKBACK = 8
_UNFINISHED = re.compile(r"[^:：]{8,}\w")
# A line of its own that is all bold is a heading to whoever wrote it; a longer one is stressed.
# What stands in parentheses, as in 露易丝（声优：某某）, is text.
_BOLD_LINE = re.compile(
    f"{_BOLD}([^{_BOLD}{_BOLD_END}\n。！？!?，,；;…（(]{{1,12}})"
    f"([（(][^{_BOLD}{_BOLD_END}\n]{{0,80}})?{_BOLD_END}[:：]?"
)
_BELOW_ALL_LEVELS = 7
_ESCAPED = re.compile(r"&(?:amp;)+(?=#?\w{2,8};)")
_TAG = re.compile(
    rf"</?(?:{'|'.join(WORDS['html-tags'])})(?:\s[^<>]*)?/?>|<!--[^<>]{{0,300}}-->", re.I
)
_LINK_MARKS = re.compile(rf"\[\s*(?:{'|'.join(WORDS['bracketed'])})\s*\]", re.I)
_FURNITURE = re.compile("|".join(WORDS["furniture-lines"]), re.I)
_NUMBERING = re.compile(
    r"^[\s【\[]*(?:\d{1,2}(?:\.\d{1,2})*\s*[.、．)）\s]|[（(]?[一二三四五六七八九十]{1,3}[、.．)）]"
    r"|第[一二三四五六七八九十\d]{1,3}[章节部分]+\s+)\s*"
)
_FIELD = re.compile(r"[^\s：:。，,！？!?；;“”「」\"]{1,12}\s*[：:]")
_EMPTY_FIELD = re.compile(rf"{_FIELD.pattern}[\s—–?？/…~～_＿-]*")


def heading_line(level: int, text: str) -> str:
    """The line that `split_sections` takes for a heading of this level (1 is the highest)."""
    return f"\n{MARK}{level} {text.strip()}\n" if text.strip() else "\n"


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


def split_sections(text: str, *, keep_bold: bool = False) -> list[Section]:
    """Cuts text at its `heading_line`s and joins what stands under one heading; blank lines go.

    Contents, navigation and references are left out with their headings. `keep_bold` leaves the
    marks of bold words, for `bold_names`.
    """
    path: list[tuple[int, str]] = []
    found: list[tuple[tuple[str, ...], list[str]]] = [((), [])]
    lines = list(filter(str.strip, text.splitlines()))
    for line, following in zip(lines, [*lines[1:], MARK], strict=False):
        bold_line = _BOLD_LINE.fullmatch(line.strip())
        more = ""
        if bold_line and not following.startswith((MARK, _BOLD)):
            line, more = f"{MARK}{_BELOW_ALL_LEVELS} {bold_line[1]}", bold_line[2] or ""
        if line.startswith(MARK):
            level, _, name = line[len(MARK) :].partition(" ")
            if level.isdigit():
                path = [part for part in path if part[0] < int(level)]
                path.append((int(level), _readable(without_marks(name))))
            found.append((tuple(name for _, name in path), [*filter(None, [more])]))
        elif tidy := _readable(line if keep_bold else without_marks(line)):
            # What only leads elsewhere is no text.
            leads = _FURNITURE.fullmatch(simplified(without_marks(tidy)))
            found[-1][1].extend([] if leads else [tidy])
    dropped = set(WORDS["dropped-sections"])
    kept = ((path, lines) for path, lines in found if dropped.isdisjoint(map(plain_heading, path)))
    parts = ((path, "\n".join(_filled(lines))) for path, lines in kept)
    return [(path, text) for path, text in parts if text]


def plain_heading(heading: str) -> str:
    """A heading as word lists have it: '1.2 參考資料：' and 【参考资料】 are 参考资料."""
    return _NUMBERING.sub("", simplified(heading)).strip(" :：【】[]《》「」#").lower()


def _readable(line: str) -> str:
    """A line without tags, entities and edit links."""
    # Escaped by one tool and again by the next: '&amp;amp;lt;'.
    line = html.unescape(_ESCAPED.sub("&", line)) if "&" in line else line
    return tidy_line(_LINK_MARKS.sub("", _TAG.sub("", line)))


def _filled(lines: list[str]) -> Iterator[str]:
    """The lines without fields that are empty: '外貌：' beside another field, or at the end."""
    empty = [bool(_EMPTY_FIELD.fullmatch(line)) for line in lines]
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        in_form = not following or _FIELD.match(following) or (number and empty[number - 1])
        if not (empty[number] and in_form):
            yield line


def bold_names(lead: str) -> list[str]:
    """The names among the bold words of the first sentence with any, in what a page begins with.

    A bold word is a name at the start of the sentence, in a parenthesis, and after words like 叫,
    称 or 又名; before a colon it is a label.
    """
    lines = lead.splitlines()
    number = next((n for n, line in enumerate(lines) if _BOLD_RUN.search(line)), len(lines))
    # A line that breaks off in the middle of a sentence goes on here.
    above = lines[number - 1] if number else ""
    sentence = above[-_NAME_LOOKBACK:] if _UNFINISHED.fullmatch(above) else ""
    sentence += _SENTENCE_END.split("".join(lines[number : number + 1]), maxsplit=1)[0]
    found = []
    for match in _BOLD_RUN.finditer(sentence):
        before = without_marks(sentence[max(match.start() - _NAME_LOOKBACK, 0) : match.start()])
        is_label = sentence[match.end() : match.end() + 1] in tuple(":：")
        if not is_label and (not before.strip() or _CUE.search(before)):
            found.append(tidy_line(match[1]))
    return found


def tidy_line(line: str) -> str:
    """One space where several blanks stood, none at the ends."""
    return _BLANKS.sub(" ", line).strip()


def one_line(text: str) -> str:
    """Lines of a cell or parameter joined with '、'; marks of headings and sections in it go."""
    lines = (tidy_line(line) for line in text.splitlines() if not line.startswith(MARK))
    return "、".join(filter(None, lines))
