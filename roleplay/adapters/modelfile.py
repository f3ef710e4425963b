"""The Modelfile with which Ollama plays one character of a merged GGUF.

    modelfile("wenzheng.gguf", "闻筝", profile="修雨匠", opening="")

    FROM ./wenzheng.gguf
    TEMPLATE \"\"\"{{ if .System }}{{ .System }}
    {{ end }}{{ range .Messages }}...闻筝：\"\"\"
    PARAMETER stop "\\n"

What a person writes becomes a question line of the prompts (:mod:`roleplay.prompts`), what the
model answered the character's own line; the system message, if any, stands first.
"""

from roleplay.prompts import ASKER, profile_segment
from roleplay.script import format_cue

_PARAMETERS = {"stop": '"\\n"', "temperature": "0.8", "top_p": "0.9", "num_ctx": "4096"}


def modelfile(weights: str, character: str, *, profile: str = "", opening: str = "") -> str:
    """The text of the file.

    Args:
        weights: the GGUF's name; it lies in the same folder.
        profile: who the character is, where its prompts begin with that.
        opening: what stands before every prompt (:func:`roleplay.models.chat_template.opening`).
    """
    cue = format_cue(character)
    lines = (
        f'{{{{ if eq .Role "user" }}}}{ASKER}：{{{{ .Content }}}}\n'
        f'{{{{ else if eq .Role "assistant" }}}}{cue}{{{{ .Content }}}}\n{{{{ end }}}}'
    )
    system = "{{ if .System }}{{ .System }}\n{{ end }}"
    template = f"{opening}{system}{{{{ range .Messages }}}}{lines}{{{{ end }}}}{cue}"
    rows = [f"FROM ./{weights}", f'TEMPLATE """{template}"""']
    if known := profile_segment(character, profile).strip():
        rows.append(f'SYSTEM """{known}"""')
    rows += [f"PARAMETER {name} {value}" for name, value in _PARAMETERS.items()]
    return "\n".join(rows) + "\n"
