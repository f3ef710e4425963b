"""What the tabs share: the engine, what depends on the world, the sampling controls, errors."""

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from html import escape
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from roleplay.dialogue import Pins
from roleplay.errors import RoleplayError
from roleplay.sampling import MAX_SAMPLES, SamplingParams
from roleplay.stages.character import Introduction
from roleplay.ui.portraits import NOBODY_KNOWN, Faces
from roleplay.ui.strings import label, language

P = ParamSpec("P")
T = TypeVar("T")
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""Of events: nothing flickers, and no other program calls them."""
QUICK: dict[str, Any] = {**QUIET, "concurrency_limit": None}
"""Of events that no model is asked in: they wait for nobody."""
_PACE = 0.1
"""Seconds between two steps of a stream that a browser is shown."""


@dataclass
class Page:
    """What a tab leaves for the layout: texts in the browser's language, what the world decides.

    ``greetings`` are (component, text in a language), ``choices`` (component, its update for a
    world), ``openings`` (callback, inputs, outputs) of what is done when another world is shown;
    the first input is ``shown``, the state with that world. ``newest`` is shown until something is
    loaded. ``shared``: others use this machine as well, and what they say is kept in their browser.
    """

    engine: Any
    pins: Any
    newest: Introduction | None = None
    shared: bool = False
    shown: Any = None
    greetings: list[tuple[Any, Callable[[Any], str]]] = field(default_factory=list)
    choices: list[tuple[Any, Callable[[Introduction], Any]]] = field(default_factory=list)
    openings: list[tuple[Callable[..., Any], list[Any], Any]] = field(default_factory=list)

    def world(self) -> Introduction | None:
        """What is loaded, else what was last: a question may wait for its model."""
        if loaded := self.engine.loaded():
            self.newest = loaded.introduction
        return self.newest

    def faces(self) -> Faces:
        """How the people of the world are drawn."""
        world = self.world()
        if world is None:
            return NOBODY_KNOWN
        return Faces({person.name: person.gender for person in world.cast})

    def character_choice(self, key: str, **more: Any) -> Any:
        """A drop-down of the world's people."""
        component = gr.Dropdown([], label=label(key), **more)
        self.choices.append((component, _people))
        return component

    def chapter_choice(self, *, elem_id: str) -> Any:
        """How far the story has come; hidden where no background belongs to a chapter."""
        more = {"label": label("chapter"), "info": label("chapter_info"), "elem_id": elem_id}
        component = gr.Dropdown([], visible=False, **more)
        self.choices.append((component, _chapters))
        return component


def _people(world: Introduction) -> Any:
    return gr.Dropdown(choices=list(world.characters), value=world.characters[0])


def _chapters(world: Introduction) -> Any:
    last = world.chapters[-1][1] if world.chapters else None
    return gr.Dropdown(choices=list(world.chapters), value=last, visible=bool(world.chapters))


def sampling_controls() -> list[Any]:
    """The components whose values :func:`params_of` takes, in its order, in a closed accordion."""
    temperature: dict[str, Any] = {"label": label("temperature"), "info": label("temperature_info")}
    with gr.Accordion(label("settings"), open=False):
        return [
            gr.Slider(0, 1.5, 0.8, step=0.05, **temperature),
            gr.Slider(0.05, 1, 0.9, step=0.05, label=label("top_p")),
            gr.Slider(8, 256, 96, step=8, label=label("max_tokens")),
            gr.Textbox(label=label("seed"), max_lines=1),
        ]


def samples_slider(count: int = 5) -> Any:
    """How many candidates."""
    return gr.Slider(1, min(10, MAX_SAMPLES), count, step=1, label=label("samples"))


def params_of(temperature: float, top_p: float, max_tokens: float, seed: str) -> SamplingParams:
    """The sampling settings of the controls.

    Raises:
        SamplingError: a value out of range; the message names it.
    """
    wanted = seed.strip() if isinstance(seed, str) else seed
    values = {"temperature": temperature, "top_p": top_p, "seed": wanted or None}
    return SamplingParams.checked(max_new_tokens=int(max_tokens), **values)


def options_of(
    count: float, background: bool, pins: Pins, chapter: int | None, *sampling: Any
) -> dict[str, Any]:
    """What ``ask`` and ``act`` of an agent take beside who and what; raises as :func:`params_of`.

    The values are those of the controls of a tab, ``sampling`` of :func:`sampling_controls`.
    """
    more = {"background": background, "pins": pins, "chapter": chapter}
    return {"n": int(count), "params": params_of(*sampling), **more}


def paced(stream: Iterator[T], seconds: float = _PACE) -> Iterator[T]:
    """A stream without the steps that come too soon after another; the last is always there."""
    newest: T | None = None
    is_held, since = False, -seconds
    for newest in stream:
        is_held = time.monotonic() - since < seconds
        if not is_held:
            yield newest
            since = time.monotonic()
    if is_held and newest is not None:
        yield newest


def shown(callback: Callable[P, Any]) -> Callable[P, Any]:
    """Let a callback's own errors appear in the page as one line in the reader's language.

    The callback, streaming or not, takes the request.
    """

    @wraps(callback)
    def stream(*args: P.args, **kwargs: P.kwargs) -> Iterator[Any]:
        try:
            yield from callback(*args, **kwargs)
        except RoleplayError as error:
            raise _told(error, args) from error

    @wraps(callback)
    def plain(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return callback(*args, **kwargs)
        except RoleplayError as error:
            raise _told(error, args) from error

    return stream if inspect.isgeneratorfunction(callback) else plain


def _told(error: RoleplayError, args: tuple[Any, ...]) -> gr.Error:
    spoken = language(next((value for value in args if hasattr(value, "headers")), None))
    # Gradio shows it as HTML, and an error may quote what people wrote.
    return gr.Error(escape(error.text(spoken), quote=False), print_exception=False)
