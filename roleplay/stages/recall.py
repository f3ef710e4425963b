"""A world's own exchanges, ready to be recalled: what was said to a character and its answers.

    recall = world_recall(World.load(Path("worlds/chuiyan")))       # None where there is nothing

A character for whom little was written also has the answers of a *register*: what anybody could
answer who speaks alike. Which register that is, is told by its lines in the novel. The vectors
stand in ``recall.npz`` beside the world's other files, with the digest of what they are made from;
they are made again when that has changed.
"""

import io
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import opencc

from kb.embedding import get_embedder
from kb.names import simplified
from roleplay import files
from roleplay.dataset.conversations import spoken_pairs, ways_to_say
from roleplay.dataset.texts import items
from roleplay.errors import WorldError
from roleplay.recall import Exchange, Recall, keys_of, plain
from roleplay.sense import VoiceJudge
from roleplay.world import World

_FILE = "recall.npz"
_ENOUGH = 60  # Written exchanges, with which a character needs no register.
_TRADITIONAL = 0.05  # Of the letters of a novel that is printed so.
_HEARD = 200  # Lines of a character that its register is told by.


def exchanges_of(world: World) -> list[Exchange]:
    """Those written for the world, those of its interviews, and those of its novel."""
    found = list(_written(world))
    if world.is_there("script.jsonl") and world.is_there("chunks.jsonl"):
        for lines in world.lines_by_chapter().values():
            found += [Exchange(*pair) for pair in spoken_pairs(lines, world.names)]
    return found


def _written(world: World) -> Iterable[Exchange]:
    for row in world.read_conversations():
        before = ""
        for number, (said, answer) in enumerate(row.turns):
            also = () if number else (*row.also, *ways_to_say(said))
            yield Exchange(row.character, said, answer, before, also)
            before = plain(answer)
    for one in world.read_interviews():
        yield Exchange(one.character, one.question, one.answer)


def registers_of(world: World) -> dict[str, str]:
    """The register of each character that needs one, by name; none in a language without any."""
    written = Counter(one.character for one in _written(world))
    rows = [row for row in items("registers") if row["language"] == world.info.language]
    genders = {row["register"]: row["gender"] for row in rows}
    answers: dict[str, list[str]] = {name: [] for name in genders}
    for row in rows:
        answers[row["register"]].append(row["answer"])
    judge = VoiceJudge(answers)
    lines = _lines(world)
    everybody = [text for own in lines.values() for text in own]
    found = {}
    for person in world.info.characters:
        wanted = {person.gender, "any"} if person.gender else {"f", "m", "any"}
        fitting = [name for name, gender in genders.items() if gender in wanted]
        if fitting and written[person.name] < _ENOUGH:
            heard = lines.get(person.name) or everybody
            found[person.name] = judge.choose(simplified("\n".join(heard[:_HEARD])), fitting)
    return found


def world_recall(world: World) -> Recall | None:
    """The exchanges of a world with their vectors, or None where it has none."""
    registers = registers_of(world)
    found = exchanges_of(world) + _register_exchanges(set(registers.values()), world)
    if not found:
        return None
    embedder, keys = get_embedder(), keys_of(found, simplified)
    made_from = files.digest(embedder.name, *keys)
    vectors = _read(world, made_from)
    if vectors is None:
        vectors = embedder.encode(keys).astype(np.float16)
        _write(world, made_from, vectors)
    people = {name: one.name for one in world.info.characters for name in (one.name, *one.aliases)}
    return Recall(
        found,
        vectors.astype(np.float32),
        lambda texts: embedder.encode(list(texts)),
        people=people,
        registers=registers,
        fold=simplified,
    )


def _register_exchanges(names: set[str], world: World) -> list[Exchange]:
    """In the characters that the world's novel is printed in."""
    heard = "".join(text for own in _lines(world).values() for text in own)
    other = sum(map(str.__ne__, heard, simplified(heard)))
    printed = opencc.OpenCC("s2t").convert if other > _TRADITIONAL * len(heard) else str
    return [
        Exchange(row["register"], row["said"][0], printed(row["answer"]), also=(*row["said"][1:],))
        for row in items("registers")
        if row["register"] in names
    ]


def _lines(world: World) -> dict[str, list[str]]:
    """What the characters say in the novel."""
    found: dict[str, list[str]] = {}
    for line in world.read_script() if world.is_there("script.jsonl") else ():
        if line.kind == "say" and line.char in world.names:
            found.setdefault(line.char, []).append(line.text)
    return found


def _read(world: World, made_from: str) -> Any:
    """The vectors float16 [n, d] of the file, unless it is missing, broken or of other texts."""
    try:
        with np.load(world.path / _FILE, allow_pickle=False) as stored:
            return stored["vectors"] if str(stored["made_from"]) == made_from else None
    except (OSError, ValueError, KeyError, EOFError):
        return None


def _write(world: World, made_from: str, vectors: Any) -> None:
    made = io.BytesIO()
    np.savez(made, vectors=vectors, made_from=np.array(made_from))
    try:
        files.write_bytes(world.path / _FILE, made.getvalue())
    except WorldError:
        return  # A world that may only be read is searched all the same, and made again next time.
