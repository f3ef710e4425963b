"""Search: a question or a scene in, the snippets that help to answer it out, best first.

    >>> kb = KnowledgeBase.load("worlds/chuiyan/kb")
    >>> [f"{hit.score:.2f} {hit.snippet.display}" for hit in kb.search("沈砚秋的黑伞叫什么名字", k=1)]
    ['0.56 沈砚秋的黑伞名叫不归。不归有二十四根伞骨。…']

Every score lies in 0-1 and means how near a snippet comes to one that answers all of the query.
'keyword' is BM25 as a share of an average snippet that holds every term of the query (of a scene:
as much as 16 of them); the pages that a question names are terms of their own (`kb.asking`).
'dense' is how far the cosine stands above that of an average snippet, as a share of the way to 1,
which makes models with narrow and wide cosines alike. 'fused' is 0.7 of the first and 0.3 of the
second: at `MIN_SCORE` unrelated questions find nothing and most answers are kept
(`python scripts/evaluate_retrieval.py --world worlds/chuiyan` prints both shares).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from kb.asking import Question, read_question
from kb.duplicates import choose
from kb.embedding import Embedder, get_embedder
from kb.errors import EmbedderMismatchError, QueryError
from kb.index import VectorIndex, load_index
from kb.keyword import KeywordIndex
from kb.names import Names, normalise, simplified
from kb.sections import WORDS
from kb.snippets import Snippet

Method: TypeAlias = Literal["fused", "dense", "keyword"]
Scores: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]

MIN_SCORE = 0.2
# The bundled embedder alone finds 56 of 100 first, BM25 86 (DRCD's development set, where 0.2-0.35
# did about as well): the model may tip the balance, not set it.
_DENSE_SHARE = np.float32(0.3)
# Beside a snippet of the page that a question names: one that mentions it, and one that stands
# between several of them.
_MENTIONED, _TOGETHER = 0.4, 0.8
# Notes of the plot hold many words that a question about a fact has by chance.
_PLOT = 0.8
_CANDIDATES = 200
_LONGEST_DENSE_QUERY, _KEPT_HEAD = 600, 100
# Many texts at once are faster to encode; more than these only take memory.
_BATCH = 64


@dataclass(frozen=True)
class Query:
    """A question or a scene, and how many hits it wants at most.

    `not_after` hides snippets of later chapters, `known_to` those with people of whom none goes by
    this name; neither hides what has no chapter or no people.
    """

    text: str
    k: int
    known_to: str | None = None
    not_after: int | None = None


@dataclass(frozen=True)
class Hit:
    """A snippet found; `score` in 0-1 orders the hits, the rest are its parts (None: not used)."""

    snippet: Snippet
    score: float
    keyword: float | None = None
    dense: float | None = None


class KnowledgeBase:
    """An index with its embedder, ready for questions."""

    def __init__(self, index: VectorIndex, embedder: Embedder) -> None:
        self.index = index
        self.embedder = embedder
        # A page called 性格 or 剧情 is not what a question with the word in it asks for.
        pages = (one for one in index.snippets if normalise(one.title) not in WORDS["generic"])
        self._names = Names((one.title, one.aliases) for one in pages)
        texts = [snippet.searched for snippet in index.snippets]
        self._keyword = KeywordIndex(texts, self._names.finder)
        chapters = [snippet.chapter is not None for snippet in index.snippets]
        self._facts_first = np.where(chapters, _PLOT, 1).astype(np.float32)
        self._titles = {snippet.title: normalise(snippet.title) for snippet in index.snippets}
        self._pages: dict[str, list[int]] = {}
        for number, snippet in enumerate(index.snippets):
            self._pages.setdefault(self._titles[snippet.title], []).append(number)
        # A search of an empty index never gets as far as this.
        self._centre = index.vectors.mean(axis=0) if len(index.snippets) else index.vectors
        self._visible = lru_cache(maxsize=64)(self._find_visible)

    @classmethod
    def load(cls, folder: str | Path, *, embedder: Embedder | None = None) -> "KnowledgeBase":
        """Opens a folder written by `kb.index.build_index`, by default with its own embedder.

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
        not_after: int | None = None,
        known_to: str | None = None,
    ) -> list[Hit]:
        """At most `k` hits, highest score first, no two that say one thing; see `Query`.

        A query without a word gives no hits.
        Raises QueryError for an unknown method or k < 1.
        """
        if method not in (known := get_args(Method)):
            raise QueryError("search.unknown-method", method=method, known=", ".join(known))
        return self._search([Query(query, k, known_to, not_after)], method)[0]

    def search_many(self, queries: Sequence[Query]) -> list[list[Hit]]:
        """What `search` finds for each query; their texts are encoded many at a time.

        A model rounds a batch a little differently: scores may be off by some 1e-7.
        Raises QueryError for k < 1.
        """
        return self._search(queries)

    def expand(self, query: str) -> str:
        """The query with the titles of the pages that it names by an alias."""
        return "\n".join((" ".join(self._names.titles_missing_from(query)), query)).strip()

    def _search(self, queries: Sequence[Query], method: Method = "fused") -> list[list[Hit]]:
        """The hits of each query; those with one text share its vector and its words."""
        places: dict[str, list[int]] = {}
        for place, query in enumerate(queries):
            if query.k < 1:
                raise QueryError("search.k", k=query.k)
            if query.text.strip() and len(self):
                places.setdefault(query.text, []).append(place)
        found: list[list[Hit]] = [[] for _ in queries]
        for text, vector in self._encoded(list(places), method):
            about = read_question(text, self._names)
            words = self._word_scores(text, about) if method != "dense" else None
            fit = self._fit(about)
            for place in places[text]:
                query = queries[place]
                visible = self._visible(query.not_after, query.known_to)
                hits = self._rank(words, vector, fit, visible)
                hits = self._each_in_place(hits, about) if about else hits
                chosen = choose((hit.snippet.text for hit in hits), k=query.k)
                found[place] = [hits[number] for number in chosen]
        return found

    def _word_scores(self, query: str, about: Question | None) -> Scores:
        """float32 [snippets], 0-1: by the words of a query, without the names that it is about."""
        if about is None:
            return np.minimum(self._keyword.scores(self.expand(query)), 1)
        scores = self._keyword.scores(about.question, names_count=False)
        return np.minimum(scores if about.of_plot else scores * self._facts_first, 1)

    def _fit(self, about: Question | None) -> Scores:
        """float32 [snippets]: how well each fits whom the query is about, a share of its score."""
        fits = np.zeros((len(about.subjects) if about else 0, len(self)), dtype=np.float32)
        if about is None:
            return np.zeros(len(self), dtype=np.float32)
        for fit, subject in zip(fits, about.subjects, strict=True):
            for name in subject.names:
                fit[self._keyword.holding(name)] = _MENTIONED
            fit[[number for title in subject.titles for number in self._pages.get(title, ())]] = 1
        # What stands between several of them is worth more than what is only on one.
        between = (fits > 0).all(axis=0) & (len(fits) > 1)
        fits[:, between] = np.maximum(fits[:, between], _TOGETHER)
        weights = np.array([subject.weight for subject in about.subjects], dtype=np.float32)
        return np.asarray(about.share * weights @ fits / weights.sum(), dtype=np.float32)

    def _each_in_place(self, hits: list[Hit], about: Question) -> list[Hit]:
        """The hits with the best of each of several pages that a question is about among the first.

        Behind them, on the third place or later, comes what says most of what is asked, wherever it
        stands. What is moved up scores as what it then stands before, so that scores fall.
        """
        count = len(about.subjects)
        pages = [self._titles[hit.snippet.title] for hit in hits]
        best = (
            next((n for n, page in enumerate(pages) if page in subject.titles), 0)
            for subject in about.subjects
        )
        missing = sorted({number for number in best if number >= count > 1})
        order = [n for n in range(len(hits)) if n not in missing]
        order[max(count - len(missing), 1) : 0] = missing
        told = max(order, key=lambda n: hits[n].keyword or 0, default=0)
        if order and order.index(told) > (last := 2 if count == 1 else count + 1):
            order.remove(told)
            order.insert(last, told)
        found: list[Hit] = []
        for n in reversed(order):
            least = found[-1].score if found else 0
            found.append(hits[n] if hits[n].score >= least else replace(hits[n], score=least))
        return found[::-1]

    def _encoded(self, texts: Sequence[str], method: Method) -> Iterator[tuple[str, Scores | None]]:
        """(text, float32 [dim] where used) of each; one batch's vectors are held at once.

        Raises EmbedderMismatchError when the model's vectors do not fit the index.
        """
        name, meta = self.embedder.name, self.index.meta
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            if method == "keyword":
                yield from zip(batch, repeat(None))
                continue
            vectors = self.embedder.encode([*map(self._read_by_model, batch)], kind="query")
            if (dim := vectors.shape[-1]) != meta.dim:
                raise EmbedderMismatchError(
                    "embedder.other-size", name=name, dim=dim, made=meta.embedder, wanted=meta.dim
                )
            yield from zip(batch, vectors, strict=True)

    def _read_by_model(self, query: str) -> str:
        """What is encoded of a query: not who is asked, where it is about somebody else."""
        about = read_question(query, self._names)
        asked = self.expand(about.question if about and not about.asked else query)
        return shorten_query(simplified(asked))

    def _rank(
        self, words: Scores | None, vector: Scores | None, fit: Scores, visible: Mask | None
    ) -> list[Hit]:
        """The 200 best by each of what is used, those with a score above 0, best first.

        `fit` float32 [snippets] is what is added for standing on a page that the query is about.
        """
        found: list[NDArray[np.int64]] = []
        for scores in (fit, *([] if words is None else [words])):
            scores = scores if visible is None else scores * visible
            best = np.argpartition(-scores, min(_CANDIDATES, len(scores) - 1))[:_CANDIDATES]
            found.append(best[scores[best] > 0])
        if vector is not None:
            nearest = self.index.nearest(vector, _CANDIDATES, among=visible)
            found.append(np.array(nearest, dtype=np.int64))
        numbers = np.unique(np.concatenate(found))
        parts: dict[str, Scores] = {}
        if words is not None:
            parts["keyword"] = scores = words[numbers]
        if vector is not None:
            parts["dense"] = scores = self._nearness(vector, numbers)
        if len(parts) == 2:
            scores = (1 - _DENSE_SHARE) * parts["keyword"] + _DENSE_SHARE * parts["dense"]
        # What the best fit takes of the score is not left for the words.
        scores = (1 - fit.max()) * scores + fit[numbers]
        hits = []
        for place in np.argsort(-scores, kind="stable"):
            if scores[place] > 0:
                shares = {name: float(part[place]) for name, part in parts.items()}
                snippet = self.index.snippets[numbers[place]]
                hits.append(Hit(snippet, float(scores[place]), **shares))
        return hits

    def _nearness(self, vector: Scores, numbers: NDArray[np.int64]) -> Scores:
        """float32 [numbers]: the cosines, about 0 at an average snippet's and under it, 1 at 1."""
        average = min(float(self._centre @ vector), 0.99)
        cosines = self.index.vectors[numbers] @ vector
        # What lies under the average keeps its order, within the last hundredth.
        nearness = np.maximum((cosines - average) / (1 - average), 0.005 * (1 + cosines))
        return np.asarray(np.clip(nearness, 0, 1), dtype=np.float32)

    def _find_visible(self, not_after: int | None, known_to: str | None) -> Mask | None:
        """bool [snippets]: what the filters leave; None where they leave everything."""
        if not_after is None and known_to is None:
            return None
        last = math.inf if not_after is None else not_after
        names = self._names.of_one(known_to) if known_to is not None else None

        def is_visible(snippet: Snippet) -> bool:
            if snippet.chapter is not None and snippet.chapter > last:
                return False
            people = map(normalise, snippet.people)
            return names is None or not snippet.people or not names.isdisjoint(people)

        return np.fromiter(map(is_visible, self.index.snippets), dtype=bool)


def shorten_query(query: str) -> str:
    """What the model reads of a query: all up to 600 characters, else its first 100 and last 500.

    In a scene or a dialogue the start says who is there and the end what is asked.
    """
    if len(query) <= _LONGEST_DENSE_QUERY:
        return query
    return query[:_KEPT_HEAD] + "\n" + query[_KEPT_HEAD - _LONGEST_DENSE_QUERY :]
