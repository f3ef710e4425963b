"""Faces: drawn from a name, with the expression of the newest line, where nobody gave a picture.

    portrait("闻筝", "微笑", gender="f")      # an element with a face, in the colour of the name
    stylesheet({"闻筝": b"..."})              # puts pictures in the place of drawn faces, everywhere

A drawn face is an SVG in the page: it needs no file, no font and no other host.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from roleplay.records import EXPRESSIONS

FACES = dict(zip(EXPRESSIONS, "😌🧐🙂🤩😠😡😲😨😔😢😳😕🙄", strict=True))
"""An expression as an emoji."""

_SKIN = ("#f8dcc4", "#f3cfae", "#e8b98f", "#fbe3d0")
# Hair behind the face and before it, by gender: long, bob, bun; short, parted, tufted.
_HAIR = {
    "f": (
        ("M12 30a20 20 0 0 1 40 0v26h-8V34H20v22h-8z", "M16 30c2-12 10-15 16-15s15 4 16 15c-6-3-9-6-11-9-5 5-13 8-21 9z"),
        ("M12 32a20 20 0 0 1 40 0v12c-3 3-6 3-8 2V32H20v14c-2 1-5 1-8-2z", "M16 31c0-10 8-16 16-16s16 6 16 16c-8-1-14-3-19-8-3 4-8 7-13 8z"),
        ("M32 4a7 7 0 0 1 5 12 19 19 0 0 1 14 18H13a19 19 0 0 1 14-18 7 7 0 0 1 5-12z", "M16 31c1-10 8-15 16-15s15 5 16 15c-5-5-10-8-16-8s-11 3-16 8z"),
    ),
    "m": (
        ("M14 32a18 18 0 0 1 36 0l-2 4H16z", "M16 30c1-10 8-15 16-15s15 5 16 15l-4-6-6 2-6-3-7 3-5-2z"),
        ("M14 32a18 18 0 0 1 36 0l-2 3H16z", "M16 31c0-10 8-16 16-16s16 6 16 16c-3-5-6-7-9-8-7 3-16 3-23 8z"),
        ("M13 32l1-12 5 2 3-9 6 5 6-8 5 8 7-3 1 8 5 1-1 8z", "M16 30c2-9 8-13 16-13s14 4 16 13l-6-5-5 3-5-4-6 4-4-3z"),
    ),
}  # fmt: skip
_EYES = {
    "open": '<ellipse cx="25" cy="36" rx="2.2" ry="2.8"/><ellipse cx="39" cy="36" rx="2.2" ry="2.8"/>',
    "wide": '<circle cx="25" cy="36" r="3.6" fill="#fff" stroke="#2b2530" stroke-width="1.4"/><circle cx="39" cy="36" r="3.6" fill="#fff" stroke="#2b2530" stroke-width="1.4"/><circle cx="25" cy="36" r="1.4"/><circle cx="39" cy="36" r="1.4"/>',
    "shut": '<path class="l" d="M22 36q3-3 6 0M36 36q3-3 6 0"/>',
    "down": '<path class="l" d="M22 35q3 3 6 0M36 35q3 3 6 0"/>',
    "up": '<circle cx="25" cy="36" r="3.6" fill="#fff" stroke="#2b2530" stroke-width="1.4"/><circle cx="39" cy="36" r="3.6" fill="#fff" stroke="#2b2530" stroke-width="1.4"/><circle cx="25.8" cy="34" r="1.5"/><circle cx="39.8" cy="34" r="1.5"/>',
}  # fmt: skip
_BROWS = {
    "": "",
    "flat": "M21 31h7M36 31h7",
    "angry": "M21 29l7 3M43 29l-7 3",
    "sad": "M21 32l7-3M43 32l-7-3",
    "odd": "M21 31h7M36 29q4-3 7 0",
    "high": "M21 29q4-3 7 0M36 29q4-3 7 0",
}
_MOUTHS = {
    "flat": '<path class="l" d="M28 46h8"/>',
    "smile": '<path class="l" d="M26 45q6 5 12 0"/>',
    "laugh": '<path d="M26 44h12q-1 7-6 7t-6-7z"/>',
    "frown": '<path class="l" d="M27 48q5-4 10 0"/>',
    "shout": '<path d="M27 45h10l1 5H26z"/>',
    "round": '<ellipse cx="32" cy="47.5" rx="2.8" ry="3.4"/>',
    "wave": '<path class="l" d="M26 47q2-3 4 0t4 0 4 0"/>',
    "skew": '<path class="l" d="M28 48l8-2"/>',
}
_BLUSH = '<g fill="#e8837b" opacity=".55"><circle cx="21" cy="42" r="3"/><circle cx="43" cy="42" r="3"/></g>'
_TEARS = '<g fill="#5aa7e8"><path d="M24 40q-3 5 0 7 3-2 0-7zM40 40q-3 5 0 7 3-2 0-7z"/></g>'
# Eyes, brows, mouth and what is on the cheeks, by expression.
_DRAWN = dict(
    zip(
        EXPRESSIONS,
        (
            ("open", "", "flat", ""),
            ("open", "flat", "flat", ""),
            ("open", "", "smile", ""),
            ("shut", "high", "laugh", _BLUSH),
            ("open", "angry", "frown", ""),
            ("wide", "angry", "shout", _BLUSH),
            ("wide", "high", "round", ""),
            ("wide", "sad", "wave", ""),
            ("down", "sad", "frown", ""),
            ("down", "sad", "frown", _TEARS),
            ("down", "", "smile", _BLUSH),
            ("open", "odd", "skew", ""),
            ("up", "flat", "skew", ""),
        ),
        strict=True,
    )
)


@dataclass(frozen=True)
class Faces:
    """How the people of a world are drawn; ``genders`` by name."""

    genders: Mapping[str, str | None]

    def of(self, name: str, expression: str | None = None) -> str:
        """Somebody's portrait."""
        return portrait(name, expression, self.genders.get(name))


