"""The page as a server: up at once, the model loads behind it.

serve(Settings(world=Path("worlds/chuiyan"), port=7860))     # until Ctrl-C
"""

from dataclasses import dataclass

from roleplay import proxies
from roleplay.messages import text
from roleplay.options import option
from roleplay.serving import server
from roleplay.serving.server import PORTS, check_port, mount
from roleplay.stages.character import check_cast, choose_checkpoint, introduce
from roleplay.stages.engine import Engine
from roleplay.world import World


@dataclass(frozen=True)
class Settings(server.Settings):
    """The options of the app; each may be an environment variable of the same name in capitals."""

    port: int = option(7860, "port to listen on", "监听的端口", environment="PORT", **PORTS)


def serve(settings: Settings) -> None:
    """Show the page and load the model behind it.

    Raises:
        WorldError, AdapterError: what cannot be shown is told before anything starts.
        UsageError: the address is taken.
    """
    world = check_cast(World.load(settings.world))
    choose_checkpoint(settings.choice.checkpoint, world, settings.choice.model)
    check_port(settings.host, settings.port)
    proxies.mend(settings.host)  # Gradio asks its own address whether the page is up
    from roleplay.ui.layout import create_app, launch_options

    engine = Engine(lambda told: print(text("ui.log", text=told), flush=True))
    app = create_app(engine, title=f"《{world.info.title}》", world=introduce(world))
    app.queue(default_concurrency_limit=4)
    address = {"server_name": settings.host, "server_port": settings.port}
    launched = app.launch(prevent_thread_lock=True, quiet=True, **address, **launch_options())
    print(text("ui.open", address=f"http://{settings.host}:{settings.port}"), flush=True)
    mount(launched[0], engine, settings)
    engine.load(settings.world, settings.choice)
    app.block_thread()
