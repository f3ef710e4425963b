"""The novel itself: its text, chapters, chunks and quotes. Knows nothing of speakers.

pattern("pages.skipped").fullmatch("script")        # a match: see patterns.toml beside this file
"""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any


@cache
def table(name: str) -> dict[str, Any]:
    """A section of patterns.toml."""
    return dict(tomllib.loads(Path(__file__).with_name("patterns.toml").read_text("utf-8"))[name])


def pattern(name: str) -> re.Pattern[str]:
    """A regular expression of patterns.toml, as SECTION.NAME."""
    section, _, key = name.partition(".")
    parts = table("parts")
    text = re.sub(r"@(\w+)", lambda part: parts[part[1]].strip(), table(section)[key])
    return re.compile(text.strip(), re.VERBOSE)
