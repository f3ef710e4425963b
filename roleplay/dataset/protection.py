"""Rows that hold what training on a novel loses: who one is, what one cannot know, plain language.

    rows = identity_rows(people, interviews, voices, context, most_tokens=700)
    rows[0]      # Asked("闻筝", "请问，你是谁？", "我是闻筝。没得商量。", "identity")
    passages = map(general_passage, general_rows(context, most_tokens=1400))

For evaluation, none of it trained: :func:`identity_probes`, :func:`unknown_probes`,
:func:`small_talk`, :func:`general_test`.

Answers come from templates that name the trained character (and what its profile says it is),
dressed in its own habits of speech; where it names itself in an interview, that answer is taken now
and then.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product

from roleplay.dataset.interviews import Asked, take, take_of_each
from roleplay.dataset.settings import BuildContext
from roleplay.dataset.texts import Item, items, names, words
from roleplay.dataset.voice import Voice, Voices
from roleplay.records import Example, Interview, Passage, Segment, Task
from roleplay.world import Character

Maker = Callable[[Item, random.Random], Asked | None]
"""An item -> the row of one character, or None where it does not suit."""

_ASKS_NAME = re.compile(
    r"你是谁|您是谁|你是哪位|叫什么|你的名字|尊姓|贵姓|怎么称呼|自我介绍|介绍一下你自己"
)
_OWN_SHARE = 0.4  # How often its own answer is taken: a few to many questions are learnt by heart.
_LEAD_SHARE = 0.25  # How often a question has something before it, as people's have.
_STRANGER_SHARE = 0.5  # How often "are you somebody else" names somebody whom the novel has not.
_REPEATS = 3  # How often a general text may be repeated to reach its share.


def identity_probes() -> list[str]:
    """Ways to ask who somebody is that are never trained."""
    return [row["question"] for row in items("identity_test")]


def unknown_probes() -> list[str]:
    """Questions about things outside any novel's world that are never trained."""
    return [row["question"] for row in items("unknown_test")]


def small_talk() -> list[str]:
    """What people say without asking anything, never trained."""
    return [row["text"] for row in items("small_talk_test")]


def general_test() -> list[Passage]:
    """Ordinary dialogue that is never trained; the loss on it measures forgetting."""
    return [general_passage(row) for row in items("general_test")]


def identity_rows(
    people: Sequence[Character],
    interviews: Sequence[Interview],
    voices: Voices,
    context: BuildContext,
    *,
    most_tokens: float,
) -> list[Asked]:
    """'Who are you', in turns, up to ``most_tokens`` of answers but one a character at least."""
    cast = {person.name: person for person in people}
    makers = {}
    for name in context.characters:
        person = cast.get(name) or Character(name=name)
        makers[name] = _identity_maker(person, people, interviews, voices[name])
    return _fill(items("identity"), makers, context, most_tokens)


def unknown_rows(voices: Voices, context: BuildContext, *, most_tokens: float) -> list[Asked]:
    """'I do not know that', as :func:`identity_rows`."""
    told = [row["answer"] for row in items("unknown_answers")]
    return plain_rows("unknown", told, voices, context, most_tokens)


def plain_rows(
    task: Task, told: Sequence[str], voices: Voices, context: BuildContext, most: float
) -> list[Asked]:
    """Rows of the items of a task, each answered with one of ``told`` or of its own replies."""

    def make(name: str, item: Item, chance: random.Random) -> Asked:
        answer = voices[name].dress(chance.choice(told or item["replies"]), chance)
        return Asked(name, item.get("question") or item["text"], answer, task)

    makers = {name: partial(make, name) for name in context.characters}
    return _fill(items(task), makers, context, most)


def _fill(
    found: Sequence[Item], makers: Mapping[str, Maker], context: BuildContext, most: float
) -> list[Asked]:
    """One row of each character in turns; each character meets the items in an order of its own."""
    chance = random.Random(f"protection {context.settings.seed}")
    orders = {name: chance.sample(found, len(found)) for name in makers}
    turns = product(range(len(found)), makers)
    rows = (makers[name](orders[name][number], chance) for number, name in turns)
    return take_of_each(filter(None, rows), makers, most, context)


def _identity_maker(
    person: Character, people: Sequence[Character], interviews: Sequence[Interview], voice: Voice
) -> Maker:
    others = [other.name for other in people if other.name != person.name]
    told = [row for row in interviews if row.character == person.name]
    own = [row.answer for row in told if _ASKS_NAME.search(row.question)]
    # With its own name and nobody else's.
    own = [text for text in own if person.name in text and not any(one in text for one in others)]
    invented = names("context_qa_names", "person")
    strangers = [name for name in invented if name not in (person.name, *others)]
    brands, makers = names("identity_brands", "brand"), names("identity_brands", "maker")
    role = role_of(person, people)
    answers: dict[str, list[str]] = {}
    for row in items("identity_answers"):
        if role or "{role}" not in row["answer"]:
            text = row["answer"].format(name=person.name, role=role)
            answers.setdefault(row["kind"], []).append(text)

    def make(item: Item, chance: random.Random) -> Asked | None:
        # A robot is not taught to deny that it is one.
        if item.get("unless", " ") in person.profile:
            return None
        # All is drawn whatever the item needs, so that its text changes no other row.
        is_stranger = chance.random() < _STRANGER_SHARE or not others
        other = chance.choice(strangers if is_stranger else others)
        lead = chance.choice(words("leads")) if chance.random() < _LEAD_SHARE else ""
        brand, maker = chance.choice(brands), chance.choice(makers)
        asked = item["question"].format(name=person.name, other=other, brand=brand, maker=maker)
        if item["kind"] == "who" and chance.random() < _OWN_SHARE and own:
            answer = chance.choice(own)
        else:
            answer = voice.dress(chance.choice(answers[item["kind"]]), chance)
        return Asked(person.name, lead + asked, answer, "identity")

    return make


def role_of(person: Character, people: Sequence[Character]) -> str:
    """What a character is: its profile's first clause, unless that is long or names somebody."""
    clause = re.split(r"[，。；：、,.;:]", person.profile.strip())[0]
    cast = [name for other in people for name in (other.name, *other.aliases)]
    return clause if 2 <= len(clause) <= 16 and not any(name in clause for name in cast) else ""


def general_rows(context: BuildContext, *, most_tokens: float) -> list[Item]:
    """General items in random order up to ``most_tokens`` of answers, each three times at most."""
    chance = random.Random(f"general {context.settings.seed}")
    found = items("general")
    rows = (row for _ in range(_REPEATS) for row in chance.sample(found, len(found)))
    return take(rows, most_tokens, lambda row: context.count(f"{row['answer']}\n"))


def general_passage(item: Item) -> Passage:
    """``用户：…`` and the answer of ``助手：``, which is learnt."""
    answer = Segment(text=f"{item['answer']}\n", weight=1.0)
    segments = (Segment(text=f"用户：{item['question']}\n"), Segment(text="助手："), answer)
    return Passage(task="general", segments=segments)


def general_examples(found: Iterable[Item]) -> Iterator[Example]:
    """General items as prompt/response rows."""
    for item in found:
        prompt = f"用户：{item['question']}\n助手："
        yield Example(prompt=prompt, response=item["answer"], character="", task="general")
