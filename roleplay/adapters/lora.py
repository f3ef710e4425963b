"""LoRA through PEFT (Hu et al. 2021, arXiv:2106.09685) on the linear layers of attention and MLP."""

from __future__ import annotations

from typing import Any

from roleplay.models.chatglm.quantization import PACKED


def new_lora(model: Any, *, rank: int) -> Any:
    """A PEFT model around ``model`` with rank-``rank`` updates of every linear layer but the head; alpha is 2 x rank."""
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=0.05,
        target_modules="all-linear",
    )
    return get_peft_model(model, config)


def merged(peft_model: Any) -> Any:
    """The plain model with the updates added to its weights; packed weights cannot take them, so it stays wrapped."""
    if any(isinstance(layer, PACKED) for layer in peft_model.modules()):
        return peft_model
    return peft_model.merge_and_unload()
