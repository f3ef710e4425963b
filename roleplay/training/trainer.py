"""P-Tuning (or LoRA) of a causal LM on passages, with Hugging Face's Trainer under it.

    result = train(model, tokenizer, train_rows, test_rows, settings, folder=Path("checkpoints/mine"))

The folder then holds the adapter (best held-out loss), ``metrics.jsonl`` (one object a log step), ``curves.png`` and the
trainer's own state under ``trainer/``; started again with the same settings it goes on from the last saved step. One passage
runs at a time, so nothing is padded; ``batch`` of them make a step.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments

from roleplay import files
from roleplay.adapters import lora, prefix
from roleplay.errors import DatasetError
from roleplay.models import causal
from roleplay.training.curves import draw_curves
from roleplay.training.data import TokenRow
from roleplay.training.loss import frozen_head_loss, token_losses
from roleplay.training.settings import TrainSettings


def train(
    model: Any,
    tokenizer: Any,
    train_rows: Sequence[TokenRow],
    test_rows: Sequence[TokenRow],
    settings: TrainSettings,
    *,
    folder: Path,
) -> tuple[Any, dict[str, Any]]:
    """Train an adapter on a frozen model.

    Args:
        model: a causal LM; the returned PEFT model wraps it.
        folder: gets ``metrics.jsonl``, ``curves.png`` and ``trainer/``; a state found there is gone on from.

    Returns:
        The PEFT model with the weights of the best held-out loss, and the results: ``bare_loss``, ``test_loss``
        (nats a token), ``steps``, ``learnt_tokens``.

    Raises:
        DatasetError: no rows to train or to test on.
    """
    if not train_rows or not test_rows:
        raise DatasetError(f"{len(train_rows)} training and {len(test_rows)} test passages: both are needed")
    torch.manual_seed(settings.seed)
    folder.mkdir(parents=True, exist_ok=True)
    bare = mean_loss(model, test_rows)
    peft_model = _new_adapter(model, train_rows, settings)
    state = _last_state(folder / "trainer")
    log = _Log(folder / "metrics.jsonl", begun=int(state.split("-")[-1]) if state else 0)
    if not state:
        log.write({"step": 0, "bare_loss": bare})
    trainer = _PassageTrainer(
        model=peft_model,
        args=_arguments(folder / "trainer", settings),
        train_dataset=[_features(row) for row in train_rows],
        eval_dataset=[_features(row) for row in test_rows],
        data_collator=_collate,
        callbacks=[log],
    )
    trainer.train(resume_from_checkpoint=state)
    draw_curves(folder / "metrics.jsonl", folder / "curves.png")
    return peft_model.eval(), {
        "bare_loss": bare,
        "test_loss": mean_loss(peft_model, test_rows),
        "steps": trainer.state.global_step,
        "learnt_tokens": sum(row.learnt for row in train_rows),
    }


def mean_loss(model: Any, rows: Sequence[TokenRow]) -> float:
    """Cross entropy in nats, averaged over the learnt tokens of all rows (weights count as 0 or 1)."""
    total, tokens = 0.0, 0
    with torch.inference_mode():
        for row in rows:
            inputs = {name: tensor.to(model.device) for name, tensor in _tensors(row).items()}
            hidden, labels, _ = _learnt_states(model, inputs)
            total += float(token_losses(hidden, causal.head(model).weight, labels).sum())
            tokens += len(labels)
    return total / max(tokens, 1)


def _new_adapter(model: Any, rows: Sequence[TokenRow], settings: TrainSettings) -> Any:
    if settings.adapter == "lora":
        return lora.new_lora(model, rank=settings.lora_rank)
    peft_model = prefix.new_prefix(model, length=settings.pre_seq_len)
    prefix.start_from_text(peft_model, _opening(rows, settings.pre_seq_len))
    return peft_model


def _opening(rows: Sequence[TokenRow], length: int) -> torch.Tensor:
    """The first ``length`` ids of the training passages, int64 [1, length]: what the prefix starts from."""
    ids = [token for row in rows[:8] for token in row.ids]
    return torch.tensor([(ids * math.ceil(length / len(ids)))[:length]])


def _features(row: TokenRow) -> dict[str, list[Any]]:
    labels = [token if weight else -100 for token, weight in zip(row.ids, row.weights, strict=True)]
    return {"input_ids": list(row.ids), "labels": labels, "weights": list(row.weights)}


def _collate(features: list[dict[str, list[Any]]]) -> dict[str, torch.Tensor]:
    """One passage as tensors [1, tokens]."""
    (row,) = features
    return {name: torch.tensor([values]) for name, values in row.items()}


def _tensors(row: TokenRow) -> dict[str, torch.Tensor]:
    return _collate([_features(row)])


def _learnt_states(model: Any, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(hidden [n, h], labels [n], weights [n]) of the n learnt positions: the state before each learnt id."""
    length = prefix.length_of(model)
    cache = prefix.prefix_cache(model) if length else None
    hidden = causal.hidden_states(model, inputs["input_ids"], cache=cache, prefix_length=length)[0]
    places = (inputs["labels"][0, 1:] != -100).nonzero()[:, 0]
    return hidden[places], inputs["labels"][0, places + 1], inputs["weights"][0, places + 1]


