"""The checkpoint folder of an adapter, and the check that it belongs to the model.

    checkpoints/chuiyan-gemma3-270m-prefix/
        adapter.json                 what it is, for which model (names and sizes), how it was made
        adapter_config.json          PEFT's own
        adapter_model.safetensors    the weights

``adapter.json``::

    {"format": 1, "kind": "prefix", "base": {"name": "gemma3-270m", "model_type": "gemma3_text",
     "hidden_size": 640, "num_hidden_layers": 18, "vocab_size": 262144}, "pre_seq_len": 64,
     "world": "chuiyan", "characters": ["闻筝"], "settings": {...}, "result": {...}}

A prefix of a model that brings its own (ChatGLM) is ``prefix.safetensors`` in place of PEFT's two
files. What others wrote is loaded too: the seed's script (a folder with ``pytorch_model.bin`` and
no ``adapter.json``, that file itself, or the folder of its ``checkpoint-N``), and any trainer that
leaves a LoRA as PEFT does (``adapter_config.json`` and the weights alone).
"""

import warnings
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import AfterValidator, BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from roleplay import files
from roleplay.adapters import native_prefix, start
from roleplay.adapters.native_prefix import ORIGINAL_FILE, PREFIX_FILE
from roleplay.errors import AdapterError, WorldError, reason
from roleplay.messages import Message, message
from roleplay.models import causal
from roleplay.records import FORMAT_VERSION

_SIZES = ("model_type", "hidden_size", "num_hidden_layers", "vocab_size")
_WEIGHTS = "adapter_model.safetensors"
_NEW_NAMES = {
    "keep_weight": "kl_weight",
    "bare_loss": "base_loss",
    "bare_general_loss": "base_general_loss",
    "learnt_tokens": "target_tokens",
}


def new_names(values: dict[str, Any]) -> dict[str, Any]:
    """Settings, figures or results by today's names, those of versions before 0.4 too."""
    return {_NEW_NAMES.get(name, name): value for name, value in values.items()}


class BaseModelInfo(BaseModel, frozen=True, protected_namespaces=()):
    """The model an adapter was trained on, as far as it decides whether the adapter fits."""

    name: str
    model_type: str
    hidden_size: int
    num_hidden_layers: int
    vocab_size: int

    @classmethod
    def of(cls, model: Any, name: str) -> Self:
        """The information of a loaded transformers model."""
        return cls(name=name, **{key: getattr(model.config, key) for key in _SIZES})

    def describe(self) -> str:
        """One phrase with name and sizes."""
        return f"{self.name} ({', '.join(f'{key} {getattr(self, key)}' for key in _SIZES)})"


class AdapterInfo(BaseModel, frozen=True):
    """The content of ``adapter.json``."""

    format: int = FORMAT_VERSION
    kind: Literal["prefix", "lora"]
    base: BaseModelInfo
    pre_seq_len: int = 0
    world: str = ""
    characters: tuple[str, ...] = ()
    mode: Literal["one", "many", "profile"] = "many"
    start: str = ""
    """The starting adapter below this one, and the digest of its weights."""
    start_digest: str = ""
    template: Literal["plain", "chat"] = "plain"
    """Whether its prompts were wrapped by the chat template of the tokenizer."""
    settings: Annotated[dict[str, Any], AfterValidator(new_names)] = {}
    result: Annotated[dict[str, Any], AfterValidator(new_names)] = {}


def public_name(name: str) -> str:
    """What a checkpoint calls its model: of a folder its own name, no path of this machine."""
    return Path(name).resolve().name if Path(name).is_dir() else name


def read_info(folder: Path) -> AdapterInfo:
    """Read ``adapter.json``.

    Raises:
        AdapterError: no such folder or file, or not of this form.
    """
    if not folder.is_dir():
        raise AdapterError("adapters.no-folder", folder=folder)
    try:
        info = AdapterInfo.model_validate(files.read_json(folder / "adapter.json"))
    except (ValidationError, WorldError) as error:
        raise AdapterError("adapters.foreign", folder=folder, reason=reason(error)) from error
    if info.format != FORMAT_VERSION:
        raise AdapterError("adapters.format", folder=folder, found=info.format, ours=FORMAT_VERSION)
    return info


def find_adapter(path: Path) -> Path:
    """Where the adapter of a path lies: there, or in the newest ``checkpoint-N`` below it.

    Raises:
        AdapterError: nothing there is an adapter of ours, of PEFT or of the original's script.
    """
    numbered = [found for found in path.glob("checkpoint-*") if found.name[11:].isdecimal()]
    for found in (path, *sorted(numbered, key=lambda one: -int(one.name[11:]))):
        if is_original(found) or is_foreign(found) or (found / "adapter.json").is_file():
            return found
    read_info(path)  # says what is wrong with it
    return path


def is_original(path: Path) -> bool:
    """Whether the original's P-Tuning script wrote this: a ``.bin`` file, or a folder of one."""
    if path.is_file():
        return path.suffix == ".bin"
    return (path / ORIGINAL_FILE).is_file() and not (path / "adapter.json").exists()


