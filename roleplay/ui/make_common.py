"""What the tabs for making share: the library, whose page it is, which world is worked on.

    maker = Maker(page, Library(), OWN_MACHINE)
    maker.redraw(draw, [component])     # draw(name of the world, language) -> (update,)
    button.click(maker.guarded(work), inputs, outputs, **QUIET)

A tick asks the disk how things are, and everything that a world decides is drawn anew when its
*version* changes: another tab, a job that ends and a restarted program all look the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from roleplay.adapters.checkpoint import public_name
from roleplay.errors import WorldError
from roleplay.messages import Language
from roleplay.models import bundled
from roleplay.stages import jobs, making, runs
from roleplay.stages.character import Choice
from roleplay.stages.library import Library
from roleplay.ui.access import OWN_MACHINE, Access, guarded
from roleplay.ui.common import Page
from roleplay.ui.strings import language

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""How the events of these tabs are named: no spinner over what is drawn, no public endpoint."""

TALK = "ask"
"""The tab to talk in, which is turned to when somebody is to be talked to."""

Draw = Callable[..., Any]
"""(name of a world, language, values of its inputs) -> what its components become, in a tuple."""


@dataclass(frozen=True)
class Drawing:
    """Components that follow the world, and what else decides how they look."""

    draw: Draw
    components: Sequence[Any]
    inputs: Sequence[Any] = ()


