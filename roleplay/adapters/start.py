"""The starting adapter: LoRA that already converses, below whatever a world's training adds.

    folder = find_start("shipped", "gemma3-270m")       # checkpoints/start-gemma3-270m, or None
    model = with_start(model, folder)                   # a plain model, the updates in its weights

An adapter that was trained on top of it names it in ``adapter.json``, with the digest of its
weights, and is loaded on top of it again.
"""

import hashlib
from pathlib import Path
from typing import Any

from peft import PeftModel
from safetensors import SafetensorError

from roleplay.errors import AdapterError

CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"
SHIPPED, NONE = "shipped", "none"
WEIGHTS = "adapter_model.safetensors"


def find_start(wanted: str, model: str) -> Path | None:
    """The folder of a starting adapter.

    Args:
        wanted: "shipped", "none", or a folder.
        model: the base model's name; not every model has a shipped one.

    Raises:
        AdapterError: the folder holds no adapter.
    """
    if wanted == NONE:
        return None
    folder = CHECKPOINTS / f"start-{model}" if wanted == SHIPPED else Path(wanted)
    if (folder / "adapter.json").is_file() and (folder / WEIGHTS).is_file():
        return folder
    if wanted == SHIPPED:
        return None
    raise AdapterError("adapters.no-folder", folder=folder)


def digest(folder: Path) -> str:
    """The first half of the SHA-256 of an adapter's weights."""
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()[:32]


def start_of(folder: Path, named: str, wanted: str) -> Path:
    """Where the starting adapter of the adapter in ``folder`` lies: as named, beside it, or ours.

    Raises:
        AdapterError: nowhere, or only one with other weights than ``wanted``.
    """
    name = Path(named).name
    for found in (Path(named), folder.parent / name, CHECKPOINTS / name):
        if (found / WEIGHTS).is_file() and digest(found) == wanted:
            return found
    raise AdapterError("adapters.no-start", folder=folder, start=named)


def with_start(model: Any, folder: Path) -> Any:
    """The model with the updates of a LoRA folder in its weights.

    Raises:
        AdapterError: they cannot be read, or are for another model.
    """
    try:
        loaded = PeftModel.from_pretrained(model, str(folder), torch_device="cpu")
        return loaded.merge_and_unload()
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        detail = str(error).split("\n")[0][:160]
        raise AdapterError("adapters.unreadable", folder=folder, reason=detail) from error