def is_foreign(path: Path) -> bool:
    """Whether another trainer left PEFT's files here, and no ``adapter.json``."""
    return (path / "adapter_config.json").is_file() and not (path / "adapter.json").exists()


def check_checkpoint(path: Path) -> None:
    """Refuse what is no checkpoint; raises as :func:`read_info`."""
    found = find_adapter(path)
    if not is_original(found) and not is_foreign(found):
        read_info(found)


def load_adapter(model: Any, folder: Path, *, name: str) -> tuple[Any, AdapterInfo]:
    """The model with an adapter on it, for inference: wrapped by PEFT, or with a prefix in it.

    Raises:
        AdapterError: made for another model (both are named with their sizes), or the weights are
            missing or damaged.
    """
    base, folder = BaseModelInfo.of(model, name), find_adapter(folder)
    if is_foreign(folder):
        return _load_foreign(model, folder, base)
    if is_original(folder):
        if not causal.is_prefix_lm(model):
            raise AdapterError("adapters.original", path=folder, model=base.describe())
        file = folder / ORIGINAL_FILE if folder.is_dir() else folder
        length = native_prefix.read_native_prefix(model, file)
        return model.eval(), AdapterInfo(kind="prefix", base=base, pre_seq_len=length)
    info = read_info(folder)
    if any(getattr(info.base, key) != getattr(base, key) for key in _SIZES):
        known = {"wanted": info.base.describe(), "model": base.describe()}
        raise AdapterError("adapters.other-model", folder=folder, **known)
    native = info.kind == "prefix" and causal.is_prefix_lm(model)
    weights = folder / (PREFIX_FILE if native else _WEIGHTS)
    # Told here, since PEFT would look for missing files on the hub.
    if not weights.is_file():
        raise AdapterError("adapters.no-weights", folder=folder, file=weights.name)
    if not native:
        if info.start:
            model = start.with_start(model, start.start_of(folder, info.start, info.start_digest))
        return _load_peft(model, folder), info
    length = native_prefix.read_native_prefix(model, weights)
    if length != info.pre_seq_len:
        raise AdapterError("adapters.mixed", folder=folder, length=length, said=info.pre_seq_len)
    return model.eval(), info


def _load_foreign(model: Any, folder: Path, base: BaseModelInfo) -> tuple[Any, AdapterInfo]:
    """A LoRA of another trainer; PEFT itself sees whether its sizes are the model's."""
    kind = files.read_json(folder / "adapter_config.json").get("peft_type")
    if kind != "LORA":
        raise AdapterError("adapters.foreign-kind", folder=folder, kind=kind)
    if not (folder / _WEIGHTS).is_file():
        raise AdapterError("adapters.no-weights", folder=folder, file=_WEIGHTS)
    return _load_peft(model, folder), AdapterInfo(kind="lora", base=base, template="chat")


def _load_peft(model: Any, folder: Path) -> Any:
    from peft import PeftModel

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return PeftModel.from_pretrained(model, str(folder), torch_device="cpu").eval()
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise AdapterError("adapters.unreadable", folder=folder, reason=cause(error)) from error


def cause(error: Exception) -> Message:
    """Why weights cannot be read or written: in our words, or where we have none the library's."""
    if isinstance(error, OSError) and error.errno is not None:
        return reason(error)
    return message("adapters.cause", detail=str(error).split("\n")[0][:160])


def save_adapter(model: Any, folder: Path, info: AdapterInfo, *, original: bool = False) -> None:
    """Write the weights as safetensors, and ``adapter.json`` last: a half folder is no checkpoint.

    Args:
        model: what was trained: PEFT's model, or one with a prefix of its own.
        original: also write ``pytorch_model.bin`` as the original's script does.

    Raises:
        AdapterError: as :func:`check_original`, or the weights cannot be written.
    """
    native = info.kind == "prefix" and causal.is_prefix_lm(model)
    check_original(original, native)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter.json").unlink(missing_ok=True)
    try:
        if native:
            native_prefix.write_native_prefix(model, folder, original=original)
        else:
            _save_peft(model, folder, info)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise AdapterError("adapters.unwritable", folder=folder, reason=cause(error)) from error
    files.write_json(folder / "adapter.json", info.model_dump())


def check_original(wanted: bool, native_prefix: bool) -> None:
    """Refuse to write the original's form of what the original cannot read.

    Raises:
        AdapterError: it is wanted, and this is no prefix of a ChatGLM.
    """
    if wanted and not native_prefix:
        raise AdapterError("adapters.no-original-form")


def _save_peft(peft_model: Any, folder: Path, info: AdapterInfo) -> None:
    peft_model.save_pretrained(str(folder), safe_serialization=True)
    if info.kind == "lora":
        # bfloat16 halves the size, and changes LoRA far less than what training leaves undecided.
        found = load_file(folder / _WEIGHTS)
        halved = {name: tensor.to(torch.bfloat16) for name, tensor in found.items()}
        files.write_bytes(folder / _WEIGHTS, save(halved, metadata={"format": "pt"}))
    # PEFT writes the cache path of the model here; a checkpoint is shared between machines.
    config = folder / "adapter_config.json"
    files.write_json(config, files.read_json(config) | {"base_model_name_or_path": info.base.name})
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