class _PassageTrainer(Trainer):  # type: ignore[misc]
    """The Trainer with our forward pass: prefix visible, head on the learnt positions only."""

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **kwargs: Any
    ) -> Any:
        """The weighted loss of one passage as its share of the whole step's learnt tokens."""
        plain = self.accelerator.unwrap_model(model)
        hidden, labels, weights = _learnt_states(plain, inputs)
        loss = frozen_head_loss(hidden, causal.head(plain).weight, labels, weights)
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


class _Log(TrainerCallback):  # type: ignore[misc]
    """Appends every log of the Trainer to ``metrics.jsonl`` and shows progress on one line."""

    def __init__(self, path: Path, *, begun: int) -> None:
        """Keep the rows up to step ``begun``, from which the run goes on; later ones will be written again."""
        self._path = path
        rows = [row for row in files.read_jsonl(path) if row["step"] <= begun] if begun and path.exists() else []
        files.write_jsonl(path, rows)

    def write(self, row: dict[str, Any]) -> None:
        """Append one JSON object."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Called by the Trainer."""
        if logs:
            self.write({"step": state.global_step} | logs)
            known = {key: value for key, value in logs.items() if key in ("loss", "eval_loss")}
            text = "  ".join(f"{key} {value:.3f}" for key, value in known.items())
            if text:
                print(f"step {state.global_step}/{state.max_steps}  {text}", flush=True)


def _arguments(folder: Path, settings: TrainSettings) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=settings.batch,
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warmup_steps,
        lr_scheduler_type="cosine",
        logging_steps=settings.log_steps,
        eval_strategy="steps",
        eval_steps=settings.eval_steps,
        save_strategy="steps",
        save_steps=settings.eval_steps,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        seed=settings.seed,
        data_seed=settings.seed,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        use_cpu=not torch.cuda.is_available(),
    )


def _last_state(folder: Path) -> str | None:
    """The newest whole trainer state, or None; a state cut off while it was written has no trainer_state.json."""
    states = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    return str(max(states, key=lambda path: int(path.name.split("-")[1]))) if states else None


def check_resume(folder: Path, wanted: dict[str, Any], *, restart: bool) -> None:
    """Keep ``settings.json`` of the run, or refuse to go on with other settings than it was begun with.

    Args:
        wanted: the settings, the model's name and a digest of the passages.

    Raises:
        DatasetError: the folder holds an unfinished run of other settings; the message lists the differences.
    """
    path = folder / "settings.json"
    if restart:
        shutil.rmtree(folder / "trainer", ignore_errors=True)
        (folder / "metrics.jsonl").unlink(missing_ok=True)
    elif path.exists() and _last_state(folder / "trainer"):
        begun = files.read_json(path)
        changed = [f"{key} {begun.get(key)} -> {value}" for key, value in wanted.items() if begun.get(key) != value]
        if changed:
            raise DatasetError(
                f"{folder} holds a run with other settings ({', '.join(changed)}): give the same, or --restart"
            )
    files.write_json(path, wanted)
