"""Where the two packages meet: a world's knowledge base as the plain callable that ``roleplay`` asks for background.

lookup = world_lookup(Path("worlds/chuiyan"))
lookup("闻筝 你喜欢吃什么", 3)                        # [Background(text="闻筝：…", score=0.71, source="闻筝")]
lookup("钟怎么响了", 3, character="闻筝", chapter=4)   # only what she knows by then
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from kb.embedding import Embedder, Kind, Vectors
from kb.retrieval import KnowledgeBase
from roleplay.prompts import Lookup


@dataclass(frozen=True)
class Background:
    """A snippet as prompts show it."""

    text: str
    score: float
    source: str


class Remembering:
    """An embedder that encodes a text once: data sets ask the same scene for each character that stands in it."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.name, self.dim = embedder.name, embedder.dim
        self._one = lru_cache(maxsize=4096)(lambda text, kind: embedder.encode([text], kind=kind)[0])

    def encode(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """As the embedder's own."""
        if len(texts) == 1:
            return np.asarray(self._one(texts[0], kind))[None]
        return self._embedder.encode(texts, kind=kind)


def world_lookup(world: Path) -> Lookup | None:
    """The lookup of a world, or None where it has no knowledge base yet.

    Raises:
        KnowledgeBaseError: there is one, but it is damaged or made by another embedder.
    """
    folder = world / "kb"
    if not folder.exists():
        return None
    knowledge = KnowledgeBase.load(folder)
    knowledge.embedder = Remembering(knowledge.embedder)

    def lookup(query: str, k: int, *, character: str | None = None, chapter: int | None = None) -> Sequence[Background]:
        hits = knowledge.search(query, k, known_to=character, not_after=chapter)
        return [Background(hit.snippet.display, hit.score, hit.snippet.title) for hit in hits]

    return lookup
