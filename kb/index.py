"""The index on disk: snippets, their vectors and what made them, in one folder that changes all at once.

    >>> report = build_index("worlds/chuiyan/kb", snippets, get_embedder("bundled"))
    >>> report
    BuildReport(total=117, embedded=4, reused=113)

    worlds/chuiyan/kb/   snippets.jsonl   vectors.npy (float32 [n, dim], unit rows)   meta.json
    meta.json            {"format": "kb-index", "version": 1, "embedder": "bundled", "dim": 512, "count": 117,
                          "snippets_sha256": "9b1c..."}

A build writes a folder beside the old one and then swaps them: killed at any moment it leaves the old index
or the new one, and the vectors made so far (`kb.building`) serve the next build. It embeds only what it has
not seen, and only one process builds a folder at a time.
Nothing is searched by keyword here, and no wiki is read.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kb.building import Parts, build_lock
from kb.embedding import Embedder, Vectors
from kb.errors import EmbedderError, EmbedderMismatchError, IndexFileError, KnowledgeBaseError
from kb.snippets import Snippet, read_snippets, write_snippets

FORMAT = "kb-index"
VERSION = 1
_SNIPPETS, _VECTORS, _META = "snippets.jsonl", "vectors.npy", "meta.json"
_BATCH = 64
# What a killed build may lose: a few seconds of the bundled embedder on a slow core.
_BATCHES_A_PART = 8
_MOST_EXACT = 20_000
# Its wrappers take arguments in ways that its type hints do not know.
_faiss: Any = faiss

Progress = Callable[[int, int], None]


class IndexMeta(BaseModel):
    """meta.json: what made the index, and what must fit together in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str = FORMAT
    version: int = VERSION
    embedder: str
    dim: int = Field(ge=1)
    count: int = Field(ge=0)
    snippets_sha256: str
    chapters: tuple[int, ...] = ()
    """Those that snippets belong to, in order; empty in an index made before this was kept."""


@dataclass(frozen=True)
class BuildReport:
    """What a build did: snippets in the index, embedded now, and taken over from before."""

    total: int
    embedded: int
    reused: int


class VectorIndex:
    """Snippets and their vectors, searchable by cosine (inner product of unit vectors) with FAISS.

    Up to 20,000 are compared exactly. Of more, `nearest` compares copies of 8 bits a number, which are read four
    times as fast; whoever needs exact cosines takes them from `vectors`.
    """

    def __init__(self, snippets: Sequence[Snippet], vectors: Vectors, meta: IndexMeta) -> None:
        self.snippets = list(snippets)
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self.meta = meta
        self._faiss = _faiss_index(self.vectors, meta.dim)

    def nearest(self, vector: Vectors, count: int, *, among: NDArray[np.bool_] | None = None) -> list[int]:
        """Numbers of the `count` snippets nearest to one vector (float32 [dim]), nearest first.

        `among` (bool [snippets]) says which may be found.
        """
        count = min(count, len(self.snippets))
        if count == 0:
            return []
        parameters = None
        if among is not None:
            parameters = _faiss.SearchParameters(sel=_faiss.IDSelectorBitmap(np.packbits(among, bitorder="little")))
        _, numbers = self._faiss.search(vector.reshape(1, -1), count, params=parameters)
        return [int(number) for number in numbers[0] if number >= 0]


