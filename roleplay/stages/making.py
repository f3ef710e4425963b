"""From a novel to a trained character in one run: who speaks, background, training, by rules.

    run(Settings(world=Path("worlds/mine"), novel=Path("book.txt"), length="short"), show)
    run(Settings(world=Path("worlds/mine"), steps=("training",)), show)      # one step again

Each step is the stage of its name and skips what is done; stopped and started again it goes on. A
script that an endpoint labelled, or a person brought, is kept and only corrected. ``length`` says
how long is trained: so many steps, and never more than a few passes over the rows.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from roleplay import files
from roleplay.adapters.checkpoint import public_name
from roleplay.adapters.start import CHECKPOINTS
from roleplay.errors import DatasetError, WorldError
from roleplay.options import WorldOptions, given, option
from roleplay.records import UNKNOWN
from roleplay.stages import dataset, distill, knowledge, speakers, training
from roleplay.stages.character import model_option
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.training.settings import TrainSettings
from roleplay.world import World

STAGE = "making"
Step = Literal["distill", "knowledge", "training"]
Length = Literal["short", "usual", "long"]

TRAINED: dict[Length, int] = {"short": 32, "usual": 120, "long": 400}
"""Steps of each length."""

_PASSES = 6
"""More often than so many times no row is learnt: it would be known by heart."""

_CAST, _FEWEST_LINES = 6, 12
"""As many main characters are trained, who say as many lines at least, where nobody is named."""

EVALUATIONS = 4
"""So often the held-out rows are measured."""

_TEST_ROWS, _GENERAL_ROWS = 16, 8
"""What a short training measures: all held-out rows of a long novel take longer than it."""


@dataclass(frozen=True)
class Settings(WorldOptions):
    """The options of the stage."""

    novel: Path | None = option(None, "txt or epub for a new world", "放进新世界的 txt 或 epub")
    steps: tuple[Step, ...] = option(
        ("distill", "knowledge", "training"), "which steps", "做哪几步"
    )
    length: Length = option("usual", "how long is trained", "训练多久")
    characters: tuple[str, ...] = option(
        (), "who (default: those who speak most)", "学谁的（默认：话最多的几位）"
    )
    model: str = model_option()
    output_dir: Path | None = option(
        None, "default: checkpoints/WORLD-MODEL-ADAPTER", "默认：checkpoints/世界-模型-适配器"
    )
    run: Mapping[str, Any] = given(TrainSettings)


@dataclass(frozen=True)
class Made:
    """Where the adapter is, if one was trained, and what it reached."""

    folder: Path | None = None
    result: Mapping[str, Any] | None = None


def run(settings: Settings, listener: Listener = silent) -> Made:
    """Do the steps in their order.

    Raises:
        RoleplayError: what the stage of a step raises; the steps before it are done.
    """
    say = Teller(STAGE, listener)
    if "distill" in settings.steps:
        _distil(settings, listener, say)
    if speakers.settle(settings.world):
        say.say("making.settled")
    if "knowledge" in settings.steps:
        _know(settings, listener, say)
    if "training" not in settings.steps:
        return Made()
    trained = _train(settings, listener, say)
    say.say("making.done", folder=trained.folder)
    return Made(trained.folder, trained.result)


def _distil(settings: Settings, listener: Listener, say: Teller) -> None:
    """Read the novel by rules, unless the script is by another hand."""
    world = settings.world
    if (world / "script.jsonl").exists() and not by_rules(world):
        say.say("making.kept-script")
        return
    distill.run(distill.Settings(world=world, novel=settings.novel), listener)


def by_rules(world: Path) -> bool:
    """Whether the script of a world is as the rules wrote it."""
    if not files.is_ours(world, distill.STAGE, "script.jsonl"):
        return False
    made = files.manifest(world, distill.STAGE)
    return bool(made.get("settings", {}).get("backend") == "rules")


def _know(settings: Settings, listener: Listener, say: Teller) -> None:
    """Build the knowledge base; a world without wiki and plot goes on without."""
    try:
        knowledge.run(knowledge.Settings(world=settings.world), listener)
    except WorldError as error:
        if error.message.key != "knowledge.no-text":
            raise
        say.say("making.no-background")


def _train(settings: Settings, listener: Listener, say: Teller) -> training.Trained:
    world = World.load(settings.world)
    people = settings.characters or main_characters(world)
    say.say("making.characters", names="、".join(people))
    shared: dict[str, Any] = {"world": settings.world, "model": settings.model}
    made = dataset.run(dataset.Settings(characters=tuple(people), **shared), listener)
    is_short = settings.length == "short"
    brief = {"test_rows": _TEST_ROWS} if is_short else {}
    chosen = {**_steps(settings, made.report), **brief, **settings.run}
    shared |= {"general_rows": _GENERAL_ROWS} if is_short else {}
    folder = settings.output_dir or folder_of(settings.world, settings.model, chosen)
    wanted = training.Settings(output_dir=folder, run=chosen, **shared)
    try:
        return training.run(wanted, listener)
    except DatasetError as error:
        if error.message.key != "training.other-settings":
            raise
        # Begun with another length, or before the last correction: that run is of no more use.
        say.say("making.anew")
        return training.run(replace(wanted, restart=True), listener)


def main_characters(world: World) -> list[str]:
    """Those of the cast who speak most, at most six; the first of it where nobody speaks."""
    said = spoken_lines(world)
    ranked = sorted((name for name in world.names if said[name]), key=lambda name: -said[name])
    often = [name for name in ranked[:_CAST] if said[name] >= _FEWEST_LINES]
    return often or ranked[:2] or world.names[:1]


def spoken_lines(world: World) -> Counter[str]:
    """How many lines each speaker has in the script, those of unknown speakers left out."""
    lines = world.read_script() if world.is_there("script.jsonl") else []
    said = Counter(line.char for line in lines if line.char and line.kind == "say")
    del said[UNKNOWN]
    return Counter({str(name): count for name, count in said.items()})


def _steps(settings: Settings, report: Mapping[str, Any]) -> dict[str, Any]:
    """How long is trained, by the rows that there are."""
    batch = int(settings.run.get("batch", TrainSettings.batch))
    rows = max(int(report["train"]["passages"]), 1)
    steps = min(TRAINED[settings.length], math.ceil(_PASSES * rows / batch))
    often = max(1, math.ceil(steps / EVALUATIONS))
    return {"max_steps": steps, "eval_steps": often, "log_steps": max(1, min(5, often // 2))}


def folder_of(world: Path, model: str, chosen: Mapping[str, Any]) -> Path:
    """Where an adapter of a world goes unless it is said."""
    kind = chosen.get("adapter") or ("prefix" if "pre_seq_len" in chosen else "lora")
    return CHECKPOINTS / f"{world.resolve().name}-{public_name(model)}-{kind}"
