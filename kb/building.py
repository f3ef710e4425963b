"""What a running build holds beside the index: a lock, and the vectors made so far.

    with build_lock(folder):                     # <folder>.lock, gone afterwards
        parts = Parts(folder, embedder)          # <folder>.partial/00000.npz 00001.npz ...
        parts.add(ids, vectors)                  # one more file; nothing is written twice
    Parts(folder, embedder).read()               # {"f754f6a627b8aec1": array([...])}

A part holds embedder (text), ids (text [n]) and vectors (float32 [n, dim]), and outlives a kill -9.
The lock is the operating system's: it ends with the process that holds it, however that ends.
"""

import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from kb.embedding import Embedder, Vectors
from kb.errors import IndexBusyError


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
    """The vectors of a build that is not finished, in files that are written once."""

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
