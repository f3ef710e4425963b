"""What a run writes while it goes: ``metrics.jsonl``, ``samples.jsonl`` and ``samples.md``, and a line on the screen.

Only the first of several processes writes. A run that goes on keeps what was written up to its state and writes the rest anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from roleplay import files
from roleplay.training import parallel, samples
from roleplay.training.data import TokenRow
from roleplay.training.reporting import Report


@dataclass(frozen=True)
class Watch:
    """What is looked at while training; nothing of it changes what is learnt.

    ``samples`` replies are made at each evaluation. ``general`` rows are ordinary text, whose loss is taken before and after.
    """

    samples: int = 0
    general: Sequence[TokenRow] = ()
    report_to: str = "none"


class StepLog:
    """A JSON Lines file whose rows have a ``step``."""

    def __init__(self, path: Path, *, begun: int) -> None:
        """Keep the rows up to step ``begun``, from which the run goes on; 0 begins anew."""
        self._path = path
        if parallel.is_first():
            files.write_jsonl(path, [row for row in _whole_rows(path) if row["step"] <= begun] if begun else [])

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one JSON object."""
        if parallel.is_first():
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    def rows(self) -> list[Any]:
        """All that is in it."""
        return _whole_rows(self._path)


def _whole_rows(path: Path) -> list[Any]:
    """The rows of the file; a last line that was cut off by a full disk or a kill is left out."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


class Recorder(TrainerCallback):  # type: ignore[misc]
    """Called by the Trainer: writes its figures, asks for a last evaluation, and collects sample replies."""

    def __init__(self, folder: Path, report: Report, *, begun: int) -> None:
        """Write into ``folder``; a run that goes on does so from step ``begun``."""
        self.metrics = StepLog(folder / "metrics.jsonl", begun=begun)
        self._folder = folder
        self._report = report
        self._begun = begun
        self._prompts: list[tuple[int, ...]] = []

    def watch(self, model: Any, tokenizer: Any, rows: Sequence[TokenRow], number: int) -> None:
        """Reply to ``number`` prompts of the rows at each evaluation, and now, before the first step."""
        self._prompts, self._tokenizer = samples.held_out_prompts(rows, number) if number else [], tokenizer
        if self._prompts:
            self._samples = StepLog(self._folder / "samples.jsonl", begun=self._begun)
            if not self._begun:
                self._reply(model, step=0)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Write the figures."""
        if logs and parallel.is_first():
            self.metrics.write({"step": state.global_step} | logs)
            self._report(
                state.global_step, {key: value for key, value in logs.items() if isinstance(value, int | float)}
            )
            known = {key: value for key, value in logs.items() if key in ("loss", "eval_loss")}
            text = "  ".join(f"{key} {value:.3f}" for key, value in known.items())
            if text:
                print(f"step {state.global_step}/{state.max_steps}  {text}", flush=True)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The last step is evaluated and saved, whatever its number: else it could not be the best."""
        if state.global_step >= state.max_steps:
            control.should_evaluate = control.should_save = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Reply to the prompts."""
        if self._prompts:
            self._reply(kwargs["model"], step=state.global_step)

    def _reply(self, model: Any, *, step: int) -> None:
        if not parallel.is_first():
            return
        training = model.training
        model.eval()
        for number, ids in enumerate(self._prompts):
            reply = samples.greedy(model, self._tokenizer, ids)
            prompt = self._tokenizer.decode(list(ids), skip_special_tokens=True)
            self._samples.write({"step": step, "number": number, "prompt": prompt, "reply": reply})
        model.train(training)
        files.write_text(self._folder / "samples.md", samples.as_markdown(self._samples.rows()))
