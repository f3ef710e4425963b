"""The app: talk to the characters of a world in the browser.

    python app.py [--world worlds/chuiyan] [--model gemma3-270m] [--checkpoint checkpoints/...] [--port 7860]
    MODEL=<folder or hub id of a ChatGLM-6B> CHECKPOINT=<folder of a prefix, ours or the original's> python app.py

Every flag may be given as an environment variable of the same name in capitals. The page is up in seconds; the model loads
behind it. Runs as it is on a Hugging Face Space.
"""

from __future__ import annotations

import argparse
import math
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from kb.errors import KnowledgeBaseError
from roleplay.adapters.checkpoint import AdapterInfo, check_checkpoint, public_name, read_info
from roleplay.dialogue import Player
from roleplay.errors import AdapterError, RoleplayError, WorldError
from roleplay.models import embedded
from roleplay.ui.engine import Engine, Tell
from roleplay.world import World

ROOT = Path(__file__).resolve().parent
NO_CHECKPOINT = "none"

_QUESTIONS = ("你是谁？", "你最爱吃什么？", "你好笨啊", "我喜欢你")


def main(argv: list[str] | None = None) -> int:
    """Serve the page until Ctrl-C; 0, or 2 after an error that the user can mend."""
    args = _parser().parse_args(argv)
    try:
        world = World.load(args.world)
        checkpoint = choose_checkpoint(args.checkpoint, world, args.model)
        _check_port(args.host, args.port)
        serve(world, partial(load_player, world, args.model, checkpoint, quantization_bit=args.quantization_bit), args)
    except (RoleplayError, KnowledgeBaseError) as error:
        if args.debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    env = os.environ
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--world", type=Path, default=Path(env.get("WORLD") or ROOT / "worlds" / "chuiyan"))
    parser.add_argument("--model", default=env.get("MODEL") or embedded.NAME, help="name, folder or hub id")
    parser.add_argument(
        "--checkpoint",
        default=env.get("CHECKPOINT") or None,
        help=f"adapter folder, ours or the original ChatGLM script's; '{NO_CHECKPOINT}' for the bare model "
        "(default: the one for this world and model)",
    )
    parser.add_argument(
        "--quantization_bit",
        type=int,
        choices=(0, 4, 8),
        default=env.get("QUANTIZATION_BIT") or 0,
        help="4 or 8 quantizes a ChatGLM stored in full while it is loaded",
    )
    parser.add_argument("--host", default=env.get("HOST") or env.get("GRADIO_SERVER_NAME") or "127.0.0.1")
    parser.add_argument("--port", type=int, default=env.get("PORT") or env.get("GRADIO_SERVER_PORT") or 7860)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def choose_checkpoint(wanted: str | None, world: World, model: str) -> Path | None:
    """The adapter to load: the one named, else the world's best for this model (held-out loss), else none.

    Raises:
        AdapterError: what is named is no checkpoint, neither ours nor of the original ChatGLM script.
    """
    if wanted == NO_CHECKPOINT:
        return None
    if wanted:
        check_checkpoint(Path(wanted))
        return Path(wanted)
    fitting = []
    for path in sorted((ROOT / "checkpoints").glob("*/adapter.json")):
        try:
            info = read_info(path.parent)
        except AdapterError as error:
            print(f"passed over: {error}", file=sys.stderr)
            continue
        if info.world == world.name and info.base.name == public_name(model):
            fitting.append((info.result.get("test_loss", math.inf), path.parent))
    return min(fitting)[1] if fitting else None


def load_player(world: World, model: str, checkpoint: Path | None, tell: Tell, *, quantization_bit: int = 0) -> Player:
    """The model with its adapter and the world's background, ready to answer."""
    from roleplay.backends.local import LocalBackend
    from scripts._background import world_lookup

    backend = LocalBackend.load(model, checkpoint, quantization_bit=quantization_bit, on_progress=tell)
    backend.name = f"{backend.name} + {checkpoint.name}" if checkpoint else f"{backend.name}"
    tell("opening the knowledge base")
    lookup = world_lookup(world.path)
    if lookup:
        lookup(world.names[0], 1)  # loads the embedder now, not at the first question
    return Player(backend, characters=world.names, lookup=lookup, profiles=trained_profiles(world, backend.adapter))


def trained_profiles(world: World, adapter: AdapterInfo | None) -> dict[str, str]:
    """The characters' profiles, by name, if the adapter was trained with them in its prompts; else none."""
    if adapter is None or adapter.mode != "profile":
        return {}
    return {person.name: person.profile for person in world.info.characters if person.profile}


def serve(world: World, load: Callable[[Tell], Player], args: argparse.Namespace) -> None:
    """Show the page at once and load the model behind it."""
    if not world.names:
        raise WorldError(f"{world.path / 'world.json'} names no characters: add them, or distil the novel first")
    engine = Engine(load)
    from roleplay.ui.common import Page
    from roleplay.ui.layout import create_app, launch_options

    page = Page(engine, tuple(world.names), _examples(world), _opening(world), _chapters(world))
    app = create_app(page, title=f"《{world.info.title}》")
    app.queue(default_concurrency_limit=4)
    app.launch(server_name=args.host, server_port=args.port, prevent_thread_lock=True, quiet=True, **launch_options())
    print(f"open http://{args.host}:{args.port}", flush=True)
    engine.start()
    app.block_thread()


def _examples(world: World) -> tuple[str, ...]:
    """A few questions to click on: the seed's own, which fit any character, and two about the first one's world."""
    own = world.read_questions() if (world.path / "questions.jsonl").exists() else []
    return (*_QUESTIONS, *[row.question for row in own if row.character == world.names[0]][:2])


def _opening(world: World) -> str:
    """The first lines of the story as an example scene."""
    from roleplay.script import format_script

    return format_script(world.read_script()[:8]) if (world.path / "script.jsonl").exists() else ""


def _chapters(world: World) -> tuple[tuple[str, int], ...]:
    """Titles and numbers of the chapters that snippets of the knowledge base belong to, where there are any."""
    from kb.errors import KnowledgeBaseError
    from kb.index import read_meta
    from scripts._plot import read_plot

    try:
        chapters = read_meta(world.path / "kb").chapters
    except KnowledgeBaseError:
        return ()  # there is none, or the engine, which opens it as well, says what is wrong with it
    plot = read_plot(world.path) if chapters else None
    return tuple((plot.title(number), number) for number in chapters) if plot else ()


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise RoleplayError(
                f"cannot listen on {host}:{port} ({error}): stop the program that does, or choose another PORT"
            ) from error


if __name__ == "__main__":
    raise SystemExit(main())
