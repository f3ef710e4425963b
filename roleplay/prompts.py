r"""The one builder of prompts, used in training and in chat, so that the two cannot drift.

A scene prompt, and what the model is to write after it (up to the line break)::

    【闻筝：滴答铺学徒修雨匠，急性子】     the character's profile, in mode profile only
    【晨醒雨晚了三分钟。】                background, best last
    【铜壶的盖子跳了三下】                the scene's newest lines
    陆迟：那、那个……可以进来吗？
    闻筝：                              the cue: always last, never cut

A question prompt has ``问：…`` as its newest line. A prompt is a list of segments; tokenizing them one by one makes the
ids of a line the same in training, where the answer follows, and in chat, where it is still to come.

What others think is hidden from a character: such lines do not stand in its prompt (:func:`visible_lines`).

**Budget from the end.** The cue, the newest line and the profile are always kept; older lines are dropped from the
oldest; the background has a budget of its own and loses its lowest-scored snippet first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from roleplay.errors import PromptError
from roleplay.records import Line
from roleplay.script import format_body, format_cue, format_line

MIN_SCORE = 0.2
"""Snippets that fit worse are left out of prompts, in training and in chat: what is unrelated teaches to overlook it."""

ASKER = "问"
"""The speaker of a question in a prompt, as the seed's checkpoints were trained."""

Count = Callable[[str], int]
"""Tokens of a text, by the model's own tokenizer."""


class Snippet(Protocol):
    """A piece of background as a :class:`Lookup` gives it."""

    @property
    def text(self) -> str:
        """One or more sentences that can be read alone."""

    @property
    def score(self) -> float:
        """How well it fits the query, 0 to 1."""

    @property
    def source(self) -> str:
        """Where it stands: a page, a chapter."""


class Lookup(Protocol):
    """What finds background. The only thing this package knows of a knowledge base."""

    def __call__(
        self, query: str, k: int, *, character: str | None = None, chapter: int | None = None
    ) -> Sequence[Snippet]:
        """At most ``k`` snippets, best first.

        Args:
            character: only what this character may know.
            chapter: only what is known when this chapter ends.
        """


@dataclass(frozen=True)
class Budget:
    """Tokens: of the whole prompt, and of the background in it."""

    prompt: int = 1024
    background: int = 320


@dataclass(frozen=True)
class Prompt:
    """What the model reads. ``text`` joined from ``segments``; ``dropped`` counts history lines that did not fit."""

    segments: tuple[str, ...]
    background: tuple[Snippet, ...] = ()
    dropped: int = 0

    @property
    def text(self) -> str:
        """The whole prompt."""
        return "".join(self.segments)


def scene_prompt(
    character: str,
    lines: Sequence[Line],
    *,
    count: Count,
    background: Sequence[Snippet] = (),
    budget: Budget | None = None,
    profile: str = "",
) -> Prompt:
    """The prompt for the next line of ``character`` in a scene.

    Args:
        lines: the scene, oldest first; what others think in it is left out.
        background: best first.
        profile: who the character is; stands first, and whole.

    Raises:
        PromptError: the newest line, the profile and the cue alone are over the budget.
    """
    rows = [line_segments(line) for line in visible_lines(lines, character)]
    return _build(rows, character, count, background, budget or Budget(), profile)


def question_prompt(
    character: str,
    question: str,
    *,
    count: Count,
    history: Sequence[tuple[str, str]] = (),
    background: Sequence[Snippet] = (),
    budget: Budget | None = None,
    profile: str = "",
) -> Prompt:
    """The prompt for the answer of ``character`` to a question.

    Args:
        history: earlier (question, answer body) pairs, oldest first.
        profile: as in :func:`scene_prompt`.

    Raises:
        PromptError: the question is empty, or does not fit the budget.
    """
    if not question.strip():
        raise PromptError("the question is empty: write what the character is to answer")
    rows = [question_segments(question)]
    for asked, answered in reversed(history):
        rows[:0] = [question_segments(asked), (format_cue(character), f"{one_line(answered)}\n")]
    return _build(rows, character, count, background, budget or Budget(), profile)


def scene_query(lines: Sequence[Line], character: str, *, newest: int = 6) -> str:
    """What background is searched with in a scene: the acting character and the newest lines."""
    return "\n".join([character, *(line.text for line in visible_lines(lines, character)[-newest:])])


def question_query(question: str, character: str) -> str:
    """What background is searched with for a question."""
    return f"{character} {question}"


def visible_lines(lines: Sequence[Line], character: str) -> list[Line]:
    """The lines without what others than ``character`` think."""
    return [line for line in lines if line.kind != "think" or line.char == character]


def line_segments(line: Line) -> tuple[str, ...]:
    """A script line as segments: its cue and its body, or the narration; the last one ends in a line break."""
    if line.kind == "info":
        return (f"{format_line(line)}\n",)
    return (format_cue(line.char or ""), f"{format_body(line)}\n")


def question_segments(question: str) -> tuple[str, ...]:
    """A question as the newest line of a prompt."""
    return (f"{ASKER}：{one_line(question)}\n",)


def profile_segment(name: str, profile: str) -> str:
    """A profile as a prompt shows it, or nothing where there is none."""
    text = one_line(profile)
    return f"【{name}：{text}】\n" if text else ""


def background_segment(snippet: Snippet) -> str:
    """A snippet as a prompt shows it."""
    return f"【{one_line(snippet.text)}】\n"


def one_line(text: str) -> str:
    """``text`` with every run of white space that holds a line break turned into one blank."""
    return " ".join(part.strip() for part in text.splitlines() if part.strip())


def fit_background(snippets: Sequence[Snippet], count: Count, tokens: int) -> list[Snippet]:
    """The best snippets that fit ``tokens`` together; the lowest-scored go first."""
    kept: list[Snippet] = []
    for snippet in sorted(snippets, key=lambda item: -item.score):
        tokens -= count(background_segment(snippet))
        if tokens < 0:
            break
        kept.append(snippet)
    return kept


def _build(
    rows: list[tuple[str, ...]],
    character: str,
    count: Count,
    background: Sequence[Snippet],
    budget: Budget,
    profile: str,
) -> Prompt:
    cue = format_cue(character)
    who = [text] if (text := profile_segment(character, profile)) else []
    needed = _row_tokens(rows[-1], count) if rows else 0
    left = budget.prompt - count(cue) - needed - sum(map(count, who))
    if left < 0:
        parts = "the newest line, the profile" if who else "the newest line"
        raise PromptError(
            f"{parts} and the cue take {budget.prompt - left} tokens, the prompt may have {budget.prompt}: "
            "shorten the line"
        )
    chosen = fit_background(background, count, min(budget.background, left))
    left -= sum(count(background_segment(snippet)) for snippet in chosen)
    first = _first_that_fits(rows, count, left)
    shown = [background_segment(snippet) for snippet in reversed(chosen)]
    return Prompt((*who, *shown, *(part for row in rows[first:] for part in row), cue), tuple(chosen), first)


def _first_that_fits(rows: list[tuple[str, ...]], count: Count, left: int) -> int:
    """The index of the oldest row kept when the newest is paid for already."""
    first = max(len(rows) - 1, 0)
    while first > 0:
        left -= _row_tokens(rows[first - 1], count)
        if left < 0:
            break
        first -= 1
    return first


def _row_tokens(row: tuple[str, ...], count: Count) -> int:
    return sum(count(part) for part in row)
