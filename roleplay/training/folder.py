"""What makes a run's folder readable by a person: ``README.md``, and the report on the data it was trained on."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from roleplay import files
from roleplay.adapters.checkpoint import AdapterInfo

DATA_REPORT = "data_report.json"
"""A copy of the dataset stage's report."""

_LOSSES = (
    ("bare model, held-out chapters", "bare_loss"),
    ("best step (the adapter of this folder), held-out chapters", "test_loss"),
    ("last step (`last/`), held-out chapters", "last_loss"),
    ("bare model, general text", "bare_general_loss"),
    ("best step, general text", "general_loss"),
)
_FILES = (
    ("adapter.json", "what the adapter is, for which model, how it was made"),
    ("last/", "the adapter of the last step; the one in this folder is that of the best held-out loss"),
    ("settings.json", "the settings of the run"),
    (DATA_REPORT, "what it was trained on: counts, settings of the dataset stage"),
    ("metrics.jsonl, curves.png", "losses by step"),
    ("samples.md, samples.jsonl", "replies to fixed prompts of the held-out chapters, at each evaluation"),
    ("trainer/", "states to go on from; may be deleted when the run is over"),
)


def copy_data_report(data: Path, folder: Path) -> None:
    """Copy the report of the dataset stage, where there is one."""
    report = data / "report" / "dataset.json"
    if report.exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(report, folder / DATA_REPORT)


def write_readme(folder: Path, info: AdapterInfo, *, data: Path, command: str) -> None:
    """Write ``README.md``: what was trained, on what, when, how, and what it reached.

    Args:
        data: the folder of the data; only its last two names are written, so that no path of this machine is shared.
        command: what was run.
    """
    files.write_text(folder / "README.md", _text(folder, info, "/".join(data.resolve().parts[-2:]), command))


def _text(folder: Path, info: AdapterInfo, data: str, command: str) -> str:
    length = f" of {info.pre_seq_len} positions" if info.pre_seq_len else ""
    facts = (
        ("adapter", f"{info.kind}{length}, mode {info.mode}"),
        ("base model", info.base.describe()),
        ("world", info.world),
        ("characters", "、".join(info.characters)),
        ("data", f"{data}, {info.result.get('learnt_tokens', 0):,} tokens to learn an epoch"),
        ("finished", time.strftime("%Y-%m-%d %H:%M")),
        ("steps", f"{info.result.get('steps')}, best at {info.result.get('best_step')}"),
    )
    losses = [f"| {text} | {info.result[key]:.3f} |" for text, key in _LOSSES if key in info.result]
    shown = [f"- `{name}`: {text}" for name, text in _FILES if (folder / name.split(",")[0]).exists()]
    return "\n".join(
        [
            f"# {folder.resolve().name}\n",
            *(f"- {name}: {value}" for name, value in facts),
            "\n| loss, nats a token | |",
            "|---|---|",
            *losses,
            "\n## Made with\n",
            f"```\n{command}\n```",
            "\n## Files\n",
            *shown,
            "",
        ]
    )
