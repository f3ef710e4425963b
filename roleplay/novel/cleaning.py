"""What files carry beside the novel's text, and a reader never sees: taken out, or shown plainly.

    clean("&nbsp;雨\\u200b停了。<br>天晴。\\n下载本书请访问 www.example.com\\n")
    # (" 雨停了。\\n天晴。\\n\\n", [2])

Gone are zero-width, control and private-use characters, left-overs of HTML, lines of sites, the
licence of Project Gutenberg, and the notes and readings (港《みなと》) of Aozora Bunko.
"""

import re
from html import unescape

from roleplay.novel import pattern, table

_BANNER, _INVISIBLE, _BLANK, _ENTITY, _UNSEEN, _TAG, _GUTENBERG, _AOZORA = (
    pattern(f"cleaning.{name}") for name in table("cleaning")
)
_LONGEST_BANNER = 300  # a whole paragraph is the story's, whatever it mentions


def is_banner(text: str) -> bool:
    """Whether a line or a piece of narration is a site's: an address, or a call to download."""
    return len(text) <= _LONGEST_BANNER and bool(_BANNER.search(text))


def clean(text: str) -> tuple[str, list[int]]:
    """The text as a reader sees it, and from 1 the numbers of the lines of sites left out."""
    marks = {mark[1]: mark.span() for mark in _GUTENBERG.finditer(text)}
    start, end = marks.get("START", (0, 0))[1], marks.get("END", (len(text), 0))[0]
    # Blank lines for what goes, so that the others keep their numbers.
    lines = ("\n" * text.count("\n", 0, start) + text[start:end]).split("\n")
    said = re.compile("[“「『]")
    banners = [i for i, line in enumerate(lines, 1) if is_banner(line) and not said.search(line)]
    for i in banners:
        lines[i - 1] = ""
    text = "\n".join(lines)
    if "<" in text:
        text = _TAG.sub(lambda tag: "\n" if tag["block"] else "", _UNSEEN.sub("", text))
    if "《" in text or "［＃" in text:
        text = _AOZORA.sub(lambda note: note[1] or "", text)
    text = _ENTITY.sub(lambda entity: unescape(entity[0]), text)
    text = re.sub("[\r\v\f\x85\u2028\u2029]", "\n", text)
    return _BLANK.sub(" ", _INVISIBLE.sub("", text)).lstrip("\n"), banners
