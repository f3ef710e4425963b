r"""Data sets for other trainers: rows as ShareGPT, messages, Alpaca or ChatGLM's ptuning form.

    names = export({"train": rows, "test": held_out}, "sharegpt", Path("out"))   # the files written

One row of each::

    sharegpt   {"conversations": [{"from": "human", "value": "闻筝："}, {"from": "gpt", ...}]}
    messages   {"messages": [{"role": "user", "content": "闻筝："}, {"role": "assistant", ...}]}
    alpaca     {"instruction": "闻筝：", "input": "", "output": "没得商量！"}
    ptuning    {"prompt": "闻筝：", "response": "没得商量！", "history": []}

ShareGPT and Alpaca are JSON lists with a ``dataset_info.json`` that describes their columns, as
LLaMA-Factory reads them; ``messages`` (TRL, Axolotl) and ``ptuning`` are JSON Lines. Weights have
no place there: rows that count less are written as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.errors import DatasetError
from roleplay.records import Example

Row = dict[str, Any]


def _turns(row: Example, who: str, asks: str, answers: str, text: str) -> list[Row]:
    return [{who: asks, text: row.prompt}, {who: answers, text: row.response}]


FORMATS: dict[str, Callable[[Example], Row]] = {
    "sharegpt": lambda row: {"conversations": _turns(row, "from", "human", "gpt", "value")},
    "messages": lambda row: {"messages": _turns(row, "role", "user", "assistant", "content")},
    "alpaca": lambda row: {"instruction": row.prompt, "input": "", "output": row.response},
    "ptuning": lambda row: {"prompt": row.prompt, "response": row.response, "history": []},
}
"""Name -> what makes a row."""

# What LLaMA-Factory calls the columns; forms that it does not read have no such file.
_COLUMNS: dict[str, Row] = {
    "sharegpt": {
        "formatting": "sharegpt",
        "columns": {"messages": "conversations"},
        "tags": {
            "role_tag": "from",
            "content_tag": "value",
            "user_tag": "human",
            "assistant_tag": "gpt",
        },
    },
    "alpaca": {
        "formatting": "alpaca",
        "columns": {"prompt": "instruction", "query": "input", "response": "output"},
    },
}


def export(
    parts: Mapping[str, Sequence[Example]], form: str, folder: Path, *, name: str = "roleplay"
) -> list[Path]:
    """Write all parts, by name; ``name`` stands before a part's in ``dataset_info.json``.

    Raises:
        DatasetError: an unknown form, or a part without rows.
    """
    if form not in FORMATS:
        raise DatasetError("dataset.no-form", form=form, known=" ".join(FORMATS))
    for part, rows in parts.items():
        if not rows:
            raise DatasetError("dataset.no-rows", part=part)
    columns = _COLUMNS.get(form)
    end, write = (".json", files.write_json) if columns else (".jsonl", files.write_jsonl)
    written = [folder / f"{part}{end}" for part in parts]
    for path, rows in zip(written, parts.values(), strict=True):
        write(path, [FORMATS[form](row) for row in rows])
    if columns:
        info = {f"{name}_{path.stem}": {"file_name": path.name, **columns} for path in written}
        # Last, so that it never names a file that is not there.
        written.append(folder / "dataset_info.json")
        files.write_json(written[-1], info)
    return written
