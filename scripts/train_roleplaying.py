"""Train an adapter (a P-Tuning v2 prefix, or LoRA) on a world's passages, or for ChatGLM on its prompt/response rows.

    python scripts/train_roleplaying.py --world worlds/chuiyan [--adapter prefix|lora] [--pre_seq_len 64]
    python scripts/train_roleplaying.py --world worlds/chuiyan --model chatglm-6b-int4-qe --pre_seq_len 128

The result is a folder under ``checkpoints/``: the adapter's weights, ``adapter.json``, ``metrics.jsonl``, ``curves.png``.
Stop it with Ctrl-C and start it again with the same arguments: it goes on from its last saved step.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from roleplay import files
from roleplay.adapters.checkpoint import AdapterInfo, BaseModelInfo, check_original, public_name, save_adapter
from roleplay.models import causal, embedded
from roleplay.training.families import family_of
from roleplay.training.settings import TrainSettings
from roleplay.training.trainer import check_resume, train
from roleplay.world import World
from scripts import _common

_HELP = {
    "adapter": "prefix (P-Tuning v2) or lora (default: prefix for ChatGLM or where --pre_seq_len is given, else lora)",
    "pre_seq_len": "length of the prefix",
    "prefix_projection": "ChatGLM: compute the prefix through two linear layers",
    "learning_rate": "0 takes the adapter's own: 3e-2 for a prefix (ChatGLM: 2e-2), 1e-3 for LoRA",
    "max_steps": "above 0: so many steps, whatever the epochs",
    "batch": "rows a step",
    "max_tokens": "the longest passage; older tokens are cut (all but ChatGLM)",
    "max_source_length": "ChatGLM: the longest prompt; older tokens are cut",
    "max_target_length": "ChatGLM: the longest answer; its end is cut",
    "quantization_bit": "ChatGLM stored in full: 4 or 8 quantizes it while it is loaded",
}


def main(argv: list[str] | None = None) -> int:
    """Run the stage; 0 on success."""
    args = _parser().parse_args(argv)
    return _common.run(lambda: _train(args), debug=args.debug)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--world", type=Path, required=True)
    _common.add_model(parser)
    parser.add_argument("--data_dir", type=Path, help="where the prepared data is (default: the world's folder)")
    parser.add_argument("--output_dir", type=Path, help="default: checkpoints/<world>-<model>-<adapter>")
    parser.add_argument("--restart", action="store_true", help="forget an unfinished run of the same folder")
    parser.add_argument(
        "--original_format", action="store_true", help="also write pytorch_model.bin for the original ChatGLM script"
    )
    for field in fields(TrainSettings):
        kind = {"action": "store_true"} if field.type == "bool" else {"type": type(field.default)}
        text = _HELP.get(field.name, f"default: {field.default}")
        parser.add_argument(f"--{field.name}", default=argparse.SUPPRESS, help=text, **kind)
    _common.add_debug(parser)
    return parser


def _train(args: argparse.Namespace) -> None:
    world = World.load(args.world)
    tokenizer = causal.load_tokenizer(args.model)
    family = family_of(tokenizer)
    given = {field.name: getattr(args, field.name) for field in fields(TrainSettings) if hasattr(args, field.name)}
    settings = family.settings(given)
    check_original(args.original_format, causal.is_prefix_lm(tokenizer) and settings.adapter == "prefix")
    data = args.data_dir or world.path
    found = {part: family.read(data / family.file.format(part)) for part in ("train", "test")}
    prepared = prepared_with(data)
    folder = args.output_dir or Path("checkpoints") / f"{world.name}-{Path(args.model).name}-{settings.adapter}"
    texts = [record.model_dump_json() for part in found.values() for record in part]
    begun_with = {"model": public_name(args.model), "data": files.digest(*texts)[:16], **asdict(settings)}
    check_resume(folder, begun_with, restart=args.restart)
    rows = {part: family.encode(tokenizer, records, settings) for part, records in found.items()}
    learnt = {part: sum(row.learnt for row in part_rows) for part, part_rows in rows.items()}
    print(
        f"{len(rows['train'])} {family.noun}, {learnt['train']:,} tokens to learn; {len(rows['test'])} held out "
        f"({learnt['test']:,}); {settings.adapter}, learning rate {settings.learning_rate:g}",
        flush=True,
    )
    model = causal.load_causal(args.model, dtype=family.dtype(), quantization_bit=settings.quantization_bit)
    base = BaseModelInfo.of(model, public_name(args.model))
    adapted, result = train(model, tokenizer, rows["train"], rows["test"], settings, folder=folder)
    info = AdapterInfo(
        kind=settings.adapter,
        base=base,
        pre_seq_len=settings.prefix_length,
        world=world.name,
        characters=tuple(prepared.get("characters", world.names)),
        mode=prepared.get("mode", "many"),
        settings=asdict(settings),
        result=result,
    )
    save_adapter(adapted, folder, info, original=args.original_format)
    _tell(result, args, folder)


def prepared_with(data: Path) -> dict[str, Any]:
    """The settings of the dataset stage, from its report; empty where there is none."""
    report = data / "report" / "dataset.json"
    settings: dict[str, Any] = files.read_json(report)["settings"] if report.exists() else {}
    return settings


def _tell(result: dict[str, float], args: argparse.Namespace, folder: Path) -> None:
    """What was reached, and the next command."""
    gain = 1 - result["test_loss"] / result["bare_loss"]
    print(f"held-out loss {result['bare_loss']:.3f} -> {result['test_loss']:.3f} nats a token ({gain:.1%} less)")
    model = "" if args.model == embedded.NAME else f"--model {args.model} "
    bits = f"--quantization_bit {args.quantization_bit} " if getattr(args, "quantization_bit", 0) else ""
    print(f"next: python scripts/test_dialogue.py --world {args.world} {model}{bits}--checkpoint {folder}")


if __name__ == "__main__":
    raise SystemExit(main())
