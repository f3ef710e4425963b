"""Write a world's prompt/response rows for another trainer.

    python scripts/export_dataset.py --world worlds/chuiyan --format sharegpt|messages|alpaca|ptuning --output DIR

``sharegpt`` and ``alpaca`` bring ``dataset_info.json`` (LLaMA-Factory: ``--dataset_dir DIR --dataset chuiyan_train``);
``ptuning`` is for ChatGLM's own script (``--prompt_column prompt --response_column response --history_column history``).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from roleplay import files
from roleplay.dataset.export import FORMATS, export
from roleplay.errors import DatasetError
from roleplay.records import Example
from roleplay.world import World
from scripts import _common


def main(argv: list[str] | None = None) -> int:
    """Run the stage; 0 on success."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--data_dir", type=Path, help="folder of train.json and test.json (default: the world's)")
    parser.add_argument("--format", required=True, help=f"one of {' '.join(FORMATS)}")
    parser.add_argument("--output", type=Path, required=True, help="folder to write into")
    _common.add_debug(parser)
    args = parser.parse_args(argv)
    return _common.run(lambda: _export(args), debug=args.debug)


def _export(args: argparse.Namespace) -> None:
    world = World.load(args.world)
    parts = {part: _rows(world, args.data_dir, f"{part}.json") for part in ("train", "test")}
    for path in export(parts, args.format, args.output, name=world.name):
        print(f"wrote {path}")


def _rows(world: World, folder: Path | None, name: str) -> list[Example]:
    path = world.file(name, folder)
    try:
        return [Example.model_validate(row) for row in files.read_jsonl(path)]
    except ValueError as error:
        raise DatasetError(f"{path} has a row of another form: prepare the data again") from error


if __name__ == "__main__":
    raise SystemExit(main())
