"""A stage as a child process of its own script, for whoever only watches: the page, or a request.

    job = start("training", Settings(world=Path("worlds/mine")))
    state(job)                  # "running", then "done", "failed", "stopped" or "killed"
    for event in events(job): print(event.message)
    stop(job)                   # as Ctrl-C does
    resume(job)                 # a new job with the same command: it goes on where that stopped

    worlds/mine/jobs/20261126-101500-training/
        job.json       stage, command, folder it was started in, process, when
        log.txt        what it printed
        events.jsonl   what it told, one event a line
        status.json    exit status and when; by the process itself, missing where it was killed

One job runs in a world at a time. The process outlives whoever started it: after a crash or a
restart ``jobs`` finds it again by its folder.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
from filelock import FileLock

from roleplay import files
from roleplay.errors import BusyError, WorldError
from roleplay.options import arguments
from roleplay.stages import find
from roleplay.stages.progress import Event

State = Literal["running", "done", "failed", "stopped", "killed"]

FOLDER, JOB, LOG, EVENTS, STATUS = "jobs", "job.json", "log.txt", "events.jsonl", "status.json"
STOP = "stop"
"""An empty file, the wish to stop: a process that is still importing would miss the signal."""

STOPPED = 130
"""The exit status after Ctrl-C."""

_SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
_children: dict[int, subprocess.Popen[bytes]] = {}
"""Children of this process, waited for: else an ended one would stay in the process table."""


@dataclass(frozen=True)
class Job:
    """One run; ``born``, when its process was made, tells it from a later one of that number."""

    folder: Path
    stage: str
    command: tuple[str, ...]
    cwd: str
    pid: int
    born: float
    started: str

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def world(self) -> Path:
        """The world it works on."""
        return self.folder.parents[1]


def start(stage: str, settings: Any, secrets: Mapping[str, str] | None = None) -> Job:
    """Start a stage with its settings, which name a world.

    Args:
        secrets: variables of its environment, a key or so, which are written nowhere.

    Raises:
        BusyError: a job is running in this world; the message says which and since when.
    """
    script = _SCRIPTS / f"{find(stage).script}.py"
    command = [sys.executable, str(script), *arguments(settings)]
    return _start(stage, Path(settings.world), command, str(Path.cwd()), secrets)


def _start(
    stage: str, world: Path, command: Sequence[str], cwd: str, secrets: Mapping[str, str] | None
) -> Job:
    top = world.resolve() / FOLDER
    top.mkdir(parents=True, exist_ok=True)
    # Two starts at once: the second waits for the first to have written its job.json.
    with FileLock(top / ".start.lock"):
        if busy := running(world):
            values = {"stage": busy.stage, "since": busy.started, "id": busy.id}
            raise BusyError("jobs.busy", world=world.name, **values)
        folder = _new_folder(top, stage)
        with (folder / LOG).open("wb") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
            environment = _environment() | dict(secrets or {})
            more = {"cwd": cwd, "env": environment, **streams, **_own_group()}
            process = subprocess.Popen([*command, "--job", str(folder)], **more)
        _children[process.pid] = process
        row = {"stage": stage, "command": list(command), "cwd": cwd, "pid": process.pid}
        row |= {"born": 0.0, "started": time.strftime("%Y-%m-%d %H:%M:%S")}
        with suppress(psutil.Error):  # it may have ended already
            row["born"] = psutil.Process(process.pid).create_time()
        files.write_json(folder / JOB, row)
        return read(folder)


def _new_folder(top: Path, stage: str) -> Path:
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{stage}"
    for end in ("", *(f"-{number}" for number in range(2, 100))):
        with suppress(FileExistsError):
            (top / f"{name}{end}").mkdir()
            return top / f"{name}{end}"
    raise AssertionError("a hundred jobs in one second")


def _environment() -> dict[str, str]:
    """That of this process, in which Python finds this package also where it is not installed."""
    path = filter(None, (str(_SCRIPTS.parent), os.environ.get("PYTHONPATH")))
    # The log is UTF-8, whatever a terminal would be.
    return os.environ | {"PYTHONPATH": os.pathsep.join(path), "PYTHONIOENCODING": "utf-8"}


def _own_group() -> dict[str, Any]:
    """A process that Ctrl-C in the starter's terminal does not reach."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]
    return {"start_new_session": True}


def read(folder: Path) -> Job:
    """The job of a folder.

    Raises:
        WorldError: there is none, or its ``job.json`` is broken.
    """
    row = files.read_json(folder / JOB)
    try:
        known = {name: row[name] for name in ("stage", "cwd", "pid", "born", "started")}
        return Job(folder=folder, command=tuple(row["command"]), **known)
    except (KeyError, TypeError) as error:
        raise WorldError("jobs.broken", path=folder / JOB) from error


def find_jobs(world: Path) -> list[Job]:
    """All jobs of a world, the newest first; a folder whose job never began is passed over."""
    paths = sorted((world.resolve() / FOLDER).glob(f"*/{JOB}"), reverse=True)
    return [read(path.parent) for path in paths]


def running(world: Path) -> Job | None:
    """The job that is running in a world, if one is."""
    return next((job for job in find_jobs(world) if state(job) == "running"), None)


def state(job: Job) -> State:
    """How it is; "killed" where the process ended without a word."""
    # Before the status is looked for: it may write that and end between the two.
    process = _process(job)
    if (job.folder / STATUS).exists():
        code = files.read_json(job.folder / STATUS)["code"]
        return {0: "done", STOPPED: "stopped"}.get(code, "failed")  # type: ignore[return-value]
    if process:
        return "running"
    return "stopped" if (job.folder / STOP).exists() else "killed"


def _process(job: Job) -> psutil.Process | None:
    """The process of a job while it lives."""
    if child := _children.get(job.pid):
        child.poll()
    try:
        process = psutil.Process(job.pid)
        # Another process may have got the number since; clocks differ by less than a second.
        same = abs(process.create_time() - job.born) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def stop(job: Job) -> None:
    """Ask it to stop, as Ctrl-C does, where it has not ended; ``resume`` goes on from there."""
    if process := _process(job):
        (job.folder / STOP).touch()
        windows = getattr(signal, "CTRL_BREAK_EVENT", None)
        with suppress(psutil.NoSuchProcess):  # it ended just now
            process.send_signal(windows or signal.SIGINT)


def wait(job: Job, timeout: float = 60.0) -> State:
    """How it ended; "running" where it has not within ``timeout`` seconds."""
    if process := _process(job):
        psutil.wait_procs([process], timeout=timeout)
    return state(job)


def resume(job: Job, secrets: Mapping[str, str] | None = None) -> Job:
    """A new job with the same command. ``secrets`` and errors as in :func:`start`."""
    return _start(job.stage, job.world, job.command, job.cwd, secrets)


def events(job: Job, since: int = 0) -> list[Event]:
    """What it told, from the event of that number on; without one that is still being written."""
    path = job.folder / EVENTS
    # As bytes: the last line may end within a letter, and texts may hold other line breaks.
    *lines, _ = path.read_bytes().split(b"\n") if path.exists() else [b""]
    return [Event.from_json(json.loads(line)) for line in lines[since:]]


def log(job: Job) -> str:
    """What it printed."""
    path = job.folder / LOG
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
