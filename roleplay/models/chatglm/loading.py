"""Filling a model with stored weights: every storage form of the original, checked as a whole before anything is used.

    with torch.device("meta"):                                # no memory yet
        model = ChatGLMForConditionalGeneration(config)
    load_weights(model, find_shards("THUDM/chatglm-6b-int4-qe"), dtype=torch.float32)

A kernel that works on another form than the checkpoint's gets it: of a small model in memory, of a large one through a
cache file that is memory-mapped (``repacked.py``). A layer that the model wants packed and the file holds in full is quantized on the way, one at a time. Head and embedding share their
weights, in the kernel's form too. ``rotary_emb.inv_freq`` is ignored. A prefix that the file lacks stays random: it is to be trained.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from roleplay.errors import ModelError
from roleplay.models.chatglm import repacked
from roleplay.models.chatglm.kernels.base import Kernel
from roleplay.models.chatglm.packing import quantize
from roleplay.models.chatglm.prefix import PREFIX_NAME, PrefixEncoder
from roleplay.models.chatglm.quantization import PACKED, PackedLinear, packed_layers
from roleplay.models.chatglm.shards import read_shard

logger = logging.getLogger(__name__)

CACHED_BYTES = 2**28
"""Packed layers together from which on a kernel's form of them is kept in a file."""

_IGNORED = re.compile(r"rotary_emb\.inv_freq$")
_LAYER = re.compile(r"(?<=\.layers\.)\d+")

_EMBEDDING, _HEAD = "transformer.word_embeddings.weight", "lm_head.weight"

State = dict[str, torch.Tensor]


def load_weights(
    model: Any,
    paths: Sequence[Path],
    *,
    dtype: torch.dtype,
    kernel: Kernel | None = None,
    name: str = "model",
    cache: Path | None = None,
) -> None:
    """Put the tensors of ``paths`` into a model that stands on the meta device.

    Args:
        dtype: of everything but packed weights and the prefix, which stays float32.
        kernel: multiplies the packed layers; None and "plain" leave them in the checkpoint's form.
        name: what the model is called in the cache.
        cache: the folder in which weights in the kernel's form are kept. None takes the usual one, and only for models
            of more than ``CACHED_BYTES``: smaller ones are put into the form at every load.

    Raises:
        ModelError: a file cannot be read, or keys are missing, surplus or misshapen: all of them in one message.
    """
    if kernel is not None and kernel.layout and (cache or _packed_bytes(model) > CACHED_BYTES):
        path = repacked.cache_path(name, paths, model.config, kernel, dtype, folder=cache)
        try:
            _load_repacked(model, paths, path, dtype, kernel)
        except repacked.NoRoomError as error:
            logger.warning("%s; the weights are repacked in memory, at every start", error)
        else:
            return
    stored = _read(paths)
    check_keys(model, stored)
    state = _new_prefix(model) | dict(_assembled(model, stored, dtype))
    _tie(model, state)
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    if kernel is not None:
        for layer in packed_layers(model):
            layer.use(kernel)
        model.tie_weights()


def _read(paths: Iterable[Path]) -> State:
    """All tensors of the files but those that are ignored, mapped."""
    stored: State = {}
    for path in paths:
        stored.update(read_shard(path))
    return {name: part for name, part in stored.items() if not _IGNORED.search(name)}


def _packed_bytes(model: Any) -> int:
    return sum(layer.weight.nbytes for layer in packed_layers(model))


def _load_repacked(model: Any, paths: Sequence[Path], path: Path, dtype: torch.dtype, kernel: Kernel) -> None:
    """Load from the cache file, which is made first if it is not there."""
    with torch.device("meta"):
        forms = {
            f"{layer_name}.weight": kernel.form_like(layer.out_features, layer.in_features)
            for layer_name, layer in model.named_modules()
            if isinstance(layer, PackedLinear) and kernel.fits(layer.out_features, layer.in_features)
        }
    shared = _EMBEDDING if _HEAD in forms else _HEAD
    wanted = {
        name: forms.get(name, part if _is_packed(part) else part.to(dtype))
        for name, part in model.state_dict().items()
        if not name.startswith(PREFIX_NAME) and name != shared
    }
    if not repacked.is_whole(path, wanted):
        stored = _read(paths)
        check_keys(model, stored)
        logger.info("repacking the weights for %s into %s (once)", kernel.name, path)
        repacked.write(path, wanted, _formed(_assembled(model, stored, dtype), forms, kernel))
    state = read_shard(path) | _new_prefix(model) | _stored_prefix(model, paths)
    for layer_name, layer in model.named_modules():
        if f"{layer_name}.weight" in forms:
            layer.use(kernel, state[f"{layer_name}.weight"])
    model.tie_weights()
    state[shared] = state[_HEAD if shared == _EMBEDDING else _EMBEDDING]
    model.load_state_dict(state, assign=True)
    model.tie_weights()


