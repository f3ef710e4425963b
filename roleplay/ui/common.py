"""What both tabs share: the context of a page, the sampling controls, and errors shown as one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from roleplay.errors import RoleplayError
from roleplay.sampling import MAX_SAMPLES, SamplingParams
from roleplay.ui.engine import Engine
from roleplay.ui.strings import label, language_of

Greeting = tuple[Any, Callable[[str], str]]
"""A component, and what it shows at first in a language: filled when the browser has said which."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Page:
    """What a tab needs to know."""

    engine: Engine
    characters: tuple[str, ...]
    questions: tuple[str, ...] = ()
    example_scene: str = ""
    chapters: tuple[tuple[str, int], ...] = ()
    """Titles and numbers of the chapters that the background tells of, in order."""


def language(request: gr.Request | None) -> str:
    """The language of the browser that asks."""
    return language_of(request.headers.get("accept-language", "") if request else "")


def sampling_controls() -> list[Any]:
    """The components whose values :func:`params_of` takes, in its order, inside a closed accordion."""
    with gr.Accordion(label("settings"), open=False):
        return [
            gr.Slider(0, 1.5, 0.8, step=0.05, label=label("temperature"), info=label("temperature_info")),
            gr.Slider(0.05, 1, 0.9, step=0.05, label=label("top_p")),
            gr.Slider(8, 256, 96, step=8, label=label("max_tokens")),
            gr.Textbox(label=label("seed"), max_lines=1),
        ]


def chapter_choice(page: Page, *, elem_id: str) -> Any:
    """How far the story has come; hidden where no background belongs to a chapter."""
    last = page.chapters[-1][1] if page.chapters else None
    return gr.Dropdown(
        list(page.chapters),
        value=last,
        label=label("chapter"),
        info=label("chapter_info"),
        visible=bool(page.chapters),
        elem_id=elem_id,
    )


def samples_slider() -> Any:
    """How many candidates."""
    return gr.Slider(1, min(10, MAX_SAMPLES), 5, step=1, label=label("samples"))


def params_of(temperature: float, top_p: float, max_tokens: float, seed: str) -> SamplingParams:
    """The sampling settings of the controls.

    Raises:
        SamplingError: a value out of range; the message names it.
    """
    wanted = seed.strip() if isinstance(seed, str) else seed
    return SamplingParams.checked(
        temperature=temperature, top_p=top_p, max_new_tokens=int(max_tokens), seed=wanted or None
    )


def shown(stream: Callable[P, Iterator[T]]) -> Callable[P, Iterator[T]]:
    """Let a streaming callback's own errors appear in the page as one line."""

    @wraps(stream)
    def safe(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        try:
            yield from stream(*args, **kwargs)
        except RoleplayError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return safe