def _faiss_index(vectors: Vectors, dim: int) -> Any:
    if len(vectors) <= _MOST_EXACT:
        index = _faiss.IndexFlatIP(dim)
    else:
        index = _faiss.IndexScalarQuantizer(dim, _faiss.ScalarQuantizer.QT_8bit, _faiss.METRIC_INNER_PRODUCT)
        index.train(vectors[:: len(vectors) // _MOST_EXACT])
    index.add(vectors)
    return index


def build_index(
    folder: str | Path,
    snippets: Sequence[Snippet],
    embedder: Embedder,
    *,
    on_progress: Progress | None = None,
) -> BuildReport:
    """Embeds what is new or changed and writes the folder; `on_progress(done, total)` counts new snippets.

    Raises EmbedderError when the embedder's vectors do not have its `dim`, and IndexBusyError when another
    process is building this folder.
    """
    folder = Path(folder)
    with build_lock(folder):
        _recover(folder)
        parts = Parts(folder, embedder)
        known = {**_known_vectors(folder, embedder), **parts.read()}
        new = [snippet for snippet in snippets if snippet.id not in known]
        for ids, vectors in _embed_in_parts(embedder, new, on_progress):
            parts.add(ids, vectors)
            known.update(zip(ids, vectors, strict=True))
        _save(folder, snippets, known, embedder)
        parts.clear()
    return BuildReport(total=len(snippets), embedded=len(new), reused=len(snippets) - len(new))


def load_index(folder: str | Path, *, embedder_name: str | None = None) -> VectorIndex:
    """Reads an index and checks that its parts belong together.

    Raises IndexFileError or SnippetFileError when a file is missing, damaged or of another version, and
    EmbedderMismatchError when `embedder_name` is given and is not what made the index.
    """
    folder = _readable(Path(folder))
    meta = read_meta(folder)
    if embedder_name is not None and embedder_name != meta.embedder:
        raise EmbedderMismatchError(
            f"{str(folder)!r} was built with the embedder {meta.embedder!r}, not {embedder_name!r}: "
            f"open it with {meta.embedder!r}, or run {build_command(folder)} --embedder {embedder_name}"
        )
    snippets = read_snippets(folder / _SNIPPETS)
    vectors = _read_vectors(folder)
    if (len(snippets), *vectors.shape) != (meta.count, meta.count, meta.dim):
        raise _damaged(folder, f"{len(snippets)} snippets, vectors {vectors.shape}, {meta.count} in {_META}")
    if _hash_of(snippets) != meta.snippets_sha256:
        raise _damaged(folder, f"{_SNIPPETS} is not the file the vectors were made from")
    return VectorIndex(snippets, vectors, meta)


def read_meta(folder: str | Path) -> IndexMeta:
    """meta.json of an index; raises IndexFileError when it is missing, damaged or of another version."""
    folder = _readable(Path(folder))
    try:
        raw = json.loads((folder / _META).read_text(encoding="utf-8"))
        found = (raw.get("format"), raw.get("version"))
        if found != (FORMAT, VERSION):
            raise IndexFileError(
                f"{str(folder)!r} holds format {found[0]} version {found[1]}, "
                f"this program reads {FORMAT} version {VERSION}: run {build_command(folder)}"
            )
        return IndexMeta.model_validate(raw)
    except FileNotFoundError as error:
        raise IndexFileError(f"no knowledge base in {str(folder)!r}: run {build_command(folder)}") from error
    except (ValidationError, ValueError, AttributeError, OSError) as error:
        raise _damaged(folder, f"{_META} cannot be read") from error


def build_command(folder: str | Path) -> str:
    """The command that makes this folder, for messages."""
    return f"python scripts/build_knowledge_base.py --world {Path(folder).parent}"


def _embed_in_parts(
    embedder: Embedder, new: Sequence[Snippet], on_progress: Progress | None
) -> Iterator[tuple[list[str], Vectors]]:
    """(ids, vectors) of what is worth a file of its own."""
    size = _BATCH * _BATCHES_A_PART
    for first in range(0, len(new), size):
        part = new[first : first + size]
        rows = []
        for start in range(0, len(part), _BATCH):
            rows.append(_embed(embedder, part[start : start + _BATCH]))
            if on_progress:
                on_progress(min(first + start + _BATCH, len(new)), len(new))
        yield [snippet.id for snippet in part], np.concatenate(rows)


def _embed(embedder: Embedder, batch: Sequence[Snippet]) -> Vectors:
    """float32 [len(batch), dim]; raises EmbedderError when the model gives another shape."""
    vectors = embedder.encode([snippet.embedded for snippet in batch], kind="passage")
    if vectors.shape != (len(batch), embedder.dim):
        raise EmbedderError(
            f"the embedder {embedder.name!r} must give {embedder.dim} numbers for each text, "
            f"it gave shape {vectors.shape} for {len(batch)} texts: try another --embedder"
        )
    return vectors


def _known_vectors(folder: Path, embedder: Embedder) -> dict[str, Vectors]:
    """Vectors of an earlier build by snippet id; none where there is no index of this embedder to trust."""
    try:
        index = load_index(folder, embedder_name=embedder.name)
    except KnowledgeBaseError:
        return {}
    if index.meta.dim != embedder.dim:
        return {}
    return dict(zip((snippet.id for snippet in index.snippets), index.vectors, strict=True))


def _save(folder: Path, snippets: Sequence[Snippet], vectors: dict[str, Vectors], embedder: Embedder) -> None:
    """Writes a whole index beside `folder` and swaps it in."""
    temporary = folder.with_name(f"{folder.name}.tmp-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    rows = [vectors[snippet.id] for snippet in snippets]
    table = np.array(rows, dtype=np.float32).reshape(len(rows), embedder.dim)
    meta = IndexMeta(
        embedder=embedder.name,
        dim=embedder.dim,
        count=len(rows),
        snippets_sha256=_hash_of(snippets),
        chapters=tuple(sorted({snippet.chapter for snippet in snippets if snippet.chapter is not None})),
    )
    write_snippets(temporary / _SNIPPETS, snippets)
    np.save(temporary / _VECTORS, table, allow_pickle=False)
    (temporary / _META).write_text(meta.model_dump_json(indent=2) + "\n", encoding="utf-8")
    _swap(temporary, folder)


def _swap(temporary: Path, folder: Path) -> None:
    """Puts `temporary` in the place of `folder`; between the two renames readers find the old one aside."""
    aside = _aside(folder)
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():
        folder.rename(aside)
    temporary.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def _recover(folder: Path) -> None:
    """Puts back what a build killed in its swap moved aside, and clears its temporary folders."""
    if not folder.exists() and _aside(folder).exists():
        _aside(folder).rename(folder)
    for leftover in folder.parent.glob(f"{folder.name}.tmp-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _readable(folder: Path) -> Path:
    return _aside(folder) if not folder.exists() and _aside(folder).exists() else folder


def _aside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.old")


def _read_vectors(folder: Path) -> Vectors:
    """float32 [n, dim]; raises IndexFileError when the file is missing or is not such an array."""
    try:
        with (folder / _VECTORS).open("rb") as file:
            vectors = np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError as error:
        raise _damaged(folder, f"{_VECTORS} is missing") from error
    except (ValueError, OSError, EOFError) as error:
        raise _damaged(folder, f"{_VECTORS} cannot be read") from error
    if vectors.dtype != np.float32 or vectors.ndim != 2:
        raise _damaged(folder, f"{_VECTORS} is not a float32 table")
    return vectors


def _hash_of(snippets: Sequence[Snippet]) -> str:
    return hashlib.sha256("\n".join(snippet.id for snippet in snippets).encode()).hexdigest()


def _damaged(folder: Path, what: str) -> IndexFileError:
    return IndexFileError(f"the index in {str(folder)!r} is damaged ({what}): run {build_command(folder)}")
