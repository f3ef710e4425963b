"""Answers to questions as a table: in the page, as Markdown and as CSV.

as_table([Answers("你是谁？", "闻筝", ("修雨匠。", "没得商量。"), is_done=True)], faces, "zh")
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from roleplay.chat import plain
from roleplay.messages import Language
from roleplay.ui import render
from roleplay.ui.portraits import Faces, hue
from roleplay.ui.strings import say

Reasons = Sequence[tuple[str, float]]
"""What a candidate's score is made of (roleplay.ranking)."""


@dataclass(frozen=True)
class Answers:
    """What one character answers to one question; ``kept`` are places in ``texts``.

    ``why`` are the reasons for each place in the order, where there is one.
    """

    question: str
    character: str
    texts: tuple[str, ...] = ()
    why: tuple[Reasons, ...] = ()
    is_done: bool = False
    kept: frozenset[int] = frozenset()


def as_table(table: Sequence[Answers], faces: Faces, language: Language) -> str:
    """HTML: a heading a question, a row a character, a card a candidate, the best first."""
    if not table:
        return f'<div class="rp-blank">{escape(say("answers_empty", language))}</div>'
    done = str(all(row.is_done for row in table)).lower()
    parts = [
        f"<h2>{escape(question)}</h2>" + "".join(_row(row, at, faces, language) for at, row in rows)
        for question, rows in groupby(enumerate(table), lambda item: item[1].question)
    ]
    return f'<div class="rp-answers" data-done="{done}" aria-live="polite">{"".join(parts)}</div>'


def _row(row: Answers, at: int, faces: Faces, language: Language) -> str:
    cards = "".join(_card(row, at, place, language) for place in range(len(row.texts)))
    waits = '<div class="rp-card"><span class="rp-dots"><i></i><i></i><i></i></span></div>'
    name = escape(row.character)
    return (
        f'<div class="rp-answer" style="--hue:{hue(row.character)}"><div class="rp-who">'
        f'{faces.of(row.character)}{name}</div><div class="rp-cards">{cards or waits}</div></div>'
    )


def _card(row: Answers, at: int, place: int, language: Language) -> str:
    text = row.texts[place]
    caret = "" if row.is_done else '<span class="rp-caret"></span>'
    is_best = row.is_done and bool(row.why) and place == 0
    best = f'<b class="rp-best">{escape(say("best", language))}</b>' if is_best else ""
    tools = _tools(row, at, place, language) if row.is_done else ""
    why = _why(row.why[place], language) if row.is_done and row.why else ""
    told = render.body(row.character, text, language)
    kept = " rp-kept" if place in row.kept else ""
    return (
        f'<div class="rp-card{kept}"><div class="rp-number">{place + 1}{best}</div>'
        f'<div class="rp-text">{told}{caret}</div>{why}{tools}</div>'
    )


_WHY = {
    "fit": "why_fit",
    "fluent": "why_fluent",
    "voice": "why_voice",
    "recalled": "why_recalled",
    "faults": "why_faults",
}


def _why(reasons: Reasons, language: Language) -> str:
    """Folded: why a candidate stands where it does."""
    rows = "".join(
        f"<li>{escape(say(_WHY[name], language))} {value:+.1f}</li>"
        for name, value in reasons
        if value
    )
    told = escape(say("why", language))
    return f'<details class="rp-why"><summary>{told}</summary><ul>{rows}</ul></details>'


def _tools(row: Answers, at: int, place: int, language: Language) -> str:
    pressed = str(place in row.kept).lower()
    copy, keep = (escape(say(key, language)) for key in ("copy", "keep_answer"))
    text = escape(row.texts[place])
    return (
        f'<div class="rp-tools"><button class="rp-copy" data-do="copy" data-text="{text}">{copy}'
        f'</button><button data-do="keep" data-row="{at}" data-to="{place}" '
        f'aria-pressed="{pressed}">☆ {keep}</button></div>'
    )


def as_markdown(table: Sequence[Answers]) -> str:
    """A heading a question, a table with a row a candidate; a star before what is kept."""
    rows: list[str] = []
    for question, group in groupby(table, lambda row: row.question):
        rows += [f"## {plain(question)}", "", "| | | |", "|---|---|---|"]
        for row in group:
            for place, text in enumerate(row.texts):
                star = "★" if place in row.kept else ""
                told = plain(" ".join(text.split()))
                rows.append(f"| {plain(row.character)} | {place + 1}{star} | {told} |")
        rows.append("")
    return "\n".join(rows)


def as_csv(table: Sequence[Answers]) -> str:
    """A row a candidate, as spreadsheets read it."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["question", "character", "number", "answer", "kept"])
    for row in table:
        for place, text in enumerate(row.texts):
            cells = [row.question, row.character, str(place + 1), text]
            writer.writerow([*map(_cell, cells), int(place in row.kept)])
    return f"\ufeff{stream.getvalue()}"  # the mark by which Excel knows UTF-8


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
