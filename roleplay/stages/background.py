"""Where the two packages meet: a world's knowledge base as the retriever that the rest asks.

retriever = world_retriever(Path("worlds/chuiyan"))
retriever("闻筝 你喜欢吃什么", 3)           # [Snippet("闻筝：…", score=0.71, source="闻筝")]
retriever.search_many([Query("钟怎么响了", 3, "闻筝", 4)])  # only what she knows by then
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from kb.errors import KnowledgeBaseError
from kb.errors import Message as KnowledgeMessage
from kb.retrieval import Hit, KnowledgeBase
from kb.retrieval import Query as KnowledgeQuery
from roleplay.background import Query, Snippet
from roleplay.errors import RoleplayError
from roleplay.stages.progress import Teller

_KEPT = 256
"""Searches of a chat that are remembered: the same question is asked again with other settings."""


class BackgroundError(RoleplayError):
    """What the knowledge base says, in its own words."""


@contextmanager
def told(say: Teller | None = None) -> Iterator[None]:
    """Turn errors of the knowledge base into ours, and its warnings into lines of ``say``."""
    warnings = _Warnings(say)
    logger = logging.getLogger("kb")
    logger.addHandler(warnings)
    try:
        yield
    except KnowledgeBaseError as error:
        # Its message alone: the error holds the frames that it came from, and they the model.
        raise BackgroundError("plain", text=KnowledgeMessage(error.key, **error.values)) from error
    finally:
        logger.removeHandler(warnings)


class _Warnings(logging.Handler):
    """Tells what the knowledge base logs; its messages bring both languages."""

    def __init__(self, say: Teller | None) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        if self._say:
            text = record.msg if hasattr(record.msg, "text") else record.getMessage()
            self._say.say("plain", text=text)


class WorldRetriever:
    """The retriever of one knowledge base."""

    def __init__(self, knowledge: KnowledgeBase) -> None:
        self._knowledge = knowledge
        self._search = lru_cache(maxsize=_KEPT)(self._search_one)

    def __call__(
        self, query: str, k: int, *, character: str | None = None, chapter: int | None = None
    ) -> Sequence[Snippet]:
        """As :class:`roleplay.background.Retriever`."""
        return self._search(Query(query, k, character, chapter))

    def search_many(self, queries: Sequence[Query]) -> list[Sequence[Snippet]]:
        """What each query finds; encoded together, which is far faster than one by one."""
        asked = [
            KnowledgeQuery(one.text, one.k, known_to=one.character, not_after=one.chapter)
            for one in queries
        ]
        with told():
            return [tuple(map(_snippet, hits)) for hits in self._knowledge.search_many(asked)]

    def _search_one(self, query: Query) -> Sequence[Snippet]:
        return self.search_many([query])[0]


def _snippet(hit: Hit) -> Snippet:
    return Snippet(hit.snippet.display, hit.score, hit.snippet.title)


def world_retriever(world: Path) -> WorldRetriever | None:
    """The retriever of a world, or None where it has no knowledge base yet.

    Raises:
        BackgroundError: there is one, but it is damaged or made by another embedder.
    """
    folder = world / "kb"
    with told():
        return WorldRetriever(KnowledgeBase.load(folder)) if folder.exists() else None
