"""Write a world's prompt/response rows for another trainer.

    run(Settings(world=Path("worlds/chuiyan"), format="sharegpt", output=Path("out")), show)

``sharegpt`` and ``alpaca`` bring ``dataset_info.json`` (LLaMA-Factory: ``--dataset_dir DIR
--dataset chuiyan_train``); ``ptuning`` is for ChatGLM's own script (``--prompt_column prompt
--response_column response --history_column history``).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from roleplay.dataset.export import export
from roleplay.options import DataOptions, required
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.training.examples import read_examples
from roleplay.world import World


@dataclass(frozen=True)
class Settings(DataOptions):
    """The options of the stage."""

    format: Literal["sharegpt", "messages", "alpaca", "ptuning"] = required("of the rows", "形式")
    output: Path = required("folder to write into", "写到哪个文件夹")


def run(settings: Settings, listener: Listener = silent) -> list[Path]:
    """The files written.

    Raises:
        WorldError, DatasetError: the rows are missing or of another form.
    """
    say = Teller("export", listener)
    world = World.load(settings.world)
    paths = {part: world.file(f"{part}.json", settings.data_dir) for part in ("train", "test")}
    parts = {part: read_examples(path) for part, path in paths.items()}
    written = export(parts, settings.format, settings.output, name=world.name)
    for path in written:
        say.say("export.wrote", path=path)
    return written
