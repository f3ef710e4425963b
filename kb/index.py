"""The index on disk: snippets, their vectors and what made them, in one folder.

    >>> build_index("worlds/chuiyan/kb", snippets, get_embedder("bundled"))
    BuildReport(total=117, embedded=4, reused=113)

    worlds/chuiyan/kb/   snippets.jsonl   vectors.npy (float32 [n, dim], unit rows)   meta.json
    meta.json            {"format": "kb-index", "version": 1, "embedder": "bundled", "dim": 512,
                          "count": 117, "snippets_sha256": "9b1c...", "chapters": [1, 2]}

A build writes a folder beside the old one and then swaps them: killed at any moment it leaves the
old index or the new one, and the vectors made so far (<folder>.partial) serve the next build, which
embeds only what it has not seen. Only one process builds a folder at a time: the lock
(<folder>.lock) is the operating system's, and ends with the process that holds it.
"""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from kb import errors
from kb.embedding import Embedder, Vectors
from kb.errors import EmbedderError, EmbedderMismatchError, IndexBusyError, IndexFileError, Message
from kb.snippets import Snippet, read_snippets, write_snippets

FORMAT, VERSION = "kb-index", 1
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

    Up to 20,000 are compared exactly. Of more, `nearest` compares copies of 8 bits a number, which
    are read four times as fast; whoever needs exact cosines takes them from `vectors`.
    """

    def __init__(self, snippets: Sequence[Snippet], vectors: Vectors, meta: IndexMeta) -> None:
        self.snippets = list(snippets)
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self.meta = meta
        if len(vectors) <= _MOST_EXACT:
            self._faiss = _faiss.IndexFlatIP(meta.dim)
        else:
            bits, metric = _faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
            self._faiss = _faiss.IndexScalarQuantizer(meta.dim, bits, metric)
            self._faiss.train(self.vectors[:: len(vectors) // _MOST_EXACT])
        self._faiss.add(self.vectors)

    def nearest(
        self, vector: Vectors, count: int, *, among: NDArray[np.bool_] | None = None
    ) -> list[int]:
        """Numbers of the `count` snippets nearest to one vector (float32 [dim]), nearest first.

        `among` (bool [snippets]) says which may be found.
        """
        count = min(count, len(self.snippets))
        if count == 0:
            return []
        parameters = None
        if among is not None:
            allowed = _faiss.IDSelectorBitmap(np.packbits(among, bitorder="little"))
            parameters = _faiss.SearchParameters(sel=allowed)
        _, numbers = self._faiss.search(vector.reshape(1, -1), count, params=parameters)
        return [int(number) for number in numbers[0] if number >= 0]


def build_index(
    folder: str | Path,
    snippets: Sequence[Snippet],
    embedder: Embedder,
    *,
    on_progress: Progress | None = None,
) -> BuildReport:
    """Embeds what is new and writes the folder; `on_progress(done, total)` counts new snippets.

    Raises EmbedderError when the embedder's vectors do not have its `dim`, and IndexBusyError when
    another process is building this folder.
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

    Raises IndexFileError or SnippetFileError when a file is missing, damaged or of another version,
    and EmbedderMismatchError when `embedder_name` is given and is not what made the index.
    """
    folder = _readable(Path(folder))
    meta = read_meta(folder)
    if embedder_name is not None and embedder_name != meta.embedder:
        raise EmbedderMismatchError(
            "index.other-embedder", folder=folder, made=meta.embedder, wanted=embedder_name
        )
    snippets = read_snippets(folder / _SNIPPETS)
    vectors = _read_vectors(folder)
    count, shape = len(snippets), vectors.shape
    if (count, *shape) != (meta.count, meta.count, meta.dim):
        raise _damaged(folder, Message("index.counts", found=count, shape=shape, count=meta.count))
    if _hash_of(snippets) != meta.snippets_sha256:
        raise _damaged(folder, Message("index.other-snippets"))
    return VectorIndex(snippets, vectors, meta)


def read_meta(folder: str | Path) -> IndexMeta:
    """meta.json of an index; raises IndexFileError where there is none of this version."""
    folder = _readable(Path(folder))
    try:
        raw = json.loads((folder / _META).read_text(encoding="utf-8"))
        made, version = raw.get("format"), raw.get("version")
        if (made, version) == (FORMAT, VERSION):
            return IndexMeta.model_validate(raw)
    except FileNotFoundError as error:
        raise IndexFileError("index.missing", folder=folder) from error
    except (ValueError, AttributeError, OSError) as error:
        raise _damaged(folder, Message("index.unreadable", file=_META)) from error
    raise IndexFileError("index.format", folder=folder, made=made, version=version, known=VERSION)


@contextmanager
def build_lock(folder: Path) -> Iterator[None]:
    """Holds the right to build `folder`; raises IndexBusyError where another process has it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_name(f"{folder.name}.lock")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise IndexBusyError("index.busy", folder=folder, lock=path.name) from error
    try:
        yield
    finally:
        # Removed while held: whoever waits for it notices that it is gone and makes a new one.
        if os.name == "posix":
            path.unlink(missing_ok=True)
        lock.release()


