"""Background in one form: what a search finds, and whatever finds it.

    retriever("闻筝 你喜欢吃什么", 3)                        # [Snippet("闻筝：…", score=0.71, source="闻筝")]
    retriever("钟怎么响了", 3, character="闻筝", chapter=4)   # only what she knows by then
    search_many(retriever, [Query("钟怎么响了", 3, "闻筝", 4), ...])     # one list of snippets a query

This is all that the package knows of a knowledge base: a test passes a function, a user another
store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Snippet:
    """A piece of background: sentences that can be read alone.

    ``score``, 0 to 1, is how well it fits the query; ``source`` is where it stands: a page or so.
    """

    text: str
    score: float = 1.0
    source: str = ""


@dataclass(frozen=True)
class Query:
    """The arguments of one search, as :class:`Retriever` takes them."""

    text: str
    k: int
    character: str | None = None
    chapter: int | None = None


class Retriever(Protocol):
    """What finds background; it may have a ``search_many`` too, see :func:`search_many`."""

    def __call__(
        self, query: str, k: int, *, character: str | None = None, chapter: int | None = None
    ) -> Sequence[Snippet]:
        """At most ``k`` snippets, best first.

        Args:
            character: only what this character may know.
            chapter: only what is known when this chapter ends; None for no limit.
        """


def search_many(retriever: Retriever, queries: Sequence[Query]) -> list[Sequence[Snippet]]:
    """What each query finds, in the order of the queries.

    A retriever may have a method ``search_many(queries)`` of its own, as one that encodes texts is
    fastest with many at a time; any other is called once for each.
    """
    if own := getattr(retriever, "search_many", None):
        return list(own(queries))
    return [
        retriever(one.text, one.k, character=one.character, chapter=one.chapter) for one in queries
    ]
