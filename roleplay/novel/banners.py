"""The lines that sites put into the books they give away: addresses and calls to download, no part of the story.

is_banner("TXT之家 https://example.com 提供小说免费下载")      # True
is_banner("他把信下载到电脑里，反复读了三遍。")                  # False
"""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"https?://|www\.\w|[\w-]+\.(?:com|net|org|cn|cc|me|info)\b", re.I)
_CALL = re.compile(
    r"(?:全集|免费|电子书|全文|TXT|txt)[^。]{0,12}下载|下载[^。]{0,8}(?:请|尽在|访问)|更多[^。]{0,12}请(?:访问|关注|到)|"
    r"本书(?:来自|由)[^。]{0,20}(?:整理|制作|上传|网)|手机(?:阅读|用户请)|最新章节[^。]{0,12}(?:首发|更新)"
)
_LONGEST = 300


def is_banner(text: str) -> bool:
    """Whether a piece of narration is a site's banner: an address, or a call to download or to visit."""
    return len(text) <= _LONGEST and bool(_ADDRESS.search(text) or _CALL.search(text))
