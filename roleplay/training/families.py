"""What differs in training between the two kinds of language models; the trainer is the same.

family = family_of(tokenizer)                  # or of a model
rows = family.encode(tokenizer, family.read(world.file(family.file.format("train"))), settings)
model = family.new_adapter(model, rows, settings)

A causal model (Gemma, Llama, ...) learns whole passages, a prefix language model (ChatGLM)
prompt/response rows. Letters: n target positions, h hidden size.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from roleplay.adapters import lora, prefix
from roleplay.adapters.native_prefix import new_native_prefix
from roleplay.errors import DatasetError, UsageError
from roleplay.messages import Message, message
from roleplay.models import causal, loading
from roleplay.models.chatglm.loss import position_losses, summed_loss
from roleplay.training.data import TokenRow, encode_passages, read_passages
from roleplay.training.examples import encode_examples, read_examples
from roleplay.training.loss import drift_loss, frozen_head_loss, token_losses
from roleplay.training.settings import RATES, TrainSettings

Rows = Sequence[TokenRow]


class CausalFamily:
    """Models that read one way: every wanted line of a passage is learnt in one pass."""

    file: ClassVar[str] = "{}.passages.jsonl"
    """The data in a world's folder; ``{}`` is the part, train or test."""
    noun: ClassVar[Message] = message("training.passages")
    """What its rows are called."""
    read: Callable[[Path], Sequence[Any]] = staticmethod(read_passages)
    """The records of a data file."""

    def dtype(self) -> torch.dtype | None:
        """Of the frozen weights in training; None takes what they have in chat."""
        return loading.training_dtype()

    def settings(self, given: Mapping[str, Any]) -> TrainSettings:
        """The settings of a run of which some are given by name: LoRA, unless a prefix is wanted.

        Raises:
            UsageError: as :class:`TrainSettings`, or an option of the other family is given.
        """
        if given.get("prefix_projection"):
            raise UsageError("training.no-projection")
        return TrainSettings.chosen(given, adapter="lora", rates=RATES)

    def encode(self, tokenizer: Any, found: Sequence[Any], settings: TrainSettings) -> Rows:
        """The records as token ids with weights, none longer than ``settings`` say."""
        return encode_passages(tokenizer, found, max_tokens=settings.max_tokens)

    def new_adapter(self, model: Any, rows: Rows, settings: TrainSettings) -> Any:
        """The model with a new adapter, all that is trained; a prefix starts from the first rows.

        Raises:
            DatasetError: a row, or the prefix, is longer than a ChatGLM holds.
        """
        if settings.adapter == "lora":
            return lora.new_lora(model, rank=settings.lora_rank)
        peft_model = prefix.new_prefix(model, length=settings.pre_seq_len)
        prefix.start_from_text(peft_model, torch.tensor([_opening(rows, settings.pre_seq_len)]))
        return peft_model

    def loss(self, model: Any, hidden: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        """The weighted sum of cross entropies of labels int64 [n], differentiable in ``hidden``."""
        return frozen_head_loss(hidden, causal.head(model).weight, labels, weights)

    def losses(self, model: Any, hidden: Tensor, labels: Tensor) -> Tensor:
        """The cross entropies float32 [n] of states [n, h], for evaluation."""
        return token_losses(hidden, causal.head(model).weight, labels)

    def drift(self, model: Any, hidden: Tensor, base: Tensor) -> Tensor:
        """The sum of KL(base || adapted) of states [n, h], differentiable in ``hidden``."""
        return drift_loss(hidden, base, causal.head(model).weight)


Family = CausalFamily
"""Either family."""


class PrefixFamily(CausalFamily):
    """ChatGLM: one answer a row; activations are kept at the borders of blocks only."""

    file: ClassVar[str] = "{}.json"
    noun: ClassVar[Message] = message("training.rows")
    read: Callable[[Path], Sequence[Any]] = staticmethod(read_examples)

    def dtype(self) -> None:
        """As in chat: bfloat16 would round packed rows' scales, and repack all weights again."""

    def settings(self, given: Mapping[str, Any]) -> TrainSettings:
        """A prefix unless LoRA is asked for, with the seed's learning rate."""
        return TrainSettings.chosen(given, adapter="prefix", rates=RATES | {"prefix": 2e-2})

    def encode(self, tokenizer: Any, found: Sequence[Any], settings: TrainSettings) -> Rows:
        """Prompts and answers are bounded each."""
        source, target = settings.max_source_length, settings.max_target_length
        return encode_examples(tokenizer, found, max_source=source, max_target=target)

    def new_adapter(self, model: Any, rows: Rows, settings: TrainSettings) -> Any:
        """LoRA through PEFT, or the model's own prefix; one with a projection starts at random."""
        config, length = model.config, settings.pre_seq_len
        context, longest = int(config.max_position_embeddings), max(len(row.ids) for row in rows)
        if longest > context:
            raise DatasetError("training.long-row", tokens=longest, context=context)
        if settings.prefix_length + 2 > context:
            raise DatasetError("training.long-prefix", length=length, most=context - 2)
        adapted = model
        if settings.adapter == "lora":
            adapted = lora.new_lora(model, rank=settings.lora_rank)
        else:
            # A prompt ends in these two; without them ChatGLM finds no positions.
            special = (config.gmask_token_id, config.bos_token_id)
            text = _opening(rows, length, without=(*special, config.eos_token_id))
            start = torch.tensor([[*text, *special]], device=model.device)
            projection = settings.prefix_projection
            new_native_prefix(model, length=length, projection=projection, start=start)
        checkpoint_activations(model)
        return adapted

    def loss(self, model: Any, hidden: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        """Chunks of the head's rows, each computed again on the way back."""
        return summed_loss(hidden, labels, causal.head(model), weights=weights)

    def losses(self, model: Any, hidden: Tensor, labels: Tensor) -> Tensor:
        """The same without weights."""
        return position_losses(hidden, labels, causal.head(model))

    def drift(self, model: Any, hidden: Tensor, base: Tensor) -> Tensor:
        """All positions of the one answer at once."""
        head = causal.head(model)
        now, before = (head(states).float().log_softmax(dim=-1) for states in (hidden, base))
        return functional.kl_div(now, before, reduction="sum", log_target=True)


def family_of(part: Any) -> Family:
    """The family of a model or a tokenizer."""
    return PrefixFamily() if causal.is_prefix_lm(part) else CausalFamily()


def _opening(rows: Rows, length: int, without: Iterable[int] = ()) -> list[int]:
    """The first ``length`` ids of the rows, again from the start where they are too few."""
    left_out = set(without)
    # Eight rows have more ids than any usual prefix.
    ids = [token for row in rows[:8] for token in row.ids if token not in left_out]
    return (ids * math.ceil(length / len(ids)))[:length]


def checkpoint_activations(model: Any) -> None:
    """Keep activations at the borders of blocks only; in older transformers by its older name."""
    older = "gradient_checkpointing_enable"
    (getattr(model, "activation_checkpointing_enable", None) or getattr(model, older))()