NOBODY_KNOWN = Faces({})


def hue(name: str) -> int:
    """A colour angle, 0 to 359, the same for a name everywhere."""
    return hashlib.sha256(name.encode()).digest()[0] * 360 // 256


def portrait(name: str, expression: str | None = None, gender: str | None = None) -> str:
    """A face, and an emoji that a picture in its place shows the expression with."""
    face = FACES.get(expression or "", "")
    badge = f'<span class="rp-badge">{face}</span>' if face else ""
    return (
        f'<span class="rp-portrait rp-p-{_mark(name)}" style="--hue:{hue(name)}" aria-hidden="true">'
        f"{_drawn(name, expression, gender)}{badge}</span>"
    )


def stylesheet(pictures: Mapping[str, bytes]) -> str:
    """What shows pictures (WebP) in the place of drawn faces."""
    rules = []
    for name, data in pictures.items():
        place = f".rp-p-{_mark(name)}"
        source = f"data:image/webp;base64,{base64.b64encode(data).decode()}"
        rules.append(f"{place}{{background:center/cover url({source})}}")
        rules.append(f"{place} svg{{display:none}}{place} .rp-badge{{display:block}}")
    return f"<style>{''.join(rules)}</style>"


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:10]


def _drawn(name: str, expression: str | None, gender: str | None) -> str:
    chance = hashlib.sha256(f"face {name}".encode()).digest()
    styles = _HAIR.get(gender or "", _HAIR["m"][:2])
    behind, before = styles[chance[0] % len(styles)]
    skin = _SKIN[chance[1] % len(_SKIN)]
    hair = f"hsl({(hue(name) + chance[2] % 60) % 360} 35% {18 + chance[3] % 22}%)"
    eyes, brows, mouth, cheeks = _DRAWN[expression or EXPRESSIONS[0]]
    brow = f'<path class="l" d="{_BROWS[brows]}"/>' if brows else ""
    coat = f"hsl({hue(name)} 45% 45%)"
    return (
        '<svg viewBox="0 0 64 64" focusable="false">'
        f'<path fill="{escape(hair)}" d="{behind}"/>'
        f'<path fill="{escape(coat)}" d="M10 64q3-14 22-14t22 14z"/>'
        f'<ellipse cx="32" cy="36" rx="15" ry="17" fill="{skin}"/>'
        f'<path fill="{escape(hair)}" d="{before}"/>'
        f'<g class="rp-features">{cheeks}{_EYES[eyes]}{brow}{_MOUTHS[mouth]}</g></svg>'
    )