def check_keys(model: Any, stored: State) -> None:
    """Compare names, shapes and kinds of what is stored with what the model needs.

    Raises:
        ModelError: lists every missing, surplus and misshapen key; the numbers of layers are joined.
    """
    wanted = _wanted(model, stored)
    problems = {
        "missing": wanted.keys() - stored.keys() - _optional(model, stored),
        "surplus": stored.keys() - wanted.keys(),
        "misshapen": {
            f"{name} {_kind(stored[name])} instead of {kind}"
            for name, kind in wanted.items()
            if name in stored and _kind(stored[name]) != kind
        },
    }
    told = [f"{title}: {', '.join(_joined(names))}" for title, names in problems.items() if names]
    if told:
        config = model.config
        raise ModelError(
            f"the weights are not those that config.json describes (quantization_bit {config.quantization_bit}, "
            f"quantization_embeddings {config.quantization_embeddings}, pre_seq_len {config.pre_seq_len}): "
            f"{'; '.join(told)}; take config.json and weights of the same model"
        )


def _kind(tensor: torch.Tensor) -> str:
    """``float [3, 4]`` or ``int8 [3, 4]``."""
    return _described(tensor.shape, packed=not tensor.is_floating_point())


def _described(shape: Iterable[int], *, packed: bool) -> str:
    return f"{'int8' if packed else 'float'} {list(shape)}"


def _packed(model: Any) -> dict[str, tuple[int, int]]:
    """Name of the weight of every packed layer -> its shape when expanded."""
    return {
        f"{name}.weight": (module.weight.shape[0], module.weight.shape[1] * 8 // module.bits)
        for name, module in model.named_modules()
        if isinstance(module, PACKED)
    }


def _wanted(model: Any, stored: State) -> dict[str, str]:
    """Name -> kind of all that the file should hold; a packed layer may stand in it in full."""
    wanted = {name: _kind(part) for name, part in model.state_dict().items()}
    for name, shape in _packed(model).items():
        if f"{name}_scale" not in stored:
            wanted[name] = _described(shape, packed=False)
            del wanted[f"{name}_scale"]
    return wanted


def _optional(model: Any, stored: State) -> set[str]:
    """What may be missing: the tied head, and the whole prefix."""
    tied = set(model.all_tied_weights_keys)
    if any(name.startswith(PREFIX_NAME) for name in stored):
        return tied
    return tied | {name for name in model.state_dict() if name.startswith(PREFIX_NAME)}


def _assembled(model: Any, stored: State, dtype: torch.dtype) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and tensor of the model's state dict, without a tied name and a new prefix; unconverted tensors stay mapped."""
    packed = _packed(model)
    tied = model.all_tied_weights_keys
    head_scale = f"{_HEAD}_scale"
    for name in stored.keys() - tied.keys():
        if name in packed and f"{name}_scale" not in stored:
            weight, scale = quantize(stored[name], bits=model.config.quantization_bit)
            yield name, weight
            yield f"{name}_scale", scale.to(dtype)
            if name == _EMBEDDING and _HEAD in packed and head_scale not in stored:
                yield head_scale, scale.to(dtype, copy=True)
        else:
            yield name, _converted(name, stored[name], dtype)


def _formed(
    tensors: Iterable[tuple[str, torch.Tensor]], forms: State, kernel: Kernel
) -> Iterator[tuple[str, torch.Tensor]]:
    """The same tensors with packed weights in the kernel's form; the embedding's become the head's."""
    for name, tensor in tensors:
        if name == _EMBEDDING and _HEAD in forms:
            yield _HEAD, kernel.form(tensor)
        elif not name.startswith(PREFIX_NAME):
            yield name, kernel.form(tensor) if name in forms else tensor


def _tie(model: Any, state: State) -> None:
    """Give every tied name that lacks a tensor that of its source."""
    for target, source in model.all_tied_weights_keys.items():
        state.setdefault(target, state[source])


def _stored_prefix(model: Any, paths: Iterable[Path]) -> State:
    """The prefix inside the model's own files, float32; empty where they have none."""
    if not model.config.pre_seq_len:
        return {}
    return {name: part.float() for name, part in _read(paths).items() if name.startswith(PREFIX_NAME)}


def _is_packed(part: torch.Tensor) -> bool:
    return not part.is_floating_point()


def _converted(name: str, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    return tensor.to(torch.float32 if name.startswith(PREFIX_NAME) else dtype)


def _new_prefix(model: Any) -> State:
    """A random prefix in the state dict's names, nothing for a model without one."""
    if not model.config.pre_seq_len:
        return {}
    return {PREFIX_NAME + name: part for name, part in PrefixEncoder(model.config).state_dict().items()}


def _joined(names: Iterable[str]) -> list[str]:
    """``transformer.layers.{0..27}.x`` for the same key of many layers."""
    groups: dict[str, list[int]] = defaultdict(list)
    for name in names:
        groups[_LAYER.sub("{}", name, count=1)] += [int(number) for number in _LAYER.findall(name)[:1]]
    return sorted(name.replace("{}", _span(sorted(numbers))) for name, numbers in groups.items())


def _span(numbers: list[int]) -> str:
    if len(numbers) > 1 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{{{numbers[0]}..{numbers[-1]}}}"
    return ",".join(map(str, numbers)) if len(numbers) < 2 else f"{{{','.join(map(str, numbers))}}}"
