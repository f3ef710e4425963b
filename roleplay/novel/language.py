"""The language that a novel is written in, told by its script and its commonest words.

language_of("聞箏頭也不抬：「修不好不收錢，沒得商量。」")      # "zh-Hant"
"""

import re
from typing import Literal

Language = Literal["zh-Hans", "zh-Hant", "ja", "ko", "en", "other"]

_SAMPLE = 200_000  # characters, from the middle: licences and prefaces may be in another language
_HAN, _KANA = re.compile("[㐀-鿿]"), re.compile("[ぁ-ヺ]")
_HANGUL, _LATIN = re.compile("[가-힣]"), re.compile("[A-Za-zÀ-ɏ]")
# Characters that only one of the two scripts has, in pairs.
_SIMPLIFIED = re.compile(
    "[们这个来为国说时会对过发后里经么学现当没动还进样从实无长将两间问头见开听声话]"
)
_TRADITIONAL = re.compile(
    "[們這個來為國說時會對過發後裡裏經麼學現當沒動還進樣從實無長將兩間問頭見開聽聲話]"
)
_ENGLISH = re.compile(r"(?i)\b(?:the|and|of|to|in|he|she|it|was|that|his|her|had|you|with|said)\b")
_WORD = re.compile(r"[^\W\d_]+")


def language_of(text: str) -> Language:
    """The language of most of the text; ``other`` where it is none of those known."""
    middle = max(0, len(text) - _SAMPLE) // 2
    text = text[middle : middle + _SAMPLE]
    han, kana, hangul, latin = (
        len(script.findall(text)) for script in (_HAN, _KANA, _HANGUL, _LATIN)
    )
    # A Chinese character says as much as three letters, and Korean prose may hold some.
    most = max(han + kana, hangul * 1.5, latin / 3)
    if not most or len(_WORD.sub("", text)) == len(text):
        return "other"
    if most == han + kana:
        if kana > han / 6:  # Japanese prose has more kana than characters, Chinese next to none
            return "ja"
        simple, full = len(_SIMPLIFIED.findall(text)), len(_TRADITIONAL.findall(text))
        return "zh-Hans" if simple >= full else "zh-Hant"
    if most == hangul * 1.5:
        return "ko"
    # English prose has a quarter of these words, other languages only their namesakes (French in).
    english = len(_ENGLISH.findall(text)) / max(1, len(_WORD.findall(text)))
    return "en" if english > 0.12 else "other"
