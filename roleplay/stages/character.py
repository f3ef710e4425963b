"""A character ready to answer: model, adapter, background and profiles joined.

    agent = load_agent(world, Choice(model="gemma3-270m"), print)
    introduce(world)        # Introduction(title="第十三场雨", characters=("闻筝", ...), ...)

``choose_checkpoint`` finds the adapter where none is named: the world's best for the model, by
held-out loss.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kb.index import read_meta
from roleplay.adapters.checkpoint import AdapterInfo, check_checkpoint, public_name, read_info
from roleplay.adapters.start import CHECKPOINTS, SHIPPED, find_start
from roleplay.backends.remote import RemoteBackend
from roleplay.dialogue import CharacterAgent
from roleplay.errors import AdapterError, WorldError
from roleplay.messages import Message, message
from roleplay.models import bundled, causal
from roleplay.options import Options, option
from roleplay.ranking import Ranker
from roleplay.script import format_script
from roleplay.sense import Sense
from roleplay.stages.background import BackgroundError, told, world_retriever
from roleplay.stages.cast import Person, introduce_cast, questions_of
from roleplay.stages.described import described
from roleplay.stages.plot import read_plot
from roleplay.stages.recall import world_recall
from roleplay.world import World

ROOT = CHECKPOINTS.parent
NO_CHECKPOINT = "none"
_ANSWERS_ALONE = 1_000_000_000
"""Parameters from which a model's own answers are better than those that are found."""

Tell = Callable[[Message], None]


def model_option() -> Any:
    """The option that names a model."""
    told = "a name, a folder or a hub id", "名字、文件夹或 hub 上的 id"
    return option(bundled.NAME, *told, environment="MODEL")


@dataclass(frozen=True)
class Choice(Options):
    """Which model speaks, with which adapter."""

    model: str = model_option()
    checkpoint: str = option(
        "",
        "adapter folder, also of the original ChatGLM script; none: without (default: the world's)",
        "适配器文件夹，也可以是 ChatGLM 原脚本的；none 表示不用（默认：这个世界自己的）",
        environment="CHECKPOINT",
    )
    quantization_bit: Literal[0, 4, 8] = option(
        0,
        "ChatGLM stored in full: load it in 4 or 8 bits",
        "ChatGLM：载入时量化为 4 或 8 位",
        environment="QUANTIZATION_BIT",
    )
    endpoint: str = option(
        "",
        "address of an OpenAI-compatible server that talks, with MODEL as its name there",
        "由哪个兼容 OpenAI 的服务器来说话（地址）；MODEL 是模型在那里的名字",
        environment="ENDPOINT",
    )


@dataclass(frozen=True)
class Introduction:
    """What a reader is shown of a world before anything is asked.

    Attributes:
        questions: to click on.
        opening: the first lines of the story as script text.
        chapters: titles and numbers of those that the background tells of, in order; of the novel
            where the background knows none.
        people: the characters, as they introduce themselves.
        folder: where the world lies; None for one that is only shown.
    """

    title: str
    characters: tuple[str, ...]
    questions: tuple[str, ...] = ()
    opening: str = ""
    chapters: tuple[tuple[str, int], ...] = ()
    people: tuple[Person, ...] = ()
    folder: Path | None = None

    @property
    def cast(self) -> tuple[Person, ...]:
        """The people, by their names alone where no more is known."""
        return self.people or tuple(Person(name) for name in self.characters)

    def person(self, name: str) -> Person:
        """Somebody of the cast, or a stranger of that name."""
        return next((one for one in self.cast if one.name == name), Person(name))


def choose_checkpoint(
    wanted: str, world: World, model: str, tell: Tell = lambda text: None
) -> Path | None:
    """The one named, else the world's best for this model by held-out loss, else the start.

    Raises:
        AdapterError: what is named is no checkpoint, neither ours nor of the original script.
    """
    if wanted == NO_CHECKPOINT:
        return None
    if wanted:
        check_checkpoint(Path(wanted))
        return Path(wanted)
    fitting = []
    for path in sorted(CHECKPOINTS.glob("*/adapter.json")):
        try:
            info = read_info(path.parent)
        except AdapterError as error:
            tell(message("character.passed-over", reason=error))
            continue
        if info.world == world.name and info.base.name == public_name(model):
            fitting.append((info.result.get("test_loss", math.inf), path.parent))
    return min(fitting)[1] if fitting else find_start(SHIPPED, public_name(model))


def checkpoint_of(choice: Choice, world: World, tell: Tell = lambda text: None) -> Path | None:
    """The adapter of a choice: none at an address, else as :func:`choose_checkpoint`."""
    if choice.endpoint:
        return None
    return choose_checkpoint(choice.checkpoint, world, choice.model, tell)


