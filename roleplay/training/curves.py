"""The curves of a run, drawn from its ``metrics.jsonl``."""

from __future__ import annotations

from pathlib import Path

from roleplay import files


def draw_curves(metrics: Path, target: Path) -> None:
    """Write a PNG with training and held-out loss (nats a token) over steps, and the bare model's as a line."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = list(files.read_jsonl(metrics))
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for key, label in (("loss", "training"), ("eval_loss", "held-out chapters")):
        points = [(row["step"], row[key]) for row in rows if key in row]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, marker="o" if key == "eval_loss" else None)
    if bare := next((row["bare_loss"] for row in rows if "bare_loss" in row), None):
        axes.axhline(bare, linestyle="--", color="grey", label="bare model, held-out chapters")
    axes.set(xlabel="step", ylabel="loss, nats a token")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(target, dpi=120)
    pyplot.close(figure)
