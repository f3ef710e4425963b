"""LoRA through PEFT (Hu et al. 2021, arXiv:2106.09685) on the linear layers of attention and MLP.

    peft_model = new_lora(model, rank=16)
    plain = merged(peft_model)             # after training: the updates added to the weights

PEFT computes an update in float32 over activations of full width: with bfloat16 weights on a CPU
the conversions, the dropout and the scaling take longer than the products. The lean forward
computes it in the dtype of the activations, from float32 weights that are converted each time (they
are small), scales the weights, and drops the rank's activations instead of the input's.
"""

from functools import cache
from typing import Any

from torch import Tensor, addmm
from torch.nn import functional

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
