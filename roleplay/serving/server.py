"""The API as a server of its own, or beside the page on the page's.

serve(Settings(world=Path("worlds/chuiyan"), port=8000))     # until Ctrl-C
mount(page, engine, settings)                                # /v1 of the page's application

The key is ROLEPLAY_API_KEY of the environment. Beyond loopback there is no API without one.
"""

import os
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from roleplay.errors import UsageError, reason
from roleplay.messages import text
from roleplay.options import Options, group, option
from roleplay.serving.api import create_api
from roleplay.stages.character import ROOT, Choice, check_cast, choose_checkpoint
from roleplay.stages.engine import Engine
from roleplay.world import World

KEY = "ROLEPLAY_API_KEY"
_EXAMPLE = ROOT / "worlds" / "chuiyan"
PORTS = {"least": 1, "most": 65535}
_PATIENCE = 3  # seconds that open streams have to end after Ctrl-C


@dataclass(frozen=True)
class Settings(Options):
    """The options of the server; some may be environment variables of the same name in capitals."""

    world: Path = option(_EXAMPLE, "folder of the world", "世界的文件夹", environment="WORLD")
    choice: Choice = group(Choice)
    host: str = option("127.0.0.1", "address to listen on", "监听的地址", environment="HOST")
    port: int = option(8000, "port to listen on", "监听的端口", environment="PORT", **PORTS)
    waiting: int = option(
        32, "requests to the API that may wait in line", "API 最多允许排队的请求数", least=0
    )


def serve(settings: Settings) -> None:
    """Answer until Ctrl-C; the model loads meanwhile.

    Raises:
        WorldError, AdapterError: what cannot be served is told before anything starts.
        UsageError: the address is taken, or is open to others while there is no key.
    """
    if is_open(settings.host) and not os.environ.get(KEY):
        raise UsageError("serving.no-key", host=settings.host, name=KEY)
    world = check_cast(World.load(settings.world))
    choose_checkpoint(settings.choice.checkpoint, world, settings.choice.model)
    check_port(settings.host, settings.port)
    engine = Engine(lambda told: print(text("ui.log", text=told), flush=True))
    app = Starlette()
    mount(app, engine, settings)
    engine.load(settings.world, settings.choice)
    address = {"host": settings.host, "port": settings.port}
    quiet = {"log_level": "warning", "timeout_graceful_shutdown": _PATIENCE}
    uvicorn.Server(uvicorn.Config(app, **address, **quiet)).run()  # type: ignore[arg-type]


def mount(app: Starlette, engine: Engine, settings: Settings) -> None:
    """Put the API at ``/v1`` of an application, unless others could use it without a key."""
    key = os.environ.get(KEY, "")
    if is_open(settings.host) and not key:
        print(text("serving.off", name=KEY), flush=True)
        return
    worlds = settings.world.resolve().parent
    app.mount("/v1", create_api(engine, worlds=worlds, key=key, waiting=settings.waiting))
    print(text("serving.on", address=f"http://{settings.host}:{settings.port}/v1"), flush=True)


def is_open(host: str) -> bool:
    """Whether other machines can reach a server that listens there."""
    try:
        return not ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host != "localhost"


def check_port(host: str, port: int) -> None:
    """Raises UsageError: nothing can listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise UsageError("ui.port", host=host, port=port, reason=reason(error)) from error
