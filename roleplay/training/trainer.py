"""P-Tuning (or LoRA) of a language model on token rows, with Hugging Face's Trainer under it.

    result = train(model, tokenizer, train_rows, test_rows, settings, folder=Path("checkpoints/mine"))

The folder then holds the adapter (best held-out loss), ``metrics.jsonl`` (one object a log step), ``curves.png`` and the
trainer's own state under ``trainer/``; started again with the same settings it goes on from the last saved step. One row
runs at a time, so nothing is padded; ``batch`` of them make a step. What depends on the kind of model is in ``families.py``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainingArguments

from roleplay import files
from roleplay.errors import DatasetError
from roleplay.training.attention import use_products
from roleplay.training.curves import draw_curves
from roleplay.training.data import TokenRow
from roleplay.training.families import family_of
from roleplay.training.settings import TrainSettings
from roleplay.training.steps import collate, features, mean_loss, trainer_class


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
        model: of :func:`roleplay.models.causal.load_causal`; PEFT's model wraps it, or its own prefix is put into it.
        folder: gets ``metrics.jsonl``, ``curves.png`` and ``trainer/``; a state found there is gone on from.

    Returns:
        The model with its adapter, with the weights of the best held-out loss, and the results: ``bare_loss``, ``test_loss``
        (nats a token), ``steps``, ``learnt_tokens``.

    Raises:
        DatasetError: no rows to train or to test on.
    """
    if not train_rows or not test_rows:
        raise DatasetError(f"{len(train_rows)} training and {len(test_rows)} test rows: both are needed")
    torch.manual_seed(settings.seed)
    folder.mkdir(parents=True, exist_ok=True)
    use_products(model)
    bare = mean_loss(model, test_rows)
    adapted = family_of(model).new_adapter(model, train_rows, settings)
    state = _last_state(folder / "trainer")
    log = _Log(folder / "metrics.jsonl", begun=int(state.split("-")[-1]) if state else 0)
    if not state:
        log.write({"step": 0, "bare_loss": bare})
    trainer = trainer_class(adapted)(
        model=adapted,
        args=_arguments(folder / "trainer", settings),
        train_dataset=[features(row) for row in train_rows],
        eval_dataset=[features(row) for row in test_rows],
        data_collator=collate,
        callbacks=[log],
    )
    trainer.train(resume_from_checkpoint=state)
    draw_curves(folder / "metrics.jsonl", folder / "curves.png")
    return adapted.eval(), {
        "bare_loss": bare,
        "test_loss": mean_loss(adapted, test_rows),
        "steps": trainer.state.global_step,
        "learnt_tokens": sum(row.learnt for row in train_rows),
    }


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
        wanted: the settings, the model's name and a digest of the data. A setting that the run did not know is no
            difference.

    Raises:
        DatasetError: the folder holds an unfinished run of other settings; the message lists the differences.
    """
    path = folder / "settings.json"
    if restart:
        shutil.rmtree(folder / "trainer", ignore_errors=True)
        (folder / "metrics.jsonl").unlink(missing_ok=True)
    elif path.exists() and _last_state(folder / "trainer"):
        begun = files.read_json(path)
        changed = [
            f"{key} {begun.get(key)} -> {value}" for key, value in wanted.items() if begun.get(key, value) != value
        ]
        if changed:
            raise DatasetError(
                f"{folder} holds a run with other settings ({', '.join(changed)}): give the same, or --restart"
            )
    files.write_json(path, wanted)
