"""Files that are whole or not there: atomic writes, JSON Lines, and the meta file of a stage.

    write_jsonl(folder / "chunks.jsonl", rows)
    write_meta(folder / "chunks.jsonl", stage="distill", settings={"chunk_chars": 1200}, inputs=digest)

A stage asks ``is_done`` before it works; the answer is yes only if the same settings met the same input.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from roleplay.errors import WorldError
from roleplay.records import FORMAT_VERSION


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 so that ``path`` holds the old or the new content, never a part of it."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` through a temporary file in the same folder and one rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
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
        WorldError: the file is missing, is not UTF-8 or is not JSON; the message names the file and the line.
    """
    try:
        return json.loads(_read(path))
    except json.JSONDecodeError as error:
        raise WorldError(f"{path}: not JSON at line {error.lineno} ({error.msg}): mend or remove it") from error


def read_jsonl(path: Path) -> Iterator[Any]:
    """Yield the values of a JSON Lines file; blank lines are skipped.

    Raises:
        WorldError: as :func:`read_json`.
    """
    for number, line in enumerate(_read(path).split("\n"), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise WorldError(f"{path}: line {number} is not JSON ({error.msg}): mend or remove it") from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise WorldError(f"{path} is missing") from error
    except UnicodeDecodeError as error:
        raise WorldError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error


def digest(*parts: str | bytes) -> str:
    """SHA-256 of the parts, as 64 hexadecimal digits."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8") if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()


def write_meta(path: Path, *, stage: str, settings: dict[str, Any], inputs: str) -> None:
    """Write ``NAME.meta.json`` beside ``path``: the format version, the stage, its settings, its input's digest."""
    meta = {"format": FORMAT_VERSION, "stage": stage, "settings": settings, "inputs": inputs}
    write_json(_meta_path(path), meta)


def is_done(path: Path, *, settings: dict[str, Any], inputs: str) -> bool:
    """Whether ``path`` was written by the same settings from the same input."""
    if not path.exists() or not _meta_path(path).exists():
        return False
    meta = read_json(_meta_path(path))
    return bool(meta.get("format") == FORMAT_VERSION and meta["settings"] == settings and meta["inputs"] == inputs)


def _meta_path(path: Path) -> Path:
    return path.with_name(path.name + ".meta.json")
