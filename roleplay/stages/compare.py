"""The same questions to two adapters, or with and without one, laid side by side.

    run(Settings(world=Path("worlds/mine"), first="checkpoints/a", second="none"), show)

The models are loaded one after the other. ``report/compare.json`` of the world holds the answers;
which of a pair is shown on which side is drawn, so that a reader who is not told can judge blindly.
"""

import gc
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from roleplay import files
from roleplay.dialogue import CharacterAgent, last_reply
from roleplay.errors import WorldError
from roleplay.models import loading
from roleplay.options import WorldOptions, option
from roleplay.sampling import SamplingParams
from roleplay.stages.cast import questions_of
from roleplay.stages.character import (
    Choice,
    choose_checkpoint,
    join_agent,
    load_backend,
    model_option,
)
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.world import World

FILE = "report/compare.json"
Side = Literal["first", "second"]


@dataclass(frozen=True)
class Settings(WorldOptions):
    """The options of the stage."""

    model: str = model_option()
    first: str = option("", "adapter folder, or none", "适配器文件夹，或 none")
    second: str = option("none", "the other", "另一个")
    characters: tuple[str, ...] = option((), "who (default: the first)", "谁（默认：第一个）")
    questions: tuple[str, ...] = option(questions_of("zh"), "what is asked", "问什么")
    samples: int = option(1, "answers to each", "每个问题几个回答", least=1, most=5)
    seed: int = option(7, "of the answers and the sides", "回答和左右次序的种子")


def run(settings: Settings, listener: Listener = silent) -> list[Mapping[str, Any]]:
    """The rows of the report, one a character and question.

    Raises:
        WorldError: nothing is asked, or nobody is called so.
        ModelError, AdapterError: what is missing or does not fit.
    """
    say = Teller("compare", listener)
    world = World.load(settings.world)
    questions = [one.strip() for one in settings.questions if one.strip()]
    if not questions:
        raise WorldError("wiki.no-question")
    names = [world.character(name).name for name in settings.characters or world.names[:1]]
    pairs = [(name, question) for name in names for question in questions]
    answers: dict[str, list[list[str]]] = {}
    for side, wanted in (("first", settings.first), ("second", settings.second)):
        answers[side] = list(_answers(world, wanted, pairs, settings, say))
        gc.collect()
        loading.empty_cache()
    sides = random.Random(settings.seed)
    rows: list[Mapping[str, Any]] = [
        {
            "character": name,
            "question": question,
            "first": answers["first"][place],
            "second": answers["second"][place],
            "left": sides.choice(("first", "second")),
        }
        for place, (name, question) in enumerate(pairs)
    ]
    shown = {"first": _named(settings.first), "second": _named(settings.second)}
    files.write_json(world.path / FILE, shown | {"rows": rows})
    say.say("compare.done", count=len(rows))
    return rows


def _answers(
    world: World, wanted: str, pairs: list[tuple[str, str]], settings: Settings, say: Teller
) -> Iterator[list[str]]:
    choice = Choice(settings.model, wanted)
    checkpoint = choose_checkpoint(wanted, world, settings.model, say.tell)
    agent: CharacterAgent = join_agent(world, load_backend(choice, checkpoint, say.tell), say.tell)
    step = say.step("compare.asking", name=_named(wanted))
    params = SamplingParams.checked(seed=settings.seed)
    for done, (name, question) in enumerate(pairs, 1):
        reply = last_reply(agent.ask(name, question, n=settings.samples, params=params))
        yield list(reply.candidates)
        step(done, len(pairs))


def _named(wanted: str) -> str:
    return Path(wanted).name if wanted else ""


@dataclass(frozen=True)
class Comparison:
    """What was compared last in a world; each row has its answers by side."""

    first: str
    second: str
    rows: tuple[Mapping[str, Any], ...]


def read(world: Path) -> Comparison | None:
    """The last comparison of a world; None where there was none, or it is broken."""
    path = world / FILE
    try:
        found = files.read_json(path) if path.exists() else None
        return Comparison(found["first"], found["second"], tuple(found["rows"])) if found else None
    except (WorldError, KeyError, TypeError):
        return None
