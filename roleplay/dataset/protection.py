"""Rows that hold what training on a novel loses: who one is, what one cannot know, and ordinary language.

    rows = identity_rows(people, interviews, voices, materials, most_tokens=700)     # [Asked(task="identity"), ...]
    rows += unknown_rows(voices, materials, most_tokens=700)
    passages = general_passages(general_rows(most_tokens=1400, materials=materials))

For evaluation, none of it trained: :func:`identity_probes`, :func:`unknown_probes`, :func:`remarks`, :func:`general_test`.

Answers come from templates that name the trained character (and, where its profile has one, what it is), dressed in its
own habits of speech; where it names itself in an interview, that answer is taken now and then.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.dataset.interviews import Asked, answer_tokens
from roleplay.dataset.settings import Materials
from roleplay.dataset.voice import Voice
from roleplay.records import Example, Interview, Passage, Segment
from roleplay.world import Character

Item = Mapping[str, Any]

_FOLDER = Path(__file__).parent / "texts"
_ASKS_NAME = re.compile(r"你是谁|您是谁|你是哪位|叫什么|你的名字|尊姓|贵姓|怎么称呼|自我介绍|介绍一下你自己")
_OWN_SHARE = 0.4
"""How often a character's own answer from an interview is taken: a few answers to many questions are learnt by heart."""

_LEADS = (
    "请问，",
    "喂，",
    "对了，",
    "老实说，",
    "等一下，",
    "嗯……",
    "你好，",
    "那个，",
    "冒昧问一句，",
    "我再问一遍：",
    "一句话：",
    "说真的，",
)
_LEAD_SHARE = 0.25
"""How often a question has something before it, as people's have."""

_STRANGER_SHARE = 0.5
"""How often "are you somebody else" names somebody whom the novel does not know."""

_REPEATS = 3
"""How often a general text may be repeated to reach its share."""


@cache
def items(name: str) -> tuple[Item, ...]:
    """The rows of a file of ``roleplay/dataset/texts``, by its name without ``.jsonl``."""
    return tuple(files.read_jsonl(_FOLDER / f"{name}.jsonl"))


def names(file: str, kind: str) -> list[str]:
    """The names of one kind in a file of names, as :func:`items` finds it."""
    return [row["name"] for row in items(file) if row["kind"] == kind]


def identity_probes() -> list[str]:
    """Ways to ask who somebody is that are never trained."""
    return [row["question"] for row in items("identity_test")]


def unknown_probes() -> list[str]:
    """Questions about things outside any novel's world that are never trained."""
    return [row["question"] for row in items("unknown_test")]


def remarks() -> list[str]:
    """What people say without asking anything, never trained."""
    return [row["text"] for row in items("remarks_test")]


def general_test() -> list[Passage]:
    """Ordinary dialogue that is never trained; the loss on it measures forgetting."""
    return [general_passage(row) for row in items("general_test")]


def identity_rows(
    people: Sequence[Character],
    interviews: Sequence[Interview],
    voices: Mapping[str, Voice],
    materials: Materials,
    *,
    most_tokens: float,
) -> list[Asked]:
    """'Who are you' for every trained character, in turns, up to ``most_tokens`` of answers but once for each at least."""
    cast = {person.name: person for person in people}
    makers = {
        name: _identity_maker(cast.get(name, Character(name=name)), people, _own(name, cast, interviews), voices[name])
        for name in materials.characters
    }
    return fill(items("identity"), makers, materials, most_tokens)


def unknown_rows(voices: Mapping[str, Voice], materials: Materials, *, most_tokens: float) -> list[Asked]:
    """'I do not know that' for every trained character, as :func:`identity_rows`."""
    answers = [row["answer"] for row in items("unknown_answers")]

    def maker(name: str) -> Maker:
        def make(item: Item, chance: random.Random) -> Asked:
            return Asked(name, item["question"], voices[name].dress(chance.choice(answers), chance), "unknown")

        return make

    return fill(items("unknown"), {name: maker(name) for name in materials.characters}, materials, most_tokens)


Maker = Callable[[Item, random.Random], Asked | None]
"""An item -> the row of one character, or None where it does not suit."""


