"""An option is declared once, as a field of a settings class; its flag and help come from that.

    @dataclass(frozen=True)
    class Settings(Options):
        world: Path = required("folder of the novel", "小说的文件夹")
        seed: int = option(7, "of every choice", "一切随机选择的种子")

    parser = argparse.ArgumentParser()
    add_options(parser, Settings)                        # --world WORLD, --seed 7
    settings = read_options(Settings, parser.parse_args())
    arguments(settings)             # ["--world", "worlds/mine"]: what differs from the defaults

A field made by :func:`group` holds another settings dataclass, whose options stand beside the
others. One made by :func:`given` holds, by name, only those that were given: their defaults depend
on something known later.
"""

import argparse
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from roleplay.errors import UsageError
from roleplay.messages import Language, Message, message, spoken

T = TypeVar("T")


@dataclass(frozen=True)
class Option:
    """What is declared of an option beside its name, type and default.

    ``least`` and ``most`` bound a number, ``old`` are names it had before, ``environment`` the
    variable that gives its default. ``required`` options have no default.
    """

    en: str
    zh: str
    least: float | None = None
    most: float | None = None
    above: float | None = None
    old: tuple[str, ...] = ()
    required: bool = False
    positional: bool = False
    environment: str = ""


@dataclass(frozen=True)
class Declared:
    """One option of a settings class; ``kind`` is the type of a value, of which are ``many``."""

    name: str
    kind: type
    default: Any
    option: Option
    many: bool = False
    choices: tuple[Any, ...] = ()
    given: bool = False

    @property
    def flag(self) -> str:
        """``--like-this``."""
        return f"--{self.name.replace('_', '-')}"

    def help(self, language: Language | None = None) -> str:
        """The help text with the default."""
        chinese = (language or spoken()) == "zh"
        told = self.option.zh if chinese else self.option.en
        if self.kind is not bool and self.default not in (None, "", ()):
            shown = " ".join(map(str, self.default)) if self.many else self.default
            told += f"（默认 {shown}）" if chinese else f" (default: {shown})"
        return told.replace("%", "%%")  # argparse fills %-slots of its own


def option(default: Any, en: str, zh: str, **more: Any) -> Any:
    """A field with its option; ``more`` as :class:`Option`. Several values are a tuple."""
    return field(default=default, metadata={"option": Option(en, zh, **more)})


def required(en: str, zh: str, **more: Any) -> Any:
    """A field without a default."""
    return field(metadata={"option": Option(en, zh, required=True, **more)})


def group(kind: type[T]) -> T:
    """A field that holds another settings class, with its defaults."""
    made: T = field(default_factory=kind, metadata={"group": kind})
    return made


def given(kind: type) -> Any:
    """A field for those options of another settings class that were given: name -> value."""
    return field(default_factory=dict, metadata={"given": kind})


def declared(kind: type) -> Iterator[Declared]:
    """The options of a settings class, those of its groups among them, in order."""
    hints = get_type_hints(kind)
    for item in fields(kind):
        if inner := item.metadata.get("group"):
            yield from declared(inner)
        elif inner := item.metadata.get("given"):
            # Whatever stands there was given: no value of it is a default.
            yield from (replace(one, given=True) for one in declared(inner))
        elif "option" in item.metadata:
            default = None if item.default is MISSING else item.default
            more = {"default": default, "option": item.metadata["option"]}
            yield Declared(item.name, **more, **_type(hints[item.name]))


def _type(hint: Any) -> dict[str, Any]:
    """The type of a single value, whether there are several, and the known values."""
    if get_origin(hint) in (Union, UnionType):
        return _type(next(part for part in get_args(hint) if part is not NoneType))
    if get_origin(hint) is tuple:
        return _type(get_args(hint)[0]) | {"many": True}
    if get_origin(hint) is Literal:
        return {"kind": type(get_args(hint)[0]), "choices": get_args(hint)}
    return {"kind": hint}


@dataclass(frozen=True)
class Options:
    """Base of settings classes: values out of range are refused when one is made, all at once.

    Raises:
        UsageError: a number out of its bounds, an unknown choice, or ``problems`` finds something.
    """

    def __post_init__(self) -> None:
        if wrong := [*_problems(self), *self.problems()]:
            raise UsageError("options.wrong", problems=wrong)

    def problems(self) -> Iterable[Message]:
        """What else is wrong with the values together."""
        return ()


