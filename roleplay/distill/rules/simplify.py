"""Traditional characters as simplified ones, one for one, so that every offset stays.

    simplified("只見展爺說：")      # "只见展爷说："

``t2s.txt`` has two lines, the traditional characters and under them the simplified ones: OpenCC's
(Apache 2.0) t2s table of single characters, and 著 -> 着, which OpenCC leaves for its phrases.
"""

from functools import cache, lru_cache
from pathlib import Path

# A name is done at once, and leaves the book in the cache.
_SHORT = 1000


@cache
def _table() -> dict[int, str]:
    lines = Path(__file__).with_name("t2s.txt").read_text("utf-8").splitlines()
    return dict(zip(map(ord, lines[0]), lines[1], strict=True))


def simplified(text: str) -> str:
    """The text in simplified characters, of the same length."""
    return text.translate(_table()) if len(text) < _SHORT else _simplified(text)


# A whole book is simplified for its cast, its turns and its lines.
@lru_cache(maxsize=2)
def _simplified(text: str) -> str:
    return text.translate(_table())
