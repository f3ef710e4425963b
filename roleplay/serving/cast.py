"""The models of the API: each character of each world, as ``world/character``.

roles(Path("worlds"))["chuiyan/闻筝"]     # Role(world=.../worlds/chuiyan, character="闻筝", ...)
find(Path("worlds"), "chuiyan/小筝")      # the same: aliases are understood
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roleplay.errors import RoleplayError
from roleplay.messages import message
from roleplay.serving.errors import UnknownModelError
from roleplay.world import World

_INTERNAL = "start"  # what the starting adapter was made from is no story
_SHOWN = 10


@dataclass(frozen=True)
class Role:
    """One who can be asked.

    Attributes:
        world: the folder, resolved.
        names: what the people of the world are called, aliases too -> the name of each.
        created: seconds since 1970, when the world was last changed.
    """

    world: Path
    character: str
    names: Mapping[str, str]
    created: int

    @property
    def model(self) -> str:
        """The name as a model."""
        return f"{self.world.name}/{self.character}"

    def to_json(self) -> dict[str, Any]:
        """OpenAI's model object."""
        about = {"object": "model", "created": self.created, "owned_by": self.world.name}
        return {"id": self.model, **about}


def roles(folder: Path) -> dict[str, Role]:
    """Model name -> role, of every world in the folder that can be read."""
    found: dict[str, Role] = {}
    for source in sorted(folder.glob("*/world.json")):
        if source.parent.name == _INTERNAL:
            continue
        try:
            world = World.load(source.parent.resolve())
        except RoleplayError:
            continue  # a broken world is no reason to hide the others; loading it says what it has
        names = {alias: one.name for one in world.info.characters for alias in one.aliases}
        names |= {name: name for name in world.names}
        created = int(source.stat().st_mtime)
        made = [Role(world.path, name, names, created) for name in world.names]
        found |= {role.model: role for role in made}
    return found


def find(folder: Path, model: str) -> Role:
    """The role of a model's name, or of an alias. Raises UnknownModelError: there is none."""
    known = roles(folder)
    if model in known:
        return known[model]
    for role in known.values():
        world, _, name = model.partition("/")
        if world == role.world.name and role.names.get(name) == role.character:
            return role
    shown = " ".join([*known][:_SHOWN]) or message("serving.nobody", folder=folder)
    raise UnknownModelError("serving.unknown-model", name=model, known=shown).at("model")
