"""The three open questions of the seed, answered by training; docs/experiments.md is its table.

    python benchmarks/experiments.py /tmp/x            # all twelve, more than an hour on two cores
    python benchmarks/experiments.py /tmp/x --star     # the five that answer the three questions
    python benchmarks/experiments.py /tmp/x --only many --steps 48 --seeds 7 8 --sizes="--roles 20"
    python benchmarks/experiments.py /tmp/x --table    # the table of what is there

{one, many, profile} x {with, without interviews} x {with, without background in training}, equal
compute: the same number of steps, each of the same number of passages. Each run is prepared,
trained and evaluated by the project's own scripts in its own folder; what is done is not done
again, so the program can be stopped and started. Seeds are those of training (first weights,
order); the table has the means over them.
"""

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe
from roleplay.stages.character import ROOT
from roleplay.stages.evaluation import COLUMNS, cell

WORLD = ROOT / "worlds" / "chuiyan"
MODES = ("one", "many", "profile")


@dataclass(frozen=True)
class Run:
    """One training: its name is that of its folder."""

    mode: str
    interviews: bool
    background: bool
    seed: int

    @property
    def name(self) -> str:
        """``many-interviews-background-7``."""
        given = {"interviews": self.interviews, "background": self.background}
        flags = [word for word, is_on in given.items() if is_on]
        return "-".join([self.mode, *flags, str(self.seed)])

    @property
    def differences(self) -> int:
        """In how many things it differs from many characters with interviews and background."""
        return (self.mode != "many") + (not self.interviews) + (not self.background)


def main(argv: list[str] | None = None) -> int:
    """Do what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--world", type=Path, default=WORLD)
    parser.add_argument(
        "--character", help="of mode one, and of the first table (default: the first of world.json)"
    )
    parser.add_argument("--only", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7])
    parser.add_argument("--model", default="gemma3-270m")
    parser.add_argument("--sizes", default="", help="flags for scripts/evaluate.py, as one text")
    parser.add_argument(
        "--jobs", type=int, default=2, help="runs at once, each with its share of the cores"
    )
    parser.add_argument(
        "--star", action="store_true", help="only runs that differ from many with all in one thing"
    )
    parser.add_argument("--table", action="store_true", help="only print what is there")
    args = parser.parse_args(argv)
    args.character = (
        args.character
        or json.loads((args.world / "world.json").read_text("utf-8"))["characters"][0]["name"]
    )
    ways = itertools.product(args.seeds, (True, False), (True, False), args.only)
    runs = [Run(mode, interviews, background, seed) for seed, interviews, background, mode in ways]
    if args.star:
        runs = [run for run in runs if run.differences <= 1]
    if not args.table:
        print(describe(), flush=True)
        os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // args.jobs))
        _prepare_base(args)
        with ThreadPoolExecutor(args.jobs) as pool:
            base = args.folder / "base-many"
            waiting = [pool.submit(_evaluate, base, args, "many", ["--checkpoint", "none"])]
            waiting += [pool.submit(do, run, args) for run in runs]
            for each in waiting:
                each.result()
    print("\n".join(report(args.folder, args.character)))
    return 0


def do(run: Run, args: argparse.Namespace) -> None:
    """Prepare, train and evaluate one run; each part is skipped where its result is there."""
    folder = args.folder / run.name
    world = ["--world", args.world]
    whom = ["--characters", args.character] if run.mode == "one" else []
    flags: list[Any] = [] if run.interviews else ["--no-interviews"]
    flags += [] if run.background else ["--background-share", 0, "--interview-background-share", 0]
    data, adapter = folder / "data", folder / "adapter"
    prepare = [*world, "--data-dir", data, "--mode", run.mode, "--model", args.model, *whom, *flags]
    _script("prepare_seq2seq_training", data / "train.passages.jsonl", prepare)
    train: list[Any] = [*world, "--data-dir", data, "--output-dir", adapter, "--model", args.model]
    train += ["--seed", run.seed, "--max-steps", args.steps, "--eval-steps", args.steps]
    train += ["--samples", 0, "--general-rows", 0]
    _script("train_roleplaying", adapter / "adapter.json", train)
    _evaluate(folder, args, run.mode, ["--checkpoint", adapter])


def _prepare_base(args: argparse.Namespace) -> None:
    """The held-out scenes of both forms, for all runs."""
    for mode in ("many", "profile"):
        data = args.folder / f"base-{mode}" / "data"
        more = ["--world", args.world, "--data-dir", data, "--mode", mode, "--model", args.model]
        _script("prepare_seq2seq_training", data / "train.passages.jsonl", more)


def _evaluate(folder: Path, args: argparse.Namespace, mode: str, more: list[Any]) -> None:
    """With the test scenes of the same form for all: those of the base folders."""
    data = args.folder / f"base-{'profile' if mode == 'profile' else 'many'}" / "data"
    whom = ["--characters", args.character] if mode == "one" else []
    target = folder / "evaluation.json"
    flags = ["--world", args.world, "--model", args.model, "--data-dir", data]
    flags += ["--output", target, "--no-test-loss"]
    _script("evaluate", target, [*flags, *whom, *more, *args.sizes.split()])


def _script(name: str, result: Path, flags: Sequence[Any]) -> None:
    """Run a script of the project unless its result is there."""
    if result.exists():
        return
    command = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *map(str, flags)]
    print("$", " ".join(command[1:]), flush=True)
    subprocess.run(command, check=True)


def report(folder: Path, character: str) -> Iterator[str]:
    """Two Markdown tables: one character in all runs, and all characters where more learnt."""
    found = {
        path.parent.name: json.loads(path.read_text("utf-8"))
        for path in sorted(folder.glob("*/evaluation.json"))
    }
    for name, part in found.items():
        if (adapter := folder / name / "adapter" / "adapter.json").exists():
            result = json.loads(adapter.read_text("utf-8"))["result"]
            part["figures"]["all"]["loss"] = result["test_loss"]
    for title, row in ((character, character), ("all six", "all")):
        shown = {
            name: part["figures"]
            for name, part in found.items()
            if row != "all" or not name.startswith("one")
        }
        yield f"\n### {title}\n"
        yield from _rows(shown, row)


def _rows(shown: dict[str, Any], row: str) -> Iterator[str]:
    """One row a way of training, the mean over its seeds; last, how far two seeds lie apart."""
    ways: dict[str, list[dict[str, float | None]]] = {}
    for name, figures in shown.items():
        losses = {key: figures["all"].get(key) for key in ("loss", "general_loss")}
        ways.setdefault(re.sub(r"-\d+$", "", name), []).append(figures.get(row, {}) | losses)
    yield f"| run | {' | '.join(COLUMNS.values())} | seeds |"
    yield "|---" * (len(COLUMNS) + 2) + "|"
    apart: dict[str, float] = {}
    for way, seeds in ways.items():
        means: dict[str, float | None] = {}
        for key in COLUMNS:
            values = [value for each in seeds if (value := each.get(key)) is not None]
            means[key] = sum(values) / len(values) if values else None
            if len(values) > 1:
                apart[key] = max(apart.get(key, 0.0), max(values) - min(values))
        yield f"| {way} | {' | '.join(cell(key, means[key]) for key in COLUMNS)} | {len(seeds)} |"
    if apart:
        cells = " | ".join(cell(key, apart.get(key)) for key in COLUMNS)
        yield f"| two seeds apart, at most | {cells} | |"


if __name__ == "__main__":
    raise SystemExit(main())
