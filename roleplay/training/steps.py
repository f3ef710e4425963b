"""One training step under Hugging Face's Trainer: the loss on the learnt positions only, and what a saved state holds.

    trainer = trainer_class(model)(model=model, args=..., data_collator=collate, ...)
    mean_loss(model, rows)          # the held-out loss, nats a token

One row runs at a time, so nothing is padded. Letters: n learnt positions, h hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Trainer

from roleplay.adapters import prefix
from roleplay.adapters.own_prefix import restore_own_prefix, write_own_prefix
from roleplay.models import causal
from roleplay.training.data import TokenRow
from roleplay.training.families import family_of


def features(row: TokenRow) -> dict[str, list[Any]]:
    """A row as the Trainer's data set holds it."""
    labels = [token if weight else -100 for token, weight in zip(row.ids, row.weights, strict=True)]
    return {"input_ids": list(row.ids), "labels": labels, "weights": list(row.weights)}


def collate(rows: list[dict[str, list[Any]]]) -> dict[str, torch.Tensor]:
    """One row as tensors [1, tokens]."""
    (row,) = rows
    return {name: torch.tensor([values]) for name, values in row.items()}


def mean_loss(model: Any, rows: Sequence[TokenRow]) -> float:
    """Cross entropy in nats, averaged over the learnt tokens of all rows (weights count as 0 or 1)."""
    total, tokens = 0.0, 0
    with torch.inference_mode():
        for row in rows:
            inputs = {name: tensor.to(model.device) for name, tensor in collate([features(row)]).items()}
            hidden, labels, _ = _learnt_states(model, inputs)
            total += float(family_of(model).losses(model, hidden, labels).sum())
            tokens += len(labels)
    return total / max(tokens, 1)


def _learnt_states(model: Any, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(hidden [n, h], labels [n], weights [n]) of the n learnt positions: the state before each learnt id."""
    length = prefix.length_of(model)
    cache = prefix.prefix_cache(model) if length else None
    hidden = causal.hidden_states(model, inputs["input_ids"], cache=cache, prefix_length=length)[0]
    places = (inputs["labels"][0, 1:] != -100).nonzero()[:, 0]
    return hidden[places], inputs["labels"][0, places + 1], inputs["weights"][0, places + 1]


class RowTrainer(Trainer):  # type: ignore[misc]
    """The Trainer with our forward pass: prefix visible, head on the learnt positions only."""

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **kwargs: Any
    ) -> Any:
        """The weighted loss of one row as its share of the whole step's learnt tokens."""
        plain = self.accelerator.unwrap_model(model)
        hidden, labels, weights = _learnt_states(plain, inputs)
        loss = family_of(plain).loss(plain, hidden, labels, weights)
        loss = loss / (kwargs.get("num_items_in_batch") or len(labels))
        return (loss, {"tokens": len(labels)}) if return_outputs else loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The held-out loss a token; what decides which weights are kept."""
        plain = self.accelerator.unwrap_model(self.model)
        plain.eval()
        rows = [TokenRow(tuple(row["input_ids"]), tuple(row["weights"])) for row in self.eval_dataset]
        metrics = {"eval_loss": mean_loss(plain, rows)}
        plain.train()
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class OwnPrefixTrainer(RowTrainer):
    """For a prefix inside the model: a saved state holds the prefix alone, where the Trainer would write the whole model."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        write_own_prefix(self.accelerator.unwrap_model(self.model), Path(output_dir or self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        restore_own_prefix(self.accelerator.unwrap_model(model or self.model), Path(resume_from_checkpoint))

    def _load_best_model(self) -> None:
        restore_own_prefix(self.accelerator.unwrap_model(self.model), Path(self.state.best_model_checkpoint))


def trainer_class(model: Any) -> type[RowTrainer]:
    """The trainer for a model: PEFT saves its adapters by itself, a prefix inside the model does not."""
    from peft import PeftModel

    return RowTrainer if isinstance(model, PeftModel) else OwnPrefixTrainer
