r"""The role-play script (跑团记录): text that people type and models read  <->  :class:`~roleplay.records.Line`.

A whole scene::

    【铜壶的盖子跳了三下，屋里没有人动】
    闻筝：谁再碰我的扳手，谁赔。没得商量。 \emoji 微怒
    陆迟：\me 把手缩回袖子里
    陆迟：(她怎么知道是我？)

:func:`parse_script` is lenient (half- and full-width marks, several marks in a line) and reports every line it cannot
read with its number. :func:`format_line` is strict: for every line ``parse_line(format_line(x)) == [x]`` in all that
the text form carries (kind, speaker, text, expression). A backslash protects a mark that is meant as text: ``\\``
``\(`` ``\【`` ``\】`` ``\：``, and ``\n`` is a line break.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from roleplay.records import EXPRESSIONS, Kind, Line

_INFO = re.compile(r"^[【\[](.*)[】\]]$", re.S)
_CHAR = re.compile(r"^((?:[^\\：:]|\\.)+?)[：:](.*)$", re.S)
_MARK = re.compile(r"(?<!\\)((?:\\\\)*)\\(me|emoji)(?![A-Za-z])[ \t　]*")
_ESCAPE = re.compile(r"\\(.)", re.S)
_THINK = re.compile(r"^[(（](.*)[)）]$", re.S)


@dataclass(frozen=True)
class Problem:
    """A line of a script that cannot be read."""

    number: int
    text: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.reason}: {self.text}"


@dataclass(frozen=True)
class Script:
    """What :func:`parse_script` found: the lines in order, and the lines of text that are no script."""

    lines: tuple[Line, ...]
    problems: tuple[Problem, ...]


def format_line(line: Line) -> str:
    """One line of script text, without a line break."""
    if line.kind == "info":
        return f"【{_escape(line.text, '【】')}】"
    body = format_body(line)
    return f"{format_cue(line.char or '')}{body}"


def format_cue(character: str) -> str:
    """What stands before the body of a character's line, and at the end of a prompt: ``闻筝：``."""
    name = _escape(character, "：:【】[]")
    return f"{name}："


def format_body(line: Line) -> str:
    """What stands after the cue: the part that a model is trained to write."""
    mark = f" \\emoji {line.expression}" if line.expression else ""
    if line.kind == "act":
        return f"\\me {_escape(line.text)}{mark}"
    if line.kind == "think":
        return f"({_escape(line.text)}){mark}"
    text = _escape(line.text)
    return f"{chr(92) if text[0] in '(（' else ''}{text}{mark}"


def format_script(lines: Iterable[Line]) -> str:
    """The script text of ``lines``, one a row, without a final line break."""
    return "\n".join(format_line(line) for line in lines)


def parse_script(text: str) -> Script:
    """Read script text; blank lines are skipped, unreadable ones become problems with their number from 1."""
    lines: list[Line] = []
    problems: list[Problem] = []
    for number, row in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if not row.strip():
            continue
        try:
            lines += parse_line(row)
        except ValueError as error:
            problems.append(Problem(number, row.strip(), str(error)))
    return Script(tuple(lines), tuple(problems))


def parse_line(row: str) -> list[Line]:
    r"""Read one row of script text: one line, or several where it holds several marks.

    Raises:
        ValueError: no speaker and no 【】, an empty text, or an unknown expression; the message says which.
    """
    row = row.strip()
    if (match := _INFO.match(row)) and not _ends_escaped(row):
        return [Line(kind="info", text=_need(_unescape(match[1]), "an empty narration"))]
    if not (match := _CHAR.match(row)):
        raise ValueError("neither 【narration】 nor `character：what they say`")
    char = _unescape(match[1]).strip()
    return parse_body(match[2], _need(char, "no name before the colon"))


def parse_body(body: str, character: str) -> list[Line]:
    r"""Read what stands after the cue, also as a model wrote it: ``\me 转身 等等！ \emoji 微怒``.

    Raises:
        ValueError: as :func:`parse_line`.
    """
    parts = _split_marks(body)
    lines: list[Line] = []
    for kind, text in parts:
        if kind == "emoji":
            lines = _with_expression(lines, text)
        elif text.strip():
            lines.append(_segment("act" if kind == "me" else "say", text.strip(), character))
        elif kind == "me":
            raise ValueError("nothing after \\me")
    if not lines:
        raise ValueError("nothing after the colon")
    return lines


def _split_marks(body: str) -> list[tuple[str, str]]:
    """[(mark, text after it)]; the text before the first mark has the mark ``say``."""
    parts, mark, start = [], "say", 0
    for match in _MARK.finditer(body):
        parts.append((mark, body[start : match.start()] + match[1]))
        mark, start = match[2], match.end()
    return [*parts, (mark, body[start:])]


def _segment(kind: Kind, text: str, character: str) -> Line:
    if kind == "say" and (match := _THINK.match(text)) and not _ends_escaped(text):
        return Line(kind="think", char=character, text=_need(_unescape(match[1]), "an empty thought"))
    return Line(kind=kind, char=character, text=_need(_unescape(text), "an empty text"))


def _with_expression(lines: list[Line], text: str) -> list[Line]:
    """The lines with the expression put on the last one; text behind the expression becomes a line of its own."""
    word, _, rest = text.strip().partition(" ")
    if word not in EXPRESSIONS:
        raise ValueError(f"unknown expression {word!r}: known are {' '.join(EXPRESSIONS)}")
    if not lines:
        raise ValueError("\\emoji needs something said or done before it")
    marked = Line(**(lines[-1].model_dump() | {"expression": word}))
    tail = [_segment("say", rest.strip(), lines[-1].char or "")] if rest.strip() else []
    return [*lines[:-1], marked, *tail]


def _escape(text: str, marks: str = "") -> str:
    text = text.replace("\\", "\\\\").replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
    return "".join(f"\\{c}" if c in marks else c for c in text)


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text).strip()


def _ends_escaped(text: str) -> bool:
    """Whether the last character is protected by a backslash."""
    head = text[:-1]
    return (len(head) - len(head.rstrip("\\"))) % 2 == 1


def _need(text: str, what: str) -> str:
    if not text.strip():
        raise ValueError(what)
    return text
