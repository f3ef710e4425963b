"""Who speaks, found again: by rules, or by a model at an endpoint, whose price is told first.

A key that is typed here goes to the job's environment and stands in no file; the field forgets it
when the page is closed.
"""

from typing import Any

import gradio as gr

from roleplay.messages import Language
from roleplay.stages import distill, jobs
from roleplay.stages.backend import Backend
from roleplay.ui.make_common import QUIET, Maker, spoken
from roleplay.ui.strings import label


def create_labelling(maker: Maker) -> None:
    """Lay out the fold and name its events."""
    with gr.Accordion(label("label_again"), open=False, elem_id="labelling"):
        rules = gr.Button(label("label_rules"), elem_id="labelling-rules")
        gr.Markdown(label("label_about"), elem_classes="rp-about")
        about = {"label": label("endpoint"), "placeholder": label("endpoint_hint")}
        address = gr.Textbox("", max_lines=1, elem_id="labelling-address", **about)
        about = {"label": label("endpoint_model"), "placeholder": "gpt-4o-mini"}
        model = gr.Textbox("", max_lines=1, elem_id="labelling-model", **about)
        about = {"label": label("key"), "info": label("key_info"), "type": "password"}
        key = gr.Textbox("", max_lines=1, elem_id="labelling-key", **about)
        about = {"label": label("most_cost"), "info": label("most_cost_info")}
        most = gr.Number(value=None, minimum=0, elem_id="labelling-most", **about)
        with gr.Row(elem_classes="rp-form"):
            guess = gr.Button(label("estimate"), elem_id="labelling-estimate")
            ask = gr.Button(label("label_ask"), variant="primary", elem_id="labelling-ask")

    guard = maker.guarded

    def begin(name: str, language: Language, backend: Backend, key: str = "") -> str:
        settings = distill.Settings(world=maker.path(name), backend=backend)
        secrets: dict[str, str] = {"ROLEPLAY_LANGUAGE": language}
        secrets |= {"OPENAI_API_KEY": key.strip()} if key and key.strip() else {}
        jobs.start("distill", settings, secrets)
        return maker.version_of(name)

    @guard
    def on_rules(name: str, request: gr.Request) -> str:
        return begin(name, spoken(request), Backend())

    @guard
    def on_estimate(request: gr.Request, name: str, *given: Any) -> str:
        return begin(name, spoken(request), endpoint_of(*given, dry_run=True), given[2])

    @guard
    def on_ask(request: gr.Request, name: str, *given: Any) -> str:
        return begin(name, spoken(request), endpoint_of(*given, dry_run=False), given[2])

    inputs = [maker.world, address, model, key, most]
    rules.click(on_rules, [maker.world], [maker.version], **QUIET)
    guess.click(on_estimate, inputs, [maker.version], **QUIET)
    ask.click(on_ask, inputs, [maker.version], **QUIET)


def endpoint_of(
    address: str, model: str, key: str, most: float | None, *, dry_run: bool
) -> Backend:
    """The settings of the fields; ``key`` is not among them.

    Raises:
        UsageError: no model, or an address that is none.
    """
    more: dict[str, Any] = {"max_cost": most, "dry_run": dry_run}
    return Backend(backend=address.strip() or "openai", model=model.strip(), **more)
