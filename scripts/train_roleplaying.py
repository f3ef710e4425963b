"""Train an adapter (a P-Tuning v2 prefix, or LoRA) on a world's passages.

    python scripts/train_roleplaying.py --world worlds/chuiyan [--adapter prefix|lora] [--pre_seq_len 64]

The result is a folder under ``checkpoints/``: ``adapter_model.safetensors``, ``adapter.json``, ``metrics.jsonl``,
``curves.png``. Stop it with Ctrl-C and start it again with the same arguments: it goes on from its last saved step.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from roleplay import files
from roleplay.adapters.checkpoint import AdapterInfo, BaseModelInfo, public_name, save_adapter
from roleplay.models import causal, embedded
from roleplay.training.data import encode_passages, read_passages
from roleplay.training.settings import TrainSettings
from roleplay.training.trainer import check_resume, train
from roleplay.world import World
from scripts import _common

_HELP = {
    "adapter": "prefix (P-Tuning v2) or lora",
    "pre_seq_len": "length of the prefix",
    "learning_rate": "0 takes the adapter's own: 3e-2 for a prefix, 1e-3 for LoRA",
    "max_steps": "above 0: so many steps, whatever the epochs",
    "batch": "passages a step",
    "max_tokens": "the longest passage; older tokens are cut",
}


def main(argv: list[str] | None = None) -> int:
    """Run the stage; 0 on success."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--model", default=embedded.NAME, help="name, folder or hub id (default: %(default)s)")
    parser.add_argument("--output_dir", type=Path, help="default: checkpoints/<world>-<model>-<adapter>")
    parser.add_argument("--restart", action="store_true", help="forget an unfinished run of the same folder")
    for field in fields(TrainSettings):
        parser.add_argument(
            f"--{field.name}", type=type(field.default), default=field.default, help=_HELP.get(field.name)
        )
    _common.add_debug(parser)
    args = parser.parse_args(argv)
    return _common.run(lambda: _train(args), debug=args.debug)


def _train(args: argparse.Namespace) -> None:
    world = World.load(args.world)
    settings = TrainSettings(**{field.name: getattr(args, field.name) for field in fields(TrainSettings)})
    passages = {part: read_passages(world.file(f"{part}.passages.jsonl")) for part in ("train", "test")}
    folder = args.output_dir or Path("checkpoints") / f"{world.name}-{Path(args.model).name}-{settings.adapter}"
    texts = [passage.model_dump_json() for part in passages.values() for passage in part]
    begun_with = {"model": public_name(args.model), "data": files.digest(*texts)[:16], **asdict(settings)}
    check_resume(folder, begun_with, restart=args.restart)
    tokenizer = causal.load_tokenizer(args.model)
    rows = {part: encode_passages(tokenizer, found, max_tokens=settings.max_tokens) for part, found in passages.items()}
    learnt = {part: sum(row.learnt for row in found) for part, found in rows.items()}
    print(
        f"{len(rows['train'])} passages, {learnt['train']:,} tokens to learn; {len(rows['test'])} held out "
        f"({learnt['test']:,}); {settings.adapter}, learning rate {settings.learning_rate:g}",
        flush=True,
    )
    model = causal.load_causal(args.model, dtype=causal.training_dtype())
    base = BaseModelInfo.of(model, public_name(args.model))
    peft_model, result = train(model, tokenizer, rows["train"], rows["test"], settings, folder=folder)
    info = AdapterInfo(
        kind=settings.adapter,
        base=base,
        pre_seq_len=settings.prefix_length,
        world=world.name,
        characters=tuple(world.names),
        settings=asdict(settings),
        result=result,
    )
    save_adapter(peft_model, folder, info)
    gain = 1 - result["test_loss"] / result["bare_loss"]
    print(f"held-out loss {result['bare_loss']:.3f} -> {result['test_loss']:.3f} nats a token ({gain:.1%} less)")
    print(f"next: python scripts/test_dialogue.py --world {world.path} --checkpoint {folder}")


if __name__ == "__main__":
    raise SystemExit(main())
