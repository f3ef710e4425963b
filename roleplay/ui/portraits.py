"""Faces: drawn from a name, with the expression of the newest line, where nobody gave a picture.

    portrait("闻筝", "微笑", gender="f")      # an element with a face, in the colour of the name
    stylesheet({"闻筝": b"..."})              # puts pictures in the place of drawn faces, everywhere

A drawn face is an SVG in the page: it needs no file, no font and no other host.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from roleplay.records import EXPRESSIONS

FACES = dict(zip(EXPRESSIONS, "😌🧐🙂🤩😠😡😲😨😔😢😳😕🙄", strict=True))
"""An expression as an emoji."""

_SKIN = ("#f8dcc4", "#f3cfae", "#e8b98f", "#fbe3d0")
_PARTS = json.loads(Path(__file__).with_name("faces.json").read_text(encoding="utf-8"))
"""SVG: hair by gender (behind the face and before it), eyes, brows, mouths, cheeks; and which of
them an expression has."""


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
        f'<span class="rp-portrait rp-p-{_mark(name)}" style="--hue:{hue(name)}" '
        f'aria-hidden="true">{_drawn(name, expression, gender)}{badge}</span>'
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
    styles = _PARTS["hair"].get(gender or "", _PARTS["hair"]["m"][:2])
    behind, before = styles[chance[0] % len(styles)]
    skin = _SKIN[chance[1] % len(_SKIN)]
    hair = f"hsl({(hue(name) + chance[2] % 60) % 360} 35% {18 + chance[3] % 22}%)"
    eyes, brows, mouth, cheeks = _PARTS["expressions"][expression or EXPRESSIONS[0]]
    brow = f'<path class="l" d="{_PARTS["brows"][brows]}"/>' if brows else ""
    face = _PARTS["cheeks"][cheeks] + _PARTS["eyes"][eyes] + brow + _PARTS["mouths"][mouth]
    coat = f"hsl({hue(name)} 45% 45%)"
    return (
        '<svg viewBox="0 0 64 64" focusable="false">'
        f'<path fill="{escape(hair)}" d="{behind}"/>'
        f'<path fill="{escape(coat)}" d="M10 64q3-14 22-14t22 14z"/>'
        f'<ellipse cx="32" cy="36" rx="15" ry="17" fill="{skin}"/>'
        f'<path fill="{escape(hair)}" d="{before}"/>'
        f'<g class="rp-features">{face}</g></svg>'
    )
