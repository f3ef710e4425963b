"""Where the two packages meet: a world's knowledge base as the plain callable that ``roleplay`` asks for background.

lookup = world_lookup(Path("worlds/chuiyan"))
lookup("闻筝 你喜欢吃什么", 3)                        # [Background(text="闻筝：…", score=0.71, source="闻筝")]
lookup("钟怎么响了", 3, character="闻筝", chapter=4)   # only what she knows by then
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kb.embedding import Embedder, Kind, Vectors
from kb.retrieval import KnowledgeBase


@dataclass(frozen=True)
class Background:
    """A snippet as prompts show it."""

    text: str
    score: float
    source: str


class Remembering:
    """An embedder that encodes a text once, and many at a time where it is told before what will be asked."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[tuple[str, Kind], Vectors] = {}
        self._planned: dict[tuple[str, Kind], None] | None = None
        self.name, self.dim = embedder.name, embedder.dim

    def encode(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """As the embedder's own; zeros for what is not known yet, while it is planned."""
        keys = [(text, kind) for text in texts]
        missing = [key for key in dict.fromkeys(keys) if key not in self._known]
        if self._planned is not None:
            self._planned.update(dict.fromkeys(missing))
            return np.zeros((len(texts), self.dim), dtype=np.float32)
        self._learn(missing)
        return np.stack([self._known[key] for key in keys])

    def plan(self, work: Callable[[], object]) -> None:
        """Do ``work`` without vectors, then encode all that it asked for."""
        self._planned = {}
        try:
            work()
            planned = list(self._planned)
        finally:
            self._planned = None
        self._learn(planned)

    def _learn(self, keys: Sequence[tuple[str, Kind]]) -> None:
        for kind in dict.fromkeys(kind for _, kind in keys):
            texts = [text for text, of in keys if of == kind]
            vectors = self._embedder.encode(texts, kind=kind)
            self._known.update(zip(((text, kind) for text in texts), vectors, strict=True))


class WorldLookup:
    """The lookup of a knowledge base. One query at a time is slow: a stage with many of them plans them first."""

    def __init__(self, knowledge: KnowledgeBase) -> None:
        self._knowledge = knowledge
        self._memory = Remembering(knowledge.embedder)
        knowledge.embedder = self._memory

    def __call__(
        self, query: str, k: int, *, character: str | None = None, chapter: int | None = None
    ) -> Sequence[Background]:
        """As :class:`roleplay.prompts.Lookup`."""
        hits = self._knowledge.search(query, k, known_to=character, not_after=chapter)
        return [Background(hit.snippet.display, hit.score, hit.snippet.title) for hit in hits]

    def plan(self, work: Callable[[], object]) -> None:
        """Do ``work``, whose lookups find by words alone, and so learn which queries will come."""
        self._memory.plan(work)


def world_lookup(world: Path) -> WorldLookup | None:
    """The lookup of a world, or None where it has no knowledge base yet.

    Raises:
        KnowledgeBaseError: there is one, but it is damaged or made by another embedder.
    """
    folder = world / "kb"
    return WorldLookup(KnowledgeBase.load(folder)) if folder.exists() else None
