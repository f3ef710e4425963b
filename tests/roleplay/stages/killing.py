"""Run a stage again and again, each time on a fresh copy of a world, and kill it one step later.

    python killing.py distill WORLD FOLDER --max-chars 30

FOLDER/0 is what a whole run makes. FOLDER/1, FOLDER/2, ... are what is left after SIGKILL just
before the first, the second, ... change of the disk: a rename, a removal, a new folder.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from itertools import count
from pathlib import Path
from typing import Any

from roleplay import cli

CHANGES: dict[str, tuple[Any, Callable[[Path], bool]]] = {
    "replace": (Path, lambda path: True),
    "unlink": (Path, Path.exists),
    "mkdir": (Path, lambda path: not path.exists()),
    "rmtree": (shutil, os.path.exists),
}
"""Name of a function -> where it stands, and whether a call with this path changes anything."""


def main(stage: str, world: Path, folder: Path, flags: list[str]) -> int:
    """0 when a run came to its end that nobody killed, and all before it died."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # else the children complain of it
    status = 0
    for number in count():
        copy = folder / str(number)
        if world.exists():
            shutil.copytree(world, copy)
        command = ["--world", str(copy), *flags]
        # The whole run is one of this process: what it imports and reads, its children have.
        status = killed(stage, command, number) if number else cli.main(stage, command)
        if number and not os.WIFSIGNALED(status):
            shutil.rmtree(copy)
            break
    return status


def killed(stage: str, flags: list[str], number: int) -> int:
    """The wait status of a child that runs the stage and dies before its change ``number``."""
    if child := os.fork():
        return os.waitpid(child, 0)[1]
    die_before(number)
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        os._exit(cli.main(stage, flags))


def die_before(number: int) -> None:
    """Let this process kill itself just before that change, counted from 1."""
    numbers = count(1)

    def counted(
        function: Callable[..., Any], changes: Callable[[Path], bool]
    ) -> Callable[..., Any]:
        def call(path: Path, *args: Any, **more: Any) -> Any:
            if changes(path) and next(numbers) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(path, *args, **more)

        return call

    for name, (owner, changes) in CHANGES.items():
        setattr(owner, name, counted(getattr(owner, name), changes))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]))
