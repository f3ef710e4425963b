"""Search: a question or a scene in, the snippets that help to answer it out, best first.

    >>> kb = KnowledgeBase.load("worlds/chuiyan/kb")
    >>> for hit in kb.search("沈砚秋的黑伞叫什么名字", k=2):
    ...     print(f"{hit.score:.2f} {hit.snippet.display}")
    0.47 沈砚秋的黑伞名叫不归。不归有二十四根伞骨。…
    0.26 忘名雨：淋到忘名雨的人会忘掉名字。撑伞可以挡住忘名雨。…

Every score lies in 0-1, whatever the method, and means how near a snippet comes to one that answers all of
the query. 'keyword' is BM25 as a share of an average snippet that holds every term of the query (of a scene:
as much as 16 of them). 'dense' is how far the cosine stands above that of the query with an average snippet, as a share of
the way to 1, which makes models with narrow and wide cosines alike. 'fused' is 0.7 of the first and 0.3 of the
second, always, so that a threshold means the same for every query: at `MIN_SCORE` unrelated questions find nothing
and most answers are kept (`python scripts/evaluate_retrieval.py --world worlds/chuiyan` prints both shares).

A query that names a page by an alias is searched with the page's title as well.

It reads an index and never writes one; the model is loaded at the first search that needs it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from kb.choice import choose
from kb.embedding import Embedder, get_embedder
from kb.errors import EmbedderMismatchError, QueryError
from kb.index import VectorIndex, load_index
from kb.keyword import KeywordIndex
from kb.names import Names, normalise
from kb.snippets import Snippet

Method: TypeAlias = Literal["fused", "dense", "keyword"]
Scores: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]

MIN_SCORE = 0.2
# The bundled embedder alone finds 56 of 100 first, BM25 86 (DRCD's development set, where 0.2-0.35 did about as
# well): the model may tip the balance, not set it.
_DENSE_SHARE = 0.3
_CANDIDATES = 200
_LONGEST_DENSE_QUERY, _KEPT_HEAD = 600, 100


@dataclass(frozen=True)
class Hit:
    """A snippet found; `score` in 0-1 orders the hits, the others are its parts (None: not used)."""

    snippet: Snippet
    score: float
    keyword: float | None = None
    dense: float | None = None


class KnowledgeBase:
    """An index with its embedder, ready for questions."""

    def __init__(self, index: VectorIndex, embedder: Embedder) -> None:
        self.index = index
        self.embedder = embedder
        self._names = Names(index.snippets)
        self._keyword = KeywordIndex([snippet.searched for snippet in index.snippets], self._names.all())
        self._centre = index.vectors.mean(axis=0) if len(index.snippets) else np.zeros(index.meta.dim, np.float32)
        self._visible = lru_cache(maxsize=64)(self._find_visible)

    @classmethod
    def load(cls, folder: str | Path, *, embedder: Embedder | None = None) -> "KnowledgeBase":
        """Opens a folder written by `kb.index.build_index`, by default with the embedder that made it.

        Raises KnowledgeBaseError (see `kb.index.load_index`) when it cannot be used.
        """
        index = load_index(folder, embedder_name=embedder.name if embedder else None)
        return cls(index, embedder or get_embedder(index.meta.embedder))

    def __len__(self) -> int:
        return len(self.index.snippets)

    def search(
        self,
        query: str,
        k: int = 5,
        *,
        method: Method = "fused",
        budget: int | None = None,
        count: Callable[[str], int] = len,
        not_after: int | None = None,
        known_to: str | None = None,
        min_score: float = 0,
    ) -> list[Hit]:
        """At most `k` hits, highest score first, no two that say one thing.

        `budget` bounds the sum of `count` (a tokenizer's, or characters) over the hits' `display`; what does not
        fit is passed over. `not_after` hides snippets of later chapters, `known_to` those with people of whom
        none goes by this name; neither hides what has no chapter or no people. `min_score` leaves out the rest.
        A query without a word gives no hits.
        Raises QueryError for an unknown method, k < 1 or a negative budget.
        """
        _check(k, budget, method)
        if not query.strip() or not len(self):
            return []
        ranked = self._rank(query, method, self._visible(not_after, known_to))
        ranked = [hit for hit in ranked if hit.score >= min_score]
        texts = ((hit.snippet.text, hit.snippet.display) for hit in ranked)
        return [ranked[place] for place in choose(texts, k=k, budget=budget, count=count)]

    def expand(self, query: str) -> str:
        """The query with the titles of the pages that it names by an alias."""
        return "\n".join((" ".join(self._names.titles_missing_from(query)), query)).strip()

    def _rank(self, query: str, method: Method, visible: Mask | None) -> list[Hit]:
        """Candidates with a score above 0, best first."""
        query = self.expand(query)
        words = np.minimum(self._keyword.scores(query), 1) if method != "dense" else None
        if words is not None and visible is not None:
            words *= visible
        vector = self._query_vector(query) if method != "keyword" else None
        numbers = self._candidates(words, vector, visible)
        words = None if words is None else words[numbers]
        nearness = None if vector is None else self._nearness(vector, numbers)
        scores = _fuse(words, nearness)
        return [
            Hit(
                snippet=self.index.snippets[numbers[place]],
                score=float(scores[place]),
                keyword=None if words is None else float(words[place]),
                dense=None if nearness is None else float(nearness[place]),
            )
            for place in np.argsort(-scores, kind="stable")
            if scores[place] > 0
        ]

    def _candidates(self, keyword: Scores | None, vector: Scores | None, visible: Mask | None) -> NDArray[np.int64]:
        """Numbers of the best snippets of each method that is used, ascending; int64 [at most 400]."""
        found = [np.zeros(0, dtype=np.int64)]
        if keyword is not None:
            best = np.argpartition(-keyword, min(_CANDIDATES, len(keyword) - 1))[:_CANDIDATES]
            found.append(best[keyword[best] > 0])
        if vector is not None:
            found.append(np.array(self.index.nearest(vector, _CANDIDATES, among=visible), dtype=np.int64))
        return np.unique(np.concatenate(found))

    def _nearness(self, vector: Scores, numbers: NDArray[np.int64]) -> Scores:
        """float32 [numbers]: the cosines, about 0 at an average snippet's and under it, 1 at 1."""
        average = min(float(self._centre @ vector), 0.99)
        cosines = self.index.vectors[numbers] @ vector
        # What lies under the average keeps its order, within the last hundredth.
        nearness = np.maximum((cosines - average) / (1 - average), 0.005 * (1 + cosines))
        clipped: Scores = np.clip(nearness, 0, 1).astype(np.float32)
        return clipped

    def _find_visible(self, not_after: int | None, known_to: str | None) -> Mask | None:
        """bool [snippets]: what the filters leave; None where they leave everything."""
        if not_after is None and known_to is None:
            return None
        names = self._names.of_one(known_to) if known_to is not None else None
        return np.array([_is_visible(snippet, not_after, names) for snippet in self.index.snippets], dtype=bool)

    def _query_vector(self, query: str) -> Scores:
        """float32 [dim]; raises EmbedderMismatchError when the model's vectors do not fit the index."""
        vector: Scores = self.embedder.encode([shorten_query(query)], kind="query")[0]
        if vector.shape != (self.index.meta.dim,):
            raise EmbedderMismatchError(
                f"the embedder {self.embedder.name!r} gives {len(vector)} dimensions, the index made with "
                f"{self.index.meta.embedder!r} has {self.index.meta.dim}: build the knowledge base again"
            )
        return vector


def shorten_query(query: str) -> str:
    """What the model reads of a query: all of it up to 600 characters, else its first 100 and last 500.

    In a scene or a dialogue the start says who is there and the end what is asked.
    """
    if len(query) <= _LONGEST_DENSE_QUERY:
        return query
    return query[:_KEPT_HEAD] + "\n" + query[_KEPT_HEAD - _LONGEST_DENSE_QUERY :]


def _check(k: int, budget: int | None, method: str) -> None:
    if method not in get_args(Method):
        raise QueryError(f"no search method is called {method!r}: known are {', '.join(get_args(Method))}")
    if k < 1:
        raise QueryError(f"a search gives at least one hit, k is {k}: ask for k=1 or more")
    if budget is not None and budget < 0:
        raise QueryError(f"budget counts tokens or characters, it is {budget}: give 0 or more")


def _is_visible(snippet: Snippet, not_after: int | None, names: frozenset[str] | None) -> bool:
    too_late = not_after is not None and snippet.chapter is not None and snippet.chapter > not_after
    unknown = names is not None and snippet.people and names.isdisjoint(map(normalise, snippet.people))
    return not too_late and not unknown


def _fuse(words: Scores | None, nearness: Scores | None) -> Scores:
    """float32 [n]: the one that is there, or the weighted mean of both."""
    if words is None or nearness is None:
        only = words if words is not None else nearness
        return only if only is not None else np.zeros(0, dtype=np.float32)
    return (1 - np.float32(_DENSE_SHARE)) * words + np.float32(_DENSE_SHARE) * nearness
