"""Files that are whole or not there: atomic writes, JSON Lines, a stage's outputs as one commit.

    with claim(folder, "distill"):
        with commit(folder, "distill", settings=settings, inputs=digest) as staged:
            write_jsonl(staged / "chunks.jsonl", rows)
            write_jsonl(staged / "script.jsonl", lines)

    distill.manifest.json  {"format": 1, "stage": "distill", "settings": {...}, "inputs": "9b1c...",
                            "outputs": {"chunks.jsonl": "51fe...", "script.jsonl": "04ab..."}}

A stage asks ``is_done`` before it works: yes only if the same settings met the same input and every
output is as it was written. The outputs are made in a folder of their own, then a pending manifest
names them with their hashes, then they are moved into place, and the manifest comes last. A run
that is killed before the pending manifest leaves nothing; one that is killed after it is finished
by the next (``claim``), so old and new files never stand together as a result.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from roleplay.errors import BusyError, WorldError, reason
from roleplay.records import FORMAT_VERSION

_NEW = ".new"
"""The end of the name of a folder in which outputs are made."""


def cache_folder() -> Path:
    """Where what can be made again is kept: ``$ROLEPLAY_CACHE``, else in the home."""
    return Path(os.environ.get("ROLEPLAY_CACHE") or Path.home() / ".cache" / "roleplay")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, as :func:`write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` so that ``path`` holds the old or the new content, never a part of it.

    Raises:
        WorldError: the disk is full or may not be written; the file is as it was.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The process stands in the name, so that only what a dead one left is swept.
        prefix = f".{path.name}.{os.getpid()}."
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".tmp")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        shown = Path(*(part for part in path.parts if not part.endswith(_NEW)))
        raise WorldError("files.unwritable", path=shown, reason=reason(error)) from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write one JSON document, indented, Chinese as it is."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    """Write one compact JSON value a line."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_json(path: Path) -> Any:
    """Read a JSON document.

    Raises:
        WorldError: the file is missing, not UTF-8 or not JSON; the message has file and line.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise WorldError("files.no-json", path=path, line=error.lineno, detail=error.msg) from error


def read_jsonl(path: Path) -> Iterator[Any]:
    """Yield the values of a JSON Lines file; blank lines are skipped.

    Raises:
        WorldError: as :func:`read_json`.
    """
    # No splitlines: it also breaks at characters that a text may hold, such as U+2028.
    for number, line in enumerate(read_text(path).split("\n"), 1):
        try:
            if line.strip():
                yield json.loads(line)
        except json.JSONDecodeError as error:
            values = {"path": path, "line": number, "detail": error.msg}
            raise WorldError("files.no-json", **values) from error


def read_text(path: Path) -> str:
    """Read a UTF-8 text, without the mark that some editors put before it.

    Raises:
        WorldError: the file is missing, cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise WorldError("files.missing", path=path) from error
    except UnicodeDecodeError as error:
        raise WorldError("files.no-utf8", path=path, byte=error.start) from error
    except OSError as error:
        raise WorldError("files.unreadable", path=path, reason=reason(error)) from error


def digest(*parts: str | bytes) -> str:
    """SHA-256 of the parts, as 64 hexadecimal digits."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8") if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()


@contextmanager
def claim(folder: Path, stage: str) -> Iterator[None]:
    """Hold the right to run ``stage`` in ``folder``; finish or sweep what a killed run left there.

    Raises:
        BusyError: another process has it; the message says which and since when.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, who = folder / f".{stage}.lock", folder / f".{stage}.lock.json"
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BusyError("files.busy", folder=folder, stage=stage, **_holder(who)) from error
    try:
        write_json(who, {"pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")})
        _recover(folder, stage)
        yield
    finally:
        who.unlink(missing_ok=True)
        # Removed while held: whoever waits for this file notices that, and makes a new one.
        if os.name == "posix":
            path.unlink(missing_ok=True)
        lock.release()


def _holder(path: Path) -> dict[str, Any]:
    """Who holds a lock and since when; in the moment between lock and note nobody knows."""
    known = {"pid": "?", "since": "?"}
    with suppress(OSError, ValueError):
        known |= json.loads(path.read_text(encoding="utf-8"))
    return known