@dataclass(frozen=True)
class WorldOptions(Options):
    """Base of the settings of a stage that works on a world."""

    world: Path = required("folder of the novel", "小说的文件夹")


@dataclass(frozen=True, kw_only=True)
class DataOptions(WorldOptions):
    """Base of the settings of a stage that makes or reads training data."""

    data_dir: Path | None = option(
        None, "folder of the training data (default: the world)", "训练数据的文件夹（默认：世界）"
    )


def _problems(settings: Any) -> Iterator[Message]:
    own = {item.name for item in fields(settings)}
    # Those of a group are checked by the group, and what was given by whoever makes the class.
    for item in (item for item in declared(type(settings)) if item.name in own):
        value = getattr(settings, item.name)
        for one in value if item.many else [value]:
            if one is not None and (found := _problem(item, one)):
                yield found


def _problem(item: Declared, value: Any) -> Message | None:
    bounds, shown = item.option, {"flag": item.flag, "value": value}
    if item.choices and value not in item.choices:
        return message("options.choice", known=" ".join(map(str, item.choices)), **shown)
    # Negated, for a number that is none (nan) is in no bounds.
    if bounds.least is not None and not value >= bounds.least:
        return message("options.least", bound=bounds.least, **shown)
    if bounds.above is not None and not value > bounds.above:
        return message("options.above", bound=bounds.above, **shown)
    if bounds.most is not None and not value <= bounds.most:
        return message("options.most", bound=bounds.most, **shown)
    return None


def add_options(parser: argparse.ArgumentParser, kind: type) -> None:
    """Add the options of a settings class as flags; what is not given stands in no namespace."""
    for item in declared(kind):
        more: dict[str, Any] = {"help": item.help(), "default": argparse.SUPPRESS}
        names = [item.flag, *(f"--{old.replace('_', '-')}" for old in item.option.old)]
        if item.option.positional:
            names = [item.name]
        else:
            more |= {"dest": item.name, "required": item.option.required}
        if item.kind is bool:
            more["action"] = argparse.BooleanOptionalAction if item.default else "store_true"
        else:
            plain = item.choices or item.option.positional
            more |= {"metavar": None if plain else item.kind.__name__.upper()}
            more |= {"type": item.kind, "choices": item.choices or None}
            more |= {"nargs": "+"} if item.many else {}
        parser.add_argument(*names, **more)


def read_options(kind: type[T], namespace: argparse.Namespace | Mapping[str, Any]) -> T:
    """The settings of parsed flags, or of values by name.

    Raises:
        UsageError: as :class:`Options`, or a variable of the environment holds no such value.
    """
    values = namespace if isinstance(namespace, Mapping) else vars(namespace)
    found: dict[str, Any] = {}
    for item in fields(kind):  # type: ignore[arg-type]
        if inner := item.metadata.get("group"):
            found[item.name] = read_options(inner, values)
        elif inner := item.metadata.get("given"):
            names = [one.name for one in declared(inner)]
            found[item.name] = {name: values[name] for name in names if name in values}
        elif item.name in values:
            value = values[item.name]
            found[item.name] = tuple(value) if isinstance(value, list) else value
        elif (known := item.metadata.get("option")) and (text := os.environ.get(known.environment)):
            try:
                found[item.name] = _type(get_type_hints(kind)[item.name])["kind"](text)
            except ValueError as error:
                raise UsageError("options.variable", name=known.environment, value=text) from error
    return kind(**found)


def arguments(settings: Any) -> list[str]:
    """The flags of all that was given or is no default: they make these settings again."""
    flags: list[str] = []
    values = dict(_values(settings))
    for item in declared(type(settings)):
        always = item.given or item.option.required
        if item.name in values and (always or values[item.name] != item.default):
            flags += _flags(item, values[item.name])
    return flags


def _values(settings: Any) -> Iterator[tuple[str, Any]]:
    for item in fields(settings):
        value = getattr(settings, item.name)
        if "group" in item.metadata:
            yield from _values(value)
        elif "given" in item.metadata:
            yield from value.items()
        else:
            yield item.name, value


def _flags(item: Declared, value: Any) -> Sequence[str]:
    if item.kind is bool:
        return [item.flag if value else f"--no-{item.flag[2:]}"]
    shown = [str(part) for part in value] if item.many else [str(value)]
    return shown if item.option.positional else [item.flag, *shown]
