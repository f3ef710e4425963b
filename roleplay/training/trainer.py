"""P-Tuning (or LoRA) of a language model on token rows, with Hugging Face's Trainer under it.

    adapted, result = train(model, tokenizer, train_rows, test_rows, settings, folder=folder)

The folder then holds ``metrics.jsonl`` (one object a log step), ``curves.png``, ``samples.md`` and
saved states under ``trainer/``; started again with the same settings it goes on from the newest.
"""

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import EarlyStoppingCallback, PrinterCallback, TrainingArguments

from roleplay import files
from roleplay.adapters.checkpoint import new_names
from roleplay.errors import DatasetError, TrainingError
from roleplay.training import parallel, steps
from roleplay.training.attention import use_products
from roleplay.training.data import TokenRow
from roleplay.training.families import family_of
from roleplay.training.folder import draw_curves
from roleplay.training.recording import Recorder, Watch
from roleplay.training.settings import TrainSettings


def train(
    model: Any,
    tokenizer: Any,
    train_rows: Sequence[TokenRow],
    test_rows: Sequence[TokenRow],
    settings: TrainSettings,
    *,
    folder: Path,
    watch: Watch = Watch(),  # noqa: B008  frozen
    on_last: Callable[[Any, dict[str, Any]], None] = lambda model, result: None,
) -> tuple[Any, dict[str, Any]]:
    """Train an adapter on a frozen model.

    Args:
        model: of :func:`roleplay.models.loading.load_causal`; it gets its own prefix or PEFT's.
        folder: a state found in its ``trainer/`` is gone on from.
        on_last: gets, in the first process, the model with the weights of the last step, and that
            step's ``test_loss`` and ``steps``.

    Returns:
        The model with its adapter, with the weights of the best held-out loss, and the results:
        ``base_loss``, ``test_loss`` (nats a token), ``steps``, ``best_step``, ``target_tokens``;
        with ``watch.general`` also ``base_general_loss`` and ``general_loss``.

    Raises:
        DatasetError: no rows to train or to test on.
        TrainingError: the loss is no number, a state cannot be saved, the batch not be shared.
    """
    if not train_rows or not test_rows:
        raise DatasetError("training.no-rows", training=len(train_rows), test=len(test_rows))
    parallel.begin()
    torch.manual_seed(settings.seed)  # a new adapter draws before the Trainer seeds
    folder.mkdir(parents=True, exist_ok=True)
    use_products(model)
    test_rows = steps.spread(test_rows, settings.test_rows)
    before = _losses(model, test_rows, watch, "base_")
    adapted = family_of(model).new_adapter(model, train_rows, settings)
    settings = _timed(adapted, train_rows, settings, watch)
    state, patience = steps.last_state(folder / "trainer"), settings.patience
    recorder = Recorder(folder, watch, settings, begun=steps.step_of(state) if state else 0)
    if not state:
        recorder.metrics.write({"step": 0} | before)
    recorder.sample(adapted, tokenizer, test_rows)
    trainer = steps.RowTrainer(
        model=adapted,
        args=_arguments(folder / "trainer", settings),
        train_dataset=train_rows,
        eval_dataset=test_rows,
        data_collator=steps.collate,
        callbacks=[recorder, *([EarlyStoppingCallback(patience)] if patience else [])],
    )
    trainer.remove_callback(PrinterCallback)  # what is shown is the caller's choice
    trainer.kl_weight = settings.kl_weight

    def keep_last(last: Any) -> None:
        if parallel.is_first():
            losses = [row["eval_loss"] for row in trainer.state.log_history if "eval_loss" in row]
            on_last(last, before | {"test_loss": losses[-1], "steps": trainer.state.global_step})

    trainer.on_last = keep_last
    trainer.train(resume_from_checkpoint=str(state) if state else None)
    if parallel.is_first():
        draw_curves(folder / "metrics.jsonl", folder / "curves.png")
    return adapted.eval(), {
        **before,
        **_losses(adapted, test_rows, watch, ""),
        "steps": trainer.state.global_step,
        "best_step": trainer.state.best_global_step,
        "target_tokens": sum(row.targets for row in train_rows),
    }


def _timed(
    model: Any, rows: Sequence[TokenRow], settings: TrainSettings, watch: Watch
) -> TrainSettings:
    """The settings with the steps that fit the minutes, if any are given; tells how long it takes.

    Evaluations, a third of a pass for each of their rows, are not counted: they end early or late.
    """
    share = settings.batch // settings.micro_batch / parallel.count()
    seconds = steps.seconds_a_pass(model, rows, settings.micro_batch) * share
    if settings.minutes:
        fitting = max(1, int(settings.minutes * 60 / seconds))
        settings = replace(settings, max_steps=fitting)
    total = settings.max_steps
    if total < 1:
        total = math.ceil(len(rows) / settings.batch * settings.epochs)
    watch.on_time(total, seconds)
    return settings


def _losses(model: Any, rows: Sequence[TokenRow], watch: Watch, name: str) -> dict[str, float]:
    """Of the held-out rows, and of general ones if any, under their names in the results."""
    found = {f"{name or 'test_'}loss": steps.mean_loss(model, rows)}
    if watch.general:
        found[f"{name}general_loss"] = steps.mean_loss(model, watch.general)
    return found


def _arguments(folder: Path, settings: TrainSettings) -> TrainingArguments:
    """What the Trainer is told; each process runs its share of a step's rows."""
    passes = settings.batch // settings.micro_batch
    if passes % parallel.count():
        raise TrainingError("training.unshared", batch=passes, processes=parallel.count())
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=settings.micro_batch,
        gradient_accumulation_steps=passes // parallel.count(),
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warmup_steps,
        lr_scheduler_type="cosine",
        logging_steps=settings.log_steps,
        eval_strategy="steps",
        eval_steps=settings.eval_steps,
        save_steps=settings.eval_steps,
        save_total_limit=2,  # the best one and the newest
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        restore_callback_states_from_checkpoint=settings.patience > 0,
        seed=settings.seed,
        data_seed=settings.seed,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,  # else it would drop the weights, which no model takes
        label_names=["labels"],
        use_cpu=not torch.cuda.is_available(),
    )


def check_resume(folder: Path, wanted: dict[str, Any], *, restart: bool) -> None:
    """Keep ``settings.json`` of a run, or refuse to go on with others than it was begun with.

    Args:
        wanted: the settings, the model's name and a digest of the data. A setting that the run did
            not know is no difference, nor is a lower learning rate.

    Raises:
        DatasetError: an unfinished run has other settings; the message lists the differences.
    """
    path = folder / "settings.json"
    if restart:
        shutil.rmtree(folder / "trainer", ignore_errors=True)
        (folder / "metrics.jsonl").unlink(missing_ok=True)
    elif path.exists() and steps.last_state(folder / "trainer"):
        begun = wanted | new_names(files.read_json(path))
        changed = [key for key, value in wanted.items() if begun[key] != value]
        if "learning_rate" in changed and wanted["learning_rate"] < begun["learning_rate"]:
            changed.remove("learning_rate")
        if changed:
            changes = ", ".join(f"{key} {begun[key]} -> {wanted[key]}" for key in changed)
            raise DatasetError("training.other-settings", folder=folder, changes=changes)
    files.write_json(path, wanted)
