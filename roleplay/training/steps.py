"""One training step under Hugging Face's Trainer: the loss on the learnt positions only, and what a saved state holds.

    trainer = trainer_class(model)(model=model, args=..., data_collator=collate, ...)
    mean_loss(model, rows)          # the held-out loss, nats a token

One row runs at a time, so nothing is padded. Letters: n learnt positions, h hidden size.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import Trainer

from roleplay.adapters import prefix
from roleplay.adapters.bare import without_adapter
from roleplay.adapters.own_prefix import restore_own_prefix, write_own_prefix
from roleplay.errors import TrainingError
from roleplay.models import causal
from roleplay.training import parallel
from roleplay.training.data import TokenRow
from roleplay.training.families import family_of


def features(row: TokenRow) -> dict[str, list[Any]]:
    """A row as the Trainer's data set holds it."""
    labels = [token if weight else -100 for token, weight in zip(row.ids, row.weights, strict=True)]
    return {"input_ids": list(row.ids), "labels": labels, "weights": list(row.weights), "general": [row.general]}


def collate(rows: list[dict[str, list[Any]]]) -> dict[str, torch.Tensor]:
    """One row as tensors [1, tokens]."""
    (row,) = rows
    return {name: torch.tensor([values]) for name, values in row.items()}


def mean_loss(model: Any, rows: Sequence[TokenRow]) -> float:
    """Cross entropy in nats, averaged over the learnt tokens of all rows (weights count as 0 or 1).

    Several processes share the rows, so all of them must call this.
    """
    total, tokens = 0.0, 0
    with torch.inference_mode():
        for row in rows[parallel.rank() :: parallel.count()]:
            inputs = {name: tensor.to(model.device) for name, tensor in collate([features(row)]).items()}
            hidden, labels, _ = learnt_states(model, inputs)
            total += float(family_of(model).losses(model, hidden, labels).sum())
            tokens += len(labels)
    total, all_tokens = parallel.sums([total, tokens])
    return total / max(all_tokens, 1)


