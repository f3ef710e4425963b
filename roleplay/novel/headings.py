"""The lines of a novel that are headings, of any style.

    [heading.title for heading in find_headings("★第1章 雨★\\n下了。\\n2、塔\\n到了。\\n## 第3章\\n……")]
    # ["第1章 雨", "2、塔", "第3章"]

A numbered heading that may be a sentence as well, and a bare numeral (二, II., （2）, 006 灯), count only
where they continue the numbers of others; a bare numeral inside a numbered chapter is a section.
"""

import re
import unicodedata
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

# Lines of the file: what opens and ends a book in words, the words for 0 to 20, first to tenth, tens.
_NAMES, _ONES, _ORDINALS, _TENS = (
    line.split()
    for line in Path(__file__).with_name("headings.txt").read_text("utf-8").splitlines()
)
_WORDS = {word: i for names in (_ONES, _ORDINALS) for i, word in enumerate(names)}
_WORDS |= {word: 20 + 10 * i for i, word in enumerate(_TENS)}
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_N = "[0-9０-９零〇○一二三四五六七八九十百千两兩廿卅壹贰叁肆伍陆柒捌玖拾]{1,9}"
_WORD = r"(?:the[ \t]+)?(?:\d{1,4}|[a-zA-Z]{1,11}(?:-[a-zA-Z]{3,6})?|[Ⅰ-ⅿ])\b"
# What stands around a heading: ☆、第1章, ==第一回==, 【第1章】, VIP第5章, 《书名》目录 第一回, 001 第一章.
_MARKS = " \t　☆★●◆◇■□▲△▼▽※＊*#＝=＃~～—–_·•○◎♦♥♠♣→>》」】【[]（）()〔〕〖〗《〈〉{}|｜、.，,：:-"
_HEAD = re.compile(
    rf"(?:《[^》\n]{{0,30}}》)?[{re.escape(_MARKS)}]*(?:(?i:目录|正文|VIP(?:章节)?)[ \t　]*)?"
    rf"(?:\d{{1,4}}[.、 \t　]*(?=第))?(?P<head>"
    rf"(?P<part>第[ \t]*(?P<a>{_N})[ \t]*[卷部篇集季册冊编編辑輯]|卷[之第]?(?P<b>{_N})|[上中下][卷部篇册冊]"
    rf"|(?i:part|book|volume|vol\.?|act)[ \t.]*(?P<c>{_WORD}))"
    rf"|(?P<chapter>第[ \t]*(?P<d>{_N})[ \t]*[章回话話节節幕折夜案场場]|(?P<e>{_N})[章話]"
    rf"|(?i:chapter|chap\.?|ch\.)[ \t.]*(?P<f>{_WORD})|제?[ \t]*(?P<g>\d{{1,4}})[ \t]*[장화])"
    rf"|(?P<named>(?i:{'|'.join(_NAMES)})(?:[ \t]*{_N})?))"
)
_LINE = re.compile(r"^[^\S\n]*(\S[^\n]*?)[^\S\n]*$", re.M)
_BARE = re.compile(
    rf"(?P<open>[（(【\[〔〈]?)[ \t]*(?P<n>{_N}|[IVXLC]{{1,8}}|[Ⅰ-ⅿ①-⑳]|[A-Z][a-zA-Z]{{2,8}}(?:-[a-zA-Z]{{3,5}})?)"
    r"(?:[ \t]*(?P<close>[）)】\]〕〉]))?(?P<sep>[.、．,，:：\s　—-]*)(?P<title>.*)"
)
_SEPARATORS = " \t　:：.．、·—-】]）(（–"
_LONGEST, _LONGEST_WESTERN, _LONGEST_TIGHT = 40, 120, 25
_MID_SENTENCE, _ENDS = "，,。；;、：", "。！？…”’」』》）)—-*"
# A sentence: a Chinese full stop, or an English one that is no dot behind a number (Chapter IV.).
_NO_TITLE = re.compile(r"。|[.!?] |[a-z]\.$")
_NO_TIGHT_TITLE = re.compile(rf"[{_MID_SENTENCE}“”「」『』\"！？!?]")
# 第一章　雨　阿岚道：“走。”: the title ends at the blank, and what follows is a sentence.
_RUN_IN = re.compile(r"[ \t　:：]*([^\s，。！？、；：“”「」]{1,20})(?:　| {2,})[^\n]*[，。：“「]")
_ENOUGH = 3  # fewer bare numerals, or sentences that begin like a heading, are chance


class Heading(NamedTuple):
    """A heading; ``end``: where its title ends, and behind it the text begins.

    ``kind``: part, chapter, named, or the style of a bare numeral; ``sure``: it needs no others.
    """

    start: int
    end: int
    title: str
    kind: str
    number: int | None
    sure: bool


def find_headings(text: str) -> list[Heading]:
    """The headings in order; lines of a printed table of contents are among them."""
    lines = list(_LINE.finditer(text))
    strong = [one for line in lines if (one := _strong(line))]
    weak = [one for line in lines if (one := _weak(line))]
    kept = {one for one in strong if one.sure}
    for run in _runs(strong):
        kept.update(run if len(run) >= _ENOUGH else ())
    # Bare numerals that fill a gap between numbered headings: 5, (6, 7), 8.
    for run in _runs(sorted({*kept, *weak}), begin=False):
        last = max((i for i, one in enumerate(run) if one.sure), default=0)
        kept.update(run[:last])
    for kind in dict.fromkeys(one.kind for one in weak):
        before = sorted(kept)
        runs = _runs(one for one in weak if one.kind == kind)
        kept.update(one for run in runs if _is_series(run, before, text) for one in run)
    return sorted(kept)


