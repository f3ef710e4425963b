"""Characters that a model was not trained on, and knows from their description: those of cards.

known = described(world, adapter, backend.count)
known.profiles["闻筝"]      # description and scenario, as much as a prompt has room for
known.openings["闻筝"]      # [("你好", greeting), (question, answer), ...]
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from roleplay.adapters.checkpoint import AdapterInfo
from roleplay.cards.talk import lines_of, turns_of
from roleplay.prompts import one_line
from roleplay.records import Line
from roleplay.script import format_body, parse_script
from roleplay.stages.cards import card_path
from roleplay.world import Character, World

_PROFILE, _SCENARIO, _GREETING, _ANSWER = 320, 96, 128, 64
"""Tokens of each at the most."""
_MOST_PAIRS = 6
_HELLO = {"zh": "你好", "en": "Hello"}
_SENTENCE = re.compile(r".*?(?:[。！？!?…\n]+[”’」』）)*]*|\.(?=\s)|$)", re.S)

Count = Callable[[str], int]


@dataclass(frozen=True)
class Described:
    """What prompts say of characters, by name; nothing of those whom the model knows."""

    profiles: dict[str, str] = field(default_factory=dict)
    openings: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


def described(world: World, adapter: AdapterInfo | None, count: Count) -> Described:
    """What a model has to be told of a world's people.

    That is what a card says, or somebody wrote in its place; an adapter that was trained on the
    world knows its people.
    """
    known = Described()
    if adapter is not None and adapter.world == world.name:
        return known
    hello = _HELLO.get(world.info.language, _HELLO["zh"])
    for person in world.info.characters:
        written = person.greeting or person.scenario or person.examples
        if not written and card_path(world.path, person.name) is None:
            continue
        profile = fitted(person.profile, count, _PROFILE)
        scenario = fitted(person.scenario, count, _SCENARIO)
        if told := " ".join(filter(None, (profile, scenario))):
            known.profiles[person.name] = told
        if pairs := [*_pairs(person, hello, count)]:
            known.openings[person.name] = pairs
    return known


def fitted(text: str, count: Count, tokens: int) -> str:
    """The first sentences of a text, as far as they fit; of a first one too long, its beginning."""
    text = one_line(text)
    kept = ""
    for sentence in _SENTENCE.findall(text):
        if count(kept + sentence) > tokens:
            break
        kept += sentence
    if kept or not text:
        return kept.strip()
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(text[:middle]) <= tokens else (low, middle - 1)
    return text[:low].strip()


def _pairs(person: Character, hello: str, count: Count) -> Iterator[tuple[str, str]]:
    """Examples, then the greeting: what stands last is nearest to what is said."""
    found: list[tuple[str, str]] = []
    for block in person.examples:
        turns = turns_of(parse_script(block).lines)
        for (_, asked), (who, answered) in pairwise(turns):
            question = " ".join(line.text for line in asked if line.kind in ("say", "info"))
            answer = body_of(answered, count, _ANSWER)
            if who == person.name and question and answer:
                found.append((fitted(question, count, _ANSWER), answer))
    yield from (pair for pair in found[:_MOST_PAIRS] if all(pair))
    if greeting := body_of(lines_of(person.greeting, person.name), count, _GREETING):
        yield hello, greeting


def body_of(lines: Iterable[Line], count: Count, tokens: int) -> str:
    """What is said, then what is done, in one body; thoughts are left out. Empty for nothing."""
    lines = list(lines)
    parts = []
    for kind in ("say", "act"):
        text = fitted(" ".join(line.text for line in lines if line.kind == kind), count, tokens)
        if text:
            parts.append(format_body(Line(kind=kind, char="?", text=text)))
            tokens //= 2
    return " ".join(parts)
