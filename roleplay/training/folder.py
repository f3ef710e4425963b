"""What a person reads of a run: ``README.md``, ``curves.png``, and the report on its data.

copy_data_report(world.path, folder)
draw_curves(folder / "metrics.jsonl", folder / "curves.png")
write_readme(folder, info, data=world.path, command="python scripts/train_roleplaying.py ...")
"""

import time
from io import BytesIO
from pathlib import Path

from roleplay import files
from roleplay.adapters.checkpoint import AdapterInfo

_LOSSES = (
    ("base model, held-out chapters", "base_loss"),
    ("best step (the adapter of this folder), held-out chapters", "test_loss"),
    ("last step (`last/`), held-out chapters", "last_loss"),
    ("base model, general text", "base_general_loss"),
    ("best step, general text", "general_loss"),
)
_LAST = "the adapter of the last step; the one in this folder is that of the best held-out loss"
_SAMPLES = "replies to fixed prompts of the held-out chapters, at each evaluation"
_FILES = (
    ("adapter.json", "what the adapter is, for which model, how it was made"),
    ("last/", _LAST),
    ("settings.json", "the settings of the run"),
    ("data_report.json", "what it was trained on: counts, settings of the dataset stage"),
    ("metrics.jsonl, curves.png", "losses by step"),
    ("samples.md, samples.jsonl", _SAMPLES),
    ("trainer/", "states to go on from; may be deleted when the run is over"),
)


def copy_data_report(data: Path, folder: Path) -> None:
    """Copy the report of the dataset stage to ``data_report.json``, where there is one."""
    report = data / "report" / "dataset.json"
    if report.exists():
        files.write_bytes(folder / "data_report.json", report.read_bytes())


def draw_curves(metrics: Path, target: Path) -> None:
    """Write a PNG of training and held-out loss (nats a token), with the base model's as a line."""
    import matplotlib

    matplotlib.use("Agg")  # draws without a screen
    from matplotlib import pyplot

    rows = list(files.read_jsonl(metrics))
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for key, label, marker in (("loss", "training", None), ("eval_loss", "held-out chapters", "o")):
        if points := [(row["step"], row[key]) for row in rows if key in row]:
            axes.plot(*zip(*points, strict=True), label=label, marker=marker)
    if base := next((row["base_loss"] for row in rows if "base_loss" in row), None):
        axes.axhline(base, linestyle="--", color="grey", label="base model, held-out chapters")
    axes.set(xlabel="step", ylabel="loss, nats a token")
    axes.legend()
    axes.grid(alpha=0.3)
    image = BytesIO()
    figure.savefig(image, dpi=120)
    pyplot.close(figure)
    files.write_bytes(target, image.getvalue())


def write_readme(folder: Path, info: AdapterInfo, *, data: Path, command: str) -> None:
    """Write ``README.md``: what was trained, on what, when, by which command, and what it reached.

    Of the folder ``data`` only the last two names are written: no path of this machine is shared.
    """
    length = f" of {info.pre_seq_len} positions" if info.pre_seq_len else ""
    place, result = "/".join(data.resolve().parts[-2:]), info.result
    facts = (
        ("adapter", f"{info.kind}{length}, mode {info.mode}"),
        ("base model", info.base.describe()),
        ("world", info.world),
        ("characters", "、".join(info.characters)),
        ("data", f"{place}, {result.get('target_tokens', 0):,} tokens to learn an epoch"),
        ("finished", time.strftime("%Y-%m-%d %H:%M")),
        ("steps", f"{result.get('steps')}, best at {result.get('best_step')}"),
    )
    lines = [
        f"# {folder.resolve().name}\n",
        *(f"- {name}: {value}" for name, value in facts),
        "\n| loss, nats a token | |\n|---|---|",
        *(f"| {text} | {result[key]:.3f} |" for text, key in _LOSSES if key in result),
        f"\n## Made with\n\n```\n{command}\n```\n\n## Files\n",
        *(f"- `{name}`: {text}" for name, text in _FILES if (folder / name.split(",")[0]).exists()),
        "",
    ]
    files.write_text(folder / "README.md", "\n".join(lines))
