"""The word lists of the rules, from ``words.json``: words with spaces between them, or characters.

any_of("cue_verbs")     # "说道|问道|答道|...|道|曰|说|...": the inside of a pattern
characters("surnames")  # "赵钱孙李...": the inside of a set
"""

import json
from pathlib import Path

_LISTS: dict[str, str] = json.loads(Path(__file__).with_name("words.json").read_text("utf-8"))


def any_of(*names: str) -> str:
    """A pattern of any word of the lists, the longest first: 说道 is tried before 说."""
    found = [word for name in names for word in _LISTS[name].split()]
    return "|".join(sorted(found, key=len, reverse=True))


def characters(name: str) -> str:
    """A list of single characters as one string."""
    return _LISTS[name]
