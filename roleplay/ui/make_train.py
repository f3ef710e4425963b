"""The fourth step: whom to train, how long, and how it goes: losses, answers, time left.

What is drawn of a run is read from its folder, so that it is there in every page at any time.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from roleplay.errors import RoleplayError
from roleplay.messages import Language
from roleplay.stages import making, runs
from roleplay.stages.estimate import estimate
from roleplay.ui import make_render as render
from roleplay.ui.make_common import QUIET, Maker, spoken, start_making
from roleplay.ui.strings import label, say
from roleplay.world import World

LENGTHS: tuple[making.Length, ...] = ("short", "usual", "long")
_COLOURS = {"loss": "#94a3b8", "eval_loss": "#0d9488", "base_loss": "#f59e0b"}
_PACE, _NAMES = 3.0, 40


@dataclass(frozen=True)
class Controls:
    """The components that other parts of the tab read."""

    model: Any


def create_train_step(maker: Maker) -> Controls:
    """Lay out the step and name its events."""
    about = {"label": label("train_who"), "info": label("train_who_info")}
    who = gr.CheckboxGroup([], elem_id="train-who", **about)
    length = gr.Radio([], label=label("length"), elem_id="train-length")
    with gr.Accordion(label("more_settings"), open=False):
        about = {"label": label("train_model"), "info": label("train_model_info")}
        model = gr.Textbox("", max_lines=1, elem_id="train-model", **about)
        kinds = [("LoRA", "lora"), ("P-Tuning v2", "prefix")]
        about = {"label": label("adapter_kind"), "info": label("adapter_kind_info")}
        kind = gr.Radio(kinds, value="lora", elem_id="train-kind", **about)
        with gr.Row(elem_classes="rp-form"):
            about = {"label": label("steps"), "info": label("steps_info")}
            steps = gr.Number(value=0, precision=0, minimum=0, elem_id="train-steps", **about)
            batch = gr.Number(value=4, precision=0, minimum=1, label=label("batch"))
            about = {"label": label("rate_of_learning"), "info": label("rate_info")}
            rate = gr.Number(value=0, minimum=0, **about)
        about = {"label": label("patience"), "info": label("patience_info")}
        patience = gr.Number(value=0, precision=0, minimum=0, **about)
    start = gr.Button(label("train_start"), variant="primary", elem_id="train-start")
    look: dict[str, Any] = {"x": "step", "y": "loss", "color": "curve", "height": 260}
    look |= {"visible": False, "show_label": False, "elem_id": "train-plot"}
    plot = gr.LinePlot(frame([]), **look)
    shown = gr.HTML(elem_id="train-samples")
    picked = gr.State("")  # the world whose characters were chosen by hand

    world, guard = maker.world, maker.guarded

    def draw(
        name: str, language: Language, picked: str, chosen: list[str], kept: str
    ) -> tuple[Any, ...]:
        return _draw(maker, name, language, chosen if picked == name else [], kept)

    @guard
    def on_start(request: gr.Request, name: str, *given: Any) -> str:
        people, wanted, model, kind, steps, batch, rate, patience = given
        run = settings_of(kind, steps, batch, rate, patience)
        more: dict[str, Any] = {"steps": ("training",), "length": wanted or "usual", "run": run}
        more |= {"characters": tuple(people or ()), "model": model or ""}
        start_making(maker, name, spoken(request), **more)
        return maker.version_of(name)

    def on_tick(name: str, before: Any, request: gr.Request) -> Any:
        if not name or not maker.access.owns(request):
            return gr.skip(), gr.skip(), gr.skip()
        return progress_of(maker, name, before, spoken(request))

    maker.redraw(draw, [who, length], [picked, who, length])
    who.input(lambda name: name, [world], [picked], **QUIET)
    inputs = [world, who, length, model, kind, steps, batch, rate, patience]
    start.click(on_start, inputs, [maker.version], **QUIET)

    def on_open(name: str, request: gr.Request) -> Any:
        return on_tick(name, "", request)

    seen, timer = gr.State(""), maker.timer(_PACE)
    timer.tick(on_tick, [world, seen], [seen, plot, shown], **QUIET)
    for event in (world.change, maker.step.change):
        event(on_open, [world], [seen, plot, shown], **QUIET)
    return Controls(model)


def settings_of(
    kind: str, steps: float | None, batch: float | None, rate: float | None, patience: float | None
) -> dict[str, Any]:
    """The training settings of the folded fields, those that were changed."""
    given: dict[str, Any] = {"adapter": kind}
    if steps:
        given |= {"max_steps": int(steps), "eval_steps": max(1, int(steps) // 4)}
    given |= {"batch": int(batch)} if batch and int(batch) != 4 else {}
    given |= {"learning_rate": float(rate)} if rate else {}
    return given | ({"patience": int(patience)} if patience else {})


def folder_shown(maker: Maker, name: str) -> Path | None:
    """The folder of the newest training of a world, running or done."""
    seen = runs.watch(maker.library.worlds / name)
    if seen and (folder := runs.folder_of(seen.job)):
        return folder
    return maker.newest_adapter(name)


def progress_of(maker: Maker, name: str, before: str, language: Language) -> Any:
    """The plot and the answers, where the run has told something new."""
    folder = folder_shown(maker, name)
    points = runs.losses(folder) if folder else []
    samples = runs.samples(folder) if folder else []
    now = f"{folder} {len(points)} {sum(len(one.replies) for one in samples)} {language}"
    if now == before:
        return gr.skip(), gr.skip(), gr.skip()
    last = max((one.step for one in points), default=0)
    # What the base model reaches is one number: a line all along.
    points += [replace(one, step=last) for one in points if one.curve == "base_loss"]
    table = frame([(one.step, say(f"curve_{one.curve}", language), one.loss) for one in points])
    colours = {say(f"curve_{name}", language): colour for name, colour in _COLOURS.items()}
    titles = {"x_title": say("plot_step", language), "y_title": say("plot_loss", language)}
    titles |= {"color_title": ""}
    drawn = gr.LinePlot(table, visible=bool(points), color_map=colours, **titles)
    return now, drawn, render.samples(samples, language)


def frame(rows: list[tuple[int, str, float]]) -> pd.DataFrame:
    """A table as the plot takes it."""
    return pd.DataFrame(rows, columns=["step", "curve", "loss"])


def _draw(
    maker: Maker, name: str, language: Language, chosen: list[str], kept: str
) -> tuple[Any, ...]:
    lengths = []
    for one in LENGTHS:
        guess = estimate(maker.library, maker.training_model(), one)
        time = render.duration(guess.seconds, language)
        lengths.append((say(f"length_{one}", language, time=time, steps=guess.steps), one))
    radio = gr.Radio(choices=lengths, value=kept or "usual")
    try:
        world = World.load(maker.path(name))
        said, main = making.spoken_lines(world), making.main_characters(world)
    except RoleplayError:
        return gr.CheckboxGroup(choices=[], value=[]), radio
    names = sorted(world.names, key=lambda one: -said[one])[:_NAMES]
    people = [(f"{one} {said[one]}", one) for one in names]
    picked = [one for one in chosen or () if one in names] or main
    return gr.CheckboxGroup(choices=people, value=picked), radio
