"""Write a folder that is pushed to Hugging Face as a Space: a world, its adapter and the page.

    run(Settings(output=Path("my-space"), world=Path("worlds/mine")), show)

    README.md          the front matter that the host reads: Python, Gradio, start, time to start
    space.py           what the host starts: which world and model, then app.py
    requirements.txt   the ranges, torch within what ZeroGPU knows
    app.py roleplay/ kb/ worlds/WORLD/ checkpoints/CHECKPOINT/ LICENSE

The same folder runs on a free account's ZeroGPU and on a CPU (`python space.py` tries it here).
"""

import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from roleplay import files
from roleplay.adapters import start
from roleplay.adapters.checkpoint import find_adapter, is_foreign, is_original, read_info
from roleplay.errors import UsageError
from roleplay.models import bundled
from roleplay.options import Options, group, option, required
from roleplay.stages.character import ROOT, Choice, check_cast, choose_checkpoint
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.world import World

PYTHON, TORCH = "3.12.12", "torch>=2.9,<2.12"
"""What ZeroGPU runs: one Python 3.12, torch from 2.8 to 2.11."""

_LEFT_OUT = (
    "train.*",
    "test.*",
    "*.passages.jsonl*",
    "report",
    "jobs",
    "source",
    "*.manifest.json",
)
_ADAPTER_LEFT_OUT = ("trainer", "last", "metrics.jsonl", "samples.*", "curves.png", "README.md")


@dataclass(frozen=True)
class Settings(Options):
    """The options of the stage."""

    output: Path = required(
        "folder to write, new or empty", "写到哪个文件夹（新的或空的）", positional=True
    )
    world: Path = option(ROOT / "worlds" / "chuiyan", "folder of the world", "世界的文件夹")
    choice: Choice = group(Choice)


def run(settings: Settings, listener: Listener = silent) -> Path:
    """The folder.

    Raises:
        WorldError, AdapterError: what is shown is missing or broken.
        UsageError: the folder is not empty, or the model lies in a folder of this machine.
    """
    say, target, model = Teller("space", listener), settings.output, settings.choice.model
    world = check_cast(World.load(settings.world))
    if target.exists() and any(target.iterdir()):
        raise UsageError("space.not-empty", folder=target)
    if Path(model).is_dir():
        raise UsageError("space.local-model", model=model)
    found = choose_checkpoint(settings.choice.checkpoint, world, model, say.tell)
    target.mkdir(parents=True, exist_ok=True)
    for name in ("roleplay", "kb"):
        _copy(ROOT / name, target / name)
    for name in ("app.py", "LICENSE"):
        shutil.copyfile(ROOT / name, target / name)
    _copy(world.path, target / "worlds" / world.name, *_LEFT_OUT)
    checkpoint = _copy_adapter(find_adapter(found), target) if found else "none"
    starts = {"WORLD": f"worlds/{world.name}", "MODEL": model, "CHECKPOINT": checkpoint}
    files.write_text(target / "space.py", start_file(starts))
    needs = requirements((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    files.write_text(target / "requirements.txt", needs)
    files.write_text(target / "README.md", front_matter(world.info.title, model) + _ABOUT)
    say.say("space.wrote", folder=target)
    return target


def _copy(source: Path, target: Path, *left_out: str) -> None:
    ignored = shutil.ignore_patterns("__pycache__", ".*", *left_out)
    shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)


def _copy_adapter(found: Path, target: Path) -> str:
    """The adapter, and the start below it, in ``checkpoints/``; where the Space finds it."""
    if found.is_file():
        raise UsageError("space.folder", path=found)
    place = target / "checkpoints" / found.resolve().name
    _copy(found, place, *_ADAPTER_LEFT_OUT)
    if not is_original(found) and not is_foreign(found) and (info := read_info(found)).start:
        below = start.start_of(found, info.start, info.start_digest)
        _copy(below, target / "checkpoints" / Path(info.start).name, *_ADAPTER_LEFT_OUT)
    return f"checkpoints/{place.name}"


def start_file(settings: dict[str, str]) -> str:
    """``space.py``: settings that the Space's own variables win over, then the app."""
    chosen = json.dumps(settings, ensure_ascii=False, indent=4)
    return (
        '"""What the Space starts; its variables WORLD, MODEL and CHECKPOINT win over these."""\n\n'
        "import os\nfrom pathlib import Path\n\n"
        "import app  # first: it brings `spaces` before torch\n\n"
        "os.chdir(Path(__file__).resolve().parent)\n"
        f"for name, value in {chosen}.items():\n    os.environ.setdefault(name, value)\n\n"
        'if __name__ == "__main__":\n    raise SystemExit(app.main([]))\n'
    )


def requirements(ranges: str) -> str:
    """The ranges without what the host itself installs, torch within what ZeroGPU knows."""
    kept = [line for line in ranges.splitlines() if not line.startswith(("#", "gradio", "torch"))]
    return "\n".join([*kept, "spaces>=0.51", TORCH]) + "\n"


def front_matter(title: str, model: str) -> str:
    """What the host reads at the top of ``README.md``."""
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    gradio = re.search(r"^gradio==(\S+)", pins, re.MULTILINE)
    assert gradio, "constraints.txt pins gradio"
    rows: list[tuple[str, object]] = [
        ("title", title),
        ("emoji", "🌧"),
        ("colorFrom", "green"),
        ("colorTo", "blue"),
        ("sdk", "gradio"),
        ("sdk_version", gradio[1]),
        ("python_version", PYTHON),
        ("app_file", "space.py"),
        ("short_description", "Talk to the characters of a novel"),
        ("suggested_hardware", "cpu-basic"),
        ("startup_duration_timeout", "1h"),
        ("pinned", False),
        ("license", "mit"),
    ]
    if model != bundled.NAME:
        rows += [("models", [model]), ("preload_from_hub", [model])]
    return "\n".join(["---", *_yaml(rows), "---", ""])


def _yaml(rows: Iterable[tuple[str, object]]) -> list[str]:
    """Each value as JSON, which YAML reads."""
    return [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in rows]


_ABOUT = """
Made by `python -m scripts.make_space`. The world's files hold text of its novel: let the Space be
private unless the novel is yours to publish. On a free account choose ZeroGPU as hardware; on a CPU
the same folder answers more slowly.
"""
