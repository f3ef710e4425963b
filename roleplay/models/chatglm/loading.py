"""Filling a model with stored weights: every storage form of the original, checked first.

    with torch.device("meta"):                                # no memory yet
        model = ChatGLMForConditionalGeneration(config)
    shards = find_shards("THUDM/chatglm-6b-int4-qe")
    load_weights(model, shards, dtype=torch.float32, kernel=kernel, name="chatglm-6b-int4-qe")

A kernel that works on another form than the checkpoint's gets it: of a small model in memory, of a
large one through a cache file that is memory-mapped (``repacked.py``). A layer that the model wants
packed and the file holds in full is quantized on the way, one at a time. Head and embedding share
their weights, in the kernel's form too. A prefix that the file lacks is random: to be trained.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from roleplay.errors import ModelError
from roleplay.messages import message
from roleplay.models.chatglm import repacked
from roleplay.models.chatglm.kernels.base import Kernel
from roleplay.models.chatglm.kernels.packing import quantize
from roleplay.models.chatglm.prefix import PREFIX_NAME, PrefixEncoder
from roleplay.models.chatglm.quantization import PACKED, PackedLinear, packed_layers
from roleplay.models.chatglm.shards import read_shard

logger = logging.getLogger(__name__)

CACHED_BYTES = 2**28
"""Packed layers together from which on a kernel's form of them is kept in a file."""

# Rounded frequencies, which positions.py computes; the original stores and ignores them too.
_IGNORED = re.compile(r"rotary_emb\.inv_freq$")
# The number of a layer in a key, to tell transformer.layers.{0..27}.x as one.
_LAYER = re.compile(r"(?<=\.layers\.)\d+")

_EMBEDDING, _HEAD = "transformer.word_embeddings.weight", "lm_head.weight"

State = dict[str, Tensor]


def load_weights(
    model: Any,
    paths: Sequence[Path],
    *,
    dtype: torch.dtype,
    kernel: Kernel,
    name: str,
    cache: Path | None = None,
) -> None:
    """Put the tensors of ``paths`` into a model that stands on the meta device.

    Args:
        dtype: of everything but packed weights and the prefix, which stays float32.
        kernel: multiplies the packed layers; the plain one leaves them in the checkpoint's form.
        name: what the model is called in the cache.
        cache: the folder in which weights in the kernel's form are kept. None takes the usual one,
            for more than ``CACHED_BYTES``: smaller models are put into the form at every load.

    Raises:
        ModelError: a file cannot be read, or :func:`check_keys`.
    """
    size = sum(layer.weight.nbytes for layer in packed_layers(model))
    if kernel.layout and (cache or size > CACHED_BYTES):
        path = repacked.cache_path(name, paths, model.config, kernel, dtype, folder=cache)
        try:
            _load_repacked(model, paths, path, dtype, kernel)
        except repacked.NoRoomError as error:
            logger.warning("%s", message("chatglm.no-cache", reason=error))
        else:
            return
    stored = _read(paths)
    check_keys(model, stored)
    state = _prefix(model, stored) | dict(_assembled(model, stored, dtype))
    for target, source in model.all_tied_weights_keys.items():
        state.setdefault(target, state[source])
    # assign: the mapped tensors themselves become the parameters, nothing is copied.
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    for layer in packed_layers(model):
        layer.use(kernel)
    model.tie_weights()  # again, as the head's weights are new ones now


def _read(paths: Iterable[Path]) -> State:
    """All tensors of the files but those that are ignored, mapped."""
    return {
        name: part
        for path in paths
        for name, part in read_shard(path).items()
        if not _IGNORED.search(name)
    }


def _load_repacked(
    model: Any, paths: Sequence[Path], path: Path, dtype: torch.dtype, kernel: Kernel
) -> None:
    """Load from the cache file, which is made first if it is not there."""
    layers = {
        f"{name}.weight": layer
        for name, layer in model.named_modules()
        if isinstance(layer, PackedLinear)
    }
    with torch.device("meta"):
        forms = {
            name: kernel.form_like(layer.out_features, layer.in_features)
            for name, layer in layers.items()
            if kernel.fits(layer.out_features, layer.in_features)
        }
    source, shared = (_HEAD, _EMBEDDING) if _HEAD in forms else (_EMBEDDING, _HEAD)
    wanted = {
        name: forms.get(name, part.to(dtype) if part.is_floating_point() else part)
        for name, part in model.state_dict().items()
        if not name.startswith(PREFIX_NAME) and name != shared
    }
    if not repacked.is_whole(path, wanted):
        stored = _read(paths)
        check_keys(model, stored)
        logger.info("repacking the weights for %s into %s (once)", kernel.name, path)
        repacked.write(path, wanted, _formed(_assembled(model, stored, dtype), forms, kernel))
    state = read_shard(path) | _prefix(model, _read(paths) if model.config.pre_seq_len else {})
    for name in forms:
        layers[name].use(kernel, state[name])
    model.tie_weights()
    state[shared] = state[source]
    model.load_state_dict(state, assign=True)
    model.tie_weights()


