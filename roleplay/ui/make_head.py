"""Under the page's head: the world, the adapter and the model that talk, exchanged at once."""

from pathlib import Path
from typing import Any

import gradio as gr

from roleplay.messages import Language
from roleplay.models import bundled
from roleplay.stages.character import NO_CHECKPOINT, Choice
from roleplay.ui.make_common import QUIET, Maker
from roleplay.ui.strings import label, say


def create_head(maker: Maker) -> None:
    """Lay out the three choices, folded, and name their events."""
    fold = gr.Accordion(label("switch"), open=False, visible=False, elem_id="switch")
    with fold, gr.Row(elem_classes="rp-form"):
        world = gr.Dropdown([], label=label("world"), elem_id="switch-world", min_width=180)
        adapter = gr.Dropdown([], label=label("adapter"), elem_id="switch-adapter")
        about = {"label": label("model"), "allow_custom_value": True}
        model = gr.Dropdown([bundled.NAME], elem_id="switch-model", **about)

    def draw(name: str, language: Language) -> tuple[Any, ...]:
        return (gr.Accordion(visible=True), *_draw(maker, language))

    @maker.guarded
    def on_world(request: gr.Request, name: str, model: str) -> str:
        maker.open(name, Choice(model or bundled.NAME))
        return name

    @maker.guarded
    def on_other(request: gr.Request, name: str, adapter: str, model: str) -> None:
        maker.open(name, Choice(model.strip() or bundled.NAME, adapter or ""))

    maker.redraw(draw, [fold, world, adapter, model])
    world.input(on_world, [world, model], [maker.world], **QUIET)
    adapter.input(on_other, [world, adapter, model], None, **QUIET)
    model.input(on_other, [world, adapter, model], None, **QUIET)


def _draw(maker: Maker, language: Language) -> tuple[Any, ...]:
    """What may be chosen, and what is loaded."""
    loaded = maker.page.engine.loaded()
    worlds = [(one.title, one.name) for one in maker.library.tiles() if one.characters]
    name = loaded.world.name if loaded else None
    adapters = adapters_of(maker, name or "", language)
    chosen = loaded.choice.checkpoint if loaded else ""
    if chosen and chosen not in [value for _, value in adapters]:
        adapters.append((Path(chosen).name, chosen))
    model = loaded.choice.model if loaded else bundled.NAME
    models = list(dict.fromkeys([bundled.NAME, model]))
    return (
        gr.Dropdown(choices=worlds, value=name if name in [one for _, one in worlds] else None),
        gr.Dropdown(choices=adapters, value=chosen),
        gr.Dropdown(choices=models, value=model),
    )


def adapters_of(maker: Maker, world: str, language: Language) -> list[tuple[str, str]]:
    """The adapters of a world to choose from, as (shown, value of ``Choice.checkpoint``)."""
    found = [(say("adapter_best", language), ""), (say("adapter_none", language), NO_CHECKPOINT)]
    names = maker.library.adapters(world) if world else {}
    return [*found, *((one, str(maker.checkpoints / one)) for one in names)]
