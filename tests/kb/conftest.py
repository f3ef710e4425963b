"""Real small indexes: a deterministic embedder that counts characters, and a little world."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from kb.embedding import Kind, Vectors, to_unit
from kb.index import build_index
from kb.retrieval import KnowledgeBase
from kb.snippets import Snippet, make_snippet


class HashEmbedder:
    """Adds one direction per character, chosen by its hash.

    `seen` holds every text that was encoded, `batches` how many at a time.
    """

    def __init__(self, name: str = "hash", dim: int = 32) -> None:
        self.name = name
        self.dim = dim
        self.seen: list[str] = []
        self.batches: list[int] = []

    def encode(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        self.seen.extend(texts)
        self.batches.append(len(texts))
        vectors = np.full((len(texts), self.dim), 1e-3, dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for character in text:
                row[hashlib.md5(character.encode()).digest()[0] % self.dim] += 1
        return to_unit(vectors)


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def make_embedder() -> Callable[..., HashEmbedder]:
    return HashEmbedder


@pytest.fixture
def snippets() -> list[Snippet]:
    return [
        make_snippet(
            "沈灯", "最喜欢桂花糕。", heading="喜好", source="沈灯.wiki", aliases=["小灯"]
        ),
        make_snippet("沈灯", "生日: 三月初三；职业: 灯匠", source="沈灯.wiki", aliases=["小灯"]),
        make_snippet("杜若", "杜若养了一只叫墨点的猫。", source="杜若.wiki"),
        make_snippet(
            "吹烟镇", "吹烟镇在河的北岸，以灯会闻名。", heading="地理", source="吹烟镇.wiki"
        ),
        make_snippet("X-9型飞艇", "X-9型飞艇的船长是 Anna Lee。", source="X-9型飞艇.wiki"),
    ]


@pytest.fixture
def kb(tmp_path: Path, snippets: list[Snippet], embedder: HashEmbedder) -> KnowledgeBase:
    build_index(tmp_path / "kb", snippets, embedder)
    return KnowledgeBase.load(tmp_path / "kb", embedder=embedder)
