"""HTML of candidates, background and scenes. Text from people and models is always escaped here."""

import hashlib
import json
from collections.abc import Sequence
from html import escape

from roleplay.background import Snippet
from roleplay.messages import Language
from roleplay.records import EXPRESSIONS, Line
from roleplay.script import Problem, parse_body
from roleplay.ui.strings import say

_FACES = dict(zip(EXPRESSIONS, "😌🧐🙂🤩😠😡😲😨😔😢😳😕🙄", strict=True))


def candidate_cards(
    character: str, candidates: Sequence[str], done: bool, language: Language
) -> str:
    """Cards side by side, one a candidate, each with a copy button once it is finished."""
    if not candidates:
        return f'<div class="rp-blank">{escape(say("answers_empty", language))}</div>'
    numbered = enumerate(candidates, 1)
    cards = "".join(_card(character, text, place, done, language) for place, text in numbered)
    return f'<div class="rp-cards" data-done="{str(done).lower()}">{cards}</div>'


def _card(character: str, text: str, number: int, done: bool, language: Language) -> str:
    script = json.dumps(text, ensure_ascii=False)
    copied = json.dumps(say("copied", language))
    action = escape(f"navigator.clipboard.writeText({script});this.textContent={copied}")
    button = f'<button class="rp-copy" onclick="{action}">{say("copy", language)}</button>'
    caret = "" if done else '<span class="rp-caret"></span>'
    return (
        f'<div class="rp-card"><div class="rp-number">{number}</div>'
        f'<div class="rp-text">{_body(character, text)}{caret}</div>{button if done else ""}</div>'
    )


def reply_text(character: str, text: str) -> str:
    """A reply where no HTML can stand: ``*action*``, （thought）, expression as a face."""
    lines = _lines(character, text)
    told = (f"{_marked(line)} {_FACES.get(line.expression or '', '')}" for line in lines)
    return " ".join(map(str.strip, told)) or text


def _body(character: str, text: str) -> str:
    """A reply as people read it: action in italics, thought in brackets, expression as a face."""
    return " ".join(_spoken(line) for line in _lines(character, text)) or escape(text) or "…"


def _lines(character: str, text: str) -> Sequence[Line]:
    """What a reply holds; nothing while it is being written, or where it is no script line."""
    try:
        return parse_body(text, character)
    except ValueError:
        return ()


def _marked(line: Line) -> str:
    return {"act": f"*{line.text}*", "think": f"（{line.text}）"}.get(line.kind, line.text)


def _spoken(line: Line) -> str:
    text = escape(_marked(line)).replace("\n", "<br>")
    told = f'<span class="rp-{line.kind}">{text}</span>'
    if not line.expression:
        return told
    face = _FACES[line.expression]
    return f'{told} <span class="rp-face" title="{line.expression}">{face}</span>'


def background_item(snippet: Snippet, *, scored: bool = True) -> str:
    """A snippet of background with its source and, where a search found it, its score (0 to 1)."""
    score = f"{snippet.score:.2f}"
    meter = f'<meter min="0" max="1" value="{score}"></meter><span>{score}</span>' if scored else ""
    return (
        f'<div class="rp-background"><div class="rp-source"><b>{escape(snippet.source)}</b>{meter}'
        f"</div>{escape(snippet.text)}</div>"
    )


def scene_view(lines: Sequence[Line], language: Language) -> str:
    """A scene as a log: narration across, a colour for each speaker; the newest line is in view."""
    rows = "".join(_scene_row(line) for line in reversed(lines))
    rows = rows or f'<div class="rp-blank">{escape(say("scene_empty", language))}</div>'
    return f'<div class="rp-scene">{rows}</div>'


def _scene_row(line: Line) -> str:
    if line.kind == "info":
        return f'<div class="rp-info">{escape(line.text)}</div>'
    name = line.char or ""
    return (
        f'<div class="rp-line" style="--hue:{_hue(name)}"><span class="rp-name">{escape(name)}'
        f'</span><span class="rp-said">{_spoken(line)}</span></div>'
    )


def _hue(name: str) -> int:
    """A colour angle, 0 to 359, the same for a name everywhere."""
    return hashlib.sha256(name.encode()).digest()[0] * 360 // 256


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
    """The model's state: loading, ready or failed, and what it says of itself."""
    name = escape(say(state, language))
    return f'<div class="rp-status rp-{state}"><i></i>{name}　<span>{escape(text)}</span></div>'
