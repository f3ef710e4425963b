"""What files carry beside the novel's text, and a reader never sees: taken out, or shown plainly.

    clean("&nbsp;雨\\u200b停了。<br>天晴。\\n下载本书请访问 www.example.com\\n")
    # (" 雨停了。\\n天晴。\\n\\n", [2])

Gone are zero-width, control and private-use characters, left-overs of HTML, lines of sites, the
licence of Project Gutenberg, and the notes and readings (港《みなと》) of Aozora Bunko.
"""

import re
from html import unescape
from pathlib import Path

# A pattern a line. People in a story download and visit, too: such words count beside those of a site.
_BANNER = re.compile("|".join(Path(__file__).with_name("banners.txt").read_text("utf-8").split()))
_LONGEST_BANNER = 300  # a whole paragraph is the story's, whatever it mentions
_INVISIBLE = re.compile(
    "\xad[ \t]*\n?|[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\ue000-\uf8ff\U000f0000-\U0010ffff]"
)
_BLANK = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f]")  # the ideographic blank stays
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
_UNSEEN = re.compile(
    r"(?is)<(script|style|rt|rp)\b[^<>]{0,300}>[^<]{0,999}</\1\s*>|<!--[^<]{0,300}-->"
)
# Only names of HTML, so that <雨> and <3 stay as they are.
_TAG = re.compile(
    r"(?i)</?(?:(?P<block>p|br|div|h[1-6r]|center|table|tr|td|ul|ol|li|blockquote|body|html|head|title)"
    r"|[bius]|em|strong|font|a|img|span|su[bp]|small|big|pre|nobr|ruby|rb|meta|link|input)"
    r"(?:\s[^<>\n]{0,500})?/?>"
)
_GUTENBERG = re.compile(r"\*\*\* ?(START|END) OF TH(?:E|IS) PROJECT GUTENBERG[^*]{0,300}\*\*\*")
# ［＃３字下げ］, ｜港町《みなとまち》, 港《みなと》; 《...》 with anything but kana is a title.
_AOZORA = re.compile(
    r"(?s:\n-{20,}\n【テキスト中に現れる記号について】.{0,3000}?\n-{20,}(?=\n)|\n底本：.*\Z)|［＃[^］\n]*］"
    r"|[｜|]([^｜|《\n]{1,30})《[^》\n]{1,30}》|(?<=[一-鿿々])《[ぁ-ゖー・ゝゞ]+》"
)


def is_banner(text: str) -> bool:
    """Whether a line or a piece of narration is a site's: an address, or a call to download."""
    return len(text) <= _LONGEST_BANNER and bool(_BANNER.search(text))


def clean(text: str) -> tuple[str, list[int]]:
    """The text as a reader sees it, and from 1 the numbers of the lines of sites left out."""
    marks = {mark[1]: mark.span() for mark in _GUTENBERG.finditer(text)}
    start, end = marks.get("START", (0, 0))[1], marks.get("END", (len(text), 0))[0]
    # Blank lines for what goes, so that the others keep their numbers.
    lines = ("\n" * text.count("\n", 0, start) + text[start:end]).split("\n")
    banners = [
        i for i, line in enumerate(lines) if is_banner(line) and not re.search("[“「『]", line)
    ]
    for i in banners:
        lines[i] = ""
    text = "\n".join(lines)
    if "<" in text:
        text = _TAG.sub(lambda tag: "\n" if tag["block"] else "", _UNSEEN.sub("", text))
    if "《" in text or "［＃" in text:
        text = _AOZORA.sub(lambda note: note[1] or "", text)
    text = _ENTITY.sub(lambda entity: unescape(entity[0]), text)
    text = re.sub("[\r\v\f\x85\u2028\u2029]", "\n", text)
    return _BLANK.sub(" ", _INVISIBLE.sub("", text)).lstrip("\n"), [i + 1 for i in banners]
