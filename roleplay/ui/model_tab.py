"""The tab for the model: which one talks, the memory it needs, where it runs; or one at an address.

A key that is typed here stays in the memory of this program and is written nowhere.
"""

from typing import Any

import gradio as gr

from roleplay.backends import remote
from roleplay.messages import Language
from roleplay.models import bundled, loading, memory
from roleplay.stages.character import Choice
from roleplay.ui import make_render as render
from roleplay.ui.make_common import QUIET, Maker, spoken
from roleplay.ui.make_head import adapters_of
from roleplay.ui.strings import label, say

_BITS = ((0, "bits_full"), (8, "bits_8"), (4, "bits_4"))


def create_model_tab(maker: Maker) -> None:
    """Lay out the tab and name its events."""
    state = gr.HTML(elem_id="model-state")
    with gr.Row():
        with gr.Column(min_width=300):
            gr.Markdown(label("model_here"), elem_classes="rp-title")
            about = {"label": label("model"), "info": label("model_info")}
            model = gr.Textbox(bundled.NAME, max_lines=1, elem_id="model-name", **about)
            adapter = gr.Dropdown([], label=label("adapter"), elem_id="model-adapter")
            choices = [(label(key), bit) for bit, key in _BITS]
            about = {"label": label("bits"), "info": label("bits_info")}
            bits = gr.Radio(choices, value=0, elem_id="model-bits", **about)
            with gr.Row(elem_classes="rp-form"):
                look = gr.Button(label("model_look"), elem_id="model-look", min_width=100)
                load = gr.Button(
                    label("model_load"), variant="primary", elem_id="model-load", min_width=100
                )
                unload = gr.Button(label("model_unload"), elem_id="model-unload", min_width=100)
            need = gr.HTML(elem_id="model-need")
        with gr.Column(min_width=300):
            gr.Markdown(label("model_remote"), elem_classes="rp-title")
            about = {"label": label("endpoint"), "placeholder": "http://localhost:8000/v1"}
            address = gr.Textbox("", max_lines=1, elem_id="remote-address", **about)
            about = {"label": label("endpoint_model"), "placeholder": "qwen3-8b"}
            name = gr.Textbox("", max_lines=1, elem_id="remote-model", **about)
            about = {"label": label("key"), "info": label("key_info"), "type": "password"}
            key = gr.Textbox("", max_lines=1, elem_id="remote-key", **about)
            use = gr.Button(label("remote_use"), variant="primary", elem_id="remote-use")
            gr.Markdown(label("remote_about"), elem_classes="rp-about")

    world, guard = maker.world, maker.guarded

    def draw(chosen: str, language: Language, kept: str | None) -> tuple[Any, ...]:
        choices = adapters_of(maker, talking(maker, chosen), language)
        value = kept if kept in [one for _, one in choices] else ""
        return state_of(maker, language), gr.Dropdown(choices=choices, value=value)

    @guard
    def on_look(request: gr.Request, wanted: str, bits: int) -> str:
        return needs(wanted.strip() or bundled.NAME, bits, spoken(request))

    @guard
    def on_load(request: gr.Request, chosen: str, wanted: str, adapter: str, bits: Any) -> None:
        choice = Choice(wanted.strip() or bundled.NAME, adapter or "", bits)
        maker.open(talking(maker, chosen), choice)

    @guard
    def on_unload(request: gr.Request) -> str:
        maker.page.engine.unload()
        return state_of(maker, spoken(request))

    @guard
    def on_use(request: gr.Request, chosen: str, address: str, wanted: str, key: str) -> None:
        if key.strip():
            remote.use_key(address, key)
        remote.RemoteBackend(address, wanted)  # what is wrong with the form is told at once
        maker.open(talking(maker, chosen), Choice(wanted.strip(), endpoint=address.strip()))

    maker.redraw(draw, [state, adapter], [adapter])
    look.click(on_look, [model, bits], [need], **QUIET)
    load.click(on_load, [world, model, adapter, bits], None, **QUIET)
    unload.click(on_unload, None, [state], **QUIET)
    use.click(on_use, [world, address, name, key], None, **QUIET)


def talking(maker: Maker, chosen: str) -> str:
    """The world to load a model for: the one that is open, else the one that is worked on."""
    loaded = maker.page.engine.loaded()
    name = loaded.world.name if loaded else chosen
    return name if name in maker.library.names() else chosen


def state_of(maker: Maker, language: Language) -> str:
    """What is loaded, and what this machine has."""
    loaded, device = maker.page.engine.loaded(), loading.device()
    free = memory.available_bytes(device) / 1e9
    told = say("machine", language, device=device.type.upper(), free=f"{free:.1f}")
    if loaded is None:
        return render.note(say("empty", language), "rp-strong") + render.note(told)
    named = say("model_now", language, name=loaded.agent.backend.name)
    return render.note(named, "rp-strong") + render.note(told)


def needs(name: str, bits: int, language: Language) -> str:
    """The memory that a model needs, and whether it fits.

    Raises:
        ModelError: no such model.
    """
    need, free = loading.memory_of(name, quantization_bit=bits)
    key = "model_fits" if need <= free else "model_too_large"
    values = {"name": name, "need": f"{need / 1e9:.1f}", "free": f"{free / 1e9:.1f}"}
    return render.note(say(key, language, **values), "" if need <= free else "rp-wrong")
