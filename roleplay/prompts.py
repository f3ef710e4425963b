r"""The one builder of prompts, used in training and in chat, so that the two cannot drift.

A scene prompt, and what the model is to write after it (up to the line break)::

    【闻筝：滴答铺学徒修雨匠，急性子】     the character's profile, in mode profile only
    【晨醒雨晚了三分钟。】                background, best last
    【铜壶的盖子跳了三下】                the scene's newest lines
    陆迟：那、那个……可以进来吗？
    闻筝：                              the cue: always last, never cut

A question prompt has ``问：…`` as its newest line. A prompt is a list of segments; tokenizing them
one by one makes the ids of a line the same in training, where the answer follows, and in chat,
where it is still to come. What others think is hidden from a character: see :func:`visible_lines`.

**Budget from the end.** The cue, the newest line and the profile are always kept; older lines are
dropped from the oldest; the background has its own budget and loses its worst snippet first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from roleplay.background import Snippet
from roleplay.errors import PromptError
from roleplay.records import Line
from roleplay.script import format_body, format_cue, format_line

MIN_SCORE = 0.2
"""Snippets that fit worse stay out of prompts: what is unrelated teaches to overlook background."""
_NOBODY = ("你", "You")
"""What one is called who gives no name."""
_TURNS = 5
"""Exchanges of a conversation that are shown: as many as in training."""
ASKER = "问"
"""The speaker of a question in a prompt, as the first checkpoints were trained."""
Count = Callable[[str], int]
"""Tokens of a text, by the model's own tokenizer."""


@dataclass(frozen=True)
class Budget:
    """Tokens: of the whole prompt, and of the background in it."""

    prompt: int = 1024
    background: int = 320


@dataclass(frozen=True)
class Asker:
    """Who talks to a character: a name, which their lines bear, and a few words about them."""

    name: str = "你"
    about: str = ""

    @property
    def profile(self) -> str:
        """Who asks, as a character is told; empty where nothing is known."""
        return "，".join(filter(None, (self.name * (self.name not in _NOBODY), self.about)))


@dataclass(frozen=True)
class Prompt:
    """What the model reads; ``dropped`` counts the lines of the history that did not fit."""

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
    who = profile_segment(character, profile)
    return _build(rows, character, count, background, budget or Budget(), who)


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
        background, profile: as in :func:`scene_prompt`.

    Raises:
        PromptError: the question is empty, or does not fit the budget.
    """
    if not question.strip():
        raise PromptError("prompts.no-question")
    rows: list[tuple[str, ...]] = []
    for asked, answered in history:
        rows += [question_segments(asked), (format_cue(character), f"{one_line(answered)}\n")]
    rows.append(question_segments(question))
    who = profile_segment(character, profile)
    return _build(rows, character, count, background, budget or Budget(), who)


def talk_prompt(
    character: str,
    lines: Sequence[Line],
    asker: Asker,
    *,
    count: Count,
    background: Sequence[Snippet] = (),
    budget: Budget | None = None,
    profile: str = "",
) -> Prompt:
    """The prompt for what ``character`` answers in a conversation, in the form of questions.

    Args:
        lines: the conversation, oldest first; those of ``asker`` are the questions.
        background, profile: as in :func:`scene_prompt`.

    Raises:
        PromptError: the newest line, the profiles and the cue alone are over the budget.
    """
    seen = visible_lines(lines, character)
    asked = [place for place, line in enumerate(seen) if line.char == asker.name]
    newest = seen[asked[-_TURNS] :] if len(asked) > _TURNS else seen
    rows = [_talk_segments(line, asker) for line in newest]
    who = profile_segment(character, profile) + profile_segment(ASKER, asker.profile)
    made = _build(rows, character, count, background, budget or Budget(), who)
    return Prompt(made.segments, made.background, made.dropped + len(seen) - len(newest))


def open_prompt(lines: Sequence[Line], *, count: Count, budget: Budget | None = None) -> Prompt:
    """The scene alone, without a cue: what tells who is next. Thoughts are left out."""
    rows = [line_segments(line) for line in lines if line.kind != "think"]
    return _build(rows, "", count, (), budget or Budget(), "")


def scene_query(lines: Sequence[Line], character: str, *, newest: int = 6) -> str:
    """What background is searched with in a scene: the acting character and the newest lines."""
    seen = visible_lines(lines, character)[-newest:]
    return "\n".join([character, *(line.text for line in seen)])


def question_query(question: str, character: str) -> str:
    """What background is searched with for a question."""
    return f"{character} {question}"


def visible_lines(lines: Sequence[Line], character: str) -> list[Line]:
    """The lines without what others than ``character`` think."""
    return [line for line in lines if line.kind != "think" or line.char == character]


def line_segments(line: Line) -> tuple[str, ...]:
    """A script line as segments: its cue and its body, or the narration, with a line break."""
    if line.kind == "info":
        return (f"{format_line(line)}\n",)
    return (format_cue(line.char or ""), f"{format_body(line)}\n")


def question_segments(question: str) -> tuple[str, ...]:
    """A question as the newest line of a prompt."""
    return (f"{ASKER}：{one_line(question)}\n",)


def _talk_segments(line: Line, asker: Asker) -> tuple[str, ...]:
    if line.char != asker.name:
        return line_segments(line)
    if line.kind == "say":
        return question_segments(line.text)
    return (f"{ASKER}：{format_body(line)}\n",)


def profile_segment(name: str, profile: str) -> str:
    """A profile as a prompt shows it, or nothing where there is none."""
    text = one_line(profile)
    return f"【{name}：{text}】\n" if text else ""


def background_segment(snippet: Snippet) -> str:
    """A snippet as a prompt shows it."""
    return f"【{one_line(snippet.text)}】\n"


def one_line(text: str) -> str:
    """``text`` with every run of white space that holds a line break turned into one blank."""
    return " ".join(filter(None, map(str.strip, text.splitlines())))


def fit_background(snippets: Sequence[Snippet], count: Count, tokens: int) -> list[Snippet]:
    """The best snippets that fit ``tokens`` together; the lowest-scored go first."""
    kept: list[Snippet] = []
    for snippet in sorted(snippets, key=lambda item: -item.score):
        tokens -= count(background_segment(snippet))
        # The first that does not fit ends it: a worse one never takes the place of a better one.
        if tokens < 0:
            break
        kept.append(snippet)
    return kept


def _build(
    rows: Sequence[tuple[str, ...]],
    character: str,
    count: Count,
    background: Sequence[Snippet],
    budget: Budget,
    profile: str,
) -> Prompt:
    """``profile`` is the segment of who is there; no ``character``: no cue."""

    def tokens(segments: Sequence[str]) -> int:
        return sum(map(count, segments))

    cue = format_cue(character) if character else ""
    who = [profile] if profile else []
    left = budget.prompt - tokens([*who, *(rows[-1] if rows else ()), cue])
    if left < 0:
        key = "prompts.long-profile" if who else "prompts.long-line"
        raise PromptError(key, tokens=budget.prompt - left, most=budget.prompt)
    chosen = fit_background(background, count, min(budget.background, left))
    # The best stands last, nearest to the scene.
    shown = [background_segment(snippet) for snippet in reversed(chosen)]
    left -= tokens(shown)
    first = max(len(rows) - 1, 0)
    # Older lines only in one piece: none slips in behind one that does not fit.
    while first and (left := left - tokens(rows[first - 1])) >= 0:
        first -= 1
    told = [part for row in rows[first:] for part in row]
    return Prompt((*who, *shown, *told, *filter(None, (cue,))), tuple(chosen), first)
