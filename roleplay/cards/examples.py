"""Real lines of a character for its card, from what stages made of the novel.

    sources = Sources(script, conversations, interviews)
    greetings_of(sources, "闻筝")       # ["早就蹲房梁上了。……", ...], the best first
    example_blocks(sources, "闻筝")     # [[Line(陆迟 ...), Line(闻筝 ...)], ...]

They are chosen evenly from beginning to end, the same ones every time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from roleplay.cards.talk import said_in, turns_of
from roleplay.errors import FormError
from roleplay.records import UNKNOWN, Conversation, Interview, Line
from roleplay.script import parse_body

T = TypeVar("T")

USER = "{{user}}"
_SCENES, _TALKS, _GREETINGS = 5, 3, 4
_SHORTEST, _LONGEST = 6, 80
"""Letters of a line that shows how somebody speaks."""
_LONGEST_TALK = 240
_NO_TALK = ("greeting", "farewell")


@dataclass(frozen=True)
class Sources:
    """What a world has of its people's words."""

    script: Sequence[Line] = ()
    conversations: Sequence[Conversation] = ()
    interviews: Sequence[Interview] = ()


def greetings_of(sources: Sources, name: str) -> list[str]:
    """What a character says first to somebody, as a card shows it; at the most four.

    Where nobody is greeted, what it says first in the story, with what happens before.
    """
    talks = [row for row in sources.conversations if row.character == name]
    found = [_answer(row.turns[0][1], name) for row in talks if row.topic == "greeting"]
    texts = dict.fromkeys(said_in(lines) for lines in found if lines)
    return list(texts)[:_GREETINGS] or [*_first_words(sources.script, name)]


def example_blocks(sources: Sources, name: str) -> list[list[Line]]:
    """Exchanges with a character: of scenes, of conversations, else of interviews."""
    scenes = _spread([*_exchanges(sources.script, name)], _SCENES)
    talks = [row for row in sources.conversations if row.character == name]
    told = [_talk(row.turns, name) for row in talks if row.topic not in _NO_TALK]
    if not told:
        asked = (row for row in sources.interviews if row.character == name)
        told = [_talk(((row.question, row.answer),), name) for row in asked]
    return [*scenes, *_spread([lines for lines in told if _is_short(lines)], _TALKS)]


def opening_of(script: Sequence[Line], longest: int = 160) -> str:
    """How the story begins: its first narration, whole sentences."""
    text = ""
    for line in script:
        if line.kind != "info" or len(text) + len(line.text) > longest:
            break
        text += line.text
    return text


def _answer(body: str, name: str) -> list[Line]:
    try:
        return parse_body(body, name)
    except FormError:
        return []


def _first_words(script: Sequence[Line], name: str) -> Iterator[str]:
    for before, line in zip((None, *script), script, strict=False):
        if line.char == name and line.kind == "say" and len(line.text) >= _SHORTEST:
            happens = [before] if before and before.kind == "info" else []
            acts = [one.model_copy(update={"kind": "act", "char": name}) for one in happens]
            yield said_in([*acts, line])
            return


def _exchanges(script: Sequence[Line], name: str) -> Iterator[list[Line]]:
    """What somebody says to a character, and what it answers, in one piece of the novel."""
    turns = turns_of(line for line in script if line.kind != "think")
    for (asker, asked), (who, said) in pairwise(turns):
        known = asker not in (None, UNKNOWN, name) and who == name
        near = asked[-1].src_id == said[0].src_id
        spoken = [line for line in said if line.kind == "say"]
        if known and near and spoken and any(line.kind == "say" for line in asked):
            longest = max(len(line.text) for line in (*asked, *said))
            if longest <= _LONGEST and max(len(line.text) for line in spoken) >= _SHORTEST:
                yield [*asked, *said]


def _talk(turns: Sequence[tuple[str, str]], name: str) -> list[Line]:
    lines = []
    for asked, answered in turns:
        lines += [Line(kind="say", char=USER, text=asked), *_answer(answered, name)]
    return lines


def _is_short(lines: Sequence[Line]) -> bool:
    return bool(lines) and sum(len(line.text) for line in lines) <= _LONGEST_TALK


def _spread(items: Sequence[T], most: int) -> list[T]:
    """So many of the items, at even distances."""
    count = min(most, len(items))
    return [items[i * len(items) // count] for i in range(count)]
