"""The checkpoint folder of an adapter, and the check that it belongs to the model.

    checkpoints/chuiyan-gemma3-270m-prefix/
        adapter.json                 what it is, for which model (names and sizes), how it was made
        adapter_config.json          PEFT's own
        adapter_model.safetensors    the weights

``adapter.json``::

    {"format": 1, "kind": "prefix", "base": {"name": "gemma3-270m", "model_type": "gemma3_text", "hidden_size": 640,
     "num_hidden_layers": 18, "vocab_size": 262144}, "pre_seq_len": 64, "world": "chuiyan", "characters": ["闻筝"],
     "settings": {...}, "result": {...}}

A prefix of a model that brings its own (ChatGLM) is ``prefix.safetensors`` in place of PEFT's two files. What the seed's
script wrote, a folder with ``pytorch_model.bin`` and no ``adapter.json``, or that file itself, is loaded as well.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from roleplay import files
from roleplay.adapters.own_prefix import ORIGINAL_FILE, PREFIX_FILE, read_own_prefix, write_own_prefix
from roleplay.errors import AdapterError, WorldError
from roleplay.models import causal
from roleplay.records import FORMAT_VERSION

_SIZES = ("model_type", "hidden_size", "num_hidden_layers", "vocab_size")


class BaseModelInfo(BaseModel):
    """The model an adapter was trained on, as far as it decides whether the adapter fits."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    name: str
    model_type: str
    hidden_size: int
    num_hidden_layers: int
    vocab_size: int

    @classmethod
    def of(cls, model: Any, name: str) -> BaseModelInfo:
        """The information of a loaded transformers model."""
        return cls(name=name, **{key: getattr(model.config, key) for key in _SIZES})

    def describe(self) -> str:
        """One phrase with name and sizes."""
        return f"{self.name} ({', '.join(f'{key} {getattr(self, key)}' for key in _SIZES)})"


class AdapterInfo(BaseModel):
    """The content of ``adapter.json``."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT_VERSION
    kind: Literal["prefix", "lora"]
    base: BaseModelInfo
    pre_seq_len: int = 0
    world: str = ""
    characters: tuple[str, ...] = ()
    mode: Literal["one", "many", "profile"] = "many"
    settings: dict[str, Any] = Field(default_factory=dict)
    result: dict[str, Any] = Field(default_factory=dict)


def public_name(name: str) -> str:
    """What a checkpoint calls its model: a folder's own name, so that no path of this machine is written; else ``name``."""
    return Path(name).resolve().name if Path(name).is_dir() else name


def read_info(folder: Path) -> AdapterInfo:
    """Read ``adapter.json``.

    Raises:
        AdapterError: no such folder or file, or not of this form.
    """
    if not folder.is_dir():
        raise AdapterError(f"no checkpoint folder {folder}: train one with `python scripts/train_roleplaying.py`")
    try:
        info = AdapterInfo.model_validate(files.read_json(folder / "adapter.json"))
    except (ValidationError, WorldError) as error:
        reason = str(error).split("\n")[0]
        raise AdapterError(f"{folder} is not a checkpoint of this program ({reason})") from error
    if info.format != FORMAT_VERSION:
        raise AdapterError(f"{folder} has format {info.format}, this program reads {FORMAT_VERSION}: update it")
    return info


def is_original(path: Path) -> bool:
    """Whether this is a checkpoint of the original's P-Tuning script: a ``.bin`` file, or a folder with only that."""
    if path.is_file():
        return path.suffix == ".bin"
    return (path / ORIGINAL_FILE).is_file() and not (path / "adapter.json").exists()


def check_checkpoint(path: Path) -> None:
    """Refuse what is no checkpoint, ours or the original's, before a model is loaded.

    Raises:
        AdapterError: as :func:`read_info`.
    """
    if not is_original(path):
        read_info(path)


def load_adapter(model: Any, folder: Path, *, name: str) -> tuple[Any, AdapterInfo]:
    """The model with the adapter of ``folder`` on it, for inference: wrapped by PEFT, or with its own prefix in it.

    Raises:
        AdapterError: made for another model (both are named with their sizes), or the weights are missing or damaged.
    """
    base = BaseModelInfo.of(model, name)
    if is_original(folder):
        return _load_original(model, folder, base)
    info = read_info(folder)
    check_base(info, base, folder)
    if info.kind == "prefix" and causal.is_prefix_lm(model):
        return _load_own(model, folder, info)
    return _load_peft(model, folder), info


