"""LoRA through PEFT (Hu et al. 2021, arXiv:2106.09685) on the linear layers of attention and MLP."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from roleplay.models.chatglm.quantization import PACKED


def new_lora(model: Any, *, rank: int, dropout: float = 0.0) -> Any:
    """A PEFT model around ``model`` with rank-``rank`` updates of every linear layer but the head; alpha is 2 x rank.

    The updates are float32 weights; where the layer is bfloat16 they are multiplied in bfloat16 too.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=dropout,
        target_modules="all-linear",
    )
    adapted = get_peft_model(model, config)
    _multiply_as_the_layers(adapted)
    return adapted


class _FollowingLinear(nn.Linear):
    """Multiplies in the type of its input: PEFT would turn every activation into float32 for a few narrow products."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return functional.linear(input, self.weight.to(input.dtype))


def _multiply_as_the_layers(adapted: Any) -> None:
    from peft.tuners.lora import LoraLayer

    for layer in adapted.modules():
        if isinstance(layer, LoraLayer) and layer.get_base_layer().weight.dtype == torch.bfloat16:
            layer.cast_input_dtype_enabled = False
            for part in (*layer.lora_A.values(), *layer.lora_B.values()):
                part.__class__ = _FollowingLinear


def merged(peft_model: Any) -> Any:
    """The plain model with the updates added to its weights; packed weights cannot take them, so it stays wrapped."""
    if any(isinstance(layer, PACKED) for layer in peft_model.modules()):
        return peft_model
    return peft_model.merge_and_unload()
