"""Rows that teach to read: an answer off the background, and who one is off the cue.

    groups = reading_groups(voices, materials, most_tokens=700)     # [Group(asked=(...), background=(...), profile="")]

People and places are invented and their facts drawn at random from ``texts/reading.jsonl``, so that nothing in them can
be learnt by heart: the only way to answer is to find the sentence. Half of the passages are played by an invented person,
who is asked about itself ("your cat") and for its name; in the others a trained character tells, in its own habits of
speech, what it read of strangers. In half of them the background tells of two people with the same attributes, so that
the name decides, as where two pages of a cast are found for one question.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from roleplay.dataset.interviews import Asked, Evidence, Group, answer_tokens
from roleplay.dataset.protection import Item, items, names
from roleplay.dataset.settings import Materials
from roleplay.dataset.voice import Voice

_QUESTIONS = (2, 4)
_FACTS = (4, 8)
_NAME_SHARE = 0.4
"""How often an invented person is asked for its name as well."""

_PRONOUN_SHARE = 0.4
"""How often a snippet names its subject only once."""

_RIVAL_SHARE = 0.5
"""How often the other snippet is of a second person with the same attributes, as wiki pages of a cast are."""

_BOUND = ("{name}的", "{name}里")
"""How statements begin that do not stand without their subject."""

_OF_ONESELF = "我你"

Fact = tuple[str, str, Item]
"""Whom or what it is about, the value, and its template."""


def reading_groups(voices: Mapping[str, Voice], materials: Materials, *, most_tokens: float) -> list[Group]:
    """Groups of questions with their background, up to ``most_tokens`` of answers but one at least.

    Args:
        voices: of every trained character.
    """
    chance = random.Random(f"reading {materials.settings.seed}")
    groups: list[Group] = []
    while True:
        own = len(groups) % 2 == 0
        name = "" if own else materials.characters[len(groups) // 2 % len(materials.characters)]
        group = _group(name, voices.get(name, Voice()), materials, chance)
        most_tokens -= sum(answer_tokens(row, materials) for row in group.asked)
        if most_tokens < 0 and groups:
            return groups
        groups.append(group)


def _group(teller: str, voice: Voice, materials: Materials, chance: random.Random) -> Group:
    """Two snippets and questions about them; ``teller`` empty: the invented person of the first snippet answers."""
    person = _name("person", materials, chance)
    first = _facts("person", person, chance)
    if chance.random() < _RIVAL_SHARE:
        other = _name("person", materials, chance, but=person)
        second = _other_facts(first, other, chance)
    else:
        other = _name("thing", materials, chance)
        second = _facts("thing", other, chance)
    facts = {person: first, other: second}
    cue = teller or person
    snippets = [Evidence(_snippet(name, found, chance), source=name) for name, found in facts.items()]
    chance.shuffle(snippets)
    drawn = chance.sample([fact for found in facts.values() for fact in found], chance.randint(*_QUESTIONS))
    asked = [_asked(fact, cue, voice, chance) for fact in drawn]
    if not teller and chance.random() < _NAME_SHARE:
        asked[chance.randrange(len(asked))] = _names_itself(cue, chance)
    return Group(tuple(asked), tuple(snippets), "")


def _name(kind: str, materials: Materials, chance: random.Random, but: str = "") -> str:
    """An invented name that is nobody's in the cast, nor ``but``."""
    return chance.choice([name for name in names("reading_names", kind) if name not in (*materials.characters, but)])


def _facts(kind: str, name: str, chance: random.Random) -> list[Fact]:
    templates = [row for row in items("reading") if row["about"] == kind]
    return [
        (name, chance.choice(row["values"]), _with_pet(row, chance))
        for row in chance.sample(templates, chance.randint(*_FACTS))
    ]


def _other_facts(facts: Sequence[Fact], name: str, chance: random.Random) -> list[Fact]:
    """The same attributes with other values, in another order: only the name tells whose they are."""
    return [
        (name, chance.choice([other for other in template["values"] if other != value]), template)
        for _, value, template in chance.sample(facts, len(facts))
    ]


def _with_pet(template: Item, chance: random.Random) -> Item:
    """A template with the kind of animal filled in, where it has one."""
    pet = chance.choice(names("reading_names", "pet"))
    filled: dict[str, Any] = {"statement": template["statement"].replace("{pet}", pet)}
    filled |= {key: [text.replace("{pet}", pet) for text in template[key]] for key in ("to_self", "to_other")}
    return {**template, **filled}


def _snippet(name: str, facts: Sequence[Fact], chance: random.Random) -> str:
    """The statements; in some snippets the subject stands in the first alone, as it does in prose."""
    texts = [template["statement"].replace("{value}", value) for _, value, template in facts]
    first, *others = texts
    if chance.random() < _PRONOUN_SHARE:
        others = [text if text.startswith(_BOUND) else text.removeprefix("{name}") for text in others]
    return "".join([first, *others]).replace("{name}", name)


def _asked(fact: Fact, cue: str, voice: Voice, chance: random.Random) -> Asked:
    name, value, template = fact
    about_self = name == cue
    answers = [text for text in template["answers"] if about_self or not set(text) & set(_OF_ONESELF)]
    question = chance.choice(template["to_self" if about_self else "to_other"]).replace("{name}", name)
    answer = voice.dress(chance.choice(answers).replace("{value}", value), chance)
    return Asked(cue, question, answer, "reading", template["statement"].replace("{value}", value))


def _names_itself(name: str, chance: random.Random) -> Asked:
    questions = [row["question"] for row in items("identity") if row["kind"] == "who"]
    answers = [
        row["answer"] for row in items("identity_answers") if row["kind"] == "who" and "{role}" not in row["answer"]
    ]
    return Asked(name, chance.choice(questions), chance.choice(answers).replace("{name}", name), "reading")
