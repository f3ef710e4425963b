"""LoRA through PEFT (Hu et al. 2021, arXiv:2106.09685) on the linear layers of attention and MLP."""

from __future__ import annotations

from typing import Any


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