class Parts:
    """The vectors of a build that is not finished, in files that are written once.

    Each holds embedder (text), ids (text [n]) and vectors (float32 [n, dim]).
    """

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self.folder = folder.with_name(f"{folder.name}.partial")
        self._embedder, self._dim = embedder.name, embedder.dim

    def read(self) -> dict[str, Vectors]:
        """Vectors by snippet id; none of a damaged file, or of one that another embedder made."""
        found: dict[str, Vectors] = {}
        for file in sorted(self.folder.glob("*.npz")):
            try:
                with np.load(file, allow_pickle=False) as part:
                    embedder, ids, vectors = part["embedder"], part["ids"], part["vectors"]
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                continue
            if (embedder, vectors.shape) == (self._embedder, (len(ids), self._dim)):
                found.update(zip(ids.tolist(), vectors, strict=True))
        return found

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Adds one file, which is there whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{len(list(self.folder.glob('*.npz'))):05d}.npz"
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            np.savez(file, embedder=self._embedder, ids=np.array(ids), vectors=vectors)
        temporary.replace(path)

    def clear(self) -> None:
        """Forgets everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _embed_in_parts(
    embedder: Embedder, new: Sequence[Snippet], on_progress: Progress | None
) -> Iterator[tuple[list[str], Vectors]]:
    """(ids, vectors) of what is worth a file of its own."""
    ids: list[str] = []
    rows: list[Vectors] = []
    for start in range(0, len(new), _BATCH):
        batch = new[start : start + _BATCH]
        vectors = embedder.encode([snippet.embedded for snippet in batch], kind="passage")
        name, dim, shape = embedder.name, embedder.dim, vectors.shape
        if shape != (count := len(batch), dim):
            raise EmbedderError("embedder.shape", name=name, dim=dim, shape=shape, count=count)
        ids += [snippet.id for snippet in batch]
        rows.append(vectors)
        if on_progress:
            on_progress(start + count, len(new))
        if len(rows) == _BATCHES_A_PART or start + count == len(new):
            yield ids, np.concatenate(rows)
            ids, rows = [], []


def _known_vectors(folder: Path, embedder: Embedder) -> dict[str, Vectors]:
    """Vectors of an earlier build by snippet id; none where no index of this embedder is whole."""
    try:
        index = load_index(folder, embedder_name=embedder.name)
    except errors.KnowledgeBaseError:
        return {}
    rows = zip((snippet.id for snippet in index.snippets), index.vectors, strict=True)
    return dict(rows) if index.meta.dim == embedder.dim else {}


def _save(
    folder: Path, snippets: Sequence[Snippet], vectors: dict[str, Vectors], embedder: Embedder
) -> None:
    """Writes a whole index beside `folder` and swaps it in."""
    temporary = folder.with_name(f"{folder.name}.tmp-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    rows = [vectors[snippet.id] for snippet in snippets]
    table = np.array(rows, dtype=np.float32).reshape(len(rows), embedder.dim)
    chapters = {snippet.chapter for snippet in snippets if snippet.chapter is not None}
    meta = IndexMeta(
        embedder=embedder.name,
        dim=embedder.dim,
        count=len(rows),
        snippets_sha256=_hash_of(snippets),
        chapters=tuple(sorted(chapters)),
    )
    write_snippets(temporary / _SNIPPETS, snippets)
    np.save(temporary / _VECTORS, table, allow_pickle=False)
    (temporary / _META).write_text(meta.model_dump_json(indent=2) + "\n", encoding="utf-8")
    # A folder cannot replace one: between the two renames readers find the old one aside.
    aside = _aside(folder)
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():
        folder.rename(aside)
    temporary.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def _recover(folder: Path) -> None:
    """Puts back what a build killed in its swap moved aside, and clears its temporary folders."""
    if (aside := _readable(folder)) != folder:
        aside.rename(folder)
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
        raise _damaged(folder, Message("index.no-vectors")) from error
    except (ValueError, OSError, EOFError) as error:
        raise _damaged(folder, Message("index.unreadable", file=_VECTORS)) from error
    if vectors.dtype != np.float32 or vectors.ndim != 2:
        raise _damaged(folder, Message("index.no-table"))
    return vectors


def _hash_of(snippets: Sequence[Snippet]) -> str:
    return hashlib.sha256("\n".join(snippet.id for snippet in snippets).encode()).hexdigest()


def _damaged(folder: Path, what: Message) -> IndexFileError:
    return IndexFileError("index.damaged", folder=folder, what=what)
