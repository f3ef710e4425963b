"""Filling a model with stored weights: every storage form of the original, checked as a whole before anything is used.

    with torch.device("meta"):                                # no memory yet
        model = ChatGLMForConditionalGeneration(config)
    load_weights(model, find_shards("THUDM/chatglm-6b-int4-qe"), dtype=torch.float32)

A layer that the model wants packed and the file holds in full is quantized on the way, one at a time. The head takes the
embedding's weights. ``rotary_emb.inv_freq`` is ignored. A prefix that the file lacks stays random: it is to be trained.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from roleplay.errors import ModelError
from roleplay.models.chatglm.prefix import PREFIX_NAME, PrefixEncoder
from roleplay.models.chatglm.quantization import PACKED, quantize
from roleplay.models.chatglm.shards import read_shard

_IGNORED = re.compile(r"rotary_emb\.inv_freq$")
_LAYER = re.compile(r"(?<=\.layers\.)\d+")

_EMBEDDING, _HEAD = "transformer.word_embeddings.weight", "lm_head.weight"

State = dict[str, torch.Tensor]


def load_weights(model: Any, paths: Iterable[Path], *, dtype: torch.dtype) -> None:
    """Put the tensors of ``paths`` into a model that stands on the meta device.

    Args:
        dtype: of everything but packed weights and the prefix, which stays float32.

    Raises:
        ModelError: a file cannot be read, or keys are missing, surplus or misshapen: all of them in one message.
    """
    stored: State = {}
    for path in paths:
        stored.update(read_shard(path))
    stored = {name: part for name, part in stored.items() if not _IGNORED.search(name)}
    check_keys(model, stored)
    model.load_state_dict(_assemble(model, stored, dtype), assign=True)
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


def _assemble(model: Any, stored: State, dtype: torch.dtype) -> State:
    """The model's whole state dict; unconverted tensors stay memory-mapped."""
    state = _new_prefix(model)
    packed = _packed(model)
    for name in stored.keys() - model.all_tied_weights_keys.keys():
        if name in packed and f"{name}_scale" not in stored:
            bits = model.config.quantization_bit
            state[name], scale = quantize(stored[name], bits=bits)
            state[f"{name}_scale"] = scale.to(dtype)
        else:
            state[name] = _converted(name, stored[name], dtype)
    for target, source in model.all_tied_weights_keys.items():
        state[target] = state[source]
    if _HEAD in packed:
        state.setdefault(f"{_HEAD}_scale", state[f"{_EMBEDDING}_scale"].clone())
    return state


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