def check_cast(world: World) -> World:
    """The world itself. Raises WorldError: it names no characters."""
    if not world.names:
        raise WorldError("character.nobody", path=world.path / "world.json")
    return world


def load_agent(world: World, choice: Choice, tell: Tell) -> CharacterAgent:
    """The model with its adapter and the world's background, ready to answer.

    Raises:
        WorldError: the world names no characters.
        ModelError, AdapterError, BackgroundError: what is missing or does not fit.
    """
    checkpoint = checkpoint_of(choice, check_cast(world), tell)
    return join_agent(world, load_backend(choice, checkpoint, tell), tell)


def load_backend(choice: Choice, checkpoint: Path | None, tell: Tell) -> Any:
    """The model with its adapter in this process, or at its address; raises as :func:`load_agent`.

    A server is asked for one word, so that what is wrong with it is told now.
    """
    if choice.endpoint:
        remote = RemoteBackend(choice.endpoint, choice.model)
        tell(message("character.asking", url=choice.endpoint))
        remote.check()
        return remote
    from roleplay.backends.local import LocalBackend

    bits = choice.quantization_bit
    backend = LocalBackend.load(choice.model, checkpoint, quantization_bit=bits, on_progress=tell)
    if checkpoint:
        backend.name = f"{backend.name} + {checkpoint.name}"
    return backend


def join_agent(world: World, backend: Any, tell: Tell, background: bool = True) -> CharacterAgent:
    """The people of a world on a loaded backend, with the world's background."""
    retriever = None
    if background:
        tell(message("character.background"))
        if retriever := world_retriever(world.path):
            retriever(world.names[0], 1)  # loads the embedder now, not at the first question
    adapter = getattr(backend, "adapter", None)
    known = described(world, adapter, backend.count)
    more: dict[str, Any] = {"retriever": retriever, "openings": known.openings}
    more["profiles"] = known.profiles | trained_profiles(world, adapter)
    if hasattr(backend, "new_cache") and not causal.is_prefix_lm(backend.model):
        more["ranker"] = Ranker(backend, sense_of(world), world.info.language)
        if backend.model.num_parameters() < _ANSWERS_ALONE:
            more["recall"] = world_recall(world)
    return CharacterAgent(backend, characters=world.names, **more)


def sense_of(world: World, chapters: Collection[int] | None = None) -> Sense:
    """What is known of the characters' lines, in some ``chapters`` or in all."""
    lines: dict[str, list[str]] = {name: [] for name in world.names}
    if world.is_there("script.jsonl"):
        for chapter, part in world.lines_by_chapter().items():
            for line in part if chapters is None or chapter in chapters else ():
                if line.kind == "say" and line.char in lines:
                    lines[line.char].append(line.text)
    aliases = {person.name: (person.name, *person.aliases) for person in world.info.characters}
    return Sense(lines, aliases)


def trained_profiles(world: World, adapter: AdapterInfo | None) -> dict[str, str]:
    """The characters' profiles, by name, if the adapter was trained with them in its prompts."""
    if adapter is None or adapter.mode != "profile":
        return {}
    return {person.name: person.profile for person in world.info.characters if person.profile}


def introduce(world: World) -> Introduction:
    """Who is there and what may be asked.

    Raises:
        WorldError: a file of the world cannot be read.
    """
    own = world.read_questions() if world.is_there("questions.jsonl") else []
    asked = [row.question for row in own if row.character == world.names[0]][:2]
    script = world.read_script()[:8] if world.is_there("script.jsonl") else []
    questions = (*questions_of(world.info.language), *asked)
    shown: dict[str, Any] = {"opening": format_script(script), "chapters": _chapters(world)}
    shown |= {"people": introduce_cast(world), "folder": world.path}
    return Introduction(world.info.title, tuple(world.names), questions, **shown)


def _chapters(world: World) -> tuple[tuple[str, int], ...]:
    """Those that snippets of the knowledge base belong to, else those of the novel, if several."""
    try:
        with told():
            chapters = read_meta(world.path / "kb").chapters
    except BackgroundError:
        chapters = ()  # none, or the engine, which opens it as well, says what is wrong with it
    if not chapters and world.is_there("chunks.jsonl"):
        numbers = sorted({chunk.chapter for chunk in world.read_chunks()})
        chapters = tuple(numbers) if len(numbers) > 1 else ()
    plot = read_plot(world.path) if chapters else None
    return tuple((plot.title(number), number) for number in chapters) if plot else ()
