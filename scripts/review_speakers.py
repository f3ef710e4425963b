"""Lines whose speaker is unknown or doubtful, each with its scene; a person's answer is kept forever.

    python scripts/review_speakers.py --world worlds/mine                  # list them
    python scripts/review_speakers.py --world worlds/mine --answer 17 铜婆  # line 17 is hers
    python scripts/review_speakers.py --world worlds/mine --interactive    # one after another; empty: next, q: stop

       闻筝：椅子挪半步。
    17 unknown？ 娃儿哟，老话也有小时候嘛。    (no two agree: rules nobody, model 铜婆, asked again 闻筝)
       【闻筝哼了一声】

The answers stand in worlds/NAME/speakers.person.jsonl; distill_dialogues.py applies them in every run. This script
never changes script.jsonl.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from roleplay.distill.answers import DOUBTFUL, FILE, add_answer, apply_answers, doubtful, read_answers
from roleplay.errors import ScriptError
from roleplay.records import Line
from roleplay.script import format_line
from roleplay.world import World
from scripts import _common

_AROUND = 3


def main(argv: Sequence[str] | None = None) -> int:
    """List doubtful lines or take answers; 0 on success, 2 after an error, 130 when stopped."""
    args = _parser().parse_args(argv)
    return _common.run(lambda: _review(args), debug=args.debug)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Look at the lines whose speaker is unknown or doubtful.")
    parser.add_argument("--world", type=Path, required=True, help="folder of the novel")
    parser.add_argument("--answer", nargs=2, metavar=("N", "NAME"), help="the speaker of line N")
    parser.add_argument("--interactive", action="store_true", help="ask for each line on standard input")
    parser.add_argument("--below", type=float, default=DOUBTFUL, help="confidence (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="list at most so many")
    _common.add_debug(parser)
    return parser


def _review(args: argparse.Namespace) -> None:
    world = World.load(args.world)
    path = args.world / FILE
    lines = apply_answers(world.read_script(), read_answers(path))
    if args.answer:
        _answer(world, path, lines, *args.answer)
        return
    found = doubtful(lines, args.below)
    for i in found[: args.limit]:
        print(_scene(lines, i))
        if args.interactive and not _ask(world, path, lines, i):
            return
    print(f"{len(found)} of {len(lines)} lines are doubtful")


def _ask(world: World, path: Path, lines: Sequence[Line], i: int) -> bool:
    """Take one answer; False to stop."""
    print("name: ", end="", flush=True)
    answer = sys.stdin.readline()
    if not answer or answer.strip() == "q":
        return False
    if answer.strip():
        _answer(world, path, lines, str(i + 1), answer.strip())
    return True


def _answer(world: World, path: Path, lines: Sequence[Line], number: str, name: str) -> None:
    if not number.isdecimal() or not 1 <= int(number) <= len(lines):
        raise ScriptError(f"no line {number}: the script has lines 1 to {len(lines)}")
    line = lines[int(number) - 1]
    if line.kind == "info":
        raise ScriptError(f"line {number} is narration and has no speaker: give the number of a line that is listed")
    speaker = _name(world, name)
    add_answer(path, line, speaker)
    print(f"{speaker}：{line.text[:40]} -> {path}; run distill_dialogues.py again to apply it")


def _name(world: World, name: str) -> str:
    """The one name of a character whose alias was given; another name is taken as it is."""
    known = {form: person.name for person in world.info.characters for form in (person.name, *person.aliases)}
    return known.get(name.strip(), name.strip())


def _scene(lines: Sequence[Line], i: int) -> str:
    rows = []
    for at in range(max(0, i - _AROUND), min(len(lines), i + _AROUND + 1)):
        line = lines[at]
        if at == i:
            why = line.reason or f"confidence {line.confidence}"
            rows.append(f"{at + 1:>5} {line.char}？ {line.text}    ({why})")
        else:
            rows.append(f"      {format_line(line)}")
    return "\n".join([*rows, ""])


if __name__ == "__main__":
    sys.exit(main())
