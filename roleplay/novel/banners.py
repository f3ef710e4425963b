"""The lines that sites put into the books they give away: addresses and calls to download.

is_banner("TXT之家 https://example.com 提供小说免费下载")      # True
is_banner("他把信下载到电脑里，反复读了三遍。")                  # False
"""

import re

_BANNER = re.compile(
    r"(?i:https?://|www\.\w|[\w-]+\.(?:com|net|org|cn|cc|me|info)\b)|"
    # People in a story download and visit, too: the words count only beside those of a site.
    r"(?:全集|免费|电子书|全文|TXT|txt)[^。]{0,12}下载|下载[^。]{0,8}(?:请|尽在|访问)|"
    r"更多[^。]{0,12}请(?:访问|关注|到)|本书(?:来自|由)[^。]{0,20}(?:整理|制作|上传|网)|"
    r"手机(?:阅读|用户请)|最新章节[^。]{0,12}(?:首发|更新)"
)
_LONGEST = 300  # a whole paragraph is the story's, whatever it mentions


def is_banner(text: str) -> bool:
    """Whether a piece of narration is a banner: an address, or a call to download or to visit."""
    return len(text) <= _LONGEST and bool(_BANNER.search(text))
