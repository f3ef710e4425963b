"""The one small tree of errors that a user can cause and mend.

Each message is one line that gives the rule, the value and the next step; scripts and the app print the message
alone and keep the traceback for ``--debug``.

    raise WorldError("no novel.txt or novel.epub in worlds/mine: put the novel there under one of these names")
"""


class RoleplayError(Exception):
    """Anything that the user can mend; its text is one readable line."""


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
    """A training run cannot go on: a loss that is no number, a state that cannot be saved, processes that do not divide."""


class ModelError(RoleplayError):
    """A model is unknown, unreachable or broken."""


class AdapterError(RoleplayError):
    """A checkpoint does not belong to the model, or is not a checkpoint."""


class SamplingError(RoleplayError):
    """A sampling setting outside its range."""


class DialogueError(RoleplayError):
    """A move that the session cannot make: unknown character, nothing to undo, a broken save file."""
