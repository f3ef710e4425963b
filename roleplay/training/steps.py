"""One training step under Hugging Face's Trainer: the loss at the targets, and what a state holds.

    trainer = RowTrainer(model=model, args=..., data_collator=collate, ...)
    mean_loss(model, rows)          # the held-out loss, nats a token

Rows of one pass are padded on the right, where a causal model's targets never look. Letters: b
rows, q tokens of the longest, n target positions, h hidden size.
"""

import math
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import Trainer

from roleplay import files
from roleplay.adapters import native_prefix, prefix
from roleplay.adapters.base_model import without_adapter
from roleplay.adapters.checkpoint import cause
from roleplay.errors import TrainingError, WorldError
from roleplay.messages import Message, message
from roleplay.models import causal
from roleplay.training import parallel
from roleplay.training.data import TokenRow
from roleplay.training.families import family_of


def collate(rows: Sequence[TokenRow]) -> dict[str, Tensor]:
    """Rows as tensors [b, q]; the label of what is no target, and of padding, is -100."""
    width = max(len(row.ids) for row in rows)
    ids, labels, weights = [], [], []
    for row in rows:
        pairs = zip(row.ids, row.weights, strict=True)
        gap = width - len(row.ids)
        labels.append([token if weight else -100 for token, weight in pairs] + [-100] * gap)
        ids.append([*row.ids, *[0] * gap])
        weights.append([*row.weights, *[0.0] * gap])
    parts = {"input_ids": ids, "labels": labels, "weights": weights}
    made = {name: torch.tensor(values) for name, values in parts.items()}
    return made | {"general": torch.tensor([[row.general] for row in rows])}


def mean_loss(model: Any, rows: Sequence[TokenRow]) -> float:
    """Cross entropy in nats, averaged over all targets of the rows (weights count as 0 or 1).

    Several processes share the rows, so all of them must call this.
    """
    total, tokens = 0.0, 0
    with torch.inference_mode():
        for row in rows[parallel.rank() :: parallel.count()]:
            inputs = {name: part.to(model.device) for name, part in collate([row]).items()}
            hidden, labels, _ = target_states(model, inputs)
            total += float(family_of(model).losses(model, hidden, labels).sum())
            tokens += len(labels)
    total, all_tokens = parallel.sums([total, tokens])
    return total / max(all_tokens, 1)


