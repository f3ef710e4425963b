"""A world's own exchanges, ready to be recalled: what was said to a character and its answers.

    recall = world_recall(World.load(Path("worlds/chuiyan")))       # None where there is nothing

The vectors stand in ``recall.npz`` beside the world's other files, with the digest of what they are
made from; they are made again when that has changed.
"""

import io
from typing import Any

import numpy as np

from kb.embedding import get_embedder
from roleplay import files
from roleplay.dataset.conversations import spoken_pairs
from roleplay.errors import WorldError
from roleplay.recall import Exchange, Recall
from roleplay.world import World

_FILE = "recall.npz"


def exchanges_of(world: World) -> list[Exchange]:
    """Those written for the world, those of its interviews, and those of its novel."""
    found = []
    for row in world.read_conversations():
        before = ""
        for said, answer in row.turns:
            found.append(Exchange(row.character, said, answer, before))
            before = answer
    found += [Exchange(row.character, row.question, row.answer) for row in world.read_interviews()]
    if world.is_there("script.jsonl") and world.is_there("chunks.jsonl"):
        for lines in world.lines_by_chapter().values():
            found += [Exchange(*pair) for pair in spoken_pairs(lines, world.names)]
    return found


def world_recall(world: World) -> Recall | None:
    """The exchanges of a world with their vectors, or None where it has none."""
    if not (found := exchanges_of(world)):
        return None
    embedder, keys = get_embedder(), [one.key for one in found]
    made_from = files.digest(embedder.name, *keys)
    vectors = _read(world, made_from)
    if vectors is None:
        vectors = embedder.encode(keys).astype(np.float16)
        _write(world, made_from, vectors)
    return Recall(found, vectors.astype(np.float32), lambda texts: embedder.encode(list(texts)))


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