def number_of(numeral: str) -> int | None:
    """The number of 廿一, XIV, Twenty-one, １２ or ③; None: it is no numeral."""
    # NFKC makes 12, IV and 3 of １２, Ⅳ and ③; ○ and 两 have no number in Unicode.
    text = unicodedata.normalize("NFKC", numeral.replace("○", "〇").replace("两", "二"))
    text = text.strip().lower().removeprefix("the ")
    if re.fullmatch("[ivxlc]+", text):
        values = [_ROMAN[c] for c in text]
        return values[-1] + sum(a if a >= b else -a for a, b in pairwise(values))
    if words := re.findall("[a-z]+", text):
        known = [_WORDS.get(word) for word in words]
        return None if None in known else sum(filter(None, known))
    digits = [int(unicodedata.numeric(c, -1)) for c in text]
    if not digits or min(digits) < 0:
        return None
    if max(digits) < 10:
        return int("".join(map(str, digits)))
    total = digit = 0
    for value in digits:
        # 二十 is two tens, 十 and 廿 stand for themselves.
        total, digit = (total + value * (digit or 1), 0) if value >= 10 else (total, value)
    return total + digit


def _strong(line: re.Match[str]) -> Heading | None:
    """The heading that a line is by its own words."""
    text, start, end = line.string, line.start(1), line.end(1)
    found = _HEAD.match(text, start, end)
    if not found:
        return None
    head, after, kind = found["head"], found.end(), _kind(found)
    numeral = next(filter(None, found.group(*"abcdefg")), None)
    number = number_of(numeral) if numeral else None
    body, title = text[after:end], text[found.start("head") : end].rstrip(_MARKS)
    tight = body[:1] not in _SEPARATORS
    # "Part one of it" goes on in small letters.
    sentence = head.isascii() and body.lstrip()[:1].islower()
    if (numeral and number is None) or sentence or (tight and kind == "named"):
        return None
    if numeral and (run_in := _RUN_IN.match(body)):
        end = after + run_in.end(1)
        return Heading(start, end, text[found.start("head") : end], kind, number, True)
    longest = _LONGEST_TIGHT if tight else _LONGEST_WESTERN if head.isascii() else _LONGEST
    sure = len(title) <= longest and line[1][-1] not in _MID_SENTENCE
    sure &= not (_NO_TIGHT_TITLE if tight else _NO_TITLE).search(title)
    if tight:
        # A tight heading may be prose that goes on from the line before.
        before = text[max(0, start - 200) : start].rstrip(" \t　")
        sure &= before in ("", "\n") or before.endswith("\n\n") or before[-2:-1] in _ENDS
    if not sure and (len(title) > _LONGEST_WESTERN or re.search("[，。；：“「]|[.!?] ", title)):
        title, end = head, after  # the text begins in the same line
    return Heading(start, end, title, kind, number, sure) if sure or numeral else None


def _kind(found: re.Match[str]) -> str:
    return next(kind for kind in ("part", "chapter", "named") if found[kind])


def _weak(line: re.Match[str]) -> Heading | None:
    """The heading that a line may be if others go on counting: a numeral, and at most a title."""
    shown = line[1].strip(" \t　☆★●◆■※*#＝=~～—–-") if len(line[1]) <= _LONGEST_WESTERN else ""
    bare = _BARE.fullmatch(shown)
    number = number_of(bare["n"]) if bare else None
    if not bare or number is None:
        return None
    title, western = bare["title"], bare["n"].isascii() and bare["n"].isalpha()
    style = "1" if bare["n"][0].isdecimal() else "I" if western else "一"
    if title:
        apart = bare["sep"].strip() if western else bare["sep"] or bare["close"]
        longest = _LONGEST if title.isascii() else _LONGEST_TIGHT
        if not apart or len(title) > longest or title[0].isdecimal() or _NO_TITLE.search(title):
            return None
        if _NO_TIGHT_TITLE.search(title.rstrip("！？!?")):
            return None
    return Heading(line.start(1), line.end(1), shown, style + bare["open"], number, False)


def _runs(headings: Iterable[Heading], *, begin: bool = True) -> Iterator[list[Heading]]:
    """Stretches that count on by one; what is not sure begins one only with 1, if ``begin``."""
    run: list[Heading] = []
    for one in headings:
        if run and one.number == (run[-1].number or 0) + 1:
            run.append(one)
        elif run and one.sure and not run[-1].sure and one.number == run[-1].number:
            run[-1] = one  # the sentence before only named the chapter
        elif one.number is not None and (one.sure or (begin and one.number == 1)):
            yield run
            run = [one]
    yield run


def _is_series(run: Sequence[Heading], kept: Sequence[Heading], text: str) -> bool:
    """Whether bare numerals are chapters: they go on counting, with text, and in no chapter."""
    if len(run) < 2:
        return False
    before = kept[: bisect(kept, run[0])]
    outer = next((one.kind for one in reversed(before) if one.kind != "named"), "part")
    bodies = [text[one.end : after.start] for one, after in pairwise(run)]
    full = [body for body in bodies if body.strip()]
    apart = len(run) >= _ENOUGH or all(body.lstrip(" \t　").startswith("\n\n") for body in full)
    return outer == "part" and apart and 2 * len(full) >= len(bodies)
