"""The tab for making: one path from a novel to a character, one button, and what is under way.

The steps follow the disk: each is ticked when it has a result, greyed while nothing leads to it. A
run is a job of its own process, so that a reload, another tab or a restarted program finds it.
"""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from roleplay.messages import Language
from roleplay.stages import jobs, runs
from roleplay.stages.character import Choice
from roleplay.stages.estimate import estimate
from roleplay.stages.library import Step
from roleplay.ui import make_render as render
from roleplay.ui.library_tab import CLICKED
from roleplay.ui.make_background import create_background_step
from roleplay.ui.make_common import PATH, QUIET, TALK, Maker, show_step, spoken, start_making
from roleplay.ui.make_compare import create_compare
from roleplay.ui.make_novel import create_novel_step, take_novel
from roleplay.ui.make_speakers import create_speakers_step
from roleplay.ui.make_train import create_train_step
from roleplay.ui.strings import label, say

_NEEDS: dict[str, Step] = {
    "speakers": "novel",
    "background": "novel",
    "train": "speakers",
    "talk": "speakers",
}
_STEP_OF = {"distill": "speakers", "knowledge": "background"}
_STEP_OF |= {"dataset": "train", "training": "train", "compare": "talk"}
_PACE, _IDLE_PACE = 1.5, 3.0
_BEFORE_TRAINING = 60.0
"""Seconds for who speaks, background and data of a novel of usual length."""


def create_make_tab(maker: Maker) -> None:
    """Lay out the tab and name its events."""
    with gr.Row(elem_classes="rp-form"):
        about = {"label": label("working_on"), "elem_id": "make-world"}
        choice = gr.Dropdown([], scale=3, min_width=200, **about)
        look: dict[str, Any] = {"min_width": 130}
        everything = gr.Button(
            label("make_all"), variant="primary", elem_id="make-all", scale=2, **look
        )
        stop = gr.Button(label("stop"), visible=False, elem_id="make-stop", **look)
        resume = gr.Button(label("job_resume"), visible=False, elem_id="make-resume", **look)
    progress = gr.HTML(elem_id="make-progress")
    # Gradio's own row of steps (6.31) leads back only, and does not follow what is done.
    bar = gr.HTML(elem_id="make-bar", js_on_load=CLICKED)
    with gr.Walkthrough(selected=1, elem_id="make-steps") as maker.steps:
        steps = [gr.Step(label(f"step_{name}"), id=n) for n, name in enumerate(PATH, 1)]
        with steps[0]:
            novel = create_novel_step(maker)
        with steps[1]:
            create_speakers_step(maker)
        with steps[2]:
            create_background_step(maker)
        with steps[3]:
            train = create_train_step(maker)
        with steps[4]:
            talk = _create_talk_step(maker)
            create_compare(maker)
    shown = [choice, everything, *talk]
    maker.redraw(lambda name, language: _draw_choice(maker, name, language), shown)
    _follow(maker, bar, progress, [stop, resume])

    world, guard = maker.world, maker.guarded

    @guard
    def on_choice(name: str, request: gr.Request) -> str:
        return name

    @guard
    def on_all(request: gr.Request, name: str, *given: Any) -> Any:
        files, title, encoding, model = given
        name = take_novel(maker, name, files, title, encoding)
        start_making(maker, name, spoken(request), length="short", model=model)
        return name, maker.version_of(name), None

    @guard
    def on_stop(name: str, request: gr.Request) -> None:
        if job := jobs.running(maker.path(name)):
            jobs.stop(job)

    @guard
    def on_resume(name: str, request: gr.Request) -> None:
        if seen := runs.watch(maker.path(name)):
            jobs.resume(seen.job, {"ROLEPLAY_LANGUAGE": spoken(request)})

    choice.input(on_choice, [choice], [world], **QUIET)
    files, title, encoding = novel
    inputs = [world, files, title, encoding, train.model]
    everything.click(on_all, inputs, [world, maker.version, files], **QUIET)
    stop.click(on_stop, [world], None, **QUIET)
    resume.click(on_resume, [world], None, **QUIET)


