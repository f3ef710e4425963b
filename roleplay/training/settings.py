"""How an adapter is trained; the defaults are those of the shipped adapter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from roleplay.errors import DatasetError

_RATES = {"prefix": 3e-2, "lora": 1e-3}


@dataclass(frozen=True)
class TrainSettings:
    """One training run. A step is ``batch`` passages; ``max_steps`` above 0 overrides ``epochs``.

    ``learning_rate`` 0 takes the adapter's own: a prefix that starts from real text wants a far larger one than LoRA.

    Raises:
        DatasetError: settings that contradict each other, all of them named at once.
    """

    adapter: Literal["prefix", "lora"] = "lora"
    pre_seq_len: int = 64
    lora_rank: int = 16
    learning_rate: float = 0.0
    epochs: float = 2.0
    max_steps: int = -1
    batch: int = 4
    weight_decay: float = 0.0
    warmup_steps: int = 8
    log_steps: int = 5
    eval_steps: int = 32
    max_tokens: int = 1024
    seed: int = 7

    def __post_init__(self) -> None:
        wrong = []
        if self.adapter not in _RATES:
            wrong.append(f"adapter must be one of {' '.join(_RATES)}, not {self.adapter!r}")
        for name in ("pre_seq_len", "lora_rank", "batch", "log_steps", "eval_steps"):
            if getattr(self, name) < 1:
                wrong.append(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.epochs <= 0 and self.max_steps < 1:
            wrong.append("either epochs or max_steps must be above 0")
        if self.max_tokens < 32:
            wrong.append(f"max_tokens must be at least 32, not {self.max_tokens}")
        if wrong:
            raise DatasetError("; ".join(wrong))
        if not self.learning_rate:
            object.__setattr__(self, "learning_rate", _RATES[self.adapter])

    @property
    def prefix_length(self) -> int:
        """Virtual positions before the text: 0 with LoRA."""
        return self.pre_seq_len if self.adapter == "prefix" else 0
