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
from roleplay.stages.library import Step
from roleplay.ui import make_render as render
from roleplay.ui.make_background import create_background_step
from roleplay.ui.make_common import QUIET, Maker, spoken, start_making
from roleplay.ui.make_compare import create_compare
from roleplay.ui.make_novel import create_novel_step, take_novel
from roleplay.ui.make_speakers import create_speakers_step
from roleplay.ui.make_train import create_train_step
from roleplay.ui.strings import label, say

PATH: tuple[str, ...] = ("novel", "speakers", "background", "train", "talk")
_NEEDS: dict[str, Step] = {
    "speakers": "novel",
    "background": "novel",
    "train": "speakers",
    "talk": "speakers",
}
_STEP_OF = {"distill": "speakers", "knowledge": "background"}
_STEP_OF |= {"dataset": "train", "training": "train", "compare": "talk"}
_PACE = 1.5


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
        resume = gr.Button(label("go_on"), visible=False, elem_id="make-resume", **look)
    progress = gr.HTML(elem_id="make-progress")
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
    maker.redraw(lambda name, language: _draw_choice(maker, name, language), [choice, *talk])
    _follow(maker, progress, [stop, resume], steps)

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
        return gr.Tabs(selected="ask")

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
    return box, told or render.blank(say("nobody_yet", language)), gr.Button(interactive=bool(cast))


def _follow(maker: Maker, progress: Any, buttons: Sequence[Any], steps: Sequence[Any]) -> None:
    """What is under way and what is done follows the disk, in every open page."""
    told = gr.State(("", ""))
    timer = gr.Timer(_PACE)
    outputs = [maker.version, told, progress, *buttons, *steps]

    def tick(name: str, before: tuple[str, str], request: gr.Request) -> Any:
        if not maker.access.owns(request):
            return [gr.skip()] * len(outputs)
        return look(maker, name, before, spoken(request))

    timer.tick(tick, [maker.world, told], outputs, queue=False, **QUIET)
    maker.world.change(tick, [maker.world, told], outputs, queue=False, **QUIET)


def look(maker: Maker, name: str, before: tuple[str, str], language: Language) -> list[Any]:
    """The version of a world; and, where they changed, its job, the buttons for it, the steps."""
    version = maker.version_of(name)
    seen = runs.watch(maker.library.worlds / name) if name else None
    html = render.progress(seen, language)
    now = (f"{version}{language}{seen and seen.stage}", html)
    if now == before:
        return [gr.skip()] * (5 + len(PATH))
    running = bool(seen and seen.running)
    buttons = [
        gr.Button(visible=running),
        gr.Button(visible=bool(seen and seen.state in ("stopped", "killed", "failed"))),
    ]
    steps: list[Any] = [gr.skip()] * len(PATH)
    if now[0] != before[0]:
        steps = [_step(maker, name, one, seen, language) for one in PATH]
    return [version, now, html, *buttons, *steps]


def _step(maker: Maker, name: str, step: str, seen: Any, language: Language) -> Any:
    done = maker.library.done(name) if name else frozenset()
    at_work = seen is not None and seen.running and _STEP_OF.get(seen.stage) == step
    mark = "… " if at_work else "✓ " if step in done else ""
    reachable = step not in _NEEDS or _NEEDS[step] in done
    return gr.Step(label=f"{mark}{say(f'step_{step}', language)}", interactive=reachable)
