"""Context QA: rows that teach to read, an answer off the background, and who one is off the cue.

    groups = context_qa_groups(voices, context, most_tokens=700)
    groups[0].background[0].text, groups[0].asked[0].question     # "南乔生于谷雨。…", "你的生日是哪天？"

People and places are invented and their facts drawn at random from ``texts/context_qa.jsonl``, so
that nothing in them can be learnt by heart: the only way to answer is to find the sentence. Half of
the passages are played by an invented person, who is asked about itself ("your cat") and for its
name; in the others a trained character tells, in its own habits of speech, what it read of
strangers. In half of them the background tells of two people with the same attributes, so that the
name decides, as where two pages of a cast are found for one question.
"""

import json
import random
from collections.abc import Iterator, Sequence
from itertools import count

from roleplay.background import Snippet
from roleplay.dataset.interviews import Asked, Group, answer_tokens, take
from roleplay.dataset.settings import BuildContext
from roleplay.dataset.texts import Item, items, names
from roleplay.dataset.voice import Voice, Voices

_QUESTIONS = (2, 4)
_FACTS = (4, 8)
_NAME_SHARE = 0.4  # How often an invented person is asked for its name as well.
_PRONOUN_SHARE = 0.4  # How often a snippet names its subject only once.
_RIVAL_SHARE = 0.5  # How often the other snippet is of a second person with the same attributes.
_BOUND = ("{name}的", "{name}里")  # How statements begin that do not stand without their subject.

Fact = tuple[str, str, Item]
"""Whom or what it is about, the value, and its template."""


def context_qa_groups(voices: Voices, context: BuildContext, *, most_tokens: float) -> list[Group]:
    """Groups of questions with background, up to ``most_tokens`` of answers but one at least."""
    groups = _groups(voices, context)
    return take(groups, most_tokens, lambda group: answer_tokens(group.asked, context))


def _groups(voices: Voices, context: BuildContext) -> Iterator[Group]:
    """Without end: an invented person and the next trained character in turns."""
    # "reading" is their old name: another text would draw other rows than older data sets have.
    chance = random.Random(f"reading {context.settings.seed}")
    for number in count():
        teller = context.characters[number // 2 % len(context.characters)] if number % 2 else ""
        yield _group(teller, voices.get(teller, Voice()), context, chance)


def _group(teller: str, voice: Voice, context: BuildContext, chance: random.Random) -> Group:
    """Two snippets and questions about them; without a ``teller`` the invented person answers."""
    person = _name("person", context, chance)
    first = _facts("person", person, chance)
    if chance.random() < _RIVAL_SHARE:
        other = _name("person", context, chance, but=person)
        second = _other_facts(first, other, chance)
    else:
        other = _name("thing", context, chance)
        second = _facts("thing", other, chance)
    cue = teller or person
    snippets = [
        Snippet(_snippet(name, facts, chance), source=name)
        for name, facts in ((person, first), (other, second))
    ]
    chance.shuffle(snippets)
    drawn = chance.sample(first + second, chance.randint(*_QUESTIONS))
    asked = [_asked(fact, cue, voice, chance) for fact in drawn]
    if not teller and chance.random() < _NAME_SHARE:
        asked[chance.randrange(len(asked))] = _names_itself(cue, chance)
    return Group(tuple(asked), tuple(snippets))


def _name(kind: str, context: BuildContext, chance: random.Random, but: str = "") -> str:
    """An invented name that is nobody's in the cast, nor ``but``."""
    taken = {*context.characters, but}
    return chance.choice([name for name in names("context_qa_names", kind) if name not in taken])


def _facts(kind: str, name: str, chance: random.Random) -> list[Fact]:
    templates = [row for row in items("context_qa") if row["about"] == kind]
    pets = names("context_qa_names", "pet")
    return [
        (name, chance.choice(row["values"]), _with_pet(row, chance.choice(pets)))
        for row in chance.sample(templates, chance.randint(*_FACTS))
    ]


def _other_facts(facts: Sequence[Fact], name: str, chance: random.Random) -> list[Fact]:
    """The same attributes with other values, in another order: only the name tells them apart."""
    return [
        (name, chance.choice([other for other in template["values"] if other != value]), template)
        for _, value, template in chance.sample(facts, len(facts))
    ]


def _with_pet(template: Item, pet: str) -> Item:
    return dict(json.loads(json.dumps(template).replace("{pet}", pet)))


def _snippet(name: str, facts: Sequence[Fact], chance: random.Random) -> str:
    """The statements; in some snippets the subject stands in the first alone, as in prose."""
    texts = [template["statement"].replace("{value}", value) for _, value, template in facts]
    if chance.random() < _PRONOUN_SHARE:
        texts[1:] = [
            text if text.startswith(_BOUND) else text.removeprefix("{name}") for text in texts[1:]
        ]
    return "".join(texts).replace("{name}", name)


def _asked(fact: Fact, cue: str, voice: Voice, chance: random.Random) -> Asked:
    name, value, template = fact
    answers, questions = template["answers"], template["to_self"]
    if name != cue:
        # Who tells of somebody else says neither "I" nor "you".
        answers = [text for text in answers if not set(text) & set("我你")]
        questions = template["to_other"]
    question = chance.choice(questions).replace("{name}", name)
    answer = voice.dress(chance.choice(answers).replace("{value}", value), chance)
    evidence = template["statement"].replace("{value}", value)
    return Asked(cue, question, answer, "context_qa", evidence)


def _names_itself(name: str, chance: random.Random) -> Asked:
    questions = [row["question"] for row in items("identity") if row["kind"] == "who"]
    told = [row["answer"] for row in items("identity_answers") if row["kind"] == "who"]
    question = chance.choice(questions)
    answer = chance.choice([text for text in told if "{role}" not in text])
    return Asked(name, question, answer.replace("{name}", name), "context_qa")
