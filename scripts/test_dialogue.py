"""Ask characters questions and let them act, from the command line; the samples as Markdown.

    python scripts/test_dialogue.py --world worlds/chuiyan --characters 闻筝 陆迟 --questions 你是谁？ 你好笨啊 --samples 3
    python scripts/test_dialogue.py --world worlds/chuiyan --characters 闻筝 --scene scene.txt --output samples.md

Every question is put to every character, with background from the world's knowledge base unless ``--no-background``. A file
given as ``@questions.txt`` holds one question a line. ``--scene`` reads script text and lets each character act next. A
ChatGLM's ``--checkpoint`` may also be a folder of its original script. MODEL and CHECKPOINT may come from the environment.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app import NO_CHECKPOINT, choose_checkpoint, load_player
from roleplay import files
from roleplay.dialogue import Player, Session, last_reply
from roleplay.errors import DialogueError
from roleplay.sampling import SamplingParams, check_samples
from roleplay.world import World
from scripts import _common

_QUESTIONS = ("你是谁？", "你最爱吃什么？", "你好笨啊", "我喜欢你")


def main(argv: list[str] | None = None) -> int:
    """Run the stage; 0 on success."""
    args = _parser().parse_args(argv)
    return _common.run(lambda: _run(args), debug=args.debug)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], fromfile_prefix_chars="@")
    parser.add_argument("--world", type=Path, required=True)
    _common.add_model(parser)
    parser.add_argument(
        "--checkpoint",
        default=os.environ.get("CHECKPOINT") or None,
        help=f"adapter folder, or '{NO_CHECKPOINT}' (default: $CHECKPOINT, or the world's)",
    )
    parser.add_argument(
        "--quantization_bit", type=int, choices=(0, 4, 8), default=0, help="for a ChatGLM stored in full"
    )
    parser.add_argument("--characters", nargs="+", help="who answers (default: the first of world.json)")
    parser.add_argument("--questions", nargs="+", default=list(_QUESTIONS))
    parser.add_argument("--scene", type=Path, help="a file with script text; the characters act in it")
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--top_p", type=float, default=0.9)
    parser.add_argument("--max_tokens", type=int, default=96)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--no-background", action="store_true")
    parser.add_argument("--output", type=Path, help="write the Markdown here too")
    _common.add_debug(parser)
    return parser


def _run(args: argparse.Namespace) -> None:
    check_samples(args.samples)
    params = SamplingParams.checked(
        temperature=args.temperature, top_p=args.top_p, max_new_tokens=args.max_tokens, seed=args.seed
    )
    world = World.load(args.world)
    names = [world.character(name).name for name in args.characters or world.names[:1]]
    scene = read_scene(args.scene) if args.scene else None
    checkpoint = choose_checkpoint(args.checkpoint, world, args.model)
    player = load_player(
        world,
        args.model,
        checkpoint,
        lambda text: print(text, file=sys.stderr),
        quantization_bit=args.quantization_bit,
    )
    blocks = []
    for block in _samples(player, names, scene, args, params):
        print(block, flush=True)
        blocks.append(block)
    if args.output:
        files.write_text(args.output, "\n".join(blocks))


def _samples(
    player: Player, names: list[str], scene: Session | None, args: argparse.Namespace, params: SamplingParams
) -> Iterator[str]:
    """One Markdown block a question (or scene) and character."""
    background = not args.no_background
    for question in [] if scene else args.questions:
        for name in names:
            stream = player.ask(name, question, n=args.samples, params=params, background=background)
            yield _block(f"问：{question}（{name}）", last_reply(stream).candidates)
    for name in names if scene else []:
        stream = player.act(name, scene or Session(), n=args.samples, params=params, background=background)
        yield _block(f"{(scene or Session()).text}\n\n角色：{name}", last_reply(stream).candidates)


def _block(title: str, candidates: tuple[str, ...]) -> str:
    rows = "\n".join(f"{number}. {text}" for number, text in enumerate(candidates, 1))
    return f"{title}\n\n{rows}\n"


def read_scene(path: Path) -> Session:
    """The scene of a file with script text.

    Raises:
        DialogueError: the file is missing, or a line in it cannot be read (its number is named).
    """
    if not path.is_file():
        raise DialogueError(f"no scene file {path}: write script text into it")
    added = Session().add(path.read_text(encoding="utf-8-sig"))
    if added.problems:
        raise DialogueError(f"{path}: {added.problems[0]}")
    return added.session


if __name__ == "__main__":
    raise SystemExit(main())