def fill(found: Sequence[Item], makers: Mapping[str, Maker], materials: Materials, most: float) -> list[Asked]:
    """One row of each character in turns; each character meets the items in an order of its own."""
    chance = random.Random(f"protection {materials.settings.seed}")
    orders = {name: chance.sample(found, len(found)) for name in makers}
    rows: list[Asked] = []
    for number, name in product(range(len(found)), makers):
        row = makers[name](orders[name][number], chance)
        if row is None:
            continue
        most -= answer_tokens(row, materials)
        if most < 0 and {other.character for other in rows} >= set(makers):
            break
        rows.append(row)
    return rows


def _identity_maker(person: Character, people: Sequence[Character], own: Sequence[str], voice: Voice) -> Maker:
    others = [other.name for other in people if other.name != person.name]
    strangers = [name for name in names("reading_names", "person") if name not in (person.name, *others)]
    answers = _answers(person, people)

    def make(item: Item, chance: random.Random) -> Asked | None:
        kind, question = item["kind"], item["question"]
        # A robot is not taught to deny that it is one.
        if item.get("unless", " ") in person.profile:
            return None
        other = chance.choice(strangers if chance.random() < _STRANGER_SHARE or not others else others)
        lead = chance.choice(_LEADS) if chance.random() < _LEAD_SHARE else ""
        slots = {
            "{other}": other,
            "{name}": person.name,
            "{brand}": chance.choice(names("identity_brands", "brand")),
            "{maker}": chance.choice(names("identity_brands", "maker")),
        }
        asked = lead + re.sub(r"\{\w+\}", lambda found: slots[found[0]], question)
        taken = own if kind == "who" and chance.random() < _OWN_SHARE else ()
        answer = chance.choice(taken) if taken else voice.dress(chance.choice(answers[kind]), chance)
        return Asked(person.name, asked, answer, "identity")

    return make


def _answers(person: Character, people: Sequence[Character]) -> dict[str, list[str]]:
    """The templates filled in, by kind; those with a role only where the profile gives one."""
    role = role_of(person, people)
    found: dict[str, list[str]] = {}
    for row in items("identity_answers"):
        if role or "{role}" not in row["answer"]:
            text = row["answer"].replace("{name}", person.name).replace("{role}", role)
            found.setdefault(row["kind"], []).append(text)
    return found


def role_of(person: Character, people: Sequence[Character]) -> str:
    """What a character is: its profile's first clause, unless that is long or names somebody."""
    clause = re.split(r"[，。；：、,.;:]", person.profile.strip())[0]
    cast = [name for other in people for name in (other.name, *other.aliases)]
    return clause if 2 <= len(clause) <= 16 and not any(name in clause for name in cast) else ""


def _own(name: str, cast: Mapping[str, Character], interviews: Sequence[Interview]) -> list[str]:
    """What the character answers in interviews to who it is, where it gives its own name and nobody else's."""
    others = [other.name for other in cast.values() if other.name != name]
    return [
        row.answer
        for row in interviews
        if row.character == name
        and _ASKS_NAME.search(row.question)
        and name in row.answer
        and not any(other in row.answer for other in others)
    ]


def general_rows(*, most_tokens: float, materials: Materials) -> list[Item]:
    """General items in the seed's order up to ``most_tokens`` of answers, each at most three times but one at least."""
    chance = random.Random(f"general {materials.settings.seed}")
    found = items("general")
    kept: list[Item] = []
    for _ in range(_REPEATS):
        for row in chance.sample(found, len(found)):
            most_tokens -= materials.count(f"{row['answer']}\n")
            if most_tokens < 0 and kept:
                return kept
            kept.append(row)
    return kept


def general_passage(item: Item) -> Passage:
    """``用户：…`` and the answer of ``助手：``, which is learnt."""
    asked, cue, answer = _general_texts(item)
    return Passage(
        task="general", segments=(Segment(text=asked), Segment(text=cue), Segment(text=f"{answer}\n", weight=1.0))
    )


def general_examples(found: Sequence[Item]) -> Iterator[Example]:
    """General items as prompt/response rows."""
    for asked, cue, answer in map(_general_texts, found):
        yield Example(prompt=asked + cue, response=answer, character="", task="general")


def _general_texts(item: Item) -> tuple[str, str, str]:
    return f"用户：{item['question']}\n", "助手：", item["answer"]
