"""The page as a server: up at once, the model loads behind it.

serve(Settings(world=Path("worlds/chuiyan"), port=7860))     # until Ctrl-C
"""

from dataclasses import dataclass
from typing import Any

from roleplay import proxies
from roleplay.messages import text
from roleplay.options import option
from roleplay.serving import server
from roleplay.serving.server import PORTS, check_port, mount
from roleplay.stages import lent_gpu
from roleplay.stages.character import check_cast, checkpoint_of, introduce
from roleplay.stages.engine import Engine
from roleplay.stages.library import Library
from roleplay.world import World


@dataclass(frozen=True)
class Settings(server.Settings):
    """The options of the app; each may be an environment variable of the same name in capitals."""

    port: int = option(7860, "port to listen on", "监听的端口", environment="PORT", **PORTS)
    auth: str = option(
        "",
        "NAME:PASSWORD of the owner, then of others, with blanks between: all must log in",
        "所有者的 名字:密码，后面可以再写别人的，用空格隔开：都要登录",
        environment="AUTH",
    )


def serve(settings: Settings) -> None:
    """Show the page and load the model behind it.

    Raises:
        WorldError, AdapterError: what cannot be shown is told before anything starts.
        UsageError: the address is taken.
    """
    world = check_cast(World.load(settings.world))
    checkpoint_of(settings.choice, world)
    check_port(settings.host, settings.port)
    proxies.mend(settings.host)  # Gradio asks its own address whether the page is up
    from starlette.middleware import Middleware

    from roleplay.ui.access import access_of
    from roleplay.ui.layout import create_app, launch_options
    from roleplay.ui.limits import ClientLimit

    access = access_of(settings.host, settings.auth)
    if access.shared and not access.owner:
        print(text("access.nobody"), flush=True)

    # On a Space the model is there before the page: ZeroGPU packs it away when the page starts.
    kind = lent_gpu.LentEngine if lent_gpu.on_space() else Engine
    engine = kind(lambda told: print(text("ui.log", text=told), flush=True))
    if lent_gpu.on_space():
        engine.load_here(settings.world, settings.choice)
    library = Library(settings.world.resolve().parent)
    shown: dict[str, Any] = {"title": f"《{world.info.title}》", "world": introduce(world)}
    app = create_app(engine, library=library, access=access, **shown)
    app.queue(default_concurrency_limit=16)  # their rows decode as one batch
    address: dict[str, Any] = {"server_name": settings.host, "server_port": settings.port}
    address |= {"auth": list(access.logins) or None, "max_file_size": access.largest_file}
    if access.shared:
        address["app_kwargs"] = {"middleware": [Middleware(ClientLimit)]}
    launched = app.launch(prevent_thread_lock=True, quiet=True, **address, **launch_options())
    print(text("ui.open", address=f"http://{settings.host}:{settings.port}"), flush=True)
    mount(launched[0], engine, settings)
    if not lent_gpu.on_space():
        engine.load(settings.world, settings.choice)
    app.block_thread()
