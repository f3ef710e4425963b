"""A portrait where there is none: head and shoulders in the colours of a name.

draw("闻筝")        # a PNG of 256 x 384, the same for the same name
"""

import colorsys
import hashlib
from itertools import groupby

from roleplay.cards.png import png_of_rows

_WIDTH, _HEIGHT = 256, 384
_HEAD = (128, 150, 58)
"""Centre and radius."""
_SHOULDERS = (128, 384, 104, 150)
"""Centre and half axes."""


def draw(name: str) -> bytes:
    """The PNG."""
    hue = hashlib.sha256(name.encode()).digest()[0] / 256
    ground = [_colour(hue, 0.35, 0.95 - 0.35 * y / _HEIGHT) for y in range(_HEIGHT)]
    figure = _colour((hue + 0.08) % 1, 0.55, 0.35)
    return png_of_rows(_WIDTH, [_row(y, ground[y], figure) for y in range(_HEIGHT)])


def _row(y: int, ground: bytes, figure: bytes) -> bytes:
    runs = groupby(range(_WIDTH), key=lambda x: _is_figure(x, y))
    return b"".join((figure if inside else ground) * len(list(run)) for inside, run in runs)


def _is_figure(x: int, y: int) -> bool:
    left, top, radius = _HEAD
    middle, bottom, wide, high = _SHOULDERS
    in_head = (x - left) ** 2 + (y - top) ** 2 < radius**2
    return in_head or ((x - middle) / wide) ** 2 + ((y - bottom) / high) ** 2 < 1


def _colour(hue: float, saturation: float, value: float) -> bytes:
    return bytes(round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value))