def target_states(model: Any, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """(hidden [n, h], labels [n], weights [n]): the state before each target, and the target."""
    length, ids = prefix.length_of(model), inputs["input_ids"]
    cache = prefix.prefix_cache(model, rows=len(ids)) if length else None
    hidden = causal.hidden_states(model, ids, cache=cache, prefix_length=length)
    wanted = inputs["labels"][:, 1:] != -100
    labels, weights = inputs["labels"][:, 1:][wanted], inputs["weights"][:, 1:][wanted]
    return hidden[:, :-1][wanted], labels, weights


def spread(rows: Sequence[TokenRow], most: int) -> list[TokenRow]:
    """At most ``most`` of the rows, evenly from the first to the last: always the same ones."""
    step = max(len(rows) / most, 1.0)
    return [rows[int(number * step)] for number in range(min(len(rows), most))]


def seconds_a_pass(model: Any, rows: Sequence[TokenRow], size: int) -> float:
    """How long one pass of ``size`` rows takes, forward and back, by the middle of three.

    Nothing is learnt: the gradients are thrown away.
    """
    times = []
    for number in range(3):
        part = spread(rows[number:] or rows, size)
        begun = time.perf_counter()
        inputs = {name: value.to(model.device) for name, value in collate(part).items()}
        hidden, labels, weights = target_states(model, inputs)
        torch.autograd.backward(family_of(model).loss(model, hidden, labels, weights))
        if model.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    model.zero_grad(set_to_none=True)
    return sorted(times)[1]


class RowTrainer(Trainer):  # type: ignore[misc]
    """The Trainer with our forward pass: prefix visible, head at the targets only."""

    kl_weight: float = 0.0
    """Of the divergence from the base model on general rows."""

    on_last: Callable[[Any], object] = staticmethod(lambda model: None)
    """Called with the weights of the last step, before those of the best come back."""

    def compute_loss(self, model: nn.Module, inputs: dict[str, Tensor], **kwargs: Any) -> Tensor:
        """The weighted loss of a pass as its share of the whole step's targets."""
        plain = self.accelerator.unwrap_model(model)
        family, (hidden, labels, weights) = family_of(plain), target_states(plain, inputs)
        loss = family.loss(plain, hidden, labels, weights)
        if self.kl_weight and bool(inputs["general"].any()):
            general = inputs["general"].expand_as(inputs["labels"])[:, 1:]
            kept = general[inputs["labels"][:, 1:] != -100]
            with torch.no_grad(), without_adapter(plain) as base_model:
                base, _, _ = target_states(base_model, inputs)
            loss = loss + self.kl_weight * family.drift(plain, hidden[kept], base[kept])
        # Not the mean of row means: a token weighs the same in a short row and in a long one.
        loss = loss / (kwargs.get("num_items_in_batch") or len(labels))
        self._check("training.loss", float(loss.detach()), step=self.state.global_step + 1)
        # The processes' gradients are averaged, as the Trainer averages the losses that it logs.
        return loss * parallel.count()

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """One pass; after a step's last, gradients are shared: our forward pass bypasses DDP's."""
        loss: Tensor = super().training_step(*args, **kwargs)
        if self.accelerator.sync_gradients:
            parallel.average_gradients(self.model.parameters())
        return loss

    def _check(self, loss: str, value: float, *, step: int) -> None:
        """Stop at a loss that is no number: all later ones would be none either."""
        if not math.isfinite(value):
            known = {"loss": message(loss), "value": value, "step": step, "kept": self._kept()}
            rate = f"{self.args.learning_rate / 4:g}"  # as a rule low enough
            raise TrainingError("training.no-number", rate=rate, **known)

    def _kept(self) -> Message:
        """What a stopped run can go on from."""
        if state := last_state(Path(self.args.output_dir)):
            return message("training.state", step=step_of(state), path=state)
        return message("training.no-state")

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The held-out loss a token; what decides which weights are kept."""
        plain = self.accelerator.unwrap_model(self.model)
        plain.eval()
        metrics = {"eval_loss": mean_loss(plain, self.eval_dataset)}
        self._check("training.held-out-loss", metrics["eval_loss"], step=self.state.global_step)
        plain.train()
        self.log(metrics)
        on_evaluate = self.callback_handler.on_evaluate
        self.control: Any = on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """A state that cannot be written whole is taken away; the one before it is still there."""
        target = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        try:
            super()._save_checkpoint(model, trial)
        # torch reports a full disk as a RuntimeError, safetensors by its own error.
        except (OSError, RuntimeError, SafetensorError) as error:
            shutil.rmtree(target, ignore_errors=True)
            known = {"path": target, "reason": cause(error), "kept": self._kept()}
            raise TrainingError("training.not-saved", step=step_of(target), **known) from error

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

    # Of a prefix inside the model a state holds that alone; the Trainer would write all weights.

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        plain = self.accelerator.unwrap_model(self.model)
        if isinstance(plain, PeftModel):
            super()._save(output_dir, state_dict)
        else:
            native_prefix.write_native_prefix(plain, Path(output_dir or self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        plain = self.accelerator.unwrap_model(model or self.model)
        if isinstance(plain, PeftModel):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            native_prefix.restore_native_prefix(plain, Path(resume_from_checkpoint))

    def _load_best_model(self) -> None:
        plain = self.accelerator.unwrap_model(self.model)
        self.on_last(plain)
        if isinstance(plain, PeftModel):
            super()._load_best_model()
        else:
            self._load_from_checkpoint(self.state.best_model_checkpoint)


def last_state(folder: Path) -> Path | None:
    """The newest whole trainer state; one that was cut off has no trainer_state.json, or half."""
    whole = []
    for path in folder.glob("checkpoint-*/trainer_state.json"):
        with suppress(WorldError):
            files.read_json(path)
            whole.append(path.parent)
    return max(whole, key=step_of, default=None)


def step_of(state: Path) -> int:
    """The step after which a state was saved."""
    return int(state.name.split("-")[1])
