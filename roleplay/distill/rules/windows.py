"""Who speaks one quote when there is only a window of sentences and a list of candidates, no book.

    sentences = ("少平没有说话。", "“走吧。”", "润叶说。")
    tell_window(Window(sentences, target=1, people=People({"润叶": (), "少平": ()})))
    # {"润叶": .98, "少平": .02}

Sentences may be paragraphs or pieces of them: what a colon, an open quote or a cue joins is joined.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roleplay.distill.rules.chinese import cue_after, ends_saying
from roleplay.distill.rules.cues import Cast
from roleplay.distill.rules.people import People
from roleplay.distill.rules.speakers import tell_speakers
from roleplay.distill.rules.turns import read_blocks
from roleplay.records import Span

_OPENERS, _CLOSERS = "“「『", "”」』"
_TRIM = " \t\r\n　"
_FULL_NAME = 3
_LONGEST_CUE = 30
_ENOUGH = 4
_SENTENCE_END = re.compile(r"[。！？](?![”」』])")


@dataclass(frozen=True)
class Window:
    """Neighbouring sentences of which ``target`` holds the quote."""

    sentences: tuple[str, ...]
    target: int
    people: People


def people_of(cast: Cast, genders: Mapping[str, str | None]) -> People:
    """The candidates; a full name (孙少安) may be shortened (少安) if that means one person only."""
    forms = {form for name, aliases in cast.items() for form in (name, *aliases)}
    shorts = Counter(name[1:] for name in cast if len(name) == _FULL_NAME)
    known = {name: tuple(aliases) for name, aliases in cast.items()}
    for name in cast:
        if shorts[name[1:]] == 1 and len(name) == _FULL_NAME and name[1:] not in forms:
            known[name] += (name[1:],)
    return People(known, genders)


def tell_window(window: Window) -> dict[str, float]:
    """The chances of the candidates of speaking the target's longest quote; even without one."""
    text, paragraphs, (start, end) = join(window.sentences, window.target, window.people)
    blocks, cut = read_blocks(text, paragraphs), is_cut(window.sentences)
    overlaps = [
        (min(quote.outer[1], end) - max(quote.outer[0], start), verdict.chances)
        for verdict in tell_speakers(text, blocks, window.people, book=False, cut=cut)
        for quote in verdict.turn.quotes
    ]
    even = dict.fromkeys(window.people.all, 1 / max(len(window.people.all), 1))
    return max([(0, even), *overlaps], key=lambda pair: pair[0])[1]


def join(sentences: Sequence[str], target: int, people: People) -> tuple[str, list[Span], Span]:
    """The window as one text, its paragraphs, and where the target stands."""
    pieces = [sentence.strip(_TRIM) for sentence in sentences]
    marked = any(mark in pieces[target] for mark in _OPENERS + _CLOSERS + '"‘')
    # Some data sets give spoken words without their marks.
    if not marked and not _is_open(pieces[:target]):
        pieces[target] = f"“{pieces[target]}”"
    text, starts, place, cut = "", [0], (0, 0), is_cut(sentences)
    for i, piece in enumerate(pieces):
        if i and piece and not _joined(text[starts[-1] :], piece, people, cut=cut):
            text += "\n"
            starts.append(len(text))
        if i == target:
            place = (len(text), len(text) + len(piece))
        text += piece
    return text, list(zip(starts, [*starts[1:], len(text)], strict=True)), place


def _is_open(pieces: Sequence[str]) -> bool:
    """Whether the last quote opened in ``pieces`` is not closed yet."""
    marks = [mark for piece in pieces for mark in piece if mark in _OPENERS + _CLOSERS]
    return bool(marks) and marks[-1] in _OPENERS


def _joined(paragraph: str, piece: str, people: People, *, cut: bool) -> bool:
    """Whether ``piece`` goes on with the paragraph."""
    if not paragraph or _is_open([paragraph]) or paragraph[-1] in "：:，,、":
        return True
    if piece[0] in "，。、！？" + _CLOSERS or paragraph[-1] not in _CLOSERS:
        return piece[0] in "，。、！？" + _CLOSERS
    # After a quote: a cue, or a clause between two parts of it (…，“…”).
    told, opener, _ = piece.partition("“")
    if opener:
        return told.endswith(("，", ","))
    short = len(told) <= _LONGEST_CUE and (cut or ends_saying(told))
    return short and cue_after(told, people.names) is not None


def is_cut(sentences: Sequence[str]) -> bool:
    """Whether the window is cut into sentences: no piece of narration has two of them."""
    told = [sentence.strip() for sentence in sentences if sentence.strip() and "“" not in sentence]
    return len(told) > _ENOUGH and not any(_SENTENCE_END.search(one[:-1]) for one in told)