def check_keys(model: Any, stored: State) -> None:
    """Compare names, shapes and kinds of what is stored with what the model needs.

    Raises:
        ModelError: lists every missing, surplus and misshapen key, those of many layers as one.
    """
    wanted = dict(model.state_dict())
    for name, shape in _packed(model).items():
        if f"{name}_scale" not in stored:  # the layer stands in the file in full
            wanted[name] = torch.empty(shape, device="meta")
            del wanted[f"{name}_scale"]
    optional = set(model.all_tied_weights_keys)
    if not any(name.startswith(PREFIX_NAME) for name in stored):
        optional |= {name for name in wanted if name.startswith(PREFIX_NAME)}
    misshapen = defaultdict(list)
    for name in wanted.keys() & stored.keys():
        if (found := _kind(stored[name])) != (kind := _kind(wanted[name])):
            misshapen[found, kind].append(name)
    names = {
        "chatglm.missing-keys": wanted.keys() - stored.keys() - optional,
        "chatglm.surplus-keys": stored.keys() - wanted.keys(),
    }
    problems = [message(key, keys=_joined(wrong)) for key, wrong in names.items() if wrong]
    problems += [
        message("chatglm.misshapen-keys", keys=_joined(wrong), found=found, wanted=kind)
        for (found, kind), wrong in sorted(misshapen.items())
    ]
    if problems:
        fields = ("quantization_bit", "quantization_embeddings", "pre_seq_len")
        described = ", ".join(f"{field} {getattr(model.config, field)}" for field in fields)
        raise ModelError("chatglm.wrong-keys", config=described, problems=problems)


def _kind(tensor: Tensor) -> str:
    """``float [3, 4]`` or ``int8 [3, 4]``."""
    return f"{'float' if tensor.is_floating_point() else 'int8'} {list(tensor.shape)}"


def _packed(model: Any) -> dict[str, tuple[int, int]]:
    """Name of the weight of every packed layer -> its shape when expanded."""
    return {
        f"{name}.weight": (module.weight.shape[0], module.weight.shape[1] * 8 // module.bits)
        for name, module in model.named_modules()
        if isinstance(module, PACKED)
    }


def _assembled(model: Any, stored: State, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """The state dict without tied names and the prefix; what is not converted stays mapped."""
    packed = _packed(model)
    for name in stored.keys() - model.all_tied_weights_keys.keys():
        part = stored[name]
        if name.startswith(PREFIX_NAME):
            continue
        if name in packed and f"{name}_scale" not in stored:
            weight, scale = quantize(part, bits=model.config.quantization_bit)
            yield name, weight
            yield f"{name}_scale", scale.to(dtype)
            # The head has the embedding's weights, but scales of its own name (SPEC 4).
            if name == _EMBEDDING and _HEAD in packed and f"{_HEAD}_scale" not in stored:
                yield f"{_HEAD}_scale", scale.to(dtype, copy=True)
        else:
            yield name, part.to(dtype) if part.is_floating_point() else part


def _formed(
    tensors: Iterable[tuple[str, Tensor]], forms: State, kernel: Kernel
) -> Iterator[tuple[str, Tensor]]:
    """The same with packed weights in the kernel's form; the embedding's become the head's."""
    for name, tensor in tensors:
        if name == _EMBEDDING and _HEAD in forms:
            yield _HEAD, kernel.form(tensor)
        else:
            yield name, kernel.form(tensor) if name in forms else tensor


def _prefix(model: Any, stored: State) -> State:
    """The stored prefix, float32, or else a random one; nothing for a model without one."""
    made = PrefixEncoder(model.config).state_dict() if model.config.pre_seq_len else {}
    names = {PREFIX_NAME + name: part for name, part in made.items()}
    return {name: stored[name].float() if name in stored else part for name, part in names.items()}


def _joined(names: Iterable[str]) -> str:
    """``transformer.layers.{0..27}.x`` for the same key of many layers."""
    groups: dict[str, list[int]] = defaultdict(list)
    for name in names:
        layer = [int(number) for number in _LAYER.findall(name)[:1]]
        groups[_LAYER.sub("{}", name, count=1)] += layer
    told = (name.replace("{}", _span(sorted(layers))) for name, layers in groups.items())
    return ", ".join(sorted(told))


def _span(numbers: list[int]) -> str:
    listed = ",".join(map(str, numbers))
    if len(numbers) < 2:
        return listed
    whole = numbers[-1] - numbers[0] == len(numbers) - 1
    return f"{{{numbers[0]}..{numbers[-1]}}}" if whole else f"{{{listed}}}"
