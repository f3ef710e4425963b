"""Prepare training data from a world's script, interviews and knowledge base.

    python scripts/prepare_seq2seq_training.py --world worlds/chuiyan [--characters 闻筝 陆迟] [--model gemma3-270m]

Written into the world: ``train.json`` and ``test.json`` (prompt/response rows, JSON Lines, for ChatGLM), ``train.passages.jsonl``
and ``test.passages.jsonl`` (whole scenes, for causal models), ``report/dataset.json``. Chapters are held out whole. Lengths are
counted by the tokenizer of ``--model``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from roleplay import files
from roleplay.dataset.passages import DatasetSettings, build_interviews, build_scenes
from roleplay.dataset.rows import question_rows, scene_rows, split_chapters
from roleplay.models import causal, embedded
from roleplay.prompts import Budget
from roleplay.records import Line
from roleplay.world import World
from scripts import _common
from scripts._background import world_lookup


def main(argv: list[str] | None = None) -> int:
    """Run the stage; 0 on success."""
    defaults = DatasetSettings()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--characters", nargs="+", help="whose lines are learnt (default: all of world.json)")
    _common.add_model(parser, "whose tokenizer counts")
    parser.add_argument("--max-source-tokens", type=int, default=512, help="prompt budget of a row")
    parser.add_argument("--scene-tokens", type=int, default=defaults.scene_tokens, help="longest scene of a passage")
    parser.add_argument("--background-share", type=float, default=defaults.background_share)
    parser.add_argument("--test-share", type=float, default=defaults.test_share, help="share of chapters held out")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--no-background", action="store_true", help="do not use the knowledge base")
    _common.add_debug(parser)
    args = parser.parse_args(argv)
    return _common.run(lambda: _prepare(args), debug=args.debug)


def _prepare(args: argparse.Namespace) -> None:
    world = World.load(args.world)
    names = [world.character(name).name for name in args.characters or world.names]
    settings = DatasetSettings(
        scene_tokens=args.scene_tokens,
        background_share=args.background_share,
        test_share=args.test_share,
        seed=args.seed,
    )
    made_by = asdict(settings) | {
        "characters": names,
        "model": args.model,
        "prompt_tokens": args.max_source_tokens,
        "background": not args.no_background,
    }
    outputs = [world.path / f"{part}{end}" for part in ("train", "test") for end in (".passages.jsonl", ".json")]
    inputs = _inputs(world)
    if all(files.is_done(path, settings=made_by, inputs=inputs) for path in outputs):
        print("nothing changed since the last time")
    else:
        tokenizer = causal.load_tokenizer(args.model)
        count = lru_cache(maxsize=100_000)(lambda text: causal.count_tokens(tokenizer, text))
        found = None if args.no_background else world_lookup(world.path)
        lookup = found and lru_cache(maxsize=None)(found)  # passages and rows ask the same questions
        print(f"background: {'from ' + str(world.path / 'kb') if lookup else 'none'}")
        budget = Budget(prompt=args.max_source_tokens, background=settings.background_tokens)
        report = _write(world, names, budget, {"count": count, "lookup": lookup, "settings": settings})
        files.write_json(world.path / "report" / "dataset.json", {"settings": made_by} | report)
        for path in outputs:
            files.write_meta(path, stage="dataset", settings=made_by, inputs=inputs)
    model = "" if args.model == embedded.NAME else f" --model {args.model}"
    print(f"next: python scripts/train_roleplaying.py --world {world.path}{model}")


def _inputs(world: World) -> str:
    """The digest of all that the data is made from."""
    names = ("script.jsonl", "chunks.jsonl", "interviews.jsonl", "kb/snippets.jsonl", "kb/meta.json")
    paths = [world.path / name for name in names]
    return files.digest(*(path.read_bytes() if path.exists() else b"" for path in paths))


def _write(world: World, names: list[str], budget: Budget, shared: dict[str, Any]) -> dict[str, Any]:
    """Write the rows and passages of both parts; what is in them, for the report."""
    chapters = chapter_lines(world)
    settings: DatasetSettings = shared["settings"]
    train, test = split_chapters(chapters, settings.test_share, settings.seed)
    report: dict[str, Any] = {"test_chapters": test}
    for part, numbers, asked in (("train", train, world.read_interviews()), ("test", test, [])):
        picked = {number: chapters[number] for number in numbers}
        passages = build_scenes(picked, names, **shared) + build_interviews(asked, names, **shared)
        rows = [
            *scene_rows(picked, names, budget=budget, **shared),
            *question_rows(asked, names, budget=budget, **shared),
        ]
        files.write_jsonl(world.path / f"{part}.passages.jsonl", (passage.model_dump() for passage in passages))
        files.write_jsonl(world.path / f"{part}.json", (row.model_dump() for row in rows))
        learnt = sum(shared["count"](row.response + "\n") for row in rows)
        report[part] = {
            "chapters": len(numbers),
            "passages": len(passages),
            "rows": len(rows),
            "rows_by_character": {name: sum(row.character == name for row in rows) for name in names},
            "down_weighted": sum(row.weight < 1 for row in rows),
            "learnt_tokens": learnt,
        }
        print(
            f"{part}: {len(numbers)} chapters, {len(passages)} passages, {len(rows)} rows, {learnt:,} tokens to learn"
        )
    return report


def chapter_lines(world: World) -> dict[int, list[Line]]:
    """The script by chapter, from the chunk of each line."""
    chapter_of = {chunk.id: chunk.chapter for chunk in world.read_chunks()}
    chapters: dict[int, list[Line]] = {}
    for line in world.read_script():
        chapters.setdefault(chapter_of.get(line.src_id or 0, 0), []).append(line)
    return chapters


if __name__ == "__main__":
    raise SystemExit(main())
