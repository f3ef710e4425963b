"""Train an adapter (a P-Tuning v2 prefix, or LoRA) on a world's passages, or for ChatGLM on its prompt/response rows.

    python scripts/train_roleplaying.py --world worlds/chuiyan [--adapter prefix|lora] [--pre_seq_len 64]
    python scripts/train_roleplaying.py --world worlds/chuiyan --model chatglm-6b-int4-qe --pre_seq_len 128

    accelerate launch --multi_gpu --num_processes 2 scripts/train_roleplaying.py --world worlds/chuiyan

The result is a folder under ``checkpoints/``: the adapter of the best held-out loss, that of the last step under ``last/``,
``adapter.json``, and for a person ``README.md``, ``curves.png``, ``samples.md``. Stop it with Ctrl-C and start it again with
the same arguments: it goes on from its last saved step. Several processes share each step's rows; the curve is that of one.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from roleplay import files
from roleplay.adapters.checkpoint import AdapterInfo, BaseModelInfo, check_original, public_name, save_adapter
from roleplay.dataset import protection
from roleplay.models import causal, embedded
from roleplay.training import parallel
from roleplay.training.data import TokenRow
from roleplay.training.families import CausalFamily, Family, family_of
from roleplay.training.folder import copy_data_report, write_readme
from roleplay.training.recording import Watch
from roleplay.training.reporting import REPORTERS
from roleplay.training.settings import TrainSettings
from roleplay.training.trainer import check_resume, train
from roleplay.world import World
from scripts import _common

_HELP = {
    "adapter": "prefix (P-Tuning v2) or lora (default: prefix for ChatGLM or where --pre_seq_len is given, else lora)",
    "pre_seq_len": "length of the prefix",
    "prefix_projection": "ChatGLM: compute the prefix through two linear layers",
    "learning_rate": "0 takes the adapter's own: 3e-2 for a prefix (ChatGLM: 2e-2), 1e-3 for LoRA",
    "patience": "end after so many evaluations without a better held-out loss (default: 0, never)",
    "keep_weight": "on general rows: weight of the divergence from the bare model (default: 1, 0: none)",
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
    args.given = sys.argv[1:] if argv is None else argv
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
    parser.add_argument("--samples", type=int, default=4, help="replies at each evaluation, 0 for none (default: 4)")
    parser.add_argument(
        "--general_rows",
        type=int,
        default=40,
        help="ordinary texts for the loss before and after (default: 40, 0: none)",
    )
    parser.add_argument("--report_to", choices=REPORTERS, default="none", help="also write the figures there")
    for field in fields(TrainSettings):
        kind = {"action": "store_true"} if field.type == "bool" else {"type": type(field.default)}
        text = _HELP.get(field.name, f"default: {field.default}")
        parser.add_argument(f"--{field.name}", default=argparse.SUPPRESS, help=text, **kind)
    _common.add_debug(parser)
    return parser


def _train(args: argparse.Namespace) -> None:
    parallel.begin()
    run = _plan(args)
    if parallel.is_first():
        check_resume(run.folder, run.begun_with, restart=args.restart)
        copy_data_report(run.data, run.folder)
        print(run.describe(), flush=True)
    parallel.wait()
    model = causal.load_causal(args.model, dtype=run.family.dtype(), quantization_bit=run.settings.quantization_bit)
    info = run.info(BaseModelInfo.of(model, public_name(args.model)))
    last: dict[str, Any] = {}

    def keep_last(adapted: Any, result: dict[str, Any]) -> None:
        last.update({"last_loss": result["test_loss"]})
        save_adapter(adapted, run.folder / "last", info.model_copy(update={"result": result}))

    watch = Watch(samples=args.samples, general=run.rows["general"], report_to=args.report_to)
    train_rows, test_rows = run.rows["train"], run.rows["test"]
    adapted, result = train(
        model, run.tokenizer, train_rows, test_rows, run.settings, folder=run.folder, watch=watch, on_last=keep_last
    )
    if parallel.is_first():
        info = info.model_copy(update={"result": result | last})
        save_adapter(adapted, run.folder, info, original=args.original_format)
        write_readme(run.folder, info, data=run.data, command=_command(args))
        _tell(result, args, run.folder)
    parallel.wait()


@dataclass(frozen=True)
class _Run:
    """All that is known before the model is loaded."""

    world: World
    data: Path
    folder: Path
    tokenizer: Any
    family: Family
    settings: TrainSettings
    rows: dict[str, list[TokenRow]]
    begun_with: dict[str, Any]

    def info(self, base: BaseModelInfo) -> AdapterInfo:
        """``adapter.json`` without results."""
        prepared = prepared_with(self.data)
        return AdapterInfo(
            kind=self.settings.adapter,
            base=base,
            pre_seq_len=self.settings.prefix_length,
            world=self.world.name,
            characters=tuple(prepared.get("characters", self.world.names)),
            mode=prepared.get("mode", "many"),
            settings=asdict(self.settings),
        )

    def describe(self) -> str:
        """One line."""
        learnt = {part: sum(row.learnt for row in rows) for part, rows in self.rows.items()}
        general = sum(row.general for row in self.rows["train"])
        return (
            f"{len(self.rows['train'])} {self.family.noun}, {learnt['train']:,} tokens to learn, {general} of them general; "
            f"{len(self.rows['test'])} held out ({learnt['test']:,}); {self.settings.adapter}, learning rate "
            f"{self.settings.learning_rate:g}"
        )


def _plan(args: argparse.Namespace) -> _Run:
    world = World.load(args.world)
    tokenizer = causal.load_tokenizer(args.model)
    family = family_of(tokenizer)
    given = {field.name: getattr(args, field.name) for field in fields(TrainSettings) if hasattr(args, field.name)}
    settings = family.settings(given)
    check_original(args.original_format, causal.is_prefix_lm(tokenizer) and settings.adapter == "prefix")
    data = args.data_dir or world.path
    found = {part: family.read(world.file(family.file.format(part), data)) for part in ("train", "test")}
    texts = [record.model_dump_json() for part in found.values() for record in part]
    begun_with = {"model": public_name(args.model), "data": files.digest(*texts)[:16], **asdict(settings)}
    rows = {part: family.encode(tokenizer, records, settings) for part, records in found.items()}
    general = _general(family)[: max(args.general_rows, 0)]
    rows["general"] = family.encode(tokenizer, general, settings) if general else []
    folder = args.output_dir or Path("checkpoints") / f"{world.name}-{Path(args.model).name}-{settings.adapter}"
    return _Run(world, data, folder, tokenizer, family, settings, rows, begun_with)


def _general(family: Family) -> list[Any]:
    """Ordinary text that is never trained on, in the form that the family reads."""
    if family.file == CausalFamily.file:
        return list(protection.general_test())
    return list(protection.general_examples(protection.items("general_test")))


def _command(args: argparse.Namespace) -> str:
    """The command that was given, for the run's README."""
    return shlex.join(["python", "scripts/train_roleplaying.py", *args.given])


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
