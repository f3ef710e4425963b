"""GGUF, the files of llama.cpp and Ollama: a LoRA by itself, or the whole model with it inside.

    write_lora(stacked([folder]), model.config, Path("wenzheng-lora.gguf"))
    write_merged(model, Path("base.gguf"), Path("wenzheng.gguf"), kind="q8_0")

The whole model takes its tokenizer and all else that is no weight from ``template``, a GGUF of the
base model in whatever quantization; what lies there is checked against the model, so that no other
model's file is taken. Names and layouts are llama.cpp's, as its own library ``gguf`` knows them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
import torch
from torch import Tensor

from roleplay.adapters.lora import Update
from roleplay.errors import AdapterError

Kind = Literal["f32", "f16", "bf16", "q8_0"]
"""How the matrices of a whole model are stored; what has one dimension stays float32."""

_ARCHITECTURES = {
    "gemma3_text": "gemma3",
    "llama": "llama",
    "mistral": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
}
_FILE_TYPES = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "bf16": "MOSTLY_BF16", "q8_0": "MOSTLY_Q8_0"}
_SKIPPED = ("GGUF.", "split.", "general.architecture", "general.file_type", "general.name")


def architecture(config: Any) -> str:
    """llama.cpp's name of a model's architecture.

    Raises:
        AdapterError: it is none of those whose layout is known here.
    """
    if found := _ARCHITECTURES.get(config.model_type):
        return found
    known = " ".join(_ARCHITECTURES)
    raise AdapterError("gguf.architecture", kind=config.model_type, known=known)


def write_lora(updates: Mapping[str, Update], config: Any, target: Path) -> None:
    """Write updates by the name of their layer as a LoRA that llama.cpp adds to its base model.

    Raises:
        AdapterError: as :func:`architecture`, or a layer has no place there.
    """
    names = _Names(config)
    writer = gguf.GGUFWriter(target, names.architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    alpha = float(max(update.rank for update in updates.values()))
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    for layer, update in updates.items():
        name = names.of(f"{layer}.weight")
        # llama.cpp multiplies by alpha / rank: taken out of the second factor before.
        up = names.laid_out(layer, update.up * (update.rank / alpha))
        writer.add_tensor(f"{name}.lora_a", _array(update.down))
        writer.add_tensor(f"{name}.lora_b", _array(up))
    _finish(writer)


def write_merged(model: Any, template: Path, target: Path, *, kind: Kind, name: str) -> None:
    """Write a plain model, its adapter in its weights already.

    Args:
        template: a GGUF of the base model, for all that is no weight.
        name: what the file calls itself.

    Raises:
        AdapterError: as :func:`architecture`; or ``template`` is no GGUF, or of another model.
    """
    names, reader = _Names(model.config), _open(template)
    if _field(reader, "general.architecture") != names.architecture:
        found = _field(reader, "general.architecture")
        raise AdapterError("gguf.other-model", path=template, what=found)
    writer = gguf.GGUFWriter(target, names.architecture)
    for field in reader.fields.values():
        if not field.name.startswith(_SKIPPED):
            inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType[_FILE_TYPES[kind]])
    for tensor in _tensors(model, reader, names, template):
        stored = _array(tensor.value)
        wanted = _stored_as(stored.shape, kind)
        writer.add_tensor(tensor.name, gguf.quants.quantize(stored, wanted), raw_dtype=wanted)
    _finish(writer)


def _stored_as(shape: tuple[int, ...], kind: Kind) -> gguf.GGMLQuantizationType:
    """Vectors stay whole, and rows that are not cut into blocks of 32 are halved at most."""
    if len(shape) == 1:
        return gguf.GGMLQuantizationType.F32
    short = kind == "q8_0" and shape[-1] % 32
    return gguf.GGMLQuantizationType["F16" if short else kind.upper()]


def _open(path: Path) -> gguf.GGUFReader:
    try:
        return gguf.GGUFReader(path)
    except (OSError, ValueError, IndexError) as error:
        raise AdapterError("gguf.unreadable", path=path) from error


def _field(reader: gguf.GGUFReader, name: str) -> Any:
    field = reader.fields.get(name)
    return field.contents() if field else None


class _Named:
    """A tensor under llama.cpp's name."""

    def __init__(self, name: str, value: Tensor) -> None:
        self.name, self.value = name, value


def _tensors(
    model: Any, reader: gguf.GGUFReader, names: "_Names", template: Path
) -> Iterator[_Named]:
    """The model's weights for all that the template has, in its order; sizes and norms agree."""
    found = {names.of(key): (key, value) for key, value in model.state_dict().items()}
    for place in reader.tensors:
        if place.name == "rope_freqs.weight":  # a table, no weight: transformers computes it
            yield _Named(place.name, torch.from_numpy(np.array(place.data)))
            continue
        key, value = found.get(place.name, ("", None))
        shape = [int(size) for size in reversed(place.shape)]
        if value is None or list(value.shape) != shape:
            raise AdapterError("gguf.other-model", path=template, what=place.name)
        value = names.laid_out(key.removesuffix(".weight"), value.float())
        # No adapter changes the norms, and every quantization keeps them whole.
        if key.endswith("norm.weight"):
            own = torch.from_numpy(np.array(place.data, dtype=np.float32))
            if not torch.allclose(own, value, atol=1e-2, rtol=1e-2):
                raise AdapterError("gguf.other-model", path=template, what=place.name)
        yield _Named(place.name, value)


class _Names:
    """llama.cpp's names of a model's layers, and its layout of their weights."""

    def __init__(self, config: Any) -> None:
        self.architecture, self._config = architecture(config), config
        by_name = {name: arch for arch, name in gguf.MODEL_ARCH_NAMES.items()}
        blocks = config.num_hidden_layers
        self._map = gguf.get_tensor_name_map(by_name[self.architecture], blocks)

    def of(self, key: str) -> str:
        """The name of a tensor. Raises AdapterError: the architecture has none of this name."""
        name: str | None = self._map.get_name(key, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise AdapterError("gguf.layer", name=key, kind=self.architecture)
        return name

    def laid_out(self, layer: str, weight: Tensor) -> Tensor:
        """A weight of transformers as llama.cpp holds it; only rows change their places."""
        config = self._config
        if self.architecture == "gemma3" and layer.endswith("norm"):
            return weight + 1  # transformers adds it when it runs
        if self.architecture == "llama" and layer.endswith(("q_proj", "k_proj")):
            query = layer.endswith("q_proj")
            heads = config.num_attention_heads if query else config.num_key_value_heads
            halves = weight.reshape(heads, 2, len(weight) // heads // 2, *weight.shape[1:])
            return halves.transpose(1, 2).reshape(weight.shape)
        return weight


def _array(tensor: Tensor) -> Any:
    return tensor.detach().float().cpu().contiguous().numpy()


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
