"""Read the seed's published distillation into a world: the script, the interviews, a first cast, and what was cleaned.

    python scripts/import_old_data.py --world worlds/mine --content all_content.json [--interview all_interview.json]

Written: ``script.jsonl``, ``chunks.jsonl`` (numbers only; 20 chunks count as a chapter), ``interviews.jsonl``, ``world.json``
where it has no cast, ``report/import.json`` and ``report/import.md``. A script that is there already is kept unless
``--force`` is given.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from roleplay import files
from roleplay.distill.old_data import Cleaned, chapter_of, clean_content, clean_interviews, likely_aliases, read_old
from roleplay.errors import ScriptError
from roleplay.records import Chunk
from roleplay.world import Character, World, WorldInfo
from scripts import _common


def main(argv: list[str] | None = None) -> int:
    """Run the stage; 0 on success."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--world", type=Path, required=True, help="folder; made where it is not there")
    parser.add_argument("--content", type=Path, required=True, help="the seed's all_content.json")
    parser.add_argument("--interview", type=Path, help="the seed's all_interview.json")
    parser.add_argument("--at-least", type=int, default=10, help="lines that make a character (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="overwrite a script.jsonl that is there")
    _common.add_debug(parser)
    args = parser.parse_args(argv)
    return _common.run(lambda: _import(args), debug=args.debug)


def _import(args: argparse.Namespace) -> None:
    script = args.world / "script.jsonl"
    if script.exists() and not args.force:
        raise ScriptError(f"{script} is there already: name another --world, or give --force to overwrite it")
    content = clean_content(read_old(args.content))
    if not content.lines:
        raise ScriptError(f"{args.content} holds no readable line ({'; '.join(content.problems[:2])}): wrong file?")
    asked = clean_interviews(read_old(args.interview)) if args.interview else Cleaned()
    world = World.create(args.world, args.world.resolve().name)
    _write(world, content, asked, at_least=args.at_least)
    report = _report(content, asked)
    files.write_json(args.world / "report" / "import.json", report)
    files.write_text(args.world / "report" / "import.md", _markdown(report))
    print(f"script   {report['lines']} lines, {report['speakers']} names, {report['unreadable']} places unreadable")
    print(f"report   {args.world / 'report' / 'import.md'}")
    print(f"next: python scripts/prepare_seq2seq_training.py --world {args.world}")


def _write(world: World, content: Cleaned, asked: Cleaned, *, at_least: int) -> None:
    ids = sorted({line.src_id or 0 for line in content.lines})
    chunks = [Chunk(id=number, chapter=chapter_of(number), text="", span=(0, 0)) for number in ids]
    files.write_jsonl(world.path / "chunks.jsonl", (chunk.model_dump() for chunk in chunks))
    files.write_jsonl(world.path / "interviews.jsonl", (row.model_dump() for row in asked.interviews))
    if not world.info.characters:
        names = [name for name, count in content.names.most_common() if count >= at_least]
        cast = tuple(Character(name=name) for name in names)
        info = WorldInfo(title=world.info.title, language=world.info.language, characters=cast)
        files.write_json(world.path / "world.json", info.model_dump())
    files.write_jsonl(world.path / "script.jsonl", (line.to_json() for line in content.lines))


def _report(content: Cleaned, asked: Cleaned) -> dict[str, Any]:
    return {
        "lines": len(content.lines),
        "interviews": len(asked.interviews),
        "speakers": len(content.names),
        "unreadable": len(content.problems) + len(asked.problems),
        "cleaned": dict((content.counts + asked.counts).most_common()),
        "names": dict(content.names.most_common()),
        "likely_aliases": likely_aliases(content.names),
        "problems": [*content.problems, *asked.problems],
    }


def _markdown(report: dict[str, Any]) -> str:
    rows = [f"| {what} | {count} |" for what, count in report["cleaned"].items()]
    aliases = [f"* {short} / {long}" for short, long in report["likely_aliases"]]
    return "\n".join(
        [
            "# Imported from the seed's data",
            f"\n{report['lines']} lines, {report['interviews']} interviews, {report['speakers']} names.",
            "\n| cleaned | times |\n|---|---|",
            *rows,
            "\n## Names that may be one person\n\nNothing was merged; write aliases into world.json.\n",
            *aliases,
            "\n## What could not be read\n",
            *(f"* {problem}" for problem in report["problems"]),
            "",
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
