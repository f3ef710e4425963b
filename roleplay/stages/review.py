"""Lines whose speaker is unknown or doubtful; a person's answer is kept forever.

    run(Settings(world=Path("worlds/mine")), show)                       # list them
    run(Settings(world=Path("worlds/mine"), answer=("17", "铜婆")), show)  # line 17 is hers

       闻筝：椅子挪半步。
    17 unknown？ 娃儿哟，老话也有小时候嘛。    (no two agree: rules nobody, model 铜婆, again 闻筝)
       【闻筝哼了一声】

The answers stand in speakers.person.jsonl of the world; distilling applies them in every run.
Nothing here changes script.jsonl.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from roleplay.distill import corrections
from roleplay.distill.corrections import DOUBTFUL, FILE
from roleplay.errors import ScriptError, UsageError
from roleplay.messages import Message, message
from roleplay.options import WorldOptions, option
from roleplay.records import Line
from roleplay.script import format_line
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.world import World

_AROUND = 3


@dataclass(frozen=True)
class Settings(WorldOptions):
    """The options of the stage."""

    answer: tuple[str, ...] = option((), "N NAME: the speaker of line N", "N 名字：第 N 行是谁说的")
    interactive: bool = option(False, "ask line by line; q: stop", "逐行询问；q：停下")
    below: float = option(DOUBTFUL, "list less certain ones", "列出把握低于此的", least=0, most=1)
    limit: int | None = option(None, "list at most so many", "最多列出几行", least=0)

    def problems(self) -> Iterator[Message]:
        """An answer that is no number and name."""
        if len(self.answer) not in (0, 2):
            yield message("review.answer")


def run(
    settings: Settings, listener: Listener = silent, ask: Callable[[], str | None] | None = None
) -> list[int]:
    """The numbers of the doubtful lines, from 1; with ``answer``, of the one that was answered.

    Args:
        ask: gives the name for the line that was just told; empty for the next, None to stop.

    Raises:
        WorldError: there is no script.
        ScriptError: no such line, or one without a speaker.
    """
    say = Teller("review", listener)
    world = World.load(settings.world)
    known = corrections.read_corrections(world.path / FILE)
    lines = corrections.apply_corrections(world.read_script(), known)
    if settings.answer:
        number, name = settings.answer
        answer(world, lines, number, name, say)
        return [int(number)]
    if settings.interactive and ask is None:
        raise UsageError("review.nobody-asks")
    found = [i + 1 for i in corrections.doubtful(lines, settings.below)]
    for place in found[: settings.limit]:
        say.say("plain", text=scene(lines, place - 1))
        if settings.interactive and ask:
            if (given := ask()) is None:
                return found
            if given.strip():
                answer(world, lines, str(place), given, say)
    say.say("review.count", doubtful=len(found), lines=len(lines))
    return found


def answer(world: World, lines: Sequence[Line], number: str, name: str, say: Teller) -> None:
    """Keep who speaks a line; an alias becomes the name of its character, others stay.

    Raises:
        ScriptError: no such line, or narration.
    """
    if not number.isdecimal() or not 1 <= int(number) <= len(lines):
        raise ScriptError("review.no-line", number=number, last=len(lines))
    line = lines[int(number) - 1]
    if line.kind == "info":
        raise ScriptError("review.narration", number=number)
    cast = [(person.name, (person.name, *person.aliases)) for person in world.info.characters]
    known = {form: own for own, forms in cast for form in forms}
    speaker = known.get(name.strip(), name.strip())
    corrections.add_correction(world.path / FILE, line, speaker)
    say.say("review.kept", line=f"{speaker}：{line.text[:40]}", path=world.path / FILE)


def scene(lines: Sequence[Line], i: int) -> str:
    """The line with its number and doubt, between the lines around it."""
    line, first = lines[i], max(0, i - _AROUND)
    rows = [f"      {format_line(one)}" for one in lines[first : i + _AROUND + 1]]
    why = line.reason or f"confidence {line.confidence}"
    rows[i - first] = f"{i + 1:>5} {line.char}？ {line.text}    ({why})"
    return "\n".join([*rows, ""])
