"""One data set from a script and interviews: its parts as passages and rows, and what was dropped.

    source = Source(people=world.info.characters, chapters=chapter_lines, interviews=interviews)
    made = build(source, context, budget=Budget(prompt=512, background=160))
    made["train"].passages      # scenes, interviews, protection
    made["test"].passages       # scenes of the held-out chapters and nothing else

What has background is drawn first; all of it is searched at once, for both parts, before anything
is made. Nothing is written here, so that what cannot be built leaves nothing half-written.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from roleplay.background import Query
from roleplay.dataset import (
    conversations,
    curation,
    interviews,
    passages,
    protection,
    relations,
    rows,
    scenes,
    voice,
)
from roleplay.dataset.assistant_isms import AssistantIsms
from roleplay.dataset.context_qa import context_qa_groups
from roleplay.dataset.interviews import Asked, Group
from roleplay.dataset.settings import BuildContext
from roleplay.dataset.texts import Item
from roleplay.errors import DatasetError
from roleplay.prompts import Budget
from roleplay.records import Conversation, Example, Interview, Line, Passage
from roleplay.world import Character

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """What a data set is made from; without ``interviews`` where they are not wanted.

    ``isms`` tells which interviews sound generated; the settings say whether they are dropped.
    ``replay`` are people of other worlds and conversations with them, which the model knows;
    ``background`` are the texts of the knowledge base.
    """

    people: Sequence[Character]
    chapters: Mapping[int, Sequence[Line]]
    interviews: Sequence[Interview] | None = None
    conversations: Sequence[Conversation] = ()
    replay: tuple[Sequence[Character], Sequence[Conversation]] = ((), ())
    background: Sequence[str] = ()
    isms: AssistantIsms = field(default_factory=AssistantIsms)


@dataclass(frozen=True)
class Part:
    """The training or the test part."""

    chapters: tuple[int, ...]
    passages: list[Passage]
    rows: list[Example]
    dropped: dict[str, int] = field(default_factory=dict)


def profiles_of(names: Sequence[str], people: Sequence[Character]) -> dict[str, str]:
    """The profiles of those of ``names`` that have one."""
    told = {person.name: person.profile for person in people if person.profile.strip()}
    return {name: profile for name, profile in told.items() if name in names}


def check_mode(mode: str, names: Sequence[str]) -> None:
    """Refuse mode one without exactly one character.

    Raises:
        DatasetError: there are more, or none was named.
    """
    if mode == "one" and len(names) != 1:
        raise DatasetError("dataset.not-one", count=len(names), names=" ".join(names))


def build(source: Source, context: BuildContext, *, budget: Budget) -> dict[str, Part]:
    """The parts "train" and "test"; ``budget`` is that of a row's prompt.

    Raises:
        DatasetError: nothing to learn, too few chapters, or interviews with none of the characters.
    """
    settings = context.settings
    train, test = (
        {number: source.chapters[number] for number in numbers}
        for numbers in rows.split_chapters(source.chapters, settings.test_share, settings.seed)
    )
    plain = replace(context, settings=settings.for_test())
    weights, dropped = curation.plain_weights(test, plain)
    learnt, tested = conversations.split(source.conversations, context)
    asked = conversations.written_groups(tested, plain)
    pieces = scenes.cut_pieces(test, weights, plain)
    held_out = _Plan(plain, test, pieces, dropped, groups=asked, singles=asked)
    source = replace(source, conversations=learnt)
    plans = {"train": _plan_train(source, train, context), "test": held_out}
    searched = context.searched(query for plan in plans.values() for query in plan.queries())
    parts = {name: plan.made(searched, budget) for name, plan in plans.items()}
    for name, part in parts.items():
        if not part.rows or not part.passages:
            chapters, names = " ".join(map(str, part.chapters)), " ".join(context.characters)
            raise DatasetError("dataset.no-row", part=name, chapters=chapters, names=names)
    return parts


@dataclass(frozen=True)
class _Plan:
    """What a part is made of, but for its background: groups for passages, singles for rows."""

    context: BuildContext
    chapters: scenes.Chapters
    pieces: Sequence[scenes.Piece] = ()
    dropped: Counter[str] = field(default_factory=Counter)
    groups: Sequence[Group] = ()
    singles: Sequence[Group] = ()
    general: Sequence[Item] = ()

    def queries(self) -> Iterator[Query]:
        for piece in self.pieces:
            yield from scenes.scene_queries(piece, piece.learners, self.context)
        for group in (*self.groups, *self.singles):
            yield from (query for query, _ in interviews.group_queries(group, self.context))

    def made(self, searched: BuildContext, budget: Budget) -> Part:
        context = replace(self.context, found=searched.found)
        asked = (interviews.with_background(group, context) for group in self.groups)
        alone = (interviews.with_background(group, context) for group in self.singles)
        whole = [*passages.scene_passages(self.pieces, context)]
        whole += map(passages.group_passage, asked)
        whole += map(protection.general_passage, self.general)
        single = [*rows.scene_rows(self.chapters, self.pieces, context, budget=budget)]
        single += rows.question_rows(alone, context, budget=budget)
        single += protection.general_examples(self.general)
        return Part(tuple(self.chapters), whole, single, dict(self.dropped.most_common()))


def _plan_train(source: Source, chapters: scenes.Chapters, context: BuildContext) -> _Plan:
    """Scenes, conversations and interviews; replay and protection take their shares of all."""
    settings, count = context.settings, context.count
    weights, dropped = curation.line_weights(chapters, context)
    pieces = scenes.cut_pieces(chapters, weights, context)
    tokens = scenes.target_tokens(pieces, count)
    if not tokens:
        return _Plan(context, chapters)
    asked, left_out = _interviews(source, tokens, context)
    talks = _conversations(source, chapters, weights, tokens, context)
    tokens += interviews.answer_tokens(asked, context)
    tokens += sum(interviews.answer_tokens(group.asked, context) for group in talks)
    talks += _replayed(source, tokens, context)
    total = tokens / (1 - settings.protection_share)

    def filled(name: str, make: Callable[..., list[T]], *given: Any) -> list[T]:
        """Up to a protection share of all target tokens; no row at all where it is 0."""
        share = settings.shares[f"{name}_share"]
        return make(*given, context, most_tokens=share * total) if share else []

    voices, told = _voices(source, context), source.interviews or ()
    asked += filled("identity", protection.identity_rows, source.people, told, voices)
    asked += filled("unknown", protection.unknown_rows, voices)
    read = filled("context_qa", context_qa_groups, voices)
    return _Plan(
        context,
        chapters,
        pieces,
        dropped + left_out,
        groups=[*interviews.groups(asked, context), *talks, *read],
        singles=[*interviews.singles(asked, context), *talks, *read],
        general=filled("general", protection.general_rows),
    )


def _conversations(
    source: Source,
    chapters: scenes.Chapters,
    weights: scenes.Weights,
    tokens: int,
    context: BuildContext,
) -> list[Group]:
    """Those that were written for the world, and what people say to one another in it."""
    settings = context.settings
    own = [row for row in source.conversations if row.character in context.characters]
    voices, seed = _voices(source, context), settings.seed
    own += relations.relation_conversations(source.people, source.background, voices, seed=seed)
    own += relations.address_conversations(source.people, chapters, voices, seed=seed)
    written = conversations.written_groups(own, context)
    made = conversations.exchanges(chapters, weights, context)
    chosen = []
    for groups, share in ((written, settings.conversation_share), (made, settings.exchange_share)):
        most = tokens * share / (1 - share)
        chosen += conversations.choose_groups(groups, most, context)
    return chosen


def _replayed(source: Source, tokens: int, context: BuildContext) -> list[Group]:
    """Conversations with people of other worlds, up to their share of all."""
    people, found = source.replay
    share = context.settings.replay_share
    profiles = {person.name: person.profile for person in people}
    others = replace(context, profiles=profiles, retriever=None)
    groups = conversations.written_groups(found, others)
    return conversations.choose_groups(groups, tokens * share / (1 - share), context)


def _interviews(
    source: Source, scene_tokens: int, context: BuildContext
) -> tuple[list[Asked], Counter[str]]:
    """The interviews that are learnt, and how many were not and why."""
    told, settings = source.interviews or (), context.settings
    asked = [Asked.of(row) for row in told if row.character in context.characters]
    if told and not asked:
        names = " ".join(context.characters)
        raise DatasetError("dataset.nobody-asked", count=len(told), names=names)
    kept = asked
    if settings.assistant_isms == "drop":
        kept = [row for row in asked if not source.isms.sounds_generated(row.answer)]
    held_out = [*protection.identity_probes(), *protection.unknown_probes()]
    single, dropped = curation.unique(kept, held_out)
    share = settings.interview_share
    most = int(scene_tokens * share / (1 - share))
    chosen = interviews.choose(single, most_tokens=most, context=context)
    dropped["interview over its share"] += len(single) - len(chosen)
    dropped["assistant-isms"] += len(asked) - len(kept)
    return chosen, +dropped


def _voices(source: Source, context: BuildContext) -> voice.Voices:
    """How each character speaks in the novel and in interviews."""
    said: dict[str, list[str]] = {name: [] for name in context.characters}
    lines = (line for part in source.chapters.values() for line in part if line.kind == "say")
    spoken = [(line.char, line.text) for line in lines]
    spoken += [(row.character, row.answer) for row in source.interviews or ()]
    for name, text in spoken:
        if name in said:
            said[name].append(text)
    return {name: voice.learn_voice(texts) for name, texts in said.items()}
