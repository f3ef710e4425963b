"""The cast, folded beside the quotes: names, other names, gender, profile; merge and delete."""

import re
from collections.abc import Sequence
from typing import Any

import gradio as gr

from roleplay.errors import RoleplayError
from roleplay.messages import Language
from roleplay.stages import speakers
from roleplay.ui.make_common import QUIET, Maker
from roleplay.ui.strings import label
from roleplay.world import Character, World


def create_people(maker: Maker) -> None:
    """Lay out the fold and name its events."""
    with gr.Accordion(label("people"), open=False, elem_id="people"):
        who = gr.Dropdown([], label=label("person"), elem_id="people-who")
        name = gr.Textbox("", label=label("name"), max_lines=1, elem_id="people-name")
        about = {"label": label("aliases"), "info": label("aliases_info")}
        aliases = gr.Textbox("", max_lines=2, elem_id="people-aliases", **about)
        genders = [(label("gender_f"), "f"), (label("gender_m"), "m"), (label("gender_none"), "")]
        gender = gr.Radio(genders, value="", label=label("gender"), elem_id="people-gender")
        about = {"label": label("profile"), "info": label("profile_info")}
        profile = gr.Textbox("", lines=2, elem_id="people-profile", **about)
        with gr.Row(elem_classes="rp-form"):
            save = gr.Button(label("person_save"), variant="primary", elem_id="people-save")
            delete = gr.Button(label("person_delete"), elem_id="people-delete")
        with gr.Row(elem_classes="rp-form"):
            about = {"label": label("merge_into"), "elem_id": "people-into"}
            into = gr.Dropdown([], scale=2, min_width=120, **about)
            merge = gr.Button(label("merge"), elem_id="people-merge", min_width=80)

    world, guard = maker.world, maker.guarded
    fields = [name, aliases, gender, profile]

    def draw(known: str, language: Language, person: str | None) -> tuple[Any, ...]:
        names = [one.name for one in cast_of(maker, known)]
        kept = person if person in names else (names[0] if names else None)
        found = fields_of(maker, known, kept)
        # What is being typed stays while the person does.
        typed = [gr.skip()] * len(fields) if kept == person else found
        return gr.Dropdown(choices=names, value=kept), gr.Dropdown(choices=names), *typed

    @guard
    def on_who(known: str, person: str, request: gr.Request) -> Sequence[str]:
        return fields_of(maker, known, person)

    @guard
    def on_save(
        known: str,
        person: str,
        own: str,
        others: str,
        gender: Any,
        profile: str,
        request: gr.Request,
    ) -> Any:
        given = [one for one in re.split(r"[,，、;；\n]", others) if one.strip()]
        more: dict[str, Any] = {"gender": gender or None, "profile": profile}
        path = maker.path(known)
        speakers.change_person(path, person, name=own, aliases=given, **more)
        names = [one.name for one in cast_of(maker, known)]
        return gr.Dropdown(choices=names, value=own.strip()), maker.version_of(known)

    @guard
    def on_delete(known: str, person: str, request: gr.Request) -> str:
        speakers.delete_person(maker.path(known), person)
        return maker.version_of(known)

    @guard
    def on_merge(known: str, person: str, into: str, request: gr.Request) -> str:
        speakers.merge(maker.path(known), person, into)
        return maker.version_of(known)

    maker.redraw(draw, [who, into, *fields], [who])
    who.input(on_who, [world, who], fields, **QUIET)
    save.click(on_save, [world, who, *fields], [who, maker.version], **QUIET)
    delete.click(on_delete, [world, who], [maker.version], **QUIET)
    merge.click(on_merge, [world, who, into], [maker.version], **QUIET)


def cast_of(maker: Maker, world: str) -> tuple[Character, ...]:
    """The people of a world; nobody where it cannot be read."""
    try:
        return World.load(maker.path(world)).info.characters
    except RoleplayError:
        return ()


def fields_of(maker: Maker, world: str, person: str | None) -> tuple[str, str, str, str]:
    """Name, other names, gender and profile of somebody."""
    for one in cast_of(maker, world):
        if one.name == person:
            return one.name, "、".join(one.aliases), one.gender or "", one.profile
    return "", "", "", ""
