"""HTML of lines, answers and background. Text from people and models is always escaped here."""

from collections.abc import Sequence
from html import escape

from roleplay.background import Snippet
from roleplay.messages import Language
from roleplay.records import Line
from roleplay.script import Problem, parse_body
from roleplay.ui.portraits import FACES
from roleplay.ui.strings import say, say_face


def body(character: str, text: str, language: Language) -> str:
    """A reply as people read it: action in italics, thought in brackets, expression as a face."""
    lines = _lines(character, text)
    return " ".join(spoken(line, language) for line in lines) or escape(text) or "…"


def expression_of(character: str, text: str) -> str | None:
    """The expression that a reply ends with, if it has one."""
    shown = [line.expression for line in _lines(character, text) if line.expression]
    return shown[-1] if shown else None


def _lines(character: str, text: str) -> Sequence[Line]:
    """What a reply holds; nothing while it is being written, or where it is no script line."""
    try:
        return parse_body(text, character)
    except ValueError:
        return ()


def _marked(line: Line) -> str:
    return {"act": f"*{line.text}*", "think": f"（{line.text}）"}.get(line.kind, line.text)


def spoken(line: Line, language: Language) -> str:
    """A line without its speaker."""
    text = escape(_marked(line)).replace("\n", "<br>")
    told = f'<span class="rp-{line.kind}">{text}</span>'
    if not line.expression:
        return told
    face = FACES[line.expression]
    name = say_face(line.expression, language)
    return (
        f'{told} <span class="rp-face" title="{name}" role="img" aria-label="{name}">{face}</span>'
    )


def background_item(snippet: Snippet, *, scored: bool = True) -> str:
    """A snippet of background with its source and, where a search found it, its score (0 to 1)."""
    score = f"{snippet.score:.2f}"
    meter = f'<meter min="0" max="1" value="{score}"></meter><span>{score}</span>' if scored else ""
    return (
        f'<div class="rp-background"><div class="rp-source"><b>{escape(snippet.source)}</b>{meter}'
        f"</div>{escape(snippet.text)}</div>"
    )


def problem_list(problems: Sequence[Problem], language: Language) -> str:
    """The lines that could not be read, with their numbers."""
    if not problems:
        return ""
    rows = "".join(
        f"<li><b>{escape(say('line', language, number=item.number))}</b> "
        f"<code>{escape(item.text)}</code> — {escape(item.reason.text(language))}</li>"
        for item in problems
    )
    return f'<div class="rp-problems">{escape(say("unread", language))}<ul>{rows}</ul></div>'


def status_line(state: str, text: str, language: Language) -> str:
    """The model's state: loading, ready or failed, and what there is to know about it."""
    name, told = escape(say(state, language)), f"<span>{escape(text)}</span>"
    return f'<div class="rp-status rp-{state}" role="status"><i></i>{name}　{told}</div>'
