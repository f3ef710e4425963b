"""What a character can tell of others, by rules: relations from the wiki, forms of address.

    rows = relation_conversations(people, sentences, voices, seed=7)
    rows[0].turns       # (("铜婆是你什么人？", "铜婆收我做了学徒。"),)
    rows[0].facts       # ("铜婆收闻筝做了学徒。",)

A sentence that names a character and somebody else, told by that character: its own name becomes
"I", in its own habits of speech. The sentence stands in the background, so that what is learnt is
to read it off.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from roleplay.dataset.voice import Voices
from roleplay.records import Conversation, Line
from roleplay.world import Character

_ASKS = ("{other}是你什么人？", "你跟{other}是什么关系？", "说说{other}吧。", "{other}和你熟吗？")
_CALLS = ("你平时怎么叫{other}？", "见了{other}，你怎么称呼？")
_SENTENCE = re.compile(r"[^。！？!?；\n]{4,45}[。！？!?；]")
# What a third person says of two people and nobody of oneself.
_STRANGE = re.compile("[他她其]|角色|小说|《|本作|登场|人物|作者|名字|名称|[:：（(]")
_OFTEN = 2  # Times that somebody is called so.


def relation_conversations(
    people: Sequence[Character], texts: Iterable[str], voices: Voices, *, seed: int
) -> list[Conversation]:
    """A conversation for each sentence of ``texts`` that names a character and one other."""
    chance = random.Random(f"relations {seed}")
    found = []
    for sentence in dict.fromkeys(one for text in texts for one in _SENTENCE.findall(text)):
        named = [person for person in people if person.name in sentence]
        if len(named) != 2 or _STRANGE.search(sentence):
            continue
        for own, other in (named, named[::-1]):
            if own.name not in voices:
                continue
            told = sentence.replace(own.name, "我").replace("；", "。")
            answer = voices[own.name].dress(told, chance)
            asked = chance.choice(_ASKS).format(other=other.name)
            turns = ((asked, answer),)
            row = Conversation(character=own.name, turns=turns, topic="relation", facts=(sentence,))
            found.append(row)
    return found


def address_conversations(
    people: Sequence[Character],
    chapters: Mapping[int, Sequence[Line]],
    voices: Voices,
    *,
    seed: int,
) -> list[Conversation]:
    """How each calls the others, where it does so at the start of what it says to them."""
    chance = random.Random(f"address {seed}")
    names = {name: person.name for person in people for name in (person.name, *person.aliases)}
    calls: dict[tuple[str, str], Counter[str]] = {}
    for lines in chapters.values():
        said = [line for line in lines if line.kind == "say"]
        for line, after in pairwise(said):
            called = re.split("[，,！!。…～]", line.text)[0].strip()
            other = names.get(called)
            if other and other == after.char and other != line.char and line.char in voices:
                calls.setdefault((line.char or "", other), Counter())[called] += 1
    found = []
    for (own, other), counts in calls.items():
        (called, times), *_ = counts.most_common(1)
        if times >= _OFTEN:
            answer = voices[own].dress(f"我叫{other}“{called}”。", chance)
            asked = chance.choice(_CALLS).format(other=other)
            found.append(Conversation(character=own, turns=((asked, answer),), topic="address"))
    return found
