"""Traditional characters as simplified ones, one for one, so that every offset stays.

simplified("只見展爺說：")      # "只见展爷说："
"""

from functools import cache, lru_cache

import opencc

# A name is done at once, and leaves the book in the cache.
_SHORT = 1000
_IDEOGRAPHS = (*range(0x3400, 0xA000), *range(0xF900, 0xFB00))
# OpenCC leaves it for its phrases: 看著.
_MORE = str.maketrans("著", "着")


@cache
def _table() -> dict[int, str]:
    characters = list(map(chr, _IDEOGRAPHS))
    told = opencc.OpenCC("t2s").convert("\n".join(characters)).split("\n")
    pairs = zip(characters, told, strict=True)
    return {ord(one): other for one, other in pairs if one != other and len(other) == 1} | _MORE


def simplified(text: str) -> str:
    """The text in simplified characters, of the same length."""
    return text.translate(_table()) if len(text) < _SHORT else _simplified(text)


# A whole book is simplified for its cast, its turns and its lines.
@lru_cache(maxsize=2)
def _simplified(text: str) -> str:
    return text.translate(_table())
