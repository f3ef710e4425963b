"""Put a character's model to the test: loss on held-out chapters, role choice, identity, facts, and what was forgotten.

    python scripts/evaluate.py --world worlds/chuiyan --checkpoint checkpoints/chuiyan-gemma3-270m-lora
    python scripts/evaluate.py --world worlds/chuiyan --checkpoint none --output bare.json     # the bare model

Prints a Markdown table; ``--output`` keeps every answer beside it, to be read. Questions are answered greedily, with
background from the world's knowledge base and without. Nothing is judged by another model. Causal models only.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app import NO_CHECKPOINT, choose_checkpoint, trained_profiles
from roleplay import files
from roleplay.adapters.checkpoint import load_adapter, public_name
from roleplay.backends.local import LocalBackend
from roleplay.dataset import flavour, protection
from roleplay.dialogue import Player
from roleplay.errors import ModelError
from roleplay.evaluation.measures import Amount, Found, Material, measure, summary
from roleplay.models import causal
from roleplay.records import Passage, Question
from roleplay.training.data import encode_passages, read_passages
from roleplay.training.steps import mean_loss
from roleplay.world import World
from scripts import _common
from scripts._background import world_lookup
from scripts.prepare_seq2seq_training import chapter_lines

COLUMNS = {
    "loss": "held-out loss",
    "general_loss": "loss on general text",
    "role": "role choice",
    "identity": "identity",
    "facts": "facts with background",
    "facts_without": "facts without",
    "remarks": "remarks answered",
    "form": "well-formed",
    "distinct_2": "distinct-2",
    "interjections": "bare interjections",
    "flavour": "GPT flavour",
}
"""Field of a result -> heading of its column."""

_LOSSES = ("loss", "general_loss", "distinct_2")


def main(argv: list[str] | None = None) -> int:
    """Run the stage; 0 on success."""
    args = _parser().parse_args(argv)
    return _common.run(lambda: _evaluate(args), debug=args.debug)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--world", type=Path, required=True)
    _common.add_model(parser)
    parser.add_argument("--checkpoint", help=f"adapter folder, or '{NO_CHECKPOINT}' (default: the world's)")
    parser.add_argument("--data_dir", type=Path, help="folder of test.passages.jsonl (default: the world's)")
    parser.add_argument("--characters", nargs="+", help="who is measured (default: those with questions, else all)")
    parser.add_argument("--no_test_loss", action="store_true", help="leave the loss on held-out chapters out")
    parser.add_argument("--output", type=Path, help="write a JSON file with all figures and answers")
    for field in fields(Amount):
        parser.add_argument(f"--{field.name}", type=int, default=field.default)
    _common.add_debug(parser)
    return parser


def _evaluate(args: argparse.Namespace) -> None:
    world = World.load(args.world)
    tokenizer = causal.load_tokenizer(args.model)
    if causal.is_prefix_lm(tokenizer):
        raise ModelError(f"{args.model} is a ChatGLM; this script reads likelihoods of causal models: choose another")
    held_out = read_passages(world.file("test.passages.jsonl", args.data_dir))
    material = _material(world, held_out)
    names = [world.character(name).name for name in args.characters or _asked(material)]
    checkpoint = choose_checkpoint(args.checkpoint, world, args.model)
    begun = time.perf_counter()
    model, info = causal.load_causal(args.model), None
    if checkpoint:
        model, info = load_adapter(model, checkpoint, name=public_name(args.model))
    passages = {} if args.no_test_loss else {"loss": held_out}
    passages["general_loss"] = protection.general_test()
    losses = {
        name: mean_loss(model, encode_passages(tokenizer, part, max_tokens=1024)) for name, part in passages.items()
    }
    backend = LocalBackend(model, tokenizer, name=public_name(args.model), adapter=info)
    causal.use_few_rows_linear(backend.model)
    material = replace(material, profiles=trained_profiles(world, info))
    player = Player(
        backend, characters=world.names, lookup=world_lookup(world.path), profiles=material.profiles or None
    )
    amount = Amount(**{field.name: getattr(args, field.name) for field in fields(Amount)})
    found = measure(player, material, names, amount)
    result = {"all": losses | summary(found, names, material)}
    result |= {name: summary(found, [name], material) for name in names}
    print(table({"all": result["all"]} if len(names) == 1 else result))
    print(f"novel's own share of bare interjections: {interjection_share(world, names):.1%}")
    if args.output:
        _write(args, checkpoint, result, found, {"seconds": time.perf_counter() - begun, "amount": asdict(amount)})


def _asked(material: Material) -> list[str]:
    """The characters that questions are put to, in the order of the cast."""
    asked = {row.character for row in material.questions}
    return [name for name in material.aliases if name in asked] or list(material.aliases)


def _material(world: World, held_out: Sequence[Passage]) -> Material:
    held = {passage.chapter for passage in held_out}
    chapters = [lines for chapter, lines in chapter_lines(world).items() if chapter in held]
    learnt = flavour.learn(world.read_interviews(), [line.text for line in world.read_script() if line.kind == "say"])
    return Material(
        chapters=chapters,
        aliases={person.name: (person.name, *person.aliases) for person in world.info.characters},
        identity=protection.identity_probes(),
        unknown=protection.unknown_probes(),
        remarks=protection.remarks(),
        questions=_questions(world),
        is_flavoured=learnt.is_flavoured,
    )


def _questions(world: World) -> list[Question]:
    """Those that the wiki answers; none where the world has no questions."""
    if not (world.path / "questions.jsonl").exists():
        return []
    return [row for row in world.read_questions() if row.source == "wiki"]


def interjection_share(world: World, names: Sequence[str]) -> float:
    """The share of bare interjections among the lines that these characters say in the novel."""
    from roleplay.evaluation.measures import is_interjection

    said = [line.text for line in world.read_script() if line.kind == "say" and line.char in names]
    return sum(map(is_interjection, said)) / max(len(said), 1)


def table(result: dict[str, dict[str, float | None]]) -> str:
    """A Markdown table, one row a character."""
    kept = [name for name in COLUMNS if any(row.get(name) is not None for row in result.values())]
    lines = [f"| | {' | '.join(COLUMNS[name] for name in kept)} |", "|---" * (len(kept) + 1) + "|"]
    lines += [
        f"| {title} | {' | '.join(cell(name, row.get(name)) for name in kept)} |" for title, row in result.items()
    ]
    return "\n".join(lines)


def cell(name: str, value: float | None) -> str:
    """A figure as a table shows it."""
    if value is None:
        return "-"
    return f"{value:.3f}" if name in _LOSSES else f"{value:.1%}"


def _write(
    args: argparse.Namespace,
    checkpoint: Path | None,
    result: dict[str, Any],
    found: dict[str, Found],
    more: dict[str, Any],
) -> None:
    made_by = {"model": public_name(args.model), "checkpoint": checkpoint.name if checkpoint else None} | more
    kept = {name: {"answers": part.answers, "replies": part.replies} for name, part in found.items()}
    files.write_json(args.output, made_by | {"figures": result, "read": kept})


if __name__ == "__main__":
    raise SystemExit(main())
