"""Who speaks one quote when there is only a window of sentences and a list of candidates, not a book.

    window = Window(sentences=("少平没有说话。", "“走吧。”", "润叶说。"), target=1, people=People({"润叶": (), "少平": ()}))
    tell_window(window)      # {"润叶": .98, "少平": .02}

The sentences may be paragraphs, or pieces of them: what a colon, an open quote or a cue joins is joined.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roleplay.distill.cues import Cast
from roleplay.distill.people import People
from roleplay.distill.speakers import Verdict, tell_speakers
from roleplay.distill.turns import cue_after, read_blocks
from roleplay.records import Span

_OPENERS, _CLOSERS = "“「『", "”」』"
_TRIM = " \t\r\n　"
_SHORTEST = 3
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
    """The candidates; a full name of three characters may be shortened (孙少安: 少安) if that means one person only."""
    forms = Counter(form for name, aliases in cast.items() for form in {name, *aliases})
    shorts = Counter(name[1:] for name in cast if len(name) == _SHORTEST)
    known = {name: tuple(aliases) for name, aliases in cast.items()}
    for name in cast:
        if len(name) == _SHORTEST and shorts[name[1:]] == 1 and name[1:] not in forms:
            known[name] += (name[1:],)
    return People(known, genders)


def tell_window(window: Window) -> dict[str, float]:
    """The chance of each candidate of being the speaker of the target's (longest) quote."""
    verdict = judge(window)
    return dict(verdict.chances) if verdict else dict.fromkeys(window.people.all, 1 / len(window.people.all))


def judge(window: Window) -> Verdict | None:
    """The verdict on the target; ``None`` if no spoken words can be found in it."""
    text, paragraphs, target = join(window.sentences, window.target, window.people)
    verdicts = tell_speakers(
        text, read_blocks(text, paragraphs), window.people, book=False, cut=is_cut(window.sentences)
    )
    shared = [(_overlap(quote.outer, target), verdict) for verdict in verdicts for quote in verdict.turn.quotes]
    best = max(shared, key=lambda pair: pair[0], default=None)
    return best[1] if best and best[0] else None


def join(sentences: Sequence[str], target: int, people: People) -> tuple[str, list[Span], Span]:
    """The window as one text, its paragraphs, and where the target stands."""
    pieces = [sentence.strip(_TRIM) for sentence in sentences]
    if not any(mark in pieces[target] for mark in _OPENERS + _CLOSERS + '"‘') and not _is_open(pieces[:target]):
        pieces[target] = f"“{pieces[target]}”"
    text, starts, place = "", [0], (0, 0)
    for i, piece in enumerate(pieces):
        if i and piece and not _joined(text, starts[-1], piece, people):
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


def _joined(text: str, start: int, piece: str, people: People) -> bool:
    """Whether ``piece`` goes on with the paragraph that begins at ``start``."""
    paragraph = text[start:]
    if not paragraph:
        return True
    if _is_open([paragraph]) or paragraph[-1] in "：:，,、":
        return True
    if piece[0] in "，。、！？" + _CLOSERS:
        return True
    return paragraph[-1] in _CLOSERS and _follows_quote(piece, people)


def _follows_quote(piece: str, people: People) -> bool:
    """Whether ``piece`` is about the quote before it: a cue, or a clause between two parts of it (…，“…”)."""
    told, opener, _ = piece.partition("“")
    if opener:
        return bool(told) and told[-1] in "，,"
    return len(told) <= _LONGEST_CUE and cue_after(told, people.names) is not None


def is_cut(sentences: Sequence[str]) -> bool:
    """Whether the window is cut into sentences: no piece of narration has two of them."""
    told = [sentence for sentence in sentences if sentence.strip() and "“" not in sentence]
    return len(told) > _ENOUGH and not any(_SENTENCE_END.search(sentence.strip()[:-1]) for sentence in told)


def _overlap(one: Span, two: Span) -> int:
    return max(0, min(one[1], two[1]) - max(one[0], two[0]))