def _create_talk_step(maker: Maker) -> list[Any]:
    """Who is there to be talked to, and the button that loads them."""
    people = gr.HTML(elem_id="make-people")
    talk = gr.Button(label("talk_now"), variant="primary", elem_id="make-talk")

    @maker.guarded
    def on_talk(name: str, request: gr.Request) -> Any:
        choice = Choice()
        if folder := maker.newest_adapter(name):
            base = maker.library.adapters(name)[folder.name].base.name
            choice = Choice(maker.model_named(base, name), str(folder))
        maker.open(name, choice)
        return gr.Tabs(selected=TALK)

    talk.click(on_talk, [maker.world], [maker.tabs], **QUIET)
    return [people, talk]


def _draw_choice(maker: Maker, name: str, language: Language) -> tuple[Any, ...]:
    tiles = maker.library.tiles()
    choices = [(one.title, one.name) for one in tiles]
    choices = [(say("new_world", language), ""), *choices]
    known = [value for _, value in choices]
    box = gr.Dropdown(choices=choices, value=name if name in known else "")
    folder = maker.newest_adapter(name) if name else None
    cast = next((one.characters for one in tiles if one.name == name), ())
    told = render.note(say("talk_to", language, names="、".join(cast[:12]))) if cast else ""
    if folder:
        result = maker.library.adapters(name)[folder.name].result
        told += render.reached(result, language)
    elif cast:
        told += render.note(say("talk_untrained", language))
    people = told or render.blank(say("nobody_yet", language))
    guess = estimate(maker.library, maker.training_model(), "short")
    time = render.duration(guess.seconds + _BEFORE_TRAINING, language)
    everything = gr.Button(say("make_all_in", language, time=time))
    return box, everything, people, gr.Button(interactive=bool(cast))


def _follow(maker: Maker, bar: Any, progress: Any, buttons: Sequence[Any]) -> None:
    """What is under way and what is done follows the disk, in every open page."""
    told, timer = gr.State(("", "", "")), maker.timer(_PACE)
    outputs = [timer, maker.version, told, bar, progress, *buttons]
    inputs = [maker.world, maker.step, told]

    def tick(name: str, step: str, before: Any, request: gr.Request) -> Any:
        if not maker.access.owns(request):
            return [gr.skip()] * len(outputs)
        return look(maker, name, step, before, spoken(request))

    @maker.guarded
    def on_step(name: str, request: gr.Request, event: gr.EventData) -> Any:
        if event.name not in reachable(maker, name):
            return gr.skip(), gr.skip()
        return event.name, show_step(event.name)

    for event in (timer.tick, maker.world.change, maker.step.change):
        event(tick, inputs, outputs, **QUIET)
    bar.click(on_step, [maker.world], [maker.step, maker.steps], **QUIET)


def reachable(maker: Maker, name: str) -> list[str]:
    """The steps that something leads to."""
    done = maker.library.done(name) if name else frozenset()
    return [step for step in PATH if step not in _NEEDS or _NEEDS[step] in done]


def look(
    maker: Maker, name: str, step: str, before: Sequence[str], language: Language
) -> list[Any]:
    """How a world is: what has changed of its version, the row of steps, the job, its buttons."""
    seen = runs.watch(maker.library.worlds / name) if name else None
    running = bool(seen and seen.running)
    version = maker.version_of(name)
    at_work = _STEP_OF.get(seen.stage, "") if seen and running else ""
    share = seen.share if seen and at_work else None
    done = set(maker.library.done(name)) if name else set()
    steps = render.steps(PATH, done, reachable(maker, name), (at_work, share), step, language)
    now = (version, steps, render.progress(seen, language))
    again = bool(seen and seen.state in ("stopped", "killed", "failed"))
    pace = gr.Timer(_PACE if running else _IDLE_PACE)
    if now == tuple(before):
        return [pace, *[gr.skip()] * 6]
    shown = [new if new != old else gr.skip() for new, old in zip(now, before, strict=True)]
    return [pace, shown[0], now, *shown[1:], gr.Button(visible=running), gr.Button(visible=again)]
