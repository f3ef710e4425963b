"""The last check of a distillation: nothing was invented.

    verify_verbatim(text, lines)
    # ScriptError: line 12: say "没得商量" is not the novel's text at 52..56 ("没有商量"): distil again

It says nothing about who speaks.
"""

from __future__ import annotations

from collections.abc import Iterable

from roleplay.errors import ScriptError
from roleplay.records import Line

_COPIED = ("say", "think")


def verify_verbatim(text: str, lines: Iterable[Line]) -> int:
    """Check that every spoken or thought line is the novel's text at its span; the number of lines checked.

    Raises:
        ScriptError: a line has no span or another text; the message names the first one, counted from 1.
    """
    checked = 0
    for number, line in enumerate(lines, 1):
        if line.kind in _COPIED or line.span is not None:
            _verify(text, line, number)
            checked += 1
    return checked


def _verify(text: str, line: Line, number: int) -> None:
    shown = f'line {number}: {line.kind} "{line.text[:40]}"'
    if line.span is None:
        raise ScriptError(f"{shown} has no span in the novel: distil again")
    start, end = line.span
    if text[start:end] != line.text:
        there = text[start : min(end, start + 40)]
        raise ScriptError(f'{shown} is not the novel\'s text at {start}..{end} ("{there}"): distil again')
