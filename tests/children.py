"""Child processes of tests: a script of this checkout, run as a user does, wherever it is started.

subprocess.run(command("distill_dialogues", "--world", world), env=environment())
subprocess.run(command("distill_dialogues", "--world", world, disk=900), env=environment())
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_LIMITED = """
import resource, runpy, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def command(script: str, *flags: object, disk: int | None = None) -> list[str]:
    """The command line of a script.

    Args:
        disk: the kernel lets no file of the run grow past so many bytes, as a full disk would.
    """
    limited = [] if disk is None else ["-c", _LIMITED, str(disk)]
    path = ROOT / "scripts" / f"{script}.py"
    return [sys.executable, *limited, str(path), *map(str, flags)]


def environment(**more: str) -> dict[str, str]:
    """This process's, in English; the packages are those of this checkout, installed or not."""
    return os.environ | {"PYTHONPATH": str(ROOT), "ROLEPLAY_LANGUAGE": "en"} | more
