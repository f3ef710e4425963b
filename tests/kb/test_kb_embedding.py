"""Embedders by name, and the real bundled one."""

from pathlib import Path

import numpy as np
import pytest

from kb.embedding import BundledEmbedder, SentenceTransformerEmbedder, get_embedder, to_unit
from kb.errors import EmbedderError


def test_bundled_embedder_gives_unit_vectors() -> None:
    vectors = BundledEmbedder().encode(["沈灯喜欢吃什么", "最喜欢桂花糕。", ""])
    assert (vectors.shape, vectors.dtype) == ((3, 512), np.float32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_bundled_embedder_takes_no_texts() -> None:
    assert BundledEmbedder().encode([]).shape == (0, 512)


def test_default_is_the_bundled_embedder() -> None:
    assert get_embedder().name == "bundled"


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        EmbedderError, match=r"'nope'.*bundled, bge-small-zh, multilingual-e5-small"
    ):
        get_embedder("nope")


def test_hub_name_is_taken_without_loading() -> None:
    assert get_embedder("BAAI/bge-small-zh-v1.5").name == "BAAI/bge-small-zh-v1.5"


def test_folder_without_a_model_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EmbedderError, match="cannot load the embedder") as caught:
        SentenceTransformerEmbedder(str(tmp_path)).encode(["沈灯"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [[[0.0, 0.0]], [[np.nan, 1.0]]])
def test_vectors_that_are_none_are_refused(bad: list[list[float]]) -> None:
    with pytest.raises(EmbedderError, match="finite vectors that are not zero"):
        to_unit(bad)
