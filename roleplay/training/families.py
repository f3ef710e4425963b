"""What differs in training between the two kinds of language models: one small object each, the same trainer for both.

family = family_of(tokenizer)                  # or of a model
rows = family.encode(tokenizer, family.read(world.file(family.file.format("train"))), settings)
model = family.new_adapter(model, rows, settings)

A causal model (Gemma, Llama, ...) learns whole passages; a prefix language model (ChatGLM) learns prompt/response rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch.nn import functional

from roleplay.adapters import lora, prefix
from roleplay.adapters.own_prefix import new_own_prefix
from roleplay.errors import DatasetError
from roleplay.models import causal
from roleplay.models.chatglm.loss import position_losses, summed_loss
from roleplay.records import Example, Passage
from roleplay.training.data import TokenRow, encode_passages, read_passages
from roleplay.training.examples import encode_examples, read_examples
from roleplay.training.loss import drift_loss, frozen_head_loss, token_losses
from roleplay.training.settings import RATES, TrainSettings

_OPENING_ROWS = 8


class Family(Protocol):
    """One kind of language models. Letters: n learnt positions, h hidden size."""

    file: ClassVar[str]
    """The data in a world's folder; ``{}`` is the part, train or test."""
    noun: ClassVar[str]
    """What one row of it is called."""

    def dtype(self) -> torch.dtype | None:
        """Of the frozen weights while an adapter is trained; None takes what they have in chat."""

    def settings(self, given: Mapping[str, Any]) -> TrainSettings:
        """The settings of a run of which some are given, by field name; :meth:`TrainSettings.chosen`."""

    def read(self, path: Path) -> Sequence[Any]:
        """The records of a data file."""

    def encode(self, tokenizer: Any, found: Sequence[Any], settings: TrainSettings) -> list[TokenRow]:
        """The records as token ids with weights."""

    def new_adapter(self, model: Any, rows: Sequence[TokenRow], settings: TrainSettings) -> Any:
        """The model with a new adapter, the only part of it that is trained."""

    def loss(self, model: Any, hidden: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """The weighted sum of cross entropies of states [n, h] and labels int64 [n], differentiable in the states."""

    def losses(self, model: Any, hidden: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The cross entropies float32 [n], for evaluation."""

    def drift(self, model: Any, hidden: torch.Tensor, bare: torch.Tensor) -> torch.Tensor:
        """The sum over positions of KL(bare || adapted) of states [n, h], differentiable in ``hidden``."""


class CausalFamily:
    """Models that read one way: every wanted line of a passage is learnt in one pass."""

    file: ClassVar[str] = "{}.passages.jsonl"
    noun: ClassVar[str] = "passages"

    def dtype(self) -> torch.dtype:
        """bfloat16 where the machine multiplies it fast."""
        return causal.training_dtype()

    def settings(self, given: Mapping[str, Any]) -> TrainSettings:
        """LoRA unless a prefix is asked for; no projection."""
        if given.get("prefix_projection"):
            raise DatasetError("prefix_projection is for ChatGLM: leave it out")
        return TrainSettings.chosen(given, adapter="lora", rates=RATES)

    def read(self, path: Path) -> list[Passage]:
        """Whole scenes."""
        return read_passages(path)

    def encode(self, tokenizer: Any, found: Sequence[Any], settings: TrainSettings) -> list[TokenRow]:
        """Passages of at most ``max_tokens``."""
        return encode_passages(tokenizer, found, max_tokens=settings.max_tokens)

    def new_adapter(self, model: Any, rows: Sequence[TokenRow], settings: TrainSettings) -> Any:
        """PEFT's LoRA, or its prefix, started from the first passages."""
        if settings.adapter == "lora":
            return lora.new_lora(model, rank=settings.lora_rank)
        peft_model = prefix.new_prefix(model, length=settings.pre_seq_len)
        prefix.start_from_text(peft_model, torch.tensor([_opening(rows, settings.pre_seq_len)]))
        return peft_model

    def loss(self, model: Any, hidden: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Chunks of positions, the gradient computed on the way forward."""
        return frozen_head_loss(hidden, causal.head(model).weight, labels, weights)

    def losses(self, model: Any, hidden: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The same without weights."""
        return token_losses(hidden, causal.head(model).weight, labels)

    def drift(self, model: Any, hidden: torch.Tensor, bare: torch.Tensor) -> torch.Tensor:
        """Chunks of positions over the whole vocabulary."""
        return drift_loss(hidden, bare, causal.head(model).weight)


class PrefixFamily:
    """ChatGLM: one answer a row; activations are kept at the borders of blocks only, the head is taken in chunks."""

    file: ClassVar[str] = "{}.json"
    noun: ClassVar[str] = "prompt/response rows"

    def dtype(self) -> None:
        """As in chat: bfloat16 would round the scales of packed rows, and make a second cache of repacked weights."""
        return

    def settings(self, given: Mapping[str, Any]) -> TrainSettings:
        """A prefix unless LoRA is asked for, with the seed's learning rate."""
        return TrainSettings.chosen(given, adapter="prefix", rates=RATES | {"prefix": 2e-2})

    def read(self, path: Path) -> list[Example]:
        """One answer a row."""
        return read_examples(path)

    def encode(self, tokenizer: Any, found: Sequence[Any], settings: TrainSettings) -> list[TokenRow]:
        """Rows of at most ``max_source_length`` and ``max_target_length``."""
        return encode_examples(
            tokenizer, found, max_source=settings.max_source_length, max_target=settings.max_target_length
        )

    def new_adapter(self, model: Any, rows: Sequence[TokenRow], settings: TrainSettings) -> Any:
        """LoRA through PEFT, or the model's own prefix, started from the first prompts where it has no projection."""
        _check_lengths(rows, settings, int(model.config.max_position_embeddings))
        if settings.adapter == "lora":
            adapted = lora.new_lora(model, rank=settings.lora_rank)
        else:
            adapted = model
            special = (model.config.gmask_token_id, model.config.bos_token_id)
            text = _opening(rows, settings.pre_seq_len, without={*special, model.config.eos_token_id})
            new_own_prefix(
                model,
                length=settings.pre_seq_len,
                projection=settings.prefix_projection,
                start=torch.tensor([[*text, *special]], device=model.device),
            )
        model.activation_checkpointing_enable()
        return adapted

    def loss(self, model: Any, hidden: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Chunks of the head's rows, each computed again on the way back."""
        return summed_loss(hidden, labels, causal.head(model), weights=weights)

    def losses(self, model: Any, hidden: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The same without weights."""
        return position_losses(hidden, labels, causal.head(model))

    def drift(self, model: Any, hidden: torch.Tensor, bare: torch.Tensor) -> torch.Tensor:
        """All positions of the one answer at once."""
        now, before = (causal.head(model)(states).float().log_softmax(dim=-1) for states in (hidden, bare))
        return functional.kl_div(now, before, reduction="sum", log_target=True)


def family_of(part: Any) -> Family:
    """The family of a model or a tokenizer."""
    return PrefixFamily() if causal.is_prefix_lm(part) else CausalFamily()


def _check_lengths(rows: Sequence[TokenRow], settings: TrainSettings, context: int) -> None:
    """Refuse what the model cannot hold before anything is computed.

    Raises:
        DatasetError: a row, or the text that a prefix starts from, has more tokens than the model holds.
    """
    longest = max(len(row.ids) for row in rows)
    if longest > context:
        raise DatasetError(
            f"the longest row has {longest} tokens, the model holds {context}: lower max_source_length or "
            "max_target_length"
        )
    if settings.prefix_length + 2 > context:
        raise DatasetError(
            f"a prefix of {settings.prefix_length} starts from as many tokens: give at most {context - 2}"
        )


def _opening(rows: Sequence[TokenRow], length: int, without: Iterable[int] = ()) -> list[int]:
    """The first ``length`` ids of the training rows: what a prefix starts from."""
    left_out = set(without)
    ids = [token for row in rows[:_OPENING_ROWS] for token in row.ids if token not in left_out]
    return (ids * math.ceil(length / len(ids)))[:length]
