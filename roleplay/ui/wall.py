"""The people of a world introduce themselves: portrait, a line, a greeting, first questions.

A click on somebody is an event with ``data-do`` meet and ``data-who``; on a question, ask as well.
"""

from collections.abc import Iterable
from html import escape

from roleplay.messages import Language
from roleplay.stages.cast import Person
from roleplay.ui import render
from roleplay.ui.portraits import Faces, hue
from roleplay.ui.strings import say


def wall(people: Iterable[Person], faces: Faces, language: Language) -> str:
    """A card for everybody."""
    cards = "".join(_card(person, faces, language) for person in people)
    return f'<div class="rp-wall">{cards}</div>'


def _card(person: Person, faces: Faces, language: Language) -> str:
    name = escape(person.name)
    greeting = (
        f'<p class="rp-greeting">{render.body(person.name, person.greeting, language)}</p>'
        if person.greeting
        else ""
    )
    profile = f'<p class="rp-profile">{escape(person.profile)}</p>' if person.profile else ""
    expression = render.expression_of(person.name, person.greeting) or "微笑"
    told = escape(say("meet", language, name=person.name))
    return (
        f'<section class="rp-person" style="--hue:{hue(person.name)}">'
        f'<button class="rp-meet" data-do="meet" data-who="{name}" title="{told}">'
        f'{faces.of(person.name, expression)}<span class="rp-person-name">{name}</span>'
        f"{profile}{greeting}</button>{questions(person)}</section>"
    )


def questions(person: Person) -> str:
    """What one may begin with, to be clicked."""
    name = escape(person.name)
    rows = "".join(
        f'<li><button data-do="ask" data-who="{name}" data-text="{escape(text)}">'
        f"{escape(text)}</button></li>"
        for text in person.questions
    )
    return f'<ul class="rp-questions">{rows}</ul>' if rows else ""


def head(person: Person, faces: Faces, expression: str | None) -> str:
    """Who one talks to."""
    return (
        f'<div class="rp-with">{faces.of(person.name, expression)}<div><b>{escape(person.name)}</b>'
        f"<span>{escape(person.profile)}</span></div></div>"
    )
