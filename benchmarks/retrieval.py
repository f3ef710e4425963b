"""How fast the search is over many snippets: building, loading, and one query at a time.

    OMP_NUM_THREADS=2 python benchmarks/retrieval.py --snippets 100000 --queries 200

Snippets are made of random words of two to four characters with a Zipf-like spread, so that the
postings of BM25 are as uneven as those of real text; their vectors are random, since embedding
100,000 texts measures the embedder and not the search (its own rate is printed). Queries run
through `KnowledgeBase.search` whole, embedding included. Run it alone.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe
from kb.embedding import BundledEmbedder, Kind, Vectors, get_embedder, to_unit
from kb.index import build_index
from kb.retrieval import KnowledgeBase, Method
from kb.snippets import Snippet, make_snippet


class RandomVectors:
    """Stands for the bundled embedder in the build only."""

    name, dim = BundledEmbedder.name, BundledEmbedder.dim

    def __init__(self) -> None:
        self._rng = np.random.default_rng(1)

    def encode(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """float32 [len(texts), 512], unit rows."""
        return to_unit(self._rng.standard_normal((len(texts), self.dim), dtype=np.float32))


def main() -> int:
    """Prints the machine and a table."""
    parser = argparse.ArgumentParser(
        description="Measure building, loading and querying a large knowledge base."
    )
    parser.add_argument("--snippets", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    args = parser.parse_args()
    print(describe())
    snippets = list(made_snippets(args.snippets))
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "kb"
        built = seconds(lambda: build_index(folder, snippets, RandomVectors()))
        print(f"build without embedding  {built:8.1f} s")
        start = time.perf_counter()
        knowledge = KnowledgeBase.load(folder)
        print(f"load                     {time.perf_counter() - start:8.1f} s")
        report(knowledge, snippets, args.queries)
    return 0


def made_snippets(count: int) -> Iterator[Snippet]:
    """Snippets of about 110 characters under a title for every 25."""
    rng = np.random.default_rng(0)
    words = [
        "".join(map(chr, rng.integers(0x4E00, 0x5A00, size))) for size in rng.integers(2, 5, 40_000)
    ]
    shares = 1 / np.arange(10, len(words) + 10)
    for number in range(count):
        chosen = rng.choice(len(words), size=36, p=shares / shares.sum())
        yield make_snippet(
            f"{words[number // 25 % len(words)]}{number // 25}",
            "".join(words[place] for place in chosen),
        )


def report(knowledge: KnowledgeBase, snippets: Sequence[Snippet], count: int) -> None:
    """Median and 95th percentile for questions of 12 characters and for scenes of 250."""
    rng = np.random.default_rng(2)
    texts = [snippets[place].text for place in rng.integers(0, len(snippets), count)]
    questions = [f"{snippets[place].title}{text[:12]}是什么" for place, text in enumerate(texts)]
    scenes = [
        "\n".join((text, texts[place - 1], texts[place - 2]))[:250]
        for place, text in enumerate(texts)
    ]
    knowledge.search(questions[0])
    for name, queries in (("question", questions), ("scene", scenes)):
        for method in ("fused", "keyword", "dense"):
            walls, cpus = np.array([times_of(knowledge, query, method) for query in queries]).T
            median, tail = np.median(walls), np.percentile(walls, 95)
            print(
                f"{name:8} {method:8} median {median:6.1f} ms   p95 {tail:6.1f} ms"
                f"   CPU median {np.median(cpus):6.1f} ms"
            )
    embedder = get_embedder()
    taken = seconds(lambda: embedder.encode(texts))
    print(f"bundled embedder         {len(texts) / taken:8.1f} texts/s")


def times_of(knowledge: KnowledgeBase, query: str, method: Method) -> tuple[float, float]:
    """Milliseconds of one search: on the clock, and of all cores, which others disturb less."""
    wall, cpu = time.perf_counter(), time.process_time()
    knowledge.search(query, 5, method=method)
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    raise SystemExit(main())