@dataclass
class Maker:
    """What a tab for making needs; ``world`` is a state with the name of the world worked on.

    ``step`` is a state with the step that is shown, of those of ``steps``.
    """

    page: Page
    library: Library = field(default_factory=Library)
    access: Access = OWN_MACHINE
    world: Any = field(default_factory=lambda: gr.State(""))
    version: Any = field(default_factory=lambda: gr.State(""))
    tabs: Any = None
    steps: Any = None
    step: Any = field(default_factory=lambda: gr.State("novel"))
    drawings: list[Drawing] = field(default_factory=list)
    opened: list[Callable[..., Any]] = field(default_factory=list)
    timers: list[Any] = field(default_factory=list)
    loads: list[tuple[Callable[..., Any], Sequence[Any]]] = field(default_factory=list)

    def redraw(self, draw: Draw, components: Sequence[Any], inputs: Sequence[Any] = ()) -> None:
        """Have components drawn whenever something of the world has changed."""
        self.drawings.append(Drawing(draw, components, inputs))

    def draw(self, name: str, language: Language, values: Sequence[Any]) -> list[Any]:
        """What all components become; ``values`` are those of all inputs, in order."""
        drawn: list[Any] = []
        left = list(values)
        for one in self.drawings:
            own, left = left[: len(one.inputs)], left[len(one.inputs) :]
            drawn += one.draw(name, language, *own)
        return drawn

    def timer(self, pace: float) -> Any:
        """A timer that runs in the owner's pages alone."""
        self.timers.append(gr.Timer(pace, active=not self.access.shared))
        return self.timers[-1]

    def guarded(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """A callback for the owner; its errors appear as one line."""
        return guarded(self.access, callback)

    def path(self, name: str) -> Path:
        """The folder of the world that is worked on.

        Raises:
            WorldError: none is chosen, or it is gone.
        """
        if not name:
            raise WorldError("library.none-chosen")
        return self.library.path(name)

    def first(self) -> str:
        """The world to begin with: one at work, else the one that is open, else the newest."""
        names = self.library.names()
        for name in names:
            if jobs.running(self.library.worlds / name):
                return name
        loaded = self.page.engine.loaded()
        if loaded and loaded.world.path.parent.resolve() == self.library.worlds.resolve():
            return str(loaded.world.name)
        return names[0] if names else ""

    def open(self, name: str, choice: Choice) -> None:
        """Load a world to talk to; returns at once."""
        self.page.engine.load(self.path(name), choice)

    def training_model(self) -> str:
        """The model to train unless one is named: the one that is loaded, if it is one of ours."""
        loaded = self.page.engine.loaded()
        return loaded.choice.model if loaded and not loaded.choice.endpoint else bundled.NAME

    def model_named(self, public: str, world: str) -> str:
        """The model that an adapter of a world names; of a folder it names the last part only."""
        given = [runs.flag_of(job, "--model") for job in jobs.find_jobs(self.path(world))]
        given.append(self.training_model())
        return next((one for one in given if one and public_name(one) == public), public)

    def newest_adapter(self, world: str) -> Path | None:
        """The adapter that was trained last on a world."""
        folders = [self.checkpoints / one for one in self.library.adapters(world)]
        return max(folders, key=lambda one: (one / "adapter.json").stat().st_mtime, default=None)

    @property
    def checkpoints(self) -> Path:
        """The folder of the adapters, whole, as jobs may be started elsewhere."""
        return self.library.checkpoints.resolve()

    def version_of(self, name: str) -> str:
        """Changes whenever something that the tabs show of a world does."""
        parts = [name, *self.library.names(), *self.trash()]
        seen = runs.watch(self.library.worlds / name) if name else None
        parts += [f"{seen.job.id} {seen.state}"] if seen else []
        for path in self._watched(name):
            parts.append(f"{path} {path.stat().st_mtime_ns if path.exists() else 0}")
        loaded = self.page.engine.loaded()
        return "\n".join([*parts, str(loaded and (loaded.world.path, loaded.model))])

    def trash(self) -> list[str]:
        """The tickets of what can be taken back."""
        return [one.ticket for one in self.library.trash()]

    def _watched(self, name: str) -> list[Path]:
        checkpoints = sorted(self.library.checkpoints.glob("*/adapter.json"))
        every = sorted(self.library.worlds.glob("*/world.json"))
        if not name:
            return [*checkpoints, *every]
        world = self.library.worlds / name
        files = ("novel.txt", "novel.epub", "script.jsonl", "speakers.person.jsonl", "wiki")
        return [*checkpoints, *every, *(world / one for one in (*files, "kb/meta.json"))]


PATH = ("novel", "speakers", "background", "train", "talk")
"""The steps, in order; the walkthrough numbers them from 1."""


def show_step(step: str) -> Any:
    """The walkthrough, turned to a step."""
    return gr.Walkthrough(selected=PATH.index(step) + 1)


def follow(app: gr.Blocks, maker: Maker) -> None:
    """Have everything drawn when the version changes; to be called when all is laid out."""
    inputs = [one for drawing in maker.drawings for one in drawing.inputs]
    outputs = [one for drawing in maker.drawings for one in drawing.components]

    def draw(request: gr.Request, name: str, *values: Any) -> list[Any]:
        if not maker.access.owns(request):
            return [gr.skip()] * len(outputs)
        return maker.draw(name, language(request), values)

    def begin(request: gr.Request) -> str:
        return maker.first() if maker.access.owns(request) else ""

    # What was sent to a tab or step before it was first opened may be lost (Gradio 6.31).
    for event in (maker.version.change, maker.step.change, *maker.opened):
        event(draw, [maker.world, *inputs], outputs, **QUIET)
    app.load(begin, None, [maker.world], **QUIET)
    for load, components in maker.loads:
        app.load(load, None, components, **QUIET)


def start_making(maker: Maker, name: str, language: Language, **more: Any) -> jobs.Job:
    """Start a run of the making stage in a world; ``more`` as its settings.

    Raises:
        BusyError: a job is running there. UsageError: a setting is out of range.
        WorldError: there is nothing to make a character of.
    """
    world = maker.path(name)
    if not maker.library.done(name) & {"novel", "speakers"}:
        raise WorldError("making.no-novel")
    model = (more.pop("model", "") or "").strip() or maker.training_model()
    if "training" in more.get("steps", ("training",)):
        chosen = making.folder_of(world, model, more.get("run", {})).name
        more.setdefault("output_dir", maker.checkpoints / chosen)
    settings = making.Settings(world=world, model=model, **more)
    return jobs.start("making", settings, {"ROLEPLAY_LANGUAGE": language})


def spoken(request: gr.Request | None) -> Language:
    """The language of who asks."""
    return language(request)
