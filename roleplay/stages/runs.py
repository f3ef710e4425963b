"""What a run looks like from outside, read from the disk: how far it is, its losses, its samples.

    seen = watch(world)                     # the newest job, or None
    seen.state, seen.stage, seen.share, seen.left, seen.lines
    losses(folder)                          # points of both curves of a training folder
    samples(folder)                         # the same questions, answered at each evaluation

Nothing is remembered here: whoever asks, another tab or a restarted program, sees the same.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roleplay.errors import WorldError
from roleplay.messages import Message
from roleplay.stages import jobs
from roleplay.stages.jobs import Job, State

_LINES = 12
_QUIET = ("next", "plain")
"""Events that are of use in a terminal alone."""


@dataclass(frozen=True)
class Seen:
    """A job as it is now.

    ``stage`` is the step under way, ``message`` what it does, ``share`` 0 to 1 how far that is,
    ``rate`` units a second, ``left`` and ``took`` seconds; None where nobody can tell. ``error`` is
    the one line that a failed run ended with.
    """

    job: Job
    state: State
    stage: str
    message: Message | None = None
    done: int | None = None
    total: int | None = None
    rate: float | None = None
    left: float | None = None
    took: float = 0.0
    lines: tuple[Message, ...] = ()
    error: str = ""

    @property
    def share(self) -> float | None:
        """How much of the step is done."""
        return self.done / self.total if self.done is not None and self.total else None

    @property
    def running(self) -> bool:
        """Whether its process is at work."""
        return self.state == "running"


def watch(world: Path) -> Seen | None:
    """The newest job of a world; None where there was none."""
    try:
        found = jobs.find_jobs(world)
    except WorldError:
        return None  # one whose job.json is broken; it is no job any more
    return look(found[0]) if found else None


def look(job: Job) -> Seen:
    """A job as it is now."""
    state, told = jobs.state(job), jobs.events(job)
    lines = [one.message for one in told if one.total is None and one.message.key not in _QUIET]
    last, stage = told[-1] if told else None, told[-1].stage if told else job.stage
    step = next((one for one in reversed(told) if one.total is not None), None)
    known: dict[str, Any] = {"lines": tuple(lines[-_LINES:]), "took": _took(job, state)}
    if state == "failed":
        known["error"] = _last_line(jobs.log(job))
    if state == "running" and step and last and step.stage == last.stage:
        numbers = {name: getattr(step, name) for name in ("done", "total", "rate", "left")}
        known |= {"message": step.message, **numbers}
    return Seen(job, state, stage, **known)


def _took(job: Job, state: State) -> float:
    end = time.time()
    if state != "running":
        written = [job.folder / name for name in (jobs.STATUS, jobs.EVENTS, jobs.JOB)]
        end = max((path.stat().st_mtime for path in written if path.exists()), default=end)
    return max(end - job.born, 0.0) if job.born else 0.0


def _last_line(log: str) -> str:
    lines = [line.strip() for line in log.replace("\r", "\n").split("\n") if line.strip()]
    return lines[-1][:400] if lines else ""


@dataclass(frozen=True)
class Point:
    """A loss at a step; ``curve`` is "loss", "eval_loss" or "base_loss", nats a token."""

    step: int
    curve: str
    loss: float


def losses(folder: Path) -> list[Point]:
    """All losses of a training folder; none where nothing was trained yet."""
    found = []
    for row in _rows(folder / "metrics.jsonl"):
        for curve in ("loss", "eval_loss", "base_loss"):
            if isinstance(row.get(curve), int | float):
                found.append(Point(int(row["step"]), curve, float(row[curve])))
    return found


def pace(folder: Path) -> tuple[float, int, int]:
    """Of a finished run: seconds, steps, evaluations; zeros where it has not ended."""
    rows = _rows(folder / "metrics.jsonl")
    seconds = max((float(row.get("train_runtime", 0)) for row in rows), default=0.0)
    steps = max((int(row["step"]) for row in rows), default=0)
    return seconds, steps, sum("eval_loss" in row for row in rows)


def folder_of(job: Job) -> Path | None:
    """Where the adapter of a job goes, if it trains one; as its command says."""
    folder = flag_of(job, "--output-dir")
    return Path(folder) if folder else None


def flag_of(job: Job, flag: str) -> str:
    """What a job's command says after a flag; empty where it does not."""
    command = list(job.command)
    return command[command.index(flag) + 1] if flag in command[:-1] else ""


@dataclass(frozen=True)
class Sample:
    """One question of the held-out chapters, and the replies by step."""

    prompt: str
    replies: tuple[tuple[int, str], ...]


def samples(folder: Path) -> list[Sample]:
    """What was replied to the same prompts at each evaluation."""
    prompts: dict[int, str] = {}
    replies: dict[int, dict[int, str]] = {}
    for row in _rows(folder / "samples.jsonl"):
        prompts[row["number"]] = row["prompt"]
        replies.setdefault(row["number"], {})[row["step"]] = row["reply"]
    return [Sample(prompts[n], tuple(sorted(replies[n].items()))) for n in sorted(prompts)]


def _rows(path: Path) -> Sequence[dict[str, Any]]:
    """The rows of a file that is being written: its last line may not be whole."""
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines if line.strip()]
