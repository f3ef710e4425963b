"""The one small tree of errors that a user can cause and mend.

Each has a message: one line that gives the rule, the value and the next step, in the reader's
language. Scripts and the page show it alone and keep the traceback for ``--debug``.

    raise WorldError("world.no-novel", path=path)
    # no novel.txt or novel.epub in worlds/mine: put the novel there under one of these names
"""

import errno
from typing import Any

from pydantic import ValidationError

from roleplay.messages import Language, Message


class RoleplayError(Exception):
    """Anything that the user can mend; its text is one readable line."""

    def __init__(self, key: str, /, **values: Any) -> None:
        super().__init__(key)
        self.message = Message(key, values)

    def text(self, language: Language | None = None) -> str:
        """The line in a language, by default in that of this process."""
        return " ".join(self.message.text(language).split())

    def __str__(self) -> str:
        return self.text()


class UsageError(RoleplayError):
    """Options that are out of range, or do not fit together."""


class FormError(RoleplayError, ValueError):
    """A text or a record that is not of its form; whoever reads a file says in which line."""


class BusyError(RoleplayError):
    """Another run is at work on the same folder."""


class NovelError(RoleplayError):
    """The novel cannot be read: empty, binary, or in no known encoding."""


class WorldError(RoleplayError):
    """A world folder lacks something, or a file in it is broken."""


class ScriptError(RoleplayError):
    """A script cannot be used as it stands."""


class PromptError(RoleplayError):
    """What must stay in the prompt does not fit the model."""


class DatasetError(RoleplayError):
    """No usable training rows, or a dataset file of another form."""


class TrainingError(RoleplayError):
    """A training run cannot go on: a loss that is no number, a state that cannot be saved, ..."""


class ModelError(RoleplayError):
    """A model is unknown, unreachable or broken."""


class AdapterError(RoleplayError):
    """A checkpoint does not belong to the model, or is not a checkpoint."""


class SamplingError(RoleplayError):
    """A sampling setting outside its range."""


class CardError(RoleplayError):
    """A character card, a lorebook or a chat log that cannot be read or written."""


class DialogueError(RoleplayError):
    """A move that the session cannot make: unknown character, nothing to undo, a broken file."""


_SYSTEM = {
    errno.ENOSPC: "system.full",
    errno.EDQUOT: "system.full",
    errno.EFBIG: "system.too-large",
    errno.EACCES: "system.forbidden",
    errno.EPERM: "system.forbidden",
    errno.EROFS: "system.read-only",
    errno.ENOENT: "system.missing",
    errno.EISDIR: "system.folder",
    errno.ENOTDIR: "system.no-folder",
    errno.EADDRINUSE: "system.port-taken",
}
_NUMBERS = ("int_type", "int_parsing", "int_from_float", "float_type", "float_parsing")
_FORMS = dict.fromkeys(_NUMBERS, "form.number") | {
    "missing": "form.missing",
    "extra_forbidden": "form.extra",
    "literal_error": "form.choice",
    "string_type": "form.text",
    "string_too_short": "form.empty",
    "too_short": "form.empty",
    "model_type": "form.object",
    "dict_type": "form.object",
    "json_invalid": "form.json",
    "greater_than": "form.above",
    "greater_than_equal": "form.least",
    "less_than": "form.below",
    "less_than_equal": "form.most",
}


def reason(error: Exception) -> Message:
    """What a library or the system says, in our own words: its message is never shown as it is."""
    if isinstance(error, RoleplayError):
        return error.message
    if isinstance(error, ValidationError):
        return _form_reason(error)
    if isinstance(error, OSError) and error.errno is not None:
        return Message(_SYSTEM.get(error.errno, "system.other"), {"number": error.errno})
    return Message("system.unnamed", {"kind": type(error).__name__})


def _form_reason(error: ValidationError) -> Message:
    """The first thing that pydantic found wrong, with the place of the field."""
    first = error.errors()[0]
    place, bounds = ".".join(map(str, first["loc"])), first.get("ctx", {})
    own = bounds.get("error")
    if isinstance(own, RoleplayError):
        what = own.message
    else:
        bound = next((bounds[name] for name in ("ge", "gt", "le", "lt") if name in bounds), "")
        values = {"bound": bound, "value": str(first.get("input", ""))[:60]}
        values["known"] = bounds.get("expected", "")
        what = Message(_FORMS.get(first["type"], "form.other"), values)
    return Message("form.at", {"place": place, "what": what}) if place else what
