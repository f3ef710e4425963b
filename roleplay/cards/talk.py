r"""What a character says in a card or a chat, and lines of a script, one to the other.

    lines_of("*抬头* 门没锁。", "闻筝")     # [act 抬头, say 门没锁。]
    said_in(lines)                        # "*抬头* 门没锁。"
    blocks_of("<START>\n{{user}}: 早\n{{char}}: 晚了。", char="闻筝", user="问")

Acts stand between stars, thoughts in parentheses; faces have no place there.
"""

import re
from collections.abc import Iterable, Sequence

from roleplay.cards.macros import expanded
from roleplay.records import Line

_ACT = re.compile(r"(?<!\*)\*(?!\*)([^*]+?)\*(?!\*)")
_THOUGHT = re.compile(r"[(（]([^()（）]+)[)）]", re.S)
_START = re.compile(r"^\s*<START>\s*$", re.I | re.M)
_OTHER = re.compile(r"([^\s:：*“\"(（【\[<{][^:：*“\"]{0,19})[:：]\s*(\S.*)")
_OF_SOMEBODY = re.compile(r"\{\{(char|user)\}\}[:：]|<(bot|user)>[:：]", re.I)


def lines_of(text: str, character: str) -> list[Line]:
    """The lines of one message, in its order; a message without any text has none."""
    lines: list[Line] = []
    # The texts between the acts stand at even places.
    for i, part in enumerate(_ACT.split(text)):
        if part := part.strip():
            kind, bare = ("act", part) if i % 2 else _spoken(part)
            lines.append(Line(kind=kind, char=character, text=bare))  # type: ignore[arg-type]
    return lines


def said_in(lines: Iterable[Line]) -> str:
    """The message that shows these lines, of one character or of nobody."""
    return " ".join(map(_shown, lines))


def blocks_of(examples: str, *, char: str, user: str) -> list[list[Line]]:
    """The lines of each block of ``mes_example``; text before the first name is nobody's."""
    blocks = (_block(block, char, user) for block in _START.split(examples))
    return [lines for lines in blocks if lines]


def examples_of(blocks: Iterable[Sequence[Line]], *, char: str, user: str) -> str:
    """``mes_example`` of blocks of lines; the names become placeholders."""
    names = {char: "{{char}}", user: "{{user}}"}
    shown = []
    for lines in blocks:
        rows = []
        for who, said in turns_of(lines):
            text = said_in(said)
            rows.append(f"{names.get(who, who)}: {text}" if who else text)
        shown.append("\n".join(("<START>", *rows)))
    return "\n".join(shown)


def turns_of(lines: Iterable[Line]) -> list[tuple[str | None, list[Line]]]:
    """The lines that one speaker says in a row, with the speaker; None for narration."""
    turns: list[tuple[str | None, list[Line]]] = []
    for line in lines:
        if not turns or turns[-1][0] != line.char:
            turns.append((line.char, []))
        turns[-1][1].append(line)
    return turns


def _spoken(text: str) -> tuple[str, str]:
    match = _THOUGHT.fullmatch(text)
    return ("think", match[1].strip()) if match and match[1].strip() else ("say", text)


def _shown(line: Line) -> str:
    if line.kind == "act":
        # A star inside would end it.
        return f"*{line.text.replace('*', '＊')}*"
    return f"({line.text})" if line.kind == "think" else line.text


def _block(block: str, char: str, user: str) -> list[Line]:
    """The lines of a block: a row that begins with a name is a message, with the rows below it."""
    messages: list[tuple[str, list[str]]] = [("", [])]
    for row in block.strip().split("\n"):
        found = _speaker(row.strip(), char, user)
        # Who else speaks is told from other text only where a block begins.
        if not found and not messages[-1][0] and (other := _OTHER.fullmatch(row.strip())):
            found = other[1], other[2]
        if found:
            messages.append((found[0], [found[1]]))
        else:
            messages[-1][1].append(expanded(row, char=char, user=user))
    return [line for who, rows in messages for line in _message(who, "\n".join(rows).strip())]


def _speaker(row: str, char: str, user: str) -> tuple[str, str] | None:
    """Who speaks in a row, and what; None where it begins with no name."""
    if match := _OF_SOMEBODY.match(row):
        is_user = (match[1] or match[2]).lower() == "user"
        said = expanded(row[match.end() :], char=char, user=user)
        return user if is_user else char, said
    told = expanded(row, char=char, user=user)
    spoken = ((name, told.removeprefix(name)) for name in (char, user) if told.startswith(name))
    return next(((name, said[1:]) for name, said in spoken if said.startswith((":", "："))), None)


def _message(who: str, text: str) -> list[Line]:
    if who or not text:
        return lines_of(text, who)
    return [Line(kind="info", text=text)]
