"""Search: a question or a scene in, the snippets that help to answer it out, best first.

    >>> kb = KnowledgeBase.load("worlds/chuiyan/kb")
    >>> for hit in kb.search("沈砚秋的黑伞叫什么名字", k=2):
    ...     print(f"{hit.score:.2f} {hit.snippet.display}")
    0.55 沈砚秋的黑伞名叫不归。不归有二十四根伞骨。…
    0.38 沈砚秋的生日是九月廿三。沈砚秋身高一米八四。…

Every score lies in 0-1, whatever the method: how near a snippet comes to one that answers all of the query.
'keyword' is BM25 as a share of an average snippet with every term of the query, 'dense' the cosine, and
'fused' a weighted mean of the two in which each counts the more, the less it spreads over the candidates.
That mean orders snippets as the sum of z-scores does: (x - mean) / spread is x / spread less a constant.

It reads an index and never writes one; the model is loaded at the first search that needs it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from kb.embedding import Embedder, get_embedder
from kb.errors import EmbedderMismatchError, QueryError
from kb.index import VectorIndex, load_index
from kb.keyword import KeywordIndex, normalise
from kb.snippets import Snippet

Method: TypeAlias = Literal["fused", "dense", "keyword"]
Scores: TypeAlias = NDArray[np.float32]

# The bundled embedder alone finds 52 of 100 first, BM25 78: the model may tip the balance, not set it.
_KEYWORD_SHARE = 0.75
_CANDIDATES = 200
_LONGEST_DENSE_QUERY, _KEPT_HEAD = 600, 100
_SAME_TEXT = 0.8


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
        self._keyword = KeywordIndex([snippet.searched for snippet in index.snippets])
        self._names = _Names(index.snippets)

    @classmethod
    def load(cls, folder: str | Path, *, embedder: Embedder | None = None) -> "KnowledgeBase":
        """Opens a folder written by `kb.index.build_index`, by default with the embedder that made it.

        Raises KnowledgeBaseError (see `kb.index.load_index`) when it cannot be used.
        """
        index = load_index(folder, embedder_name=embedder.name if embedder else None)
        return cls(index, embedder or get_embedder(index.meta.embedder))

    def __len__(self) -> int:
        return len(self.index.snippets)

    def search(self, query: str, k: int = 5, *, budget_chars: int | None = None, method: Method = "fused") -> list[Hit]:
        """At most `k` hits, highest score first, near-identical texts only once.

        `budget_chars` bounds the summed length of the hits' `display`; what does not fit is passed over.
        A query without a word gives no hits.
        Raises QueryError for an unknown method, k < 1 or a negative budget.
        """
        _check(k, budget_chars, method)
        if not query.strip() or not len(self):
            return []
        ranked = self._rank(query, method)
        return _choose(ranked, k, budget_chars)

    def _rank(self, query: str, method: Method) -> list[Hit]:
        """Candidates with a score above 0, best first."""
        names = self._names.found_in(query)
        words = self._keyword.scores(query, names) if method != "dense" else None
        vector = self._query_vector(query) if method != "keyword" else None
        numbers = self._candidates(words, vector)
        words = None if words is None else words[numbers]
        cosines = None if vector is None else np.maximum(self.index.vectors[numbers] @ vector, 0)
        scores = _fuse(words, cosines)
        return [
            Hit(
                snippet=self.index.snippets[numbers[place]],
                score=min(float(scores[place]), 1.0),
                keyword=None if words is None else min(float(words[place]), 1.0),
                dense=None if cosines is None else min(float(cosines[place]), 1.0),
            )
            for place in np.argsort(-scores, kind="stable")
            if scores[place] > 0
        ]

    def _candidates(self, keyword: Scores | None, vector: Scores | None) -> NDArray[np.int64]:
        """Numbers of the best snippets of each method that is used, ascending; int64 [at most 400]."""
        numbers: set[int] = set()
        if keyword is not None:
            best = np.argsort(-keyword, kind="stable")[:_CANDIDATES]
            numbers.update(int(number) for number in best if keyword[number] > 0)
        if vector is not None:
            numbers.update(self.index.nearest(vector, _CANDIDATES))
        return np.array(sorted(numbers), dtype=np.int64)

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


def _check(k: int, budget_chars: int | None, method: str) -> None:
    if method not in get_args(Method):
        raise QueryError(f"no search method is called {method!r}: known are {', '.join(get_args(Method))}")
    if k < 1:
        raise QueryError(f"a search gives at least one hit, k is {k}: ask for k=1 or more")
    if budget_chars is not None and budget_chars < 0:
        raise QueryError(f"budget_chars counts characters, it is {budget_chars}: give 0 or more")


def _fuse(words: Scores | None, cosines: Scores | None) -> Scores:
    """float32 [n]: the one that is there, or the mean of both weighted by share / spread."""
    if words is None or cosines is None:
        only = words if words is not None else cosines
        return only if only is not None else np.zeros(0, dtype=np.float32)
    word_weight = _KEYWORD_SHARE * _inverse_spread(words)
    cosine_weight = (1 - _KEYWORD_SHARE) * _inverse_spread(cosines)
    total = word_weight + cosine_weight
    if total == 0:
        word_weight, cosine_weight, total = _KEYWORD_SHARE, 1 - _KEYWORD_SHARE, 1.0
    return ((word_weight * words + cosine_weight * cosines) / total).astype(np.float32)


def _inverse_spread(values: Scores) -> float:
    """1 / standard deviation; 0 where all values are the same and so say nothing about the order."""
    spread = float(values.std()) if len(values) else 0.0
    return 1 / spread if spread > 1e-6 else 0.0


def _choose(ranked: Sequence[Hit], k: int, budget_chars: int | None) -> list[Hit]:
    """The first `k` of the ranked hits that fit the budget and do not repeat one another."""
    chosen: list[Hit] = []
    seen: list[frozenset[str]] = []
    left = budget_chars
    for hit in ranked:
        size = len(hit.snippet.display)
        pairs = _bigrams(hit.snippet.text)
        if (left is not None and size > left) or any(_alike(pairs, other) for other in seen):
            continue
        chosen.append(hit)
        seen.append(pairs)
        left = None if left is None else left - size
        if len(chosen) == k:
            break
    return chosen


def _bigrams(text: str) -> frozenset[str]:
    letters = re.sub(r"\W", "", text)
    return frozenset(letters[i : i + 2] for i in range(max(len(letters) - 1, 1)))


def _alike(left: frozenset[str], right: frozenset[str]) -> bool:
    """True when two texts share four fifths of their character pairs (Jaccard)."""
    return len(left & right) >= _SAME_TEXT * len(left | right)


class _Names:
    """Titles and aliases of at least two characters, by their first two: one pass over a query finds them."""

    def __init__(self, snippets: Sequence[Snippet]) -> None:
        self._by_start: dict[str, set[str]] = {}
        for title, aliases in {(snippet.title, snippet.aliases) for snippet in snippets}:
            for name in map(normalise, (title, *aliases)):
                if len(name) > 1:
                    self._by_start.setdefault(name[:2], set()).add(name)

    def found_in(self, query: str) -> list[str]:
        """Names that stand in the query, sorted."""
        text = normalise(query)
        starts = {text[at : at + 2] for at in range(len(text) - 1)} & self._by_start.keys()
        return sorted(name for start in starts for name in self._by_start[start] if name in text)
