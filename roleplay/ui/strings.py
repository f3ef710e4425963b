"""The page's texts in the reader's language: labels by the browser's, the rest by the request's.

label("character")              # the browser shows 角色 or Character
say("line", "en", number=3)     # for HTML that callbacks make
"""

from functools import cache
from typing import Any

import gradio as gr

from roleplay import messages
from roleplay.messages import Language
from roleplay.records import EXPRESSIONS
from roleplay.ui.portraits import FACES

_PREFIX = "ui."
_FACE = "face_"
_COOKIE = "roleplay_language"
LANGUAGE_SCRIPT = f"""<script>
const rpLanguage = document.cookie.match(/(?:^|; ){_COOKIE}=(zh|en)/)?.[1];
if (rpLanguage) {{
  const spoken = {{zh: "zh-CN", en: "en"}}[rpLanguage];
  Object.defineProperty(navigator, "language", {{get: () => spoken}});
  Object.defineProperty(navigator, "languages", {{get: () => [spoken]}});
}}
function rpSpeak(language) {{
  document.cookie = `{_COOKIE}=${{language}}; path=/; max-age=31536000; SameSite=Lax`;
  location.reload();
}}
// Gradio's own label of a place to drop files is English and not what stands in it.
new MutationObserver(() => {{
  for (const one of document.querySelectorAll(".upload-container[aria-label]"))
    one.removeAttribute("aria-label");
}}).observe(document, {{childList: true, subtree: true}});
</script>"""
"""What the page's head runs before Gradio looks which language the browser speaks."""


def label(key: str) -> Any:
    """A label that the browser translates; for components' labels, values and placeholders."""
    return translations()(key)


def face_label(expression: str) -> Any:
    """An expression with its face, as :func:`label`."""
    return translations()(f"{_FACE}{expression}")


def say_face(expression: str, language: Language) -> str:
    """An expression in one language."""
    return messages.text(f"face.{expression}", language)


def say(key: str, language: Language, **values: object) -> str:
    """A text of the page in one language, with its slots filled."""
    return messages.text(f"{_PREFIX}{key}", language, **values)


def language(request: gr.Request | None) -> Language:
    """The language that was switched to, else that of the browser; Chinese where none is said."""
    if request is None:
        return "zh"
    chosen = (getattr(request, "cookies", None) or {}).get(_COOKIE)
    if chosen in messages.LANGUAGES:
        return messages.language_of(chosen)
    return messages.language_of(request.headers.get("accept-language", ""))


def language_switch(spoken: Language) -> str:
    """A button a language; see :data:`LANGUAGE_SCRIPT`."""
    names: dict[Language, str] = {"zh": "中文", "en": "English"}
    return "".join(
        f'<button lang="{key}" aria-current="{str(key == spoken).lower()}" '
        f"onclick=\"rpSpeak('{key}')\">{name}</button>"
        for key, name in names.items()
    )


@cache
def translations() -> Any:
    """What ``launch(i18n=...)`` takes."""
    chinese, english = map(_texts, messages.LANGUAGES)
    return gr.I18n(en=english, **dict.fromkeys(("zh", "zh-CN", "zh-TW", "zh-HK"), chinese))


def _texts(language: Language) -> dict[str, str]:
    """The page's texts, and the expressions with their faces."""
    known = messages.catalogue(language)
    texts = {key[len(_PREFIX) :]: known[key] for key in known if key.startswith(_PREFIX)}
    return texts | {f"{_FACE}{one}": f"{FACES[one]} {known[f'face.{one}']}" for one in EXPRESSIONS}
