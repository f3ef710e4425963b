"""LoRA through PEFT (Hu et al. 2021, arXiv:2106.09685) on the linear layers of attention and MLP.

    peft_model = new_lora(model, rank=16)
    plain = merged(peft_model)             # after training: the updates added to the weights
    updates = stacked([start, folder])     # of several folders, as those of one

PEFT computes an update in float32 over activations of full width: with bfloat16 weights on a CPU
the conversions, the dropout and the scaling take longer than the products. The lean forward
computes it in the dtype of the activations, from float32 weights that are converted each time (they
are small), scales the weights, and drops the rank's activations instead of the input's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, addmm
from torch.nn import functional

from roleplay import files
from roleplay.errors import AdapterError
from roleplay.models.chatglm.quantization import PACKED


def new_lora(model: Any, *, rank: int, lean: bool = True) -> Any:
    """A PEFT model with rank-``rank`` updates of all linear layers but the head; alpha is 2 x rank.

    Args:
        lean: take the lean forward; without it the forward is PEFT's, for comparison.
    """
    from peft import LoraConfig, TaskType, get_peft_model
    from peft.tuners.lora.layer import Linear

    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=0.05,
        target_modules="all-linear",
    )
    peft_model = get_peft_model(model, config)
    for layer in peft_model.modules() if lean else ():
        if type(layer) is Linear:  # weights and names stay PEFT's
            layer.__class__ = _lean_class()
    return peft_model


@cache
def _lean_class() -> type:
    from peft.tuners.lora.layer import Linear

    class LeanLinear(Linear):  # type: ignore[misc]
        """PEFT's layer; only the plain case of one active adapter goes another way."""

        def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            """The base layer's [..., o] of x [..., i], plus its update in the dtype of x."""
            names = [name for name in self.active_adapters if name in self.lora_A]
            special = self.disable_adapters or self.merged or self.lora_variant or args or kwargs
            if special or len(names) != 1:
                return super().forward(x, *args, **kwargs)  # type: ignore[no-any-return]
            y, name = self.base_layer(x), names[0]
            down = self.lora_A[name].weight.to(x.dtype)
            up = (self.lora_B[name].weight * self.scaling[name]).to(x.dtype)
            low = self.lora_dropout[name](functional.linear(x, down))
            return addmm(y.flatten(0, -2), low.flatten(0, -2), up.T).view_as(y)

    return LeanLinear


def merged(peft_model: Any) -> Any:
    """The plain model, its weights updated; packed ones cannot take that, so it stays wrapped."""
    if any(isinstance(layer, PACKED) for layer in peft_model.modules()):
        return peft_model
    return peft_model.merge_and_unload()


@dataclass(frozen=True)
class Update:
    """What LoRA adds to a layer: up [o, r] @ down [r, i], the scale in ``up`` already."""

    down: Tensor
    up: Tensor

    @property
    def rank(self) -> int:
        """r."""
        return len(self.down)


def stacked(folders: Sequence[Path]) -> dict[str, Update]:
    """The sum of the updates of several PEFT folders, float32, by the name of the layer.

    Ranks add up: the rows of ``down`` stand below each other, the columns of ``up`` side by side.

    Raises:
        AdapterError: the weights cannot be read, or are more than updates of linear layers.
    """
    parts: dict[str, list[Update]] = {}
    for folder in folders:
        for layer, update in _updates(folder).items():
            parts.setdefault(layer, []).append(update)
    return {
        layer: Update(
            torch.cat([one.down for one in several]), torch.cat([one.up for one in several], dim=1)
        )
        for layer, several in parts.items()
    }


def write_peft(updates: Mapping[str, Update], folder: Path, *, base: str) -> None:
    """Write updates as a PEFT folder of one rank, the largest; smaller ones are filled with zeros.

    Args:
        base: what the folder calls its model.
    """
    from peft import LoraConfig, TaskType

    rank = max(update.rank for update in updates.values())
    tensors = {}
    for layer, update in updates.items():
        missing = rank - update.rank
        name = f"base_model.model.{layer}"
        tensors[f"{name}{_DOWN}"] = functional.pad(update.down, (0, 0, 0, missing)).bfloat16()
        tensors[f"{name}{_UP}"] = functional.pad(update.up, (0, missing)).bfloat16()
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=rank,
        lora_alpha=rank,  # the scale stands in the weights
        target_modules=sorted({layer.rsplit(".", 1)[-1] for layer in updates}),
        base_model_name_or_path=base,
        inference_mode=True,
    )
    config.save_pretrained(str(folder))
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()}, {"format": "pt"})
    files.write_bytes(folder / "adapter_model.safetensors", data)


def _updates(folder: Path) -> dict[str, Update]:
    from peft import LoraConfig
    from peft.utils.other import get_pattern_key

    try:
        config = LoraConfig.from_pretrained(str(folder))
        tensors = load_file(folder / "adapter_model.safetensors")
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        detail = str(error).split("\n")[0][:160]
        raise AdapterError("adapters.unreadable", folder=folder, reason=detail) from error
    downs = {name.removesuffix(_DOWN): value for name, value in tensors.items() if _DOWN in name}
    if config.use_dora or set(tensors) != {
        f"{name}{end}" for name in downs for end in (_DOWN, _UP)
    }:
        raise AdapterError("adapters.no-plain-lora", folder=folder)
    updates = {}
    for name, down in downs.items():
        layer = name.removeprefix("base_model.model.")
        rank, patterns = len(down), config.alpha_pattern or {}
        alpha = patterns.get(get_pattern_key(patterns.keys(), layer), config.lora_alpha)
        scale = alpha / (rank**0.5 if config.use_rslora else rank)
        updates[layer] = Update(down.float(), tensors[f"{name}{_UP}"].float() * scale)
    return updates


_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
