"""The last check of a distillation: nothing was invented.

    verify_verbatim(text, lines)
    # ScriptError: line 12: say "没得商量" is not the novel's text at 52..56 ("没有商量"): distil again

It says nothing about who speaks.
"""

from collections.abc import Iterable

from roleplay.errors import ScriptError
from roleplay.records import Line

_COPIED = ("say", "think")
_SHOWN = 40


def verify_verbatim(text: str, lines: Iterable[Line]) -> int:
    """Check that every spoken or thought line is the novel's text at its span; how many they are.

    Raises ScriptError: a line has no span or another text; the message names the first, from 1.
    """
    checked = 0
    for number, line in enumerate(lines, 1):
        shown = {"number": number, "kind": line.kind, "text": line.text[:_SHOWN]}
        # Narration that a person wrote into the script has no place in the novel.
        if line.span is None and line.kind in _COPIED:
            raise ScriptError("distill.no-span", **shown)
        if line.span is not None:
            start, end = line.span
            if text[start:end] != line.text:
                there = text[start : min(end, start + _SHOWN)]
                raise ScriptError("distill.changed", start=start, end=end, there=there, **shown)
        checked += line.span is not None
    return checked
