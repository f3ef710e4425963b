"""Where the two packages meet: a world's knowledge base as the plain callable that ``roleplay`` asks for background.

lookup = world_lookup(Path("worlds/chuiyan"))
lookup("闻筝 你喜欢吃什么", 3)                        # [Background(text="闻筝：…", score=0.71, source="闻筝")]
lookup("钟怎么响了", 3, character="闻筝", chapter=4)   # only what she knows by then
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kb.retrieval import KnowledgeBase
from roleplay.prompts import Lookup


@dataclass(frozen=True)
class Background:
    """A snippet as prompts show it."""

    text: str
    score: float
    source: str


def world_lookup(world: Path) -> Lookup | None:
    """The lookup of a world, or None where it has no knowledge base yet.

    Raises:
        KnowledgeBaseError: there is one, but it is damaged or made by another embedder.
    """
    folder = world / "kb"
    if not folder.exists():
        return None
    knowledge = KnowledgeBase.load(folder)

    def lookup(query: str, k: int, *, character: str | None = None, chapter: int | None = None) -> Sequence[Background]:
        hits = knowledge.search(query, k, known_to=character, not_after=chapter)
        return [Background(hit.snippet.display, hit.score, hit.snippet.title) for hit in hits]

    return lookup
