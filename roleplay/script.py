r"""The role-play script (跑团记录): text that people type and models read  <->  lines.

A whole scene::

    【铜壶的盖子跳了三下，屋里没有人动】
    闻筝：谁再碰我的扳手，谁赔。没得商量。 \emoji 微怒
    陆迟：\me 把手缩回袖子里
    陆迟：(她怎么知道是我？)

:func:`parse_script` is lenient (half- and full-width marks, several marks in a line) and reports
every line it cannot read with its number. :func:`format_line` is strict: for every
:class:`~roleplay.records.Line`, ``parse_line(format_line(x)) == [x]`` in all that the text form
carries (kind, speaker, text, expression). A backslash protects a mark that is meant as text:
``\\`` ``\(`` ``\【`` ``\】`` ``\：``, and ``\n`` is a line break.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from roleplay.errors import FormError, reason
from roleplay.messages import Message, message
from roleplay.records import EXPRESSIONS, Kind, Line

# (?:[^\\]|\\.) takes a backslash and what it protects together: the mark behind is a real one.
_INFO = re.compile(r"^[【\[]((?:[^\\]|\\.)*)[】\]]$", re.S)
_THINK = re.compile(r"^[(（]((?:[^\\]|\\.)*)[)）]$", re.S)
_CHAR = re.compile(r"^((?:[^\\：:]|\\.)+?)[：:](.*)$", re.S)
# Behind an even number of backslashes, which protect each other; a letter behind: \method.
_MARK = re.compile(r"(?<!\\)((?:\\\\)*)\\(me|emoji)(?![A-Za-z])[ \t　]*")
_ESCAPE = re.compile(r"\\(.)", re.S)


@dataclass(frozen=True)
class Problem:
    """A row of a script that cannot be read: its number from 1, its text, and why not."""

    number: int
    text: str
    reason: Message

    @property
    def message(self) -> Message:
        """All of it in one line: ``line 3: nothing after the colon: 闻筝：``."""
        return message("script.problem", number=self.number, reason=self.reason, line=self.text)

    def __str__(self) -> str:
        return str(self.message)


@dataclass(frozen=True)
class Script:
    """What :func:`parse_script` found: the lines in order, and the rows that are no script."""

    lines: tuple[Line, ...]
    problems: tuple[Problem, ...]


def format_line(line: Line) -> str:
    """One line of script text, without a line break."""
    if line.kind == "info":
        return f"【{_escape(line.text, '【】')}】"
    return format_cue(line.char or "") + format_body(line)


def format_cue(character: str) -> str:
    """What stands before the body of a character's line, and at the end of a prompt: ``闻筝：``."""
    return f"{_escape(character, '：:【】[]')}："


def format_body(line: Line) -> str:
    """What stands after the cue: the part that a model is trained to write."""
    text = _escape(line.text)
    mark = f" \\emoji {line.expression}" if line.expression else ""
    if line.kind == "act":
        return f"\\me {text}{mark}"
    if line.kind == "think":
        return f"({text}){mark}"
    # Said in brackets, unprotected, would come back as a thought.
    return f"{chr(92) if text[0] in '(（' else ''}{text}{mark}"


def format_script(lines: Iterable[Line]) -> str:
    """The script text of ``lines``, one a row, without a final line break."""
    return "\n".join(map(format_line, lines))


def parse_script(text: str) -> Script:
    """Read script text; blank rows are skipped, unreadable ones become problems."""
    lines: list[Line] = []
    problems: list[Problem] = []
    # No splitlines: it also breaks at characters that a text may hold, such as U+2028.
    for number, row in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        try:
            lines += parse_line(row) if row.strip() else ()
        except ValueError as error:
            problems.append(Problem(number, row.strip(), reason(error)))
    return Script(tuple(lines), tuple(problems))


def parse_line(row: str) -> list[Line]:
    r"""Read one row of script text: one line, or several where it holds several marks.

    Raises FormError: no speaker and no 【】, an empty text, or an unknown expression.
    """
    row = row.strip()
    if match := _INFO.match(row):
        return [Line(kind="info", text=_unescape(match[1], "script.no-narration"))]
    if not (match := _CHAR.match(row)):
        raise FormError("script.no-line")
    return parse_body(match[2], _unescape(match[1], "script.no-name"))


def parse_body(body: str, character: str) -> list[Line]:
    r"""Read what stands after the cue, also as a model wrote it: ``\me 转身 等等！ \emoji 微怒``.

    Raises as :func:`parse_line`.
    """
    lines: list[Line] = []
    # The text before all marks, then backslashes, mark and text of each.
    first, *rest = _MARK.split(body)
    texts = zip((first, *rest[2::3]), (*rest[::3], ""), strict=True)
    for mark, (text, backslashes) in zip(("say", *rest[1::3]), texts, strict=True):
        text = (text + backslashes).strip()
        if mark == "emoji":
            word, _, text = text.partition(" ")
            # As the seed's own scripts, and models trained on them, say that there is none.
            face = None if word in ("None", "null") else word
            if face and face not in EXPRESSIONS:
                raise FormError("records.expression", expression=word, known=" ".join(EXPRESSIONS))
            if not lines:
                raise FormError("script.no-target")
            lines[-1] = lines[-1].model_copy(update={"expression": face})
        if text := text.strip():
            lines.append(_segment("act" if mark == "me" else "say", text, character))
        elif mark == "me":
            raise FormError("script.no-action")
    if not lines:
        raise FormError("script.no-body")
    return lines


def _segment(kind: Kind, text: str, character: str) -> Line:
    if kind == "say" and (match := _THINK.match(text)):
        thought = _unescape(match[1], "script.no-thought")
        return Line(kind="think", char=character, text=thought)
    return Line(kind=kind, char=character, text=_unescape(text, "script.no-text"))


def _escape(text: str, marks: str = "") -> str:
    text = text.replace("\\", "\\\\").replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
    return "".join(f"\\{c}" if c in marks else c for c in text)


def _unescape(text: str, key: str) -> str:
    """The text that is meant; where it is empty, the error of ``key``."""
    meant = _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text).strip()
    if not meant:
        raise FormError(key)
    return meant
