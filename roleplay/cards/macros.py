"""What cards write in braces, and the lines that stand before a lore entry's content.

    expanded("{{char}}拍了拍{{user}}", char="闻筝", user="你")      # "闻筝拍了拍你"
    decorated("@@depth 4\\n@@@role system\\n正文")    # ({"depth": "4", "role": "system"}, "正文")

Chances are drawn from the text itself, so that a card gives the same world every time.
"""

import random
import re
from collections.abc import Callable

_MACRO = re.compile(r"\{\{\s*([^{}:]*?)\s*(?:(::?)([^{}]*))?\}\}|<(bot|user|char)>", re.I)
_COMMENT = re.compile(r"\{\{//[^{}]*\}\}", re.I)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_DECORATOR = re.compile(r"@@@?(\w+)[ \t]*(.*)")
_LARGEST_DIE = 10_000


def expanded(text: str, *, char: str, user: str) -> str:
    """The text as a reader sees it; what is no macro of the specification stays as it is."""
    chance = random.Random(text)

    def told(match: re.Match[str]) -> str:
        name, mark, rest, old = match.groups()
        name = (old or name).lower()
        if mark:
            return _of_arguments(name, rest, chance) if name in _ARGUMENTS else match[0]
        return {"char": char, "bot": char, "user": user}.get(name, match[0])

    return _CONTROL.sub("", _MACRO.sub(told, _COMMENT.sub("", text)))


def _pick(rest: str, chance: random.Random) -> str:
    parts = rest.split("::") if "::" in rest else re.split(r"(?<!\\),", rest)
    return chance.choice(parts).strip().replace("\\,", ",")


def _roll(rest: str, chance: random.Random) -> str:
    sides = rest.strip().lower().removeprefix("1").removeprefix("d")
    known = sides.isdecimal() and 0 < int(sides[:6]) <= _LARGEST_DIE
    return str(chance.randint(1, int(sides[:6]))) if known else rest


def _nothing(rest: str, chance: random.Random) -> str:
    return ""


_ARGUMENTS: dict[str, Callable[[str, random.Random], str]] = {
    "random": _pick,
    "pick": _pick,
    "roll": _roll,
    "hidden_key": _nothing,
    "comment": _nothing,
    "//": _nothing,
}


def _of_arguments(name: str, rest: str, chance: random.Random) -> str:
    return _ARGUMENTS[name](rest, chance)


def decorated(content: str) -> tuple[dict[str, str], str]:
    """The decorators at the head of a lore entry, known or not, and the content without them.

    A fallback (``@@@``) counts where nothing of its name stands before it.
    """
    found: dict[str, str] = {}
    lines = content.split("\n")
    while lines and (match := _DECORATOR.fullmatch(lines[0].strip())):
        found.setdefault(match[1], match[2].strip())
        lines.pop(0)
    return found, "\n".join(lines) if found else content
