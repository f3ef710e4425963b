"""The page as a server: up at once, the model loads behind it.

serve(Settings(world=Path("worlds/chuiyan"), port=7860))     # until Ctrl-C
"""

import socket
from dataclasses import dataclass
from pathlib import Path

from roleplay import proxies
from roleplay.errors import UsageError, reason
from roleplay.messages import text
from roleplay.options import Options, group, option
from roleplay.stages import lent_gpu
from roleplay.stages.character import ROOT, Choice, check_cast, choose_checkpoint, introduce
from roleplay.stages.engine import Engine
from roleplay.world import World

_EXAMPLE = ROOT / "worlds" / "chuiyan"
_PORTS = {"least": 1, "most": 65535}


@dataclass(frozen=True)
class Settings(Options):
    """The options of the app; each may be an environment variable of the same name in capitals."""

    world: Path = option(_EXAMPLE, "folder of the world", "世界的文件夹", environment="WORLD")
    choice: Choice = group(Choice)
    host: str = option("127.0.0.1", "address to listen on", "监听的地址", environment="HOST")
    port: int = option(7860, "port to listen on", "监听的端口", environment="PORT", **_PORTS)


def serve(settings: Settings) -> None:
    """Show the page and load the model behind it.

    Raises:
        WorldError, AdapterError: what cannot be shown is told before anything starts.
        UsageError: the address is taken.
    """
    world = check_cast(World.load(settings.world))
    choose_checkpoint(settings.choice.checkpoint, world, settings.choice.model)
    _check_port(settings.host, settings.port)
    proxies.mend(settings.host)  # Gradio asks its own address whether the page is up
    from roleplay.ui.layout import create_app, launch_options

    # On a Space the model is there before the page: ZeroGPU packs it away when the page starts.
    kind = lent_gpu.LentEngine if lent_gpu.on_space() else Engine
    engine = kind(lambda told: print(text("ui.log", text=told), flush=True))
    if lent_gpu.on_space():
        engine.load_here(settings.world, settings.choice)
    app = create_app(engine, title=f"《{world.info.title}》", world=introduce(world))
    app.queue(default_concurrency_limit=4)
    address = {"server_name": settings.host, "server_port": settings.port}
    app.launch(prevent_thread_lock=True, quiet=True, **address, **launch_options())
    print(text("ui.open", address=f"http://{settings.host}:{settings.port}"), flush=True)
    if not lent_gpu.on_space():
        engine.load(settings.world, settings.choice)
    app.block_thread()


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise UsageError("ui.port", host=host, port=port, reason=reason(error)) from error