def learnt_states(model: Any, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(hidden [n, h], labels [n], weights [n]) of the n learnt positions: the state before each learnt id."""
    length = prefix.length_of(model)
    cache = prefix.prefix_cache(model) if length else None
    hidden = causal.hidden_states(model, inputs["input_ids"], cache=cache, prefix_length=length)[0]
    places = (inputs["labels"][0, 1:] != -100).nonzero()[:, 0]
    return hidden[places], inputs["labels"][0, places + 1], inputs["weights"][0, places + 1]


def _drift(model: Any, inputs: dict[str, torch.Tensor], hidden: torch.Tensor) -> torch.Tensor:
    """The divergence from the bare model at the learnt positions of a row, whose adapted states are ``hidden``."""
    with torch.no_grad(), without_adapter(model) as plain:
        bare, _, _ = learnt_states(plain, inputs)
    return family_of(model).drift(model, hidden, bare)


class RowTrainer(Trainer):  # type: ignore[misc]
    """The Trainer with our forward pass: prefix visible, head on the learnt positions only."""

    keep_weight: float = 0.0
    """Of the divergence from the bare model on general rows."""

    on_last: Callable[[Any], object] = staticmethod(lambda model: None)
    """Called with the weights of the last step, before those of the best come back."""

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **kwargs: Any
    ) -> Any:
        """The weighted loss of one row as its share of the whole step's learnt tokens."""
        plain = self.accelerator.unwrap_model(model)
        hidden, labels, weights = learnt_states(plain, inputs)
        loss = family_of(plain).loss(plain, hidden, labels, weights)
        if self.keep_weight and bool(inputs["general"]):
            loss = loss + self.keep_weight * _drift(plain, inputs, hidden)
        loss = loss / (kwargs.get("num_items_in_batch") or len(labels))
        self._check("loss", float(loss.detach()), step=self.state.global_step + 1)
        # The gradients of several processes are averaged, as the Trainer averages the losses that it logs.
        loss = loss * parallel.count()
        return (loss, {"tokens": len(labels)}) if return_outputs else loss

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """One row; after the last of a step the processes share their gradients, which our own forward pass bypasses."""
        loss: torch.Tensor = super().training_step(*args, **kwargs)
        if self.accelerator.sync_gradients:
            parallel.average_gradients(self.model.parameters())
        return loss

    def _check(self, name: str, value: float, *, step: int) -> None:
        """Stop at a loss that is no number: all later ones would be none either.

        Raises:
            TrainingError: it is not finite.
        """
        if math.isfinite(value):
            return
        state = last_state(Path(self.args.output_dir))
        kept, go_on = "no state was saved yet", "begin again"
        if state:
            kept, go_on = f"the state of step {state.name.split('-')[1]} is kept", "go on from there"
        raise TrainingError(
            f"the {name} became {value} in step {step}, {kept}: run the same command with a lower "
            f"learning rate to {go_on} (--learning_rate {self.args.learning_rate / 4:g})"
        )

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The held-out loss a token; what decides which weights are kept."""
        plain = self.accelerator.unwrap_model(self.model)
        plain.eval()
        rows = [TokenRow(tuple(row["input_ids"]), tuple(row["weights"])) for row in self.eval_dataset]
        metrics = {"eval_loss": mean_loss(plain, rows)}
        self._check("held-out loss", metrics["eval_loss"], step=self.state.global_step)
        plain.train()
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """A state that cannot be written whole is taken away; the one before it is still there.

        Raises:
            TrainingError: the disk is full, or cannot be written to.
        """
        target = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        try:
            super()._save_checkpoint(model, trial)
        # torch reports a full disk as a RuntimeError, safetensors by its own error.
        except (OSError, RuntimeError, SafetensorError) as error:
            shutil.rmtree(target, ignore_errors=True)
            state = last_state(target.parent)
            kept = f"the state of step {state.name.split('-')[1]} is whole" if state else "there is none before it"
            raise TrainingError(
                f"the state of step {self.state.global_step} could not be saved ({str(error).splitlines()[0][:120]}), "
                f"{kept}: free some space and run the same command again"
            ) from error

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """A state brings the learning rate it was begun with; a run may go on with a lower one."""
        super()._load_optimizer_and_scheduler(checkpoint)
        scheduler: Any = getattr(self.lr_scheduler, "scheduler", self.lr_scheduler)
        if not checkpoint or not hasattr(scheduler, "lr_lambdas"):
            return
        rate = self.args.learning_rate
        scheduler.base_lrs = [rate] * len(scheduler.base_lrs)
        for group, factor in zip(self.optimizer.param_groups, scheduler.lr_lambdas, strict=True):
            group["initial_lr"], group["lr"] = rate, rate * factor(scheduler.last_epoch)

    def _load_best_model(self) -> None:
        self.on_last(self.accelerator.unwrap_model(self.model))
        self._restore_best()

    def _restore_best(self) -> None:
        super()._load_best_model()


def last_state(folder: Path) -> Path | None:
    """The newest whole trainer state, or None; one that was cut off has no trainer_state.json, or half of one."""
    states = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json") if _is_json(path)]
    return max(states, key=lambda path: int(path.name.split("-")[1]), default=None)


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True


class OwnPrefixTrainer(RowTrainer):
    """For a prefix inside the model: a saved state holds the prefix alone, where the Trainer would write the whole model."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        write_own_prefix(self.accelerator.unwrap_model(self.model), Path(output_dir or self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        restore_own_prefix(self.accelerator.unwrap_model(model or self.model), Path(resume_from_checkpoint))

    def _restore_best(self) -> None:
        restore_own_prefix(self.accelerator.unwrap_model(self.model), Path(self.state.best_model_checkpoint))


def trainer_class(model: Any) -> type[RowTrainer]:
    """The trainer for a model: PEFT saves its adapters by itself, a prefix inside the model does not."""
    from peft import PeftModel

    return RowTrainer if isinstance(model, PeftModel) else OwnPrefixTrainer
