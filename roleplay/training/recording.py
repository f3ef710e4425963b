"""What a run writes while it goes: ``metrics.jsonl``, ``samples.jsonl``, ``samples.md``.

    Watch(samples=4, on_step=lambda step, steps, figures: print(step, figures.get("eval_loss")))

A run that goes on keeps what was written up to its state. Only the first process writes.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from roleplay import files
from roleplay.adapters.checkpoint import new_names
from roleplay.errors import TrainingError, WorldError, reason
from roleplay.training import parallel, samples
from roleplay.training.data import TokenRow
from roleplay.training.settings import TrainSettings

Report = Callable[[int, Mapping[str, float]], None]
"""Takes a step, and the figures of that step by name."""


@dataclass(frozen=True)
class Watch:
    """What is looked at while training; nothing of it changes what is learnt.

    ``samples`` replies are made at each evaluation. ``general`` rows are ordinary text, whose loss
    is taken before and after. ``on_step`` gets, in the first process, a step, how many there are,
    and the figures of that step: ``loss`` or ``eval_loss`` (nats a token), ... ``on_time`` is told
    at the start how many steps there are and how many seconds one takes.
    """

    samples: int = 0
    general: Sequence[TokenRow] = ()
    report_to: str = "none"
    on_step: Callable[[int, int, Mapping[str, float]], None] = lambda step, steps, figures: None
    on_time: Callable[[int, float], None] = lambda steps, seconds: None


class StepLog:
    """A JSON Lines file whose rows have a ``step``."""

    def __init__(self, path: Path, *, begun: int) -> None:
        """Keep the rows up to step ``begun``, from which the run goes on; 0 begins anew."""
        self._path = path
        if parallel.is_first():
            kept = [row for row in self.rows() if row["step"] <= begun] if begun else []
            files.write_jsonl(path, kept)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one JSON object.

        Raises:
            WorldError: the disk is full or may not be written.
        """
        if parallel.is_first():
            try:
                with self._path.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            except OSError as error:
                known = {"path": self._path, "reason": reason(error)}
                raise WorldError("files.unwritable", **known) from error

    def rows(self) -> list[Any]:
        """All that is in it but a last line that a full disk or a kill has cut off."""
        path = self._path
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        return [new_names(json.loads(line)) for line in lines if line.endswith("\n")]


class Recorder(TrainerCallback):  # type: ignore[misc]
    """Called by the Trainer: writes figures, asks for a last evaluation, collects replies."""

    def __init__(self, folder: Path, watch: Watch, settings: TrainSettings, *, begun: int) -> None:
        """Write into ``folder``; a run that goes on does so from step ``begun``."""
        self.metrics = StepLog(folder / "metrics.jsonl", begun=begun)
        kind = watch.report_to if parallel.is_first() else "none"
        self._report = reporter(kind, folder, vars(settings))
        self._folder, self._watch, self._begun = folder, watch, begun
        self._prompts: list[tuple[int, ...]] = []

    def sample(self, model: Any, tokenizer: Any, rows: Sequence[TokenRow]) -> None:
        """Reply to prompts of the rows at each evaluation, and now, before the first step."""
        self._prompts = samples.held_out_prompts(rows, self._watch.samples)
        if self._prompts:
            self._tokenizer = tokenizer
            self._samples = StepLog(self._folder / "samples.jsonl", begun=self._begun)
            if not self._begun:
                self._reply(model, step=0)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Write the figures and hand them on."""
        if logs and parallel.is_first():
            self.metrics.write({"step": state.global_step} | logs)
            figures = {name: one for name, one in logs.items() if isinstance(one, int | float)}
            self._report(state.global_step, figures)
            self._watch.on_step(state.global_step, state.max_steps, figures)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Whatever its number, the last step is evaluated and saved: it may be the best."""
        if state.global_step >= state.max_steps:
            control.should_evaluate = control.should_save = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Reply to the prompts."""
        self._reply(kwargs["model"], step=state.global_step)

    def _reply(self, model: Any, *, step: int) -> None:
        if not (self._prompts and parallel.is_first()):
            return
        training = model.training
        model.eval()  # without LoRA's dropout, which would draw random numbers
        for number, ids in enumerate(self._prompts):
            reply = samples.greedy(model, self._tokenizer, ids)
            prompt = self._tokenizer.decode(list(ids), skip_special_tokens=True)
            self._samples.write({"step": step, "number": number, "prompt": prompt, "reply": reply})
        model.train(training)
        files.write_text(self._folder / "samples.md", samples.as_markdown(self._samples.rows()))


def reporter(kind: str, folder: Path, settings: Mapping[str, Any]) -> Report:
    """What takes figures: ``tensorboard`` in the run's folder, ``trackio`` by its name, or nothing.

    Raises:
        TrainingError: the package is not installed.
    """
    try:
        if kind == "tensorboard":
            from torch.utils.tensorboard import SummaryWriter

            return _tensorboard(SummaryWriter(str(folder / "tensorboard")))
        if kind == "trackio":
            import trackio

            trackio.init(project="roleplay", name=folder.name, config=dict(settings))
            return lambda step, figures: trackio.log(dict(figures), step=step)
    except ImportError as error:
        raise TrainingError("training.no-reporter", kind=kind, detail=error) from error
    return lambda step, figures: None


def _tensorboard(writer: Any) -> Report:
    def report(step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            writer.add_scalar(name, value, step)
        writer.flush()  # else a run that is stopped shows its last figures nowhere

    return report
