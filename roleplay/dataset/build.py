"""One data set from a script and interviews: both parts, as passages and as rows, with what was dropped.

    source = Source(people=world.info.characters, chapters=chapter_lines, interviews=interviews)
    made = build(source, materials, budget=Budget(prompt=512, background=160))
    made["train"].passages      # scenes, interviews, protection
    made["test"].passages       # scenes of the held-out chapters and nothing else

Nothing is written here, so that what cannot be built leaves nothing half-written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from roleplay.dataset import protection
from roleplay.dataset.curation import line_weights, merged, plain_weights, unique
from roleplay.dataset.flavour import Flavour
from roleplay.dataset.interviews import Asked, Group, choose
from roleplay.dataset.passages import build_interviews, build_scenes, group_passage
from roleplay.dataset.reading import reading_groups
from roleplay.dataset.rows import question_rows, reading_rows, scene_rows, split_chapters
from roleplay.dataset.scenes import Chapters, Weights
from roleplay.dataset.settings import Materials
from roleplay.dataset.talk import talk_rows
from roleplay.dataset.voice import Voice, learn_voice
from roleplay.errors import DatasetError
from roleplay.prompts import Budget, Count
from roleplay.records import Example, Interview, Line, Passage
from roleplay.world import Character


@dataclass(frozen=True)
class Source:
    """What a data set is made from. ``interviews`` is None where they are not wanted.

    ``flavour`` tells which interviews sound generated; they are dropped where the settings say so.
    """

    people: Sequence[Character]
    chapters: Mapping[int, Sequence[Line]]
    interviews: Sequence[Interview] | None = None
    flavour: Flavour = field(default_factory=Flavour)


@dataclass(frozen=True)
class Part:
    """The training or the test part."""

    chapters: tuple[int, ...]
    passages: list[Passage]
    rows: list[Example]
    dropped: dict[str, int] = field(default_factory=dict)


def profiles_of(names: Sequence[str], people: Sequence[Character]) -> dict[str, str]:
    """The profiles of those of ``names`` that have one.

    Raises:
        DatasetError: none has.
    """
    found = {person.name: person.profile for person in people if person.name in names and person.profile.strip()}
    if not found:
        raise DatasetError(
            f'mode profile, but none of {" ".join(names)} has a profile: write "profile" into world.json, '
            "or choose --mode many"
        )
    return found


def check_mode(mode: str, names: Sequence[str]) -> None:
    """Refuse mode one without exactly one character.

    Raises:
        DatasetError: there are more, or none was named.
    """
    if mode == "one" and len(names) != 1:
        raise DatasetError(
            f"mode one learns exactly one character, not {len(names)} ({' '.join(names)}): name one with --characters"
        )


def build(source: Source, materials: Materials, *, budget: Budget) -> dict[str, Part]:
    """The parts "train" and "test".

    Raises:
        DatasetError: nothing to learn, too few chapters, or interviews without any of the characters.
    """
    settings = materials.settings
    train, test = split_chapters(source.chapters, settings.test_share, settings.seed)
    parts = {
        "train": _train(source, train, materials, budget),
        "test": _test({number: source.chapters[number] for number in test}, materials.for_test(), budget),
    }
    for name, part in parts.items():
        if not part.rows or not part.passages:
            raise DatasetError(
                f"no usable row in the {name} part (chapters {' '.join(map(str, part.chapters))}) for "
                f"{' '.join(materials.characters)}: check the script's speakers, choose others with --characters, "
                "or split with another --seed"
            )
    return parts


def _test(chapters: Mapping[int, Sequence[Line]], materials: Materials, budget: Budget) -> Part:
    weights, dropped = plain_weights(chapters, materials)
    rows = list(scene_rows(chapters, weights, materials, budget=budget))
    return Part(tuple(chapters), build_scenes(chapters, weights, materials), rows, merged(dropped))


def _train(source: Source, numbers: Sequence[int], materials: Materials, budget: Budget) -> Part:
    chapters = {number: source.chapters[number] for number in numbers}
    weights, dropped = line_weights(chapters, materials)
    scenes = build_scenes(chapters, weights, materials)
    rows = list(scene_rows(chapters, weights, materials, budget=budget))
    if not scenes:
        return Part(tuple(numbers), [], [])
    tokens = learnt_tokens(scenes, materials.count)
    asked, left_out = _interviews(source, tokens, materials)
    tokens += sum(materials.count(f"{row.answer}\n") for row in asked)
    total = tokens / (1 - materials.settings.protection_share)
    voices = _voices(source, materials)
    talk = _talk(chapters, weights, voices, total, materials)
    more, read, general = _protection(source, voices, total, materials)
    asked += [*more, *talk]
    passages = [
        *scenes,
        *build_interviews(asked, materials),
        *map(group_passage, read),
        *map(protection.general_passage, general),
    ]
    rows += question_rows(asked, materials, budget=budget)
    rows += [*reading_rows(read, materials, budget=budget), *protection.general_examples(general)]
    return Part(tuple(numbers), passages, rows, merged(dropped, left_out))


def learnt_tokens(passages: Sequence[Passage], count: Count) -> int:
    """Tokens with a weight."""
    return sum(count(segment.text) for passage in passages for segment in passage.segments if segment.weight)


def _interviews(source: Source, scene_tokens: int, materials: Materials) -> tuple[list[Asked], dict[str, int]]:
    """The interviews that are learnt, and how many were not and why.

    Raises:
        DatasetError: there are interviews, but of none of the characters.
    """
    if not source.interviews:
        return [], {}
    wanted = [Asked.of(row) for row in source.interviews if row.character in materials.characters]
    if not wanted:
        raise DatasetError(
            f"none of the {len(source.interviews)} interviews is with {' '.join(materials.characters)}: "
            "add some, or leave interviews out with --no-interviews"
        )
    kept, flavoured = _unflavoured(wanted, source.flavour, materials)
    kept, dropped = unique(kept, [*protection.identity_probes(), *protection.unknown_probes()])
    share = materials.settings.interview_share
    chosen = choose(kept, most_tokens=int(scene_tokens * share / (1 - share)), materials=materials)
    over = {"interview over its share": len(kept) - len(chosen)} if len(kept) > len(chosen) else {}
    return chosen, merged(dropped, over, flavoured)


def _unflavoured(
    asked: Sequence[Asked], flavour: Flavour, materials: Materials
) -> tuple[Sequence[Asked], dict[str, int]]:
    if materials.settings.flavour == "report":
        return asked, {}
    kept = [row for row in asked if not flavour.is_flavoured(row.answer)]
    return kept, {"GPT flavour": len(asked) - len(kept)} if len(kept) < len(asked) else {}


def _talk(
    chapters: Chapters, weights: Weights, voices: Mapping[str, Voice], total: float, materials: Materials
) -> list[Asked]:
    """Talk rows up to their share of ``total`` learnt tokens."""
    share = materials.settings.talk_share
    return talk_rows(chapters, weights, voices, materials, most_tokens=share * total) if share else []


def _protection(
    source: Source, voices: Mapping[str, Voice], total: float, materials: Materials
) -> tuple[list[Asked], list[Group], list[protection.Item]]:
    """Identity and unknown rows, reading groups and general items, each up to its share of ``total`` learnt tokens."""
    settings = materials.settings
    asked: list[Asked] = []
    if settings.identity_share:
        most = settings.identity_share * total
        interviews = source.interviews or []
        asked += protection.identity_rows(source.people, interviews, voices, materials, most_tokens=most)
    if settings.unknown_share:
        asked += protection.unknown_rows(voices, materials, most_tokens=settings.unknown_share * total)
    read: list[Group] = []
    if settings.reading_share:
        read = reading_groups(voices, materials, most_tokens=settings.reading_share * total)
    general: list[protection.Item] = []
    if settings.general_share:
        general = protection.general_rows(most_tokens=settings.general_share * total, materials=materials)
    return asked, read, general


def _voices(source: Source, materials: Materials) -> dict[str, Voice]:
    """How each character speaks in the novel's chapters that are learnt and in interviews."""
    said: dict[str, list[str]] = {name: [] for name in materials.characters}
    for lines in source.chapters.values():
        for line in lines:
            if line.kind == "say" and line.char in said:
                said[line.char].append(line.text)
    for row in source.interviews or ():
        if row.character in said:
            said[row.character].append(row.answer)
    return {name: learn_voice(texts) for name, texts in said.items()}
