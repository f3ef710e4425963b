"""The page's texts in the reader's language: labels by the browser's, the rest by the request's.

label("character")              # the browser shows 角色 or Character
say("line", "en", number=3)     # for HTML that callbacks make
"""

from functools import cache
from typing import Any

import gradio as gr

from roleplay import messages
from roleplay.messages import Language

_PREFIX = "ui."


def label(key: str) -> Any:
    """A label that the browser translates; for components' labels, values and placeholders."""
    return translations()(key)


def say(key: str, language: Language, **values: object) -> str:
    """A text of the page in one language, with its slots filled."""
    return messages.text(f"{_PREFIX}{key}", language, **values)


def language(request: gr.Request | None) -> Language:
    """The language of the browser that asks; Chinese where nothing is said."""
    return messages.language_of(request.headers.get("accept-language", "") if request else "")


@cache
def translations() -> Any:
    """What ``launch(i18n=...)`` takes."""
    chinese, english = (
        {key[len(_PREFIX) :]: text for key, text in known.items() if key.startswith(_PREFIX)}
        for known in map(messages.catalogue, messages.LANGUAGES)
    )
    return gr.I18n(en=english, **dict.fromkeys(("zh", "zh-CN", "zh-TW", "zh-HK"), chinese))
