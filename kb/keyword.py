"""BM25 over character bigrams: the half of the search that needs no model, and the stronger one.

    >>> index = KeywordIndex(["沈灯：最喜欢桂花糕。", "杜若：养了一只猫。"])
    >>> index.scores("沈灯喜欢吃什么")
    array([0.37993008, 0.        ], dtype=float32)

Terms are bigrams of Chinese characters, single characters at a fraction of their weight, and whole
Latin words and numbers, lower-cased and in one width; a name that the index was told of is one term
of its own, so that 沈砚秋 does not find 沈砚冬, and counts half. Question words of the query (什么, 吗,
请问) are no terms: a wiki seldom holds them, so BM25 would take them for its rarest and best.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from kb.names import NameFinder, normalise
from kb.sections import WORDS

# Okapi BM25 (Robertson and Zaragoza 2009, equation 3.15), chosen on XQuAD-zh and the development
# set of DRCD. Length counts less than usual (0.75): snippets are of one size, and a short one is
# more often a stub than a precise answer. Repetition counts less (1.2), single characters more.
_K1, _B = 0.3, 0.3
_SINGLE_WEIGHT = 0.5
# A name tells the page, not what is asked of it: '沈灯最爱吃什么' is to be answered by what holds 最爱吃.
_NAME_WEIGHT = 0.5
_MOST_QUERY_TERMS = 200
_IDEAL_TERMS = 16

# Kana, ideographs with their extensions, Hangul.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U000323af"
_CJK_RANGES = [(ord(span[0]), ord(span[2])) for span in re.findall(".-.", _CJK)]
_LATIN_WORD = re.compile(rf"[^\W_{_CJK}]+")
# Longer ones stand before those that they begin with.
_QUESTION_WORDS = re.compile("|".join(WORDS["question-words"]))
# A term is an int64: a character's code, two codes side by side, or a word's number above both.
_BIGRAM_SHIFT = 20
_FIRST_WORD = 1 << 60


class KeywordIndex:
    """BM25 scores of one query against every text.

    Postings are sorted by term: term number t of `_terms` int64 [t] is found in the texts
    `_texts[_starts[t]:_starts[t + 1]]` with the BM25 weights `_weights[...]` (float32).
    """

    def __init__(self, texts: Sequence[str], names: NameFinder | None = None) -> None:
        """`names` are looked for whole in the texts."""
        self.count = len(texts)
        self._words: dict[str, int] = {}
        self._names = names or NameFinder(())
        terms, owners = self._terms_of([normalise(text) for text in texts], learn=True)
        unique, numbers = np.unique(terms, return_inverse=True)
        # One more than there are: a term above all of them is looked up there, and not found.
        self._terms = np.append(unique, np.iinfo(np.int64).max)
        # (term, text) as one number, so that equal pairs are counted in one pass.
        pairs, frequencies = np.unique(numbers * max(self.count, 1) + owners, return_counts=True)
        found, self._texts = np.divmod(pairs, max(self.count, 1))
        spread = np.bincount(found, minlength=len(unique))
        self._starts = np.concatenate(([0], np.cumsum(spread)))
        self._term_weights = self._weight(unique, spread)
        lengths = np.bincount(owners, weights=terms >= 1 << _BIGRAM_SHIFT, minlength=self.count)
        relative = lengths / max(lengths.mean(), 1) if self.count else lengths
        damping = _K1 * (1 - _B + _B * relative[self._texts])
        saturated = frequencies * (_K1 + 1) / (frequencies + damping)
        self._weights = (self._term_weights[found] * saturated).astype(np.float32)

    def scores(self, query: str, *, names_count: bool = True) -> NDArray[np.float32]:
        """float32 [texts]: BM25 as a share of what an average text with every term once would get.

        Not negative, rarely above 1. Of a query with more than 16 pairs and words 1 stands for as
        much as 16 of them: no snippet holds more of a scene. Only the 200 weightiest terms count.
        `names_count` False leaves the names in the query out.
        """
        wanted, factors = self._query_terms(query, names_count=names_count)
        places = np.searchsorted(self._terms, wanted)
        known = self._terms[places] == wanted
        absent = self._weight(wanted[~known], np.zeros((~known).sum(), np.int64)) * factors[~known]
        places, factors = places[known], factors[known]
        weights = self._term_weights[places] * factors
        scores = np.zeros(self.count, dtype=np.float32)
        for term in np.argsort(-weights, kind="stable")[:_MOST_QUERY_TERMS]:
            postings = self._postings(places[term])
            scores[self._texts[postings]] += self._weights[postings] * factors[term]
        long_terms = int((wanted >= 1 << _BIGRAM_SHIFT).sum())
        ideal = (weights.sum() + absent.sum()) * min(1.0, _IDEAL_TERMS / max(long_terms, 1))
        return scores / np.float32(ideal or 1)

    def holding(self, name: str) -> NDArray[np.int64]:
        """Numbers of the texts in which a name stands whole."""
        place = np.searchsorted(self._terms, term := self._word(name))
        found = slice(0) if self._terms[place] != term else self._postings(place)
        return np.asarray(self._texts[found], dtype=np.int64)

    def _postings(self, place: np.int64) -> slice:
        return slice(self._starts[place], self._starts[place + 1])

    def _query_terms(
        self, query: str, *, names_count: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Distinct terms of the query without its question words, and the factor of each.

        A name is one term, and so are the pairs around it, not those inside it. Question words
        count where nothing else is left.
        """
        text = normalise(query)
        found = self._names.find(text)
        rest = text
        for at, name in found:
            rest = rest[:at] + " " * len(name) + rest[at + len(name) :]
        terms, _ = self._terms_of([_QUESTION_WORDS.sub(" ", rest)])
        if not len(terms) and not found:
            terms, _ = self._terms_of([text])
        words = {self._word(name) for _, name in found} if names_count else set()
        named = np.array(sorted(words), dtype=np.int64)
        wanted = np.unique(np.concatenate((terms, named)))
        return wanted, np.where(np.isin(wanted, named), _NAME_WEIGHT, 1.0).astype(np.float32)

    def _weight(self, terms: NDArray[np.int64], spread: NDArray[np.int64]) -> NDArray[np.float64]:
        """float64 [terms]: how telling each term is, from the number of texts that hold it."""
        rarity: NDArray[np.float64] = np.log(1 + (self.count - spread + 0.5) / (spread + 0.5))
        return np.where(terms < 1 << _BIGRAM_SHIFT, _SINGLE_WEIGHT, 1.0) * rarity

    def _terms_of(
        self, texts: list[str], *, learn: bool = False
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """int64 [n], [n]: terms of all normalised texts, and the number of the text of each."""
        data = "\n".join(texts).encode("utf-32-le")
        codes = np.frombuffer(data, dtype=np.uint32).astype(np.int64)
        owners = np.cumsum(codes == ord("\n"))
        chinese = np.zeros(len(codes), dtype=bool)
        for first, last in _CJK_RANGES:
            chinese |= (codes >= first) & (codes <= last)
        pairs = chinese[:-1] & chinese[1:]
        bigrams = (codes[:-1][pairs] << _BIGRAM_SHIFT) | codes[1:][pairs]
        words = np.array(list(self._words_of(texts, learn)), dtype=np.int64).reshape(-1, 2)
        terms = np.concatenate((codes[chinese], bigrams, words[:, 0]))
        return terms, np.concatenate((owners[chinese], owners[:-1][pairs], words[:, 1]))

    def _words_of(self, texts: list[str], learn: bool) -> Iterator[tuple[int, int]]:
        """(term, text number) of Latin words and numbers; of names only while they are learnt."""
        for owner, text in enumerate(texts):
            words = _LATIN_WORD.findall(text)
            if learn:
                words += [name for _, name in self._names.find(text)]
                for word in words:
                    self._words.setdefault(word, len(self._words))
            for word in words:
                yield self._word(word), owner

    def _word(self, word: str) -> int:
        """The term of a word; all that were not learnt share one."""
        return _FIRST_WORD + self._words.get(word, -1)
