"""The lookup of a world: a text is encoded once, and planned texts many at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from scripts._background import Remembering


class Lengths:
    """A text's vector is its length; ``calls`` keeps what was encoded together."""

    name, dim = "lengths", 1

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def encode(self, texts: Sequence[str], *, kind: str = "passage") -> np.ndarray:
        self.calls.append(list(texts))
        return np.array([[float(len(text))] for text in texts], dtype=np.float32)


def test_a_text_is_encoded_once() -> None:
    embedder = Lengths()
    memory = Remembering(embedder)
    assert memory.encode(["雨停了", "钟"], kind="query").tolist() == [[3.0], [1.0]]
    assert memory.encode(["钟", "钟响", "钟"], kind="query").tolist() == [[1.0], [2.0], [1.0]]
    assert embedder.calls == [["雨停了", "钟"], ["钟响"]]


def test_a_query_is_not_taken_for_a_passage() -> None:
    embedder = Lengths()
    memory = Remembering(embedder)
    memory.encode(["钟"], kind="query")
    memory.encode(["钟"], kind="passage")
    assert embedder.calls == [["钟"], ["钟"]]


def test_planned_texts_are_encoded_together() -> None:
    embedder = Lengths()
    memory = Remembering(embedder)

    def work() -> None:
        assert memory.encode(["雨停了"], kind="query").tolist() == [[0.0]]
        memory.encode(["钟"], kind="query")

    memory.plan(work)
    assert memory.encode(["雨停了"], kind="query").tolist() == [[3.0]]
    assert embedder.calls == [["雨停了", "钟"]]


def test_work_that_fails_leaves_no_plan() -> None:
    memory = Remembering(Lengths())

    def work() -> None:
        raise ValueError("no usable row")

    with pytest.raises(ValueError, match="no usable row"):
        memory.plan(work)
    assert memory.encode(["钟"], kind="query").tolist() == [[1.0]]
