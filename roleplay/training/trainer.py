"""P-Tuning (or LoRA) of a language model on token rows, with Hugging Face's Trainer under it.

    result = train(model, tokenizer, train_rows, test_rows, settings, folder=Path("checkpoints/mine"))

The folder then holds ``metrics.jsonl`` (one object a log step), ``curves.png``, ``samples.md`` and the trainer's own state under
``trainer/``; started again with the same settings it goes on from the last saved step. One row runs at a time, so nothing is
padded; ``batch`` of them make a step, shared between the processes that a launcher started. What depends on the kind of model is
in ``families.py``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import EarlyStoppingCallback, TrainingArguments

from roleplay import files
from roleplay.errors import DatasetError, TrainingError
from roleplay.training import parallel
from roleplay.training.attention import use_products
from roleplay.training.curves import draw_curves
from roleplay.training.data import TokenRow
from roleplay.training.families import family_of
from roleplay.training.recording import Recorder, Watch
from roleplay.training.reporting import reporter
from roleplay.training.settings import TrainSettings
from roleplay.training.steps import RowTrainer, collate, features, last_state, mean_loss, trainer_class

__all__ = ["Watch", "check_resume", "mean_loss", "train"]

Result = dict[str, Any]


def train(
    model: Any,
    tokenizer: Any,
    train_rows: Sequence[TokenRow],
    test_rows: Sequence[TokenRow],
    settings: TrainSettings,
    *,
    folder: Path,
    watch: Watch = Watch(),  # noqa: B008  frozen
    on_last: Callable[[Any, Result], None] = lambda model, result: None,
) -> tuple[Any, Result]:
    """Train an adapter on a frozen model.

    Args:
        model: of :func:`roleplay.models.causal.load_causal`; PEFT's model wraps it, or its own prefix is put into it.
        folder: gets ``metrics.jsonl``, ``curves.png`` and ``trainer/``; a state found there is gone on from.
        on_last: gets the model with the weights of the last step, and that step's ``test_loss`` and ``steps``, in the first
            process.

    Returns:
        The model with its adapter, with the weights of the best held-out loss, and the results: ``bare_loss``, ``test_loss``
        (nats a token), ``steps``, ``best_step``, ``learnt_tokens``; with ``watch.general`` also ``bare_general_loss`` and
        ``general_loss``.

    Raises:
        DatasetError: no rows to train or to test on.
        TrainingError: the loss is no number, a state cannot be saved, or ``batch`` does not divide among the processes.
    """
    if not train_rows or not test_rows:
        raise DatasetError(f"{len(train_rows)} training and {len(test_rows)} test rows: both are needed")
    parallel.begin()
    torch.manual_seed(settings.seed)
    folder.mkdir(parents=True, exist_ok=True)
    use_products(model)
    before = _losses(model, test_rows, watch, "bare_")
    adapted = family_of(model).new_adapter(model, train_rows, settings)
    state = last_state(folder / "trainer")
    recorder = _recorder(folder, watch, settings, begun=int(state.name.split("-")[1]) if state else 0)
    if not state:
        recorder.metrics.write({"step": 0} | before)
    recorder.watch(adapted, tokenizer, test_rows, watch.samples)
    trainer = _trainer(adapted, train_rows, test_rows, settings, folder, recorder)

    def keep_last(last: Any) -> None:
        if parallel.is_first():
            on_last(last, before | _last(trainer))

    trainer.on_last = keep_last
    trainer.train(resume_from_checkpoint=str(state) if state else None)
    if parallel.is_first():
        draw_curves(folder / "metrics.jsonl", folder / "curves.png")
    return adapted.eval(), {
        **before,
        **_losses(adapted, test_rows, watch, ""),
        "steps": trainer.state.global_step,
        "best_step": trainer.state.best_global_step,
        "learnt_tokens": sum(row.learnt for row in train_rows),
    }


def _losses(model: Any, test_rows: Sequence[TokenRow], watch: Watch, name: str) -> Result:
    """Of the held-out rows, and of general ones if there are any, under their names in the results."""
    found = {f"{name or 'test_'}loss": mean_loss(model, test_rows)}
    return found | ({f"{name}general_loss": mean_loss(model, watch.general)} if watch.general else {})


def _last(trainer: RowTrainer) -> Result:
    losses = [row["eval_loss"] for row in trainer.state.log_history if "eval_loss" in row]
    return {"test_loss": losses[-1], "steps": trainer.state.global_step}


def _recorder(folder: Path, watch: Watch, settings: TrainSettings, *, begun: int) -> Recorder:
    kind = watch.report_to if parallel.is_first() else "none"
    return Recorder(folder, reporter(kind, folder, vars(settings)), begun=begun)


def _trainer(
    adapted: Any,
    train_rows: Sequence[TokenRow],
    test_rows: Sequence[TokenRow],
    settings: TrainSettings,
    folder: Path,
    recorder: Recorder,
) -> RowTrainer:
    trainer = trainer_class(adapted)(
        model=adapted,
        args=_arguments(folder / "trainer", settings),
        train_dataset=[features(row) for row in train_rows],
        eval_dataset=[features(row) for row in test_rows],
        data_collator=collate,
        callbacks=[recorder, *([EarlyStoppingCallback(settings.patience)] if settings.patience else [])],
    )
    trainer.keep_weight = settings.keep_weight
    return trainer


def _rows_each(settings: TrainSettings) -> int:
    """Rows of a step that each process runs.

    Raises:
        TrainingError: they cannot be shared evenly.
    """
    if settings.batch % parallel.count():
        raise TrainingError(
            f"batch {settings.batch} cannot be shared by {parallel.count()} processes: give a multiple of them"
        )
    return settings.batch // parallel.count()


def _arguments(folder: Path, settings: TrainSettings) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=_rows_each(settings),
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
        restore_callback_states_from_checkpoint=settings.patience > 0,
        seed=settings.seed,
        data_seed=settings.seed,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        use_cpu=not torch.cuda.is_available(),
    )


def check_resume(folder: Path, wanted: dict[str, Any], *, restart: bool) -> None:
    """Keep ``settings.json`` of the run, or refuse to go on with other settings than it was begun with.

    Args:
        wanted: the settings, the model's name and a digest of the data. A setting that the run did not know is no
            difference, nor is a lower learning rate.

    Raises:
        DatasetError: the folder holds an unfinished run of other settings; the message lists the differences.
    """
    path = folder / "settings.json"
    if restart:
        shutil.rmtree(folder / "trainer", ignore_errors=True)
        (folder / "metrics.jsonl").unlink(missing_ok=True)
    elif path.exists() and last_state(folder / "trainer"):
        begun = files.read_json(path)
        changed = [
            f"{key} {begun.get(key)} -> {value}"
            for key, value in wanted.items()
            if begun.get(key, value) != value and not (key == "learning_rate" and value < begun[key])
        ]
        if changed:
            raise DatasetError(
                f"{folder} holds a run with other settings ({', '.join(changed)}): give the same, or --restart"
            )
    files.write_json(path, wanted)