def _load_original(model: Any, path: Path, base: BaseModelInfo) -> tuple[Any, AdapterInfo]:
    if not causal.is_prefix_lm(model):
        raise AdapterError(
            f"{path} is a prefix of the original ChatGLM script, the model is {base.describe()}: "
            "choose the ChatGLM-6B it was made for, or another checkpoint"
        )
    length = read_own_prefix(model, path / ORIGINAL_FILE if path.is_dir() else path)
    return model.eval(), AdapterInfo(kind="prefix", base=base, pre_seq_len=length)


def _load_own(model: Any, folder: Path, info: AdapterInfo) -> tuple[Any, AdapterInfo]:
    if not (folder / PREFIX_FILE).is_file():
        raise AdapterError(f"{folder} has no {PREFIX_FILE}: copy the whole folder, or train again")
    length = read_own_prefix(model, folder / PREFIX_FILE)
    if length != info.pre_seq_len:
        raise AdapterError(
            f"{folder}: {PREFIX_FILE} has {length} positions, adapter.json says {info.pre_seq_len}: "
            "the files are of two checkpoints, copy one whole folder"
        )
    return model.eval(), info


def _load_peft(model: Any, folder: Path) -> Any:
    from peft import PeftModel
    from safetensors import SafetensorError

    try:
        # Before PeftModel sees the folder: it looks for missing files on the hub.
        if not (folder / "adapter_model.safetensors").exists():
            raise AdapterError(f"{folder} has no adapter_model.safetensors: copy the whole folder, or train again")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return PeftModel.from_pretrained(model, str(folder)).eval()
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise AdapterError(f"{folder}: the weights cannot be read ({str(error).splitlines()[0][:160]})") from error


def check_base(info: AdapterInfo, base: BaseModelInfo, folder: Path) -> None:
    """Refuse an adapter whose model differs in type or size.

    Raises:
        AdapterError: names both models.
    """
    if any(getattr(info.base, key) != getattr(base, key) for key in _SIZES):
        raise AdapterError(
            f"{folder} was made for {info.base.describe()}, the model is {base.describe()}: "
            "choose the model it was made for, or train an adapter for this one"
        )


def save_adapter(model: Any, folder: Path, info: AdapterInfo, *, original: bool = False) -> None:
    """Write the adapter's weights as safetensors, and ``adapter.json`` last, so that a half folder is no checkpoint.

    Args:
        model: what was trained: PEFT's model, or one with a prefix of its own.
        original: also write ``pytorch_model.bin`` as the original's script does.

    Raises:
        AdapterError: ``original`` and not the prefix of a ChatGLM, or the weights cannot be written.
    """
    from safetensors import SafetensorError

    own = info.kind == "prefix" and causal.is_prefix_lm(model)
    check_original(original, own)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter.json").unlink(missing_ok=True)
    try:
        if own:
            write_own_prefix(model, folder, original=original)
        else:
            _save_peft(model, folder, info)
    except SafetensorError as error:
        raise AdapterError(
            f"{folder}: the weights cannot be written ({error}): free some space and run the same command again"
        ) from error
    files.write_json(folder / "adapter.json", info.model_dump())


def check_original(wanted: bool, own_prefix: bool) -> None:
    """Refuse to write the original's form of what the original cannot read.

    Raises:
        AdapterError: it is wanted, and this is no prefix of a ChatGLM.
    """
    if wanted and not own_prefix:
        raise AdapterError("only a ChatGLM's prefix has the original's form: leave --original_format out")


def _save_peft(peft_model: Any, folder: Path, info: AdapterInfo) -> None:
    peft_model.save_pretrained(str(folder), safe_serialization=True)
    if info.kind == "lora":
        _halve(folder / "adapter_model.safetensors")
    _forget_paths(folder / "adapter_config.json", info.base.name)
    (folder / "README.md").unlink(missing_ok=True)


def _halve(path: Path) -> None:
    """Store LoRA weights in bfloat16: half the size, and a change far under what training leaves undecided."""
    import torch
    from safetensors.torch import load_file, save

    weights = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(path).items()}
    files.write_bytes(path, save(weights, metadata={"format": "pt"}))


def _forget_paths(path: Path, name: str) -> None:
    """Replace the cache path that PEFT writes with the model's name: a checkpoint is shared between machines."""
    config = files.read_json(path)
    files.write_json(path, config | {"base_model_name_or_path": name})
