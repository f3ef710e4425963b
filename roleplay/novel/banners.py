"""The lines that sites put into the books they give away: addresses and calls to download.

is_banner("TXT之家 https://example.com 提供小说免费下载")      # True
is_banner("他把信下载到电脑里，反复读了三遍。")                  # False
"""

import re

_BANNER = re.compile(
    r"(?i:https?://|\bwww\.\w|[\w-]+\.(?:com|net|org|cn|cc|me|info)\b)|"
    # People in a story download and visit, too: the words count only beside those of a site.
    r"(?:全集|免[费費]|[电電]子[书書]|全文|TXT|txt)[^。]{0,12}下[载載]|"
    r"下[载載][^。]{0,8}(?:[请請]|尽在|[访訪][问問])|"
    r"更多[^。]{0,12}[请請](?:[访訪][问問]|[关關]注|到)|"
    r"本[书書](?:[来來]自|由)[^。]{0,20}(?:整理|[制製]作|上[传傳]|[网網])|"
    r"手机(?:阅读|用户请)|最新章[节節][^。]{0,12}(?:首[发發]|更新)|"
    r"^\W*(?:本章(?:未完|完|[节節]完)|未完待[续續]|[请請]?[记記]住本站|天才一秒记住)"
)
_LONGEST = 300  # a whole paragraph is the story's, whatever it mentions


def is_banner(text: str) -> bool:
    """Whether a piece of narration is a banner: an address, or a call to download or to visit."""
    return len(text) <= _LONGEST and bool(_BANNER.search(text))
