"""How the people of a world introduce themselves: a line, a greeting, questions of their own.

    for person in introduce_cast(world):
        person.name, person.profile, person.greeting, person.questions

A greeting and questions are those that the world's own conversations, questions and interviews
have for somebody; who has none is asked what anybody may be asked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from roleplay.records import UNKNOWN
from roleplay.world import World

QUESTIONS = {
    "zh": ("你是谁？", "你最爱吃什么？", "你好笨啊", "我喜欢你"),
    "en": ("Who are you?", "What do you like best to eat?", "You are a fool", "I like you"),
}
"""The seed's own, which fit anybody."""
_SHOWN, _LONGEST = 3, 24


@dataclass(frozen=True)
class Person:
    """Somebody to talk to.

    Attributes:
        aliases: what others call them.
        greeting: a line of script, without its cue; empty where the world has none.
        questions: three that one may begin with.
    """

    name: str
    aliases: tuple[str, ...] = ()
    gender: str | None = None
    profile: str = ""
    greeting: str = ""
    questions: tuple[str, ...] = ()


def introduce_cast(world: World) -> tuple[Person, ...]:
    """The world's people, in its order. Raises WorldError: a file of it cannot be read."""
    talks = world.read_conversations()
    greetings: dict[str, str] = {}
    for row in talks:
        if row.topic == "greeting" and not row.facts and not row.others:
            greetings.setdefault(row.character, row.turns[0][1])
    asked = _asked(world)
    general = QUESTIONS.get(world.info.language, QUESTIONS["zh"])
    people = []
    for one in world.info.characters:
        own = _chosen(asked.get(one.name, ()))
        questions = (*own, *(text for text in general if text not in own))[:_SHOWN]
        greeting = greetings.get(one.name, "")
        people.append(Person(one.name, one.aliases, one.gender, one.profile, greeting, questions))
    return tuple(people)


def questions_of(language: str) -> tuple[str, ...]:
    """What anybody may be asked."""
    return QUESTIONS.get(language, QUESTIONS["zh"])


def _asked(world: World) -> dict[str, list[str]]:
    """By name, the questions that the world's files have, those for measuring last."""
    found: dict[str, list[str]] = {}
    for name, text in _pairs(world):
        if name != UNKNOWN:
            found.setdefault(name, []).append(text)
    return found


def _pairs(world: World) -> Iterator[tuple[str, str]]:
    for talk in world.read_conversations():
        if talk.topic not in ("greeting", "farewell"):
            yield talk.character, talk.turns[0][0]
    for row in world.read_interviews():
        yield row.character, row.question
    for asked in world.read_questions() if world.is_there("questions.jsonl") else ():
        yield asked.character, asked.question


def _chosen(texts: Iterable[str]) -> tuple[str, ...]:
    """Three short ones from the beginning, the middle and the end, so that they differ."""
    known = dict.fromkeys(text for text in texts if len(text) <= _LONGEST)
    short = [text for text in known if text.endswith(("？", "?"))]
    step = max(len(short) // _SHOWN, 1)
    return tuple(short[::step][:_SHOWN])
