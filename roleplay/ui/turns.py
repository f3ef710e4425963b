"""HTML of conversations and scenes: turns with their candidates and what can be done with each.

    turns_view(session, Look("zh", faces, me="你"))
    growing("闻筝", ["没得", "漏了"], look)     # what is being written

Every button carries ``data-do`` and its turn ``data-at``: ``view.js`` makes events of clicks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from roleplay.conversation import Session, Turn
from roleplay.messages import Language
from roleplay.ui import render
from roleplay.ui.portraits import NOBODY_KNOWN, Faces, hue
from roleplay.ui.strings import say

_TOLD = {
    "edit": "edit_told",
    "teach": "teach_told",
    "insert": "insert_told",
    "branch": "branch_told",
    "delete": "delete_told",
}
_ICONS = ("↻", "👍", "👎", "‹", "›")


@dataclass(frozen=True)
class Look:
    """What a view needs besides the turns.

    Attributes:
        me: whose turns stand on the right.
        rates: whether what is liked is kept, so that one can teach.
        empty: the key of what an empty view says.
    """

    language: Language
    faces: Faces = NOBODY_KNOWN
    me: str = ""
    rates: bool = True
    empty: str = "scene_empty"

    def say(self, key: str, **values: object) -> str:
        """A text of the page, as it stands in HTML."""
        return escape(say(key, self.language, **values))


def turns_view(session: Session, look: Look) -> str:
    """All turns, the newest with its tools open."""
    last = len(session.turns) - 1
    rows = "".join(_turn(turn, at, at == last, look) for at, turn in enumerate(session.turns))
    rows = rows or f'<div class="rp-blank">{look.say(look.empty)}</div>'
    texts = {name: look.say(name) for name in ("keep", "cancel", "insert_hint", "copied")}
    marks = " ".join(f'data-{name.replace("_", "-")}="{text}"' for name, text in texts.items())
    return f'<div class="rp-turns" role="log" {marks}>{rows}</div>'


def growing(who: str, candidates: Sequence[str], look: Look, waiting: str = "") -> str:
    """A turn that is being written: the first candidate in its place, the others under it."""
    dots = f'<span class="rp-dots"><i></i><i></i><i></i></span>{escape(waiting)}'
    first, *others = candidates or ("",)
    body = (
        f'{render.body(who, first, look.language)}<span class="rp-caret"></span>' if first else dots
    )
    rows = "".join(
        f"<li>{render.body(who, text, look.language) if text else '…'}</li>" for text in others
    )
    listed = f'<ol class="rp-others" start="2">{rows}</ol>' if others else ""
    expression = render.expression_of(who, first)
    return (
        f'<div class="rp-turn rp-theirs rp-live" style="--hue:{hue(who)}" aria-busy="true">'
        f'{look.faces.of(who, expression)}<div class="rp-bubble">'
        f'<div class="rp-who">{escape(who)}</div><div class="rp-body">{body}</div>{listed}'
        "</div></div>"
    )


def _turn(turn: Turn, at: int, newest: bool, look: Look) -> str:
    who, text = turn.char, escape(turn.shown.text)
    kind = "info" if who is None else "mine" if who == look.me else "theirs"
    told = "".join(f"<div>{render.spoken(line, look.language)}</div>" for line in turn.shown.lines)
    name = "" if who is None else f'<div class="rp-who">{escape(who)}</div>'
    face = "" if who is None else look.faces.of(who, _expression(turn))
    more = (
        f'<button class="rp-more" data-do="more" aria-label="{look.say("more")}" '
        f'aria-expanded="{str(newest).lower()}">⋯</button>'
    )
    classes = f"rp-turn rp-{kind}{' rp-open' if newest else ''}"
    colour = f' style="--hue:{hue(who)}"' if who else ""
    others = _others(turn, look) if newest else ""
    return (
        f'<div class="{classes}" data-at="{at}" data-text="{text}"{colour}>{face}'
        f'<div class="rp-bubble">{name}<div class="rp-body">{told}</div>{others}'
        f"{_tools(turn, look)}{more}</div></div>"
    )


def _expression(turn: Turn) -> str | None:
    shown = [line.expression for line in turn.shown.lines if line.expression]
    return shown[-1] if shown else None


def _others(turn: Turn, look: Look) -> str:
    """The candidates that do not stand, to be picked with a click."""
    rows = "".join(
        f'<li><button data-do="pick" data-to="{place}">'
        f"{render.body(turn.char or '', candidate.text, look.language)}</button></li>"
        for place, candidate in enumerate(turn.candidates)
        if place != turn.chosen
    )
    told = look.say("others")
    return f'<ol class="rp-others" aria-label="{told}">{rows}</ol>' if rows else ""


def _tools(turn: Turn, look: Look) -> str:
    written = turn.char is not None and turn.char != look.me
    keys = ["edit", "insert", "branch", "delete"]
    if written and look.rates and turn.prompt:
        keys.insert(1, "teach")
    words = "".join(_button(key, look.say(key), look.say(_TOLD[key])) for key in keys)
    icons = _swipes(turn, look)
    if written:
        icons += _button("again", "↻", look.say("again"))
    if written and look.rates and turn.prompt:
        icons += _rating(turn, "liked", "👍", look) + _rating(turn, "disliked", "👎", look)
    return f'<div class="rp-tools">{icons}{_button("copy", look.say("copy"))}{words}</div>'


def _swipes(turn: Turn, look: Look) -> str:
    if len(turn.candidates) < 2:
        return ""
    place = f"<span>{turn.chosen + 1}/{len(turn.candidates)}</span>"
    back, on = (_button(key, mark, look.say(key)) for key, mark in (("back", "‹"), ("on", "›")))
    return f'<span class="rp-swipes">{back}{place}{on}</span>'


def _rating(turn: Turn, mark: str, icon: str, look: Look) -> str:
    pressed = str(turn.shown.mark == mark).lower()
    return _button(mark, icon, look.say(mark), f' aria-pressed="{pressed}"')


def _button(do: str, shown: str, told: str = "", more: str = "") -> str:
    spoken = told if shown in _ICONS else ""
    label = (f' aria-label="{spoken}"' if spoken else "") + (f' title="{told}"' if told else "")
    return f'<button data-do="{do}"{label}{more}>{shown}</button>'