@contextmanager
def commit(folder: Path, stage: str, *, settings: dict[str, Any], inputs: str) -> Iterator[Path]:
    """A folder for the outputs of ``stage``: they get into ``folder`` together, with a manifest."""
    staged, pending = _staged(folder, stage), _pending(folder, stage)
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    try:
        yield staged
        found = sorted(path for path in staged.rglob("*") if path.is_file())
        names = [path.relative_to(staged).as_posix() for path in found]
        made = {"format": FORMAT_VERSION, "stage": stage, "settings": settings, "inputs": inputs}
        made["outputs"] = {name: _hash(staged / name) for name in names}
        write_json(pending, made | {"before": {name: _hash(folder / name) for name in names}})
        _publish(folder, stage)
    finally:
        if not pending.exists():
            shutil.rmtree(staged, ignore_errors=True)


def _publish(folder: Path, stage: str) -> None:
    """Move what the pending manifest names into place, then the manifest itself.

    A file that was edited since the commit began stays as it is: the manifest then says so.
    """
    staged, made = _staged(folder, stage), read_json(_pending(folder, stage))
    for name, before in made["before"].items():
        if (staged / name).exists() and _hash(folder / name) == before:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (staged / name).replace(folder / name)
        (folder / f"{name}.meta.json").unlink(missing_ok=True)  # of versions before 0.4
    _pending(folder, stage).replace(_manifest(folder, stage))
    shutil.rmtree(staged, ignore_errors=True)


def _hash(path: Path) -> str:
    """The digest of a file, empty where there is none."""
    return digest(path.read_bytes()) if path.is_file() else ""


def _recover(folder: Path, stage: str) -> None:
    """Finish a commit that was killed halfway, and remove what other killed runs left."""
    if _pending(folder, stage).exists():
        _publish(folder, stage)
    shutil.rmtree(_staged(folder, stage), ignore_errors=True)
    for leftover in (*folder.glob(".*.tmp"), *folder.glob("report/.*.tmp")):
        # The process that is writing it, see write_bytes; earlier versions named none.
        writer = leftover.name.split(".")[-3]
        if not (writer.isdecimal() and psutil.pid_exists(int(writer))):
            leftover.unlink(missing_ok=True)


def settle(folder: Path) -> None:
    """Finish the commits that were killed halfway, where nobody is at work: before one reads."""
    for pending in folder.glob(".*.pending.json"):
        with suppress(BusyError), claim(folder, pending.name.split(".")[1]):
            pass  # claiming finishes it


def is_done(folder: Path, stage: str, *, settings: dict[str, Any], inputs: str) -> bool:
    """Whether the outputs are there, unchanged, made by the same settings from the same input."""
    made = manifest(folder, stage)
    wanted = {"format": FORMAT_VERSION, "settings": settings, "inputs": inputs}
    wanted = json.loads(json.dumps(wanted))  # as JSON gives them back, which knows no tuples
    same = all(made.get(key) == value for key, value in wanted.items())
    return same and all(_is_unchanged(folder, made, name) for name in made["outputs"])


def is_ours(folder: Path, stage: str, name: str) -> bool:
    """Whether a file is as ``stage`` wrote it: not by another hand, and not edited since."""
    old = folder / f"{name}.meta.json"
    if old.exists():  # of versions before 0.4, which kept no hash
        return bool(read_json(old).get("stage") == stage)
    return _is_unchanged(folder, manifest(folder, stage), name)


def _is_unchanged(folder: Path, made: dict[str, Any], name: str) -> bool:
    return (found := _hash(folder / name)) != "" and found == made.get("outputs", {}).get(name)


def manifest(folder: Path, stage: str) -> dict[str, Any]:
    """What a stage noted of its last run in a folder, empty where there is nothing."""
    path = _manifest(folder, stage)
    made: dict[str, Any] = read_json(path) if path.exists() else {}
    return made


def _manifest(folder: Path, stage: str) -> Path:
    return folder / f"{stage}.manifest.json"


def _pending(folder: Path, stage: str) -> Path:
    return folder / f".{stage}.pending.json"


def _staged(folder: Path, stage: str) -> Path:
    return folder / f".{stage}{_NEW}"
