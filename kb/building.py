"""What a running build holds beside the index: a lock, and the vectors made so far.

    with build_lock(folder):                     # <folder>.lock, gone afterwards
        parts = Parts(folder, embedder)          # <folder>.partial/
        parts.add(ids, vectors)                  # one more file; nothing is written twice
    Parts(folder, embedder).read()               # {"f754f6a627b8aec1": array([...])}, also after a kill -9

    worlds/chuiyan/kb.partial/   meta.json {"format": "kb-parts", "version": 1, "embedder": "bundled", "dim": 512}
                                 00000.npz 00001.npz ...   ids (text [n]), vectors (float32 [n, dim])

The lock is the operating system's: it ends with the process that holds it, however that ends.
No index is read or written here.
"""

import json
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

_FORMAT, _VERSION, _META = "kb-parts", 1, "meta.json"


@contextmanager
def build_lock(folder: Path) -> Iterator[None]:
    """Holds the right to build `folder`; raises IndexBusyError where another process has it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_name(f"{folder.name}.lock")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise IndexBusyError(
            f"another process is building {str(folder)!r} (it holds {path.name}): wait for it, or stop it"
        ) from error
    try:
        yield
    finally:
        # Removed while held: whoever waits for this file notices that it is gone and makes a new one.
        if os.name == "posix":
            path.unlink(missing_ok=True)
        lock.release()


class Parts:
    """The vectors of a build that is not finished, in files that are written once."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self.folder = folder.with_name(f"{folder.name}.partial")
        self._meta = {"format": _FORMAT, "version": _VERSION, "embedder": embedder.name, "dim": embedder.dim}

    def read(self) -> dict[str, Vectors]:
        """Vectors by snippet id; none where another embedder made them. A damaged file is passed over."""
        if self._stored_meta() != self._meta:
            return {}
        return {key: row for file in self._files() for key, row in self._read_file(file)}

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Adds one file, which is there whole or not at all; what another embedder left goes first."""
        if self._stored_meta() != self._meta:
            self.clear()
            self.folder.mkdir(parents=True)
            (self.folder / _META).write_text(json.dumps(self._meta), encoding="utf-8")
        path = self.folder / f"{len(self._files()):05d}.npz"
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            np.savez(file, ids=np.array(ids), vectors=vectors)
        temporary.replace(path)

    def clear(self) -> None:
        """Forgets everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.npz"))

    def _stored_meta(self) -> object:
        try:
            return json.loads((self.folder / _META).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _read_file(self, file: Path) -> list[tuple[str, Vectors]]:
        try:
            with np.load(file, allow_pickle=False) as part:
                ids, vectors = part["ids"].tolist(), part["vectors"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return []
        return list(zip(ids, vectors, strict=True)) if vectors.shape == (len(ids), self._meta["dim"]) else []
