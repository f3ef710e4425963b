"""How an adapter is trained; the defaults are those of the shipped adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from roleplay.errors import DatasetError

AdapterKind = Literal["prefix", "lora"]

RATES: dict[str, float] = {"prefix": 3e-2, "lora": 1e-3}
"""The learning rates of the adapters, where the model's family has no other."""


_LENGTHS = ("max_source_length", "max_target_length")


@dataclass(frozen=True)
class TrainSettings:
    """One training run. A step is ``batch`` rows; ``max_steps`` above 0 overrides ``epochs``.

    ``learning_rate`` 0 takes the adapter's own: a prefix that starts from real text wants a far larger one than LoRA.
    ``max_tokens`` bounds a passage (causal models), ``max_source_length`` and ``max_target_length`` a prompt and its answer
    (ChatGLM). ``patience`` above 0 ends the run after so many evaluations without a better held-out loss. ``keep_weight``
    weighs, on general rows, the divergence from the bare model, nats a token; 0 for none. ``quantization_bit`` and
    ``prefix_projection`` are ChatGLM's.

    Raises:
        DatasetError: settings that contradict each other, all of them named at once.
    """

    adapter: AdapterKind = "lora"
    pre_seq_len: int = 64
    prefix_projection: bool = False
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
    max_source_length: int = 512
    max_target_length: int = 128
    quantization_bit: int = 0
    patience: int = 0
    keep_weight: float = 1.0
    seed: int = 7

    def __post_init__(self) -> None:
        wrong = []
        if self.adapter not in RATES:
            wrong.append(f"adapter must be one of {' '.join(RATES)}, not {self.adapter!r}")
        for name in ("pre_seq_len", "lora_rank", "batch", "log_steps", "eval_steps", *_LENGTHS):
            if getattr(self, name) < 1:
                wrong.append(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.epochs <= 0 and self.max_steps < 1:
            wrong.append("either epochs or max_steps must be above 0")
        for name in ("patience", "keep_weight"):
            if not getattr(self, name) >= 0:
                wrong.append(f"{name} must be at least 0, not {getattr(self, name)}")
        if self.max_tokens < 32:
            wrong.append(f"max_tokens must be at least 32, not {self.max_tokens}")
        if self.quantization_bit not in (0, 4, 8):
            wrong.append(f"quantization_bit must be 0, 4 or 8, not {self.quantization_bit}")
        if wrong:
            raise DatasetError("; ".join(wrong))
        if not self.learning_rate:
            object.__setattr__(self, "learning_rate", RATES[self.adapter])

    @classmethod
    def chosen(cls, given: Mapping[str, Any], *, adapter: AdapterKind, rates: Mapping[str, float]) -> TrainSettings:
        """Settings of which only some are given; the others are a model family's, or the defaults.

        Args:
            given: by field name. A ``pre_seq_len`` without an ``adapter`` asks for a prefix, as in the seed's script.
            adapter: the family's.
            rates: the family's learning rate of each adapter.

        Raises:
            DatasetError: as the class.
        """
        kind = given.get("adapter") or ("prefix" if "pre_seq_len" in given else adapter)
        rate = given.get("learning_rate") or rates.get(kind, 0.0)
        return cls(**{**given, "adapter": kind, "learning_rate": rate})

    @property
    def prefix_length(self) -> int:
        """Virtual positions before the text: 0 with LoRA."""
        return self.pre_seq_len if self.adapter == "prefix" else 0
