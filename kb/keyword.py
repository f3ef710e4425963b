"""BM25 over character bigrams: the half of the search that needs no model, and the stronger one for Chinese.

    >>> index = KeywordIndex(["沈灯：最喜欢桂花糕。", "杜若：养了一只猫。"])
    >>> index.scores("沈灯喜欢吃什么")
    array([0.31251973, 0.        ], dtype=float32)

Terms are bigrams of Chinese characters, single characters at a fraction of their weight, and whole Latin
words and numbers, lower-cased and in one width; a name that the index was told of is one whole term of
its own, so that 沈砚秋 does not find 沈砚冬. Question words of the query (什么, 吗, 请问) are no terms:
a wiki seldom holds them, so BM25 would take them for its rarest and best. Terms of names count half.
The index lives in memory as numpy arrays, made anew at every start. Nothing is stored on disk.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from kb.names import find_names, names_by_start, normalise

# Okapi BM25 (Robertson and Zaragoza 2009, equation 3.15). Length counts less than usual (0.75): snippets are of one
# size by design, and a short one is more often a stub than a precise answer. Repetition counts less (1.2) and single
# characters more than one would think. Chosen on XQuAD-zh and the development set of DRCD.
_K1, _B = 0.3, 0.3
_SINGLE_WEIGHT = 0.5
# A name tells the page, not what is asked of it: '沈灯最爱吃什么' is to be answered by what holds 最爱吃.
_NAME_WEIGHT = 0.5
_MOST_QUERY_TERMS = 200
_IDEAL_TERMS = 16

_CJK_RANGES = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7AF), (0x20000, 0x323AF))
_CJK = "".join(f"{chr(first)}-{chr(last)}" for first, last in _CJK_RANGES)
_LATIN_WORD = re.compile(rf"[^\W_{_CJK}]+")
_QUESTION_WORDS = re.compile(
    "请告诉我|请介绍一下|请介绍|介绍一下|告诉我|请问|你知道|知道吗|为什么|为何|是什么|有什么|什么|怎么样|怎么|"
    "怎样|如何|是谁|谁|哪里|哪儿|哪些|哪个|哪|多少|几个|是不是|有没有|吗|呢|吧|啊|你|我|您|的"
)
# A term is an int64: a character's code, two codes side by side, or a word's number above both.
_BIGRAM_SHIFT = 20
_FIRST_WORD = 1 << 60


class KeywordIndex:
    """BM25 scores of one query against every text.

    Postings are sorted by term: term number t of `_terms` int64 [t] is found in the texts
    `_texts[_starts[t]:_starts[t + 1]]` with the BM25 weights `_weights[...]` (float32).
    """

    def __init__(self, texts: Sequence[str], names: Iterable[str] = ()) -> None:
        """`names` are looked for whole in the texts."""
        self.count = len(texts)
        self._words: dict[str, int] = {}
        self._names = names_by_start(names)
        terms, owners = self._terms_of([normalise(text) for text in texts], learn=True)
        self._terms, numbers = np.unique(terms, return_inverse=True)
        pairs, frequencies = np.unique(numbers * max(self.count, 1) + owners, return_counts=True)
        found = pairs // max(self.count, 1)
        self._texts = pairs % max(self.count, 1)
        spread = np.bincount(found, minlength=len(self._terms))
        self._starts = np.concatenate(([0], np.cumsum(spread)))
        self._term_weights = self._weight(self._terms, spread)
        lengths = np.bincount(owners, weights=terms >= 1 << _BIGRAM_SHIFT, minlength=self.count)
        relative = lengths / max(lengths.mean(), 1) if self.count else lengths
        damping = _K1 * (1 - _B + _B * relative[self._texts])
        saturated = frequencies * (_K1 + 1) / (frequencies + damping)
        self._weights = (self._term_weights[found] * saturated).astype(np.float32)

    def scores(self, query: str) -> NDArray[np.float32]:
        """float32 [texts]: BM25 as a share of what an average text with every query term once would get.

        Not negative, rarely above 1. Of a query with more than 16 pairs and words 1 stands for as much as 16 of them:
        no snippet holds more of a scene. Only the 200 weightiest terms count.
        """
        wanted, factors = self._query_terms(query)
        places = np.minimum(np.searchsorted(self._terms, wanted), max(len(self._terms) - 1, 0))
        known = self._terms[places] == wanted if len(self._terms) else np.zeros(len(wanted), dtype=bool)
        absent = self._weight(wanted[~known], np.zeros(int((~known).sum()), dtype=np.int64)) * factors[~known]
        places, factors = places[known], factors[known]
        weights = self._term_weights[places] * factors
        scores = np.zeros(self.count, dtype=np.float32)
        for term in np.argsort(-weights, kind="stable")[:_MOST_QUERY_TERMS]:
            postings = slice(self._starts[places[term]], self._starts[places[term] + 1])
            scores[self._texts[postings]] += self._weights[postings] * factors[term]
        long_terms = int((wanted >= 1 << _BIGRAM_SHIFT).sum())
        ideal = (weights.sum() + absent.sum()) * min(1.0, _IDEAL_TERMS / max(long_terms, 1))
        return scores / np.float32(ideal or 1)

    def _query_terms(self, query: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Distinct terms of the query without its question words (with them where nothing else is left), and
        the factor of each: a name is one term, and so are the pairs around it, not those inside it.
        """
        text = normalise(query)
        names = find_names(text, self._names)
        rest = text
        for name in sorted(names, key=len, reverse=True):
            rest = rest.replace(name, " ")
        terms, _ = self._terms_of([_QUESTION_WORDS.sub(" ", rest)])
        if not len(terms) and not names:
            terms, _ = self._terms_of([text])
        named = np.array([self._word(name) for name in names], dtype=np.int64)
        wanted = np.unique(np.concatenate((terms, named)))
        return wanted, np.where(np.isin(wanted, named), _NAME_WEIGHT, 1.0).astype(np.float32)

    def _weight(self, terms: NDArray[np.int64], spread: NDArray[np.int64]) -> NDArray[np.float64]:
        """float64 [terms]: how telling each term is, from the number of texts that hold it."""
        rarity: NDArray[np.float64] = np.log(1 + (self.count - spread + 0.5) / (spread + 0.5))
        return np.where(terms < 1 << _BIGRAM_SHIFT, _SINGLE_WEIGHT, 1.0) * rarity

    def _terms_of(self, texts: list[str], *, learn: bool = False) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Terms of all (normalised) texts and the number of the text that each stands in; int64 [n], [n]."""
        codes = np.frombuffer("\n".join(texts).encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
        owners = np.cumsum(codes == ord("\n"))
        chinese = _is_cjk(codes)
        pairs = chinese[:-1] & chinese[1:]
        bigrams = (codes[:-1][pairs] << _BIGRAM_SHIFT) | codes[1:][pairs]
        words = np.array(list(self._words_of(texts, learn)), dtype=np.int64).reshape(-1, 2)
        terms = np.concatenate((codes[chinese], bigrams, words[:, 0]))
        return terms, np.concatenate((owners[chinese], owners[:-1][pairs], words[:, 1]))

    def _words_of(self, texts: list[str], learn: bool) -> Iterator[tuple[int, int]]:
        """(term, text number) of every Latin word and number; all words not learnt share one term."""
        for owner, text in enumerate(texts):
            names = self._names_in(text) if learn else []
            for word in (*_LATIN_WORD.findall(text), *names):
                if learn:
                    self._words.setdefault(word, len(self._words))
                yield self._word(word), owner

    def _names_in(self, text: str) -> Iterator[str]:
        """Every name of the text, as often as it stands there."""
        for name in find_names(text, self._names):
            yield from [name] * text.count(name)

    def _word(self, word: str) -> int:
        return _FIRST_WORD + self._words.get(word, -1)


def _is_cjk(codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    chinese = np.zeros(len(codes), dtype=bool)
    for first, last in _CJK_RANGES:
        chinese |= (codes >= first) & (codes <= last)
    return chinese
