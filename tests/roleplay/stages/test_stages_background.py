"""The retriever of a world: what it finds, what it remembers, and its errors in both languages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kb.index import build_index, load_index
from kb.retrieval import KnowledgeBase
from kb.snippets import make_snippet
from roleplay.background import Query, Snippet, search_many
from roleplay.stages.background import BackgroundError, WorldRetriever, world_retriever


class Lengths:
    """A text's vector tells how long it is; ``calls`` keeps what was encoded together."""

    name, dim = "lengths", 2

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []

    def encode(self, texts: Sequence[str], *, kind: str = "passage") -> np.ndarray:
        self.calls.append((kind, list(texts)))
        rows = np.array([[len(text), 1] for text in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def embedder() -> Lengths:
    return Lengths()


@pytest.fixture
def retriever(tmp_path: Path, embedder: Lengths) -> WorldRetriever:
    pieces = (("闻筝", "闻筝最爱吃椒盐豆糕。", None), ("雨钟", "雨停要敲钟。", 2))
    made = [
        make_snippet(title=title, text=text, source="s", chapter=n) for title, text, n in pieces
    ]
    build_index(tmp_path / "kb", made, embedder)
    embedder.calls.clear()
    return WorldRetriever(KnowledgeBase(load_index(tmp_path / "kb"), embedder))


def test_what_is_found_has_its_page_and_its_score(retriever: WorldRetriever) -> None:
    [found] = retriever("闻筝爱吃什么", 1)
    assert found == Snippet("闻筝最爱吃椒盐豆糕。", found.score, "闻筝") and 0 < found.score <= 1


def test_what_a_later_chapter_tells_is_not_found(retriever: WorldRetriever) -> None:
    def sources(chapter: int) -> list[str]:
        return [found.source for found in retriever("雨停要敲钟", 2, chapter=chapter)]

    assert "雨钟" in sources(2) and "雨钟" not in sources(1)


def test_a_search_is_remembered(retriever: WorldRetriever, embedder: Lengths) -> None:
    assert retriever("钟响了", 1) == retriever("钟响了", 1)
    assert embedder.calls == [("query", ["钟响了"])]
    retriever("钟响了", 2)
    assert len(embedder.calls) == 2


def test_many_queries_are_encoded_together(retriever: WorldRetriever, embedder: Lengths) -> None:
    found = search_many(retriever, [Query("闻筝爱吃什么", 1), Query("雨停要敲钟", 1)])
    assert [[hit.source for hit in hits] for hits in found] == [["闻筝"], ["雨钟"]]
    assert [kind for kind, _ in embedder.calls] == ["query"]
    assert found == [retriever("闻筝爱吃什么", 1), retriever("雨停要敲钟", 1)]


def test_an_error_of_the_knowledge_base_is_told_in_both_languages(
    retriever: WorldRetriever, tmp_path: Path
) -> None:
    with pytest.raises(BackgroundError) as caught:
        retriever("钟", 0)
    assert caught.value.text("en") == str(caught.value) != caught.value.text("zh")
    (tmp_path / "kb" / "meta.json").write_text(json.dumps({"format": 0}), encoding="utf-8")
    with pytest.raises(BackgroundError, match="kb"):
        world_retriever(tmp_path)


def test_a_world_without_a_knowledge_base_has_no_retriever(tmp_path: Path) -> None:
    assert world_retriever(tmp_path) is None
