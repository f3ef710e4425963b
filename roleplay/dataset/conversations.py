"""Conversations: written for a world, or made by rules from what people say to one another in it.

    groups = written_groups(world.read_conversations(), context)
    made = exchanges(chapters, weights, context)
    made[0].turns       # (("让他背，馆规第一条。", "馆规第一条，不许跑。"),), what 陆迟 answers

A scene teaches how people sound among themselves. Whoever opens the app asks, so each run of lines
between two people of the novel is learnt in the form of questions and answers as well.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, pairwise

from roleplay import prompts
from roleplay.background import Snippet
from roleplay.dataset.curation import line_weight
from roleplay.dataset.interviews import Asked, Group, answer_tokens, take
from roleplay.dataset.scenes import Chapters, Weights
from roleplay.dataset.settings import BuildContext
from roleplay.dataset.texts import items
from roleplay.recall import STANDING_FOR
from roleplay.records import UNKNOWN, Conversation, Line

_LONGEST = 5  # Turns: what a chat shows of its history.
_HELD_OUT = 0.04  # Of written conversations, where no character is held out whole.
_LEAST_SAID = 4  # Letters of an answer that is worth a row of its own.


def split(
    found: Sequence[Conversation], context: BuildContext
) -> tuple[list[Conversation], list[Conversation]]:
    """(train, test): those of ``settings.held_out`` are tested on, else a few of all."""
    held = set(context.settings.held_out)
    chance = random.Random(f"conversations {context.settings.seed}")
    test = [row.character in held if held else chance.random() < _HELD_OUT for row in found]
    kept = [row for row, out in zip(found, test, strict=True) if not out]
    return kept, [row for row, out in zip(found, test, strict=True) if out]


def ways_to_say(said: str) -> tuple[str, ...]:
    """Other ways to say something that everybody says."""
    return tuple(way for way in _everyday().get(said, ()) if way != said)


@cache
def _everyday() -> dict[str, tuple[str, ...]]:
    return {way: tuple(row["ways"]) for row in items("everyday") for way in row["ways"]}


def written_groups(found: Iterable[Conversation], context: BuildContext) -> list[Group]:
    """A group a conversation, with its facts and what stands beside them as background."""
    settings = context.settings
    chance = random.Random(f"groups {settings.seed}")
    groups = []
    for row in found:
        if row.turns[0][0] in STANDING_FOR:
            continue
        first = chance.choice((row.turns[0][0], *row.also, *ways_to_say(row.turns[0][0])))
        turns = ((first, row.turns[0][1]), *row.turns[1:])
        asked = tuple(Asked(row.character, *turn, "conversation") for turn in turns)
        # The order of snippets is that of their scores: a fact is not always the nearest.
        others = tuple(Snippet(text, chance.uniform(0.3, 1.2), "others") for text in row.others)
        is_given = bool(row.facts or row.others)
        searches = chance.random() < settings.interview_background_share
        shown = chance.random() >= settings.profile_drop
        profile = context.profiles.get(row.character, "") if shown else ""
        searches = is_given or (searches and context.retriever is not None)
        groups.append(Group(asked, others, profile, searches, row.facts, follows=True))
    return groups


def exchanges(chapters: Chapters, weights: Weights, context: BuildContext) -> list[Group]:
    """What two people say to one another in the novel, as conversations with the one who answers.

    Both are known for certain. What is narrated between two lines is left out; a third voice, a new
    chapter or a line that nobody is known to have said ends a conversation.
    """
    settings = context.settings
    chance = random.Random(f"exchanges {settings.seed}")
    groups = []
    for chapter, lines in chapters.items():
        certain = [
            line if not line.char or line_weight(line, (line.char,), settings)[0] == 1 else None
            for line in lines
        ]
        said = _spoken(zip(lines, certain, weights[chapter], strict=True))
        for run in _runs(said):
            for row in _conversations(run, chapter, context.characters):
                profile = context.profiles.get(row[0].character, "")
                shown = profile if chance.random() >= settings.profile_drop else ""
                searches = chance.random() < settings.interview_background_share
                searches = searches and context.retriever is not None
                groups.append(Group(row, (), shown, searches, follows=True))
    return groups


def spoken_pairs(
    lines: Sequence[Line], characters: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """(who answers, what was said, the answer) of each two lines in turn, both speakers known."""
    rows = ((line, None if line.char == UNKNOWN else line, 1.0) for line in lines)
    for run in _runs(_spoken(rows)):
        for (_, said, _), (name, answer, _) in pairwise(run):
            if name in characters and sum(map(str.isalnum, answer)) >= _LEAST_SAID:
                yield name, said, answer


Said = tuple[str, str, bool]
"""Who says what, and whether it is learnt; an empty name ends a run."""


def _spoken(rows: Iterable[tuple[Line, Line | None, float]]) -> Iterator[Said]:
    for line, certain, weight in rows:
        if line.kind == "say":
            yield (line.char or "", line.text, weight == 1) if certain else ("", "", False)


def _runs(said: Iterable[Said]) -> Iterator[list[Said]]:
    """Runs of lines in which two people take turns; lines of one after the other are joined."""
    run: list[Said] = []
    for name, text, learnt in said:
        if run and name == run[-1][0]:
            run[-1] = (name, run[-1][1] + text, run[-1][2] and learnt)
            continue
        if len(run) > 1 and name != run[-2][0]:
            yield run
            run = run[-1:] if name else []
        if name:
            run.append((name, text, learnt))
        else:
            if len(run) > 1:
                yield run
            run = []
    if len(run) > 1:
        yield run


def _conversations(
    run: Sequence[Said], chapter: int, characters: Sequence[str]
) -> Iterator[tuple[Asked, ...]]:
    """A run as a conversation with each of the two, cut into pieces that a chat would show."""
    for start in (0, 1):
        pairs = list(zip(run[start::2], run[start + 1 :: 2], strict=False))
        asked = [
            Asked(name, question, answer, "conversation", chapter=chapter)
            for (_, question, _), (name, answer, learnt) in pairs
            if learnt and name in characters and sum(map(str.isalnum, answer)) >= _LEAST_SAID
        ]
        for at in range(0, len(asked), _LONGEST):
            yield tuple(asked[at : at + _LONGEST])


def choose_groups(
    groups: Sequence[Group], most_tokens: float, context: BuildContext
) -> list[Group]:
    """Groups up to ``most_tokens`` of answers, evenly over the characters, in random order."""
    chance = random.Random(f"choice {context.settings.seed}")
    by_name: dict[str, list[Group]] = {}
    for group in chance.sample(list(groups), len(groups)):
        by_name.setdefault(group.asked[0].character, []).append(group)
    longest = max(map(len, by_name.values()), default=0)
    turns = chain.from_iterable(
        (own[number] for own in by_name.values() if number < len(own)) for number in range(longest)
    )
    return take(
        turns, most_tokens, lambda group: answer_tokens(group.asked, context), lambda _: True
    )


def history(group: Group, place: int) -> list[tuple[str, str]]:
    """What stands before a question of a group where each knows the ones before it."""
    before = group.asked[:place] if group.follows else ()
    return [(row.question, prompts.one_line(row.answer)) for row in before]
