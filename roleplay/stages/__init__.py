"""The stages of the path as plain functions: what a command, a page, a request or a test starts.

    stage = find("distill")
    result = stage.run(stage.settings(world=Path("worlds/mine")), print)

A stage takes a frozen settings class, whose fields are its options, and a listener for its events;
it returns a record. It knows no argparse, no print and no Gradio. This is the only place that
imports ``kb``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from roleplay.errors import UsageError
from roleplay.messages import text

SCRIPTS = {
    "distill": "distill_dialogues",
    "knowledge": "build_knowledge_base",
    "dataset": "prepare_seq2seq_training",
    "training": "train_roleplaying",
    "making": "make_character",
    "samples": "test_dialogue",
    "compare": "compare_adapters",
    "evaluation": "evaluate",
    "retrieval": "evaluate_retrieval",
    "attribution": "evaluate_attribution",
    "review": "review_speakers",
    "export": "export_dataset",
    "character_export": "export_character",
    "legacy": "import_old_data",
    "import_card": "import_card",
    "export_card": "export_card",
    "space": "make_space",
    "doctor": "doctor",
    "example": "build_example_world",
}
"""Name of a stage, which is that of its module here -> its script."""


@dataclass(frozen=True)
class Stage:
    """One stage: its module's ``Settings`` and ``run``."""

    name: str
    script: str
    settings: type
    run: Callable[..., Any]

    @property
    def title(self) -> str:
        """What it does, in the language of this process."""
        return text(f"stage.{self.name}")


def find(name: str) -> Stage:
    """The stage of that name; its module is imported now, as some bring torch.

    Raises:
        UsageError: there is none; the message lists them.
    """
    if name not in SCRIPTS:
        raise UsageError("stages.unknown", name=name, known=" ".join(SCRIPTS))
    module = import_module(f"roleplay.stages.{name}")
    return Stage(name, SCRIPTS[name], module.Settings, module.run)
