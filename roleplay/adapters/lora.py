"""LoRA through PEFT (Hu et al. 2021, arXiv:2106.09685) on the linear layers of attention and MLP.

PEFT computes an update in float32 over activations of full width: with bfloat16 weights on a CPU the conversions, the
dropout and the scaling take longer than the products. :func:`use_lean_forward` computes the same update in the dtype of the
activations, from float32 weights that are converted each time (they are small), scales the weights, and drops the rank's
activations instead of the input's.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch.nn import functional

from roleplay.models.chatglm.quantization import PACKED


def new_lora(model: Any, *, rank: int, lean: bool = True) -> Any:
    """A PEFT model around ``model`` with rank-``rank`` updates of every linear layer but the head; alpha is 2 x rank.

    Args:
        lean: take :func:`use_lean_forward`; without it the forward is PEFT's, for comparison.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=0.05,
        target_modules="all-linear",
    )
    peft_model = get_peft_model(model, config)
    if lean:
        use_lean_forward(peft_model)
    return peft_model


def use_lean_forward(peft_model: Any) -> None:
    """Let every LoRA layer of a model that is trained take the faster forward; weights and names stay PEFT's."""
    from peft.tuners.lora.layer import Linear

    for layer in peft_model.modules():
        if type(layer) is Linear:
            layer.__class__ = _lean_class()


@cache
def _lean_class() -> type:
    from peft.tuners.lora.layer import Linear

    class LeanLinear(Linear):  # type: ignore[misc]
        """PEFT's layer; only the plain case of one active adapter goes another way."""

        def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            names = [name for name in self.active_adapters if name in self.lora_A]
            if self.disable_adapters or self.merged or len(names) != 1 or self.lora_variant or args or kwargs:
                return super().forward(x, *args, **kwargs)  # type: ignore[no-any-return]
            return self._updated(x, names[0])

        def _updated(self, x: torch.Tensor, name: str) -> torch.Tensor:
            """The base layer's [..., o] of x [..., i], plus its update in the dtype of x."""
            y: torch.Tensor = self.base_layer(x)
            down = self.lora_A[name].weight.to(x.dtype)
            up = (self.lora_B[name].weight * self.scaling[name]).to(x.dtype)
            low = self.lora_dropout[name](functional.linear(x, down))
            return torch.addmm(y.flatten(0, -2), low.flatten(0, -2), up.T).view_as(y)

    return LeanLinear


def merged(peft_model: Any) -> Any:
    """The plain model with the updates added to its weights; packed weights cannot take them, so it stays wrapped."""
    if any(isinstance(layer, PACKED) for layer in peft_model.modules()):
        return peft_model
    return peft_model.merge_and_unload()
