"""What this machine can do, and what is missing.

    found = run(Settings(), show)
    [row.name for row in found if not row.fine]     # what to mend

Nothing is downloaded and no model is loaded.
"""

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from roleplay.models import bundled
from roleplay.models.memory import available_bytes
from roleplay.options import Options
from roleplay.stages.character import ROOT
from roleplay.stages.progress import Listener, Teller, silent

GIB = 2**30
NEEDS = (
    ("talk", 2.5 * GIB),
    ("train", 4 * GIB),
    ("chatglm", 5.5 * GIB),
    ("train-chatglm", 8 * GIB),
)
"""What can be done with how much free memory, in bytes; measured, with some room (README)."""

_FEATURES = ("avx2", "avx512f", "avx512_vnni", "amx_int8")
_KEYS = ("OPENAI_API_KEY",)


@dataclass(frozen=True)
class Settings(Options):
    """There is nothing to choose."""


@dataclass(frozen=True)
class Found:
    """One thing looked at: its message's name, whether it is as it should be, what was found."""

    name: str
    fine: bool
    values: dict[str, Any]


def run(settings: Settings, listener: Listener = silent) -> list[Found]:
    """All that was looked at."""
    say, found = Teller("doctor", listener), list(_look())
    for row in found:
        mark = "✓" if row.fine else "✗"
        say.say(f"doctor.{row.name}{'' if row.fine else '-missing'}", mark=mark, **row.values)
    return found


def _look() -> Iterator[Found]:
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    yield Found("versions", True, {"system": platform.platform(), **versions})
    features = [name for name in _FEATURES if name in _processor()]
    yield Found("cores", True, {"cores": os.cpu_count(), "features": " ".join(features) or "-"})
    yield Found("compiler", any(map(shutil.which, ("cc", "gcc", "clang"))), {})
    gpu = torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    named = {"name": torch.cuda.get_device_name(0) if gpu else ""}
    yield Found("gpu", gpu, named)
    free = available_bytes(device)
    whole = psutil.virtual_memory().total
    yield Found("memory", True, {"free": free / GIB, "whole": whole / GIB})
    for name, needed in NEEDS:
        yield Found(name, free >= needed, {"needed": needed / GIB})
    room = shutil.disk_usage(ROOT).free / GIB
    yield Found("disk", room >= 5, {"free": room})
    folder = bundled.model_folder()
    yield Found("model", folder.exists(), {"folder": folder})
    adapters = [path.parent.name for path in sorted(ROOT.glob("checkpoints/*/adapter.json"))]
    yield Found("adapters", bool(adapters), {"names": " ".join(adapters)})
    keys = [name for name in _KEYS if os.environ.get(name)]
    yield Found("key", bool(keys), {"name": _KEYS[0]})
    yield Found("browser", bool(shutil.which("chromium") or shutil.which("google-chrome")), {})


def _processor() -> frozenset[str]:
    """The processor's features as Linux names them; none where it does not tell."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    rows = (line for line in told if line.startswith(("flags", "Features")))
    return frozenset(next(rows, "").split())
