r"""Data sets for other trainers: prompt/response rows as ShareGPT, messages, Alpaca or ChatGLM's ptuning form.

    names = export({"train": rows, "test": held_out}, "sharegpt", Path("out"))    # the files written

One row of each::

    sharegpt   {"conversations": [{"from": "human", "value": "…闻筝："}, {"from": "gpt", "value": "没得商量！"}]}
    messages   {"messages": [{"role": "user", "content": "…闻筝："}, {"role": "assistant", "content": "没得商量！"}]}
    alpaca     {"instruction": "…闻筝：", "input": "", "output": "没得商量！"}
    ptuning    {"prompt": "…闻筝：", "response": "没得商量！", "history": []}

ShareGPT and Alpaca are JSON lists with a ``dataset_info.json`` that describes their columns, as LLaMA-Factory reads them;
``messages`` (TRL, Axolotl) and ``ptuning`` are JSON Lines. Weights have no place there: rows that count less are written as
they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.errors import DatasetError
from roleplay.records import Example

Row = dict[str, Any]


def _sharegpt(row: Example) -> Row:
    return {"conversations": [{"from": "human", "value": row.prompt}, {"from": "gpt", "value": row.response}]}


def _messages(row: Example) -> Row:
    return {
        "messages": [{"role": "user", "content": row.prompt}, {"role": "assistant", "content": row.response}],
    }


def _alpaca(row: Example) -> Row:
    return {"instruction": row.prompt, "input": "", "output": row.response}


def _ptuning(row: Example) -> Row:
    return {"prompt": row.prompt, "response": row.response, "history": []}


FORMATS: dict[str, Callable[[Example], Row]] = {
    "sharegpt": _sharegpt,
    "messages": _messages,
    "alpaca": _alpaca,
    "ptuning": _ptuning,
}
"""Name -> what makes a row."""

_COLUMNS: dict[str, Row] = {
    "sharegpt": {
        "formatting": "sharegpt",
        "columns": {"messages": "conversations"},
        "tags": {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"},
    },
    "alpaca": {"formatting": "alpaca", "columns": {"prompt": "instruction", "query": "input", "response": "output"}},
}


def export(parts: Mapping[str, Sequence[Example]], form: str, folder: Path, *, name: str = "roleplay") -> list[Path]:
    """Write all parts; ``dataset_info.json`` last, so that it never names a file that is not there.

    Args:
        parts: "train" and "test", or others.
        name: before the part in ``dataset_info.json``.

    Raises:
        DatasetError: an unknown form, or a part without rows.
    """
    if form not in FORMATS:
        raise DatasetError(f"no export format {form!r}: known are {' '.join(FORMATS)}")
    for part, rows in parts.items():
        if not rows:
            raise DatasetError(f"no rows in the {part} part: prepare the data again")
    written = [_write(folder / part, form, [FORMATS[form](row) for row in rows]) for part, rows in parts.items()]
    if form in _COLUMNS:
        info = {f"{name}_{path.stem}": {"file_name": path.name, **_COLUMNS[form]} for path in written}
        files.write_json(folder / "dataset_info.json", info)
        written.append(folder / "dataset_info.json")
    return written


def _write(stem: Path, form: str, rows: list[Row]) -> Path:
    """A JSON list where columns are described, else JSON Lines."""
    path = stem.with_suffix(".json" if form in _COLUMNS else ".jsonl")
    if form in _COLUMNS:
        files.write_json(path, rows)
    else:
        files.write_jsonl(path, rows)
    return path
