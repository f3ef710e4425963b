"""Prepare training data from a world's script, interviews and knowledge base.

    python scripts/prepare_seq2seq_training.py --world worlds/chuiyan [--mode one|many|profile] [--characters 闻筝 陆迟]

Written into ``--data_dir``: ``train.json`` and ``test.json`` (prompt/response rows, JSON Lines, for ChatGLM),
``train.passages.jsonl`` and ``test.passages.jsonl`` (whole scenes, for causal models), ``report/dataset.{json,md,png}``.
Chapters are held out whole. Lengths are counted by the tokenizer of ``--model``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from roleplay import files
from roleplay.dataset import texts
from roleplay.dataset.build import Part, Source, build, check_mode, profiles_of
from roleplay.dataset.flavour import learn
from roleplay.dataset.report import summarize, write_report
from roleplay.dataset.settings import MODES, PROTECTION_SHARES, DatasetSettings, Materials
from roleplay.models import causal, embedded
from roleplay.prompts import Budget
from roleplay.records import Line
from roleplay.world import World
from scripts import _common
from scripts._background import WorldLookup, world_lookup

_HELP = {
    "background_share": "share of scenes with background",
    "interview_background_share": "share of interviews and protection rows with background",
    "profile_drop": "mode profile: share of prompts without profiles",
    "interview_share": "the most that interviews take of what scenes and interviews teach",
    "interjection_weight": "weight of a line of three letters or fewer",
    "min_confidence": "a speaker less certain than this is no target",
    "identity_share": "share of learnt tokens: who one is",
    "unknown_share": "share of learnt tokens: what one cannot know",
    "reading_share": "share of learnt tokens: to read an answer off the background",
    "talk_share": "share of learnt tokens: replies to what asks for nothing",
    "general_share": "share of learnt tokens: ordinary dialogue, against forgetting",
    "test_share": "share of chapters held out",
    "test_background": "held-out scenes have background too",
    "forms": "rows ask for speech, action or thought (【请发言】), as some of the seed's do",
    "scene_tokens": "longest scene of a passage",
    "snippets": "most snippets for a scene or a question",
    "min_score": "background that fits worse is left out, as in chat",
    "seed": "of every choice",
}


def main(argv: list[str] | None = None) -> int:
    """Run the stage; 0 on success."""
    args = _parser().parse_args(argv)
    return _common.run(lambda: _prepare(args), debug=args.debug)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--data_dir", "--data-dir", type=Path, help="where the data goes (default: the world's folder)")
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="many",
        help="one character, many, or many with profiles in the prompts (default: many)",
    )
    parser.add_argument("--characters", nargs="+", help="whose lines are learnt (default: all of world.json)")
    _common.add_model(parser, "whose tokenizer counts")
    parser.add_argument(
        "--max_source_tokens", "--max-source-tokens", type=int, default=512, help="prompt budget of a row"
    )
    parser.add_argument("--no-interviews", action="store_true", help="do not use interviews")
    parser.add_argument(
        "--flavour", choices=("report", "drop"), default="report", help="interviews that sound generated are ..."
    )
    parser.add_argument(
        "--protection",
        type=float,
        default=1.0,
        help="factor of the identity, unknown, reading, talk and general shares; 0: none",
    )
    for field in fields(DatasetSettings):
        if field.name in _HELP:
            names = dict.fromkeys((f"--{field.name}", f"--{field.name.replace('_', '-')}"))
            kind: dict[str, Any] = {"action": "store_true"} if field.type == "bool" else {"type": type(field.default)}
            text = _HELP[field.name] + ("" if field.type == "bool" else f" (default: {field.default})")
            parser.add_argument(*names, dest=field.name, default=field.default, help=text, **kind)
    _common.add_debug(parser)
    return parser


def _prepare(args: argparse.Namespace) -> None:
    world = World.load(args.world)
    names = [world.character(name).name for name in dict.fromkeys(args.characters or world.names)]
    check_mode(args.mode, names)
    profiles = profiles_of(names, world.info.characters) if args.mode == "profile" else {}
    settings = _settings(args)
    made_by = asdict(settings) | {
        "characters": names,
        "model": args.model,
        "prompt_tokens": args.max_source_tokens,
        "interviews": not args.no_interviews,
    }
    folder: Path = args.data_dir or world.path
    outputs = [folder / f"{part}{end}" for part in ("train", "test") for end in (".passages.jsonl", ".json")]
    inputs = _inputs(world)
    if all(files.is_done(path, settings=made_by, inputs=inputs) for path in outputs):
        print("nothing changed since the last time")
    else:
        tokenizer = causal.load_tokenizer(args.model)
        materials = Materials(
            characters=tuple(names),
            count=lru_cache(maxsize=100_000)(lambda text: causal.count_tokens(tokenizer, text)),
            settings=settings,
            profiles=profiles,
        )
        source = _source(world, interviews=not args.no_interviews)
        budget = Budget(args.max_source_tokens, settings.background_tokens)
        lookup = _lookup(world.path) if settings.has_background else None
        if lookup:
            planned = replace(materials, lookup=lookup)
            lookup.plan(lambda: build(source, planned, budget=budget))
        made = build(source, replace(materials, lookup=lookup), budget=budget)
        answers = [row.answer for row in source.interviews or () if row.character in names]
        _write(folder, made, summarize(made, materials, made_by=made_by, flavour=source.flavour, answers=answers))
        for path in outputs:
            files.write_meta(path, stage="dataset", settings=made_by, inputs=inputs)
    more = "" if args.model == embedded.NAME else f" --model {args.model}"
    more += f" --data_dir {folder}" if args.data_dir else ""
    print(f"next: python scripts/train_roleplaying.py --world {world.path}{more}")


def _source(world: World, *, interviews: bool) -> Source:
    """What the world gives, with what sounds generated in it."""
    chapters = chapter_lines(world)
    asked = world.read_interviews() if interviews else None
    said = [line.text for lines in chapters.values() for line in lines if line.kind == "say"]
    return Source(world.info.characters, chapters, asked, learn(asked or (), said))


def _settings(args: argparse.Namespace) -> DatasetSettings:
    given = {name: getattr(args, name) for name in _HELP}
    for name in PROTECTION_SHARES:
        given[name] *= args.protection
    return DatasetSettings(mode=args.mode, flavour=args.flavour, **given)


def _lookup(world: Path) -> WorldLookup | None:
    found = world_lookup(world)
    print(f"background: {'from ' + str(world / 'kb') if found else 'none'}")
    return found


def _inputs(world: World) -> str:
    """The digest of all that the data is made from."""
    names = ("world.json", "script.jsonl", "chunks.jsonl", "interviews.jsonl", "kb/snippets.jsonl", "kb/meta.json")
    paths = [world.path / name for name in names] + sorted(Path(texts.__file__).parent.glob("*.jsonl"))
    return files.digest(*(path.read_bytes() if path.exists() else b"" for path in paths))


def _write(folder: Path, made: dict[str, Part], report: dict[str, Any]) -> None:
    """Write the rows and passages of both parts, and the report."""
    for name, part in made.items():
        files.write_jsonl(folder / f"{name}.passages.jsonl", (passage.model_dump() for passage in part.passages))
        files.write_jsonl(folder / f"{name}.json", (row.model_dump() for row in part.rows))
        print(
            f"{name}: {len(part.chapters)} chapters, {len(part.passages)} passages, {len(part.rows)} rows, "
            f"{report[name]['learnt_tokens']:,} tokens to learn"
        )
    write_report(folder / "report", report)
    print(f"report: {folder / 'report' / 'dataset.md'}")


def chapter_lines(world: World) -> dict[int, list[Line]]:
    """The script by chapter, from the chunk of each line."""
    chapter_of = {chunk.id: chunk.chapter for chunk in world.read_chunks()}
    chapters: dict[int, list[Line]] = {}
    for line in world.read_script():
        chapters.setdefault(chapter_of.get(line.src_id or 0, 0), []).append(line)
    return chapters


if __name__ == "__main__":
    raise SystemExit(main())
