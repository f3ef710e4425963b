"""What is loaded right now: world, model, adapter and background, exchanged without a restart.

    engine = Engine()
    engine.load(Path("worlds/chuiyan"), Choice())   # returns at once; a thread loads
    engine.status().state                           # "loading", then "ready" or "failed"
    engine.agent()                                  # waits for it
    engine.load(Path("worlds/mine"), Choice())      # another world, on the same model
    engine.unload()

A load that cannot work (no such world, not enough memory) leaves what is loaded as it is and says
why. A model is exchanged between two replies, never during one, and the old one is gone before the
new one comes: both at once would not fit a small machine.
"""

import gc
import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from roleplay.dialogue import CharacterAgent
from roleplay.errors import ModelError, RoleplayError, reason
from roleplay.messages import Message, message
from roleplay.models import loading
from roleplay.stages import character
from roleplay.stages.character import Choice, Introduction, Tell, check_cast
from roleplay.world import World

State = Literal["empty", "loading", "ready", "failed"]


@dataclass(frozen=True)
class Loaded:
    """What is ready to answer."""

    world: World
    choice: Choice
    checkpoint: Path | None
    agent: CharacterAgent
    introduction: Introduction

    @property
    def model(self) -> tuple[str, Path | None, int, str]:
        """What decides whether another choice needs another model in memory."""
        return model_of(self.choice, self.checkpoint)


def model_of(choice: Choice, checkpoint: Path | None) -> tuple[str, Path | None, int, str]:
    """The model of a choice, its adapter, how it is quantized, and where it is."""
    return choice.model, checkpoint, choice.quantization_bit, choice.endpoint


@dataclass(frozen=True)
class Status:
    """How the engine is, in one line.

    ``problem`` is why the last load failed although what was loaded before still answers.
    """

    state: State
    message: Message
    problem: Message | None = None


class Models(Protocol):
    """Where backends come from."""

    def check_fits(self, choice: Choice, *, freed: int) -> None:
        """Refuse a model that would not fit when ``freed`` bytes more are there.

        Raises ModelError: it would not, or there is no such model.
        """

    def load(self, choice: Choice, checkpoint: Path | None, tell: Tell) -> Any:
        """A backend with its adapter."""


class LocalModels:
    """Models in this process."""

    def check_fits(self, choice: Choice, *, freed: int) -> None:
        """By what the files of the model need; elsewhere it needs nothing here."""
        if choice.endpoint:
            return
        loading.check_fits(choice.model, quantization_bit=choice.quantization_bit, freed=freed)

    def load(self, choice: Choice, checkpoint: Path | None, tell: Tell) -> Any:
        """Of whatever transformers can load."""
        return character.load_backend(choice, checkpoint, tell)


class Engine:
    """Holds at most one model. Every method may be called from any thread."""

    def __init__(self, tell: Tell = lambda text: None, models: Models | None = None) -> None:
        """``tell`` takes the progress lines of every load."""
        self._tell = tell
        self._models = models or LocalModels()
        self._changing = threading.RLock()
        self._state = threading.Condition()
        self._wanted = 0
        self._status = Status("empty", message("engine.empty"))
        self._loaded: Loaded | None = None

    def status(self) -> Status:
        """The state, and one line about it."""
        return self._status

    def loaded(self) -> Loaded | None:
        """What is loaded, without waiting."""
        return self._loaded

    def load(self, world: Path, choice: Choice, *, background: bool = True) -> threading.Thread:
        """Begin to load; of several loads the last one counts. The thread may be waited for."""
        with self._state:
            self._wanted += 1
            task = (self._wanted, world, choice, background)
            self._set("loading", message("engine.begins"))
        thread = threading.Thread(target=self._run, args=task, daemon=True, name="load-model")
        thread.start()
        return thread

    def load_here(self, world: Path, choice: Choice, *, background: bool = True) -> None:
        """Load in this thread, and return when it is done or failed."""
        with self._state:
            self._wanted += 1
            number = self._wanted
            self._set("loading", message("engine.begins"))
        self._run(number, world, choice, background)

    def unload(self) -> None:
        """Let the model go, and give its memory back; nothing where a load came meanwhile."""
        with self._state:
            self._wanted += 1
            number = self._wanted
        with self._changing:
            with self._state:
                if number != self._wanted:
                    return
                self._set("empty", message("engine.empty"))
            self._drop()

    def agent(self, timeout: float = 600) -> CharacterAgent:
        """Who answers, as soon as it is there.

        Raises:
            ModelError: nothing is loaded, loading failed, or took longer than ``timeout`` seconds.
        """
        with self._state:
            ready = self._state.wait_for(lambda: self._status.state != "loading", timeout)
            now, loaded = self._status, self._loaded
            if not ready:
                seconds = f"{timeout:.0f}"
                raise ModelError("engine.still-loading", seconds=seconds, step=now.message)
            if loaded is None or now.state != "ready":
                raise ModelError("engine.no-model", why=now.message)
            return loaded.agent

    def _run(self, number: int, world: Path, choice: Choice, background: bool) -> None:
        with self._changing:
            if number != self._wanted:
                return  # a newer load came meanwhile
            problem: Message | None = None
            try:
                self._loaded = self._load(world, choice, background)
            except RoleplayError as error:
                problem = error.message
            except Exception as error:  # else the thread would die without a word
                logging.getLogger(__name__).exception("loading failed")
                # As text: an error holds the frames that it came from, and they half a model.
                problem = message("engine.broken", reason=reason(error), detail=str(error))
            if problem:
                gc.collect()  # frames that refer to each other hold half a model
            with self._state:
                if number != self._wanted:
                    return
                if self._loaded is None:
                    self._set("failed", problem or message("engine.empty"))
                else:
                    name = self._loaded.agent.backend.name
                    self._set("ready", message("engine.ready", name=name), problem)

    def _set(self, state: State, text: Message, problem: Message | None = None) -> None:
        """Change the status and wake whoever waits; ``_state`` is held."""
        self._status = Status(state, text, problem)
        self._tell(text)
        if problem:
            self._tell(problem)
        self._state.notify_all()

    def _step(self, text: Message) -> None:
        with self._state:
            self._set("loading", text)

    def _load(self, path: Path, choice: Choice, background: bool) -> Loaded:
        world = check_cast(World.load(path))
        shown = character.introduce(world)
        checkpoint = character.checkpoint_of(choice, world, self._step)
        backend = self._backend(choice, checkpoint)
        agent = character.join_agent(world, backend, self._step, background)
        return Loaded(world, choice, checkpoint, agent, shown)

    def _backend(self, choice: Choice, checkpoint: Path | None) -> Any:
        """The model that is there, or another in its place; it stays where that would not fit."""
        if self._loaded and self._loaded.model == model_of(choice, checkpoint):
            return self._loaded.agent.backend
        self._models.check_fits(choice, freed=self._held())
        self._drop()
        return self._models.load(choice, checkpoint, self._step)

    def _held(self) -> int:
        """Bytes of the loaded model's weights."""
        backend: Any = self._loaded.agent.backend if self._loaded else None
        model = getattr(backend, "model", None)
        parts = [*model.parameters(), *model.buffers()] if model is not None else ()
        return sum(part.numel() * part.element_size() for part in parts)

    def _drop(self) -> None:
        """Forget what is loaded as soon as no reply is being written."""
        loaded, self._loaded = self._loaded, None
        backend: Any = loaded.agent.backend if loaded else None
        if backend:
            with backend.paused():
                del loaded, backend
        gc.collect()
        loading.empty_cache()
