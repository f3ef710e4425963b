"""A novel to a script: reads the world's novel, writes chunks.jsonl, script.jsonl and report/distill.json.

    python scripts/distill_dialogues.py --world worlds/mine --novel ~/books/xiyouji.txt      # makes the world
    python scripts/distill_dialogues.py --world worlds/mine

    read     utf-8, 735848 characters, 101 chapters -> 761 chunks
    script   17483 lines: 11039 spoken, 75 % with a speaker, 2795 unknown -> worlds/mine/script.jsonl
    speakers 行者 2673  八戒 940  三藏 795  沙僧 292  国王 192 ...

The backend ``rules`` calls no API. ``--backend openai`` (OPENAI_API_KEY, OPENAI_BASE_URL) or an endpoint's address asks
a model as well, tells first what that will cost, and pays for nothing twice (ledger.jsonl):

    python scripts/distill_dialogues.py --world worlds/mine --backend openai --model gpt-4o-mini --max-cost 2
    python scripts/distill_dialogues.py --world worlds/mine --backend http://localhost:8000/v1 --model qwen --dry-run

What is done is skipped when neither the novel nor a setting changed. A
script.jsonl that this stage did not write (the shipped world's gold script) is kept unless --force is given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from roleplay import files
from roleplay.distill.aliases import merge_aliases
from roleplay.distill.answers import FILE, apply_answers, read_answers
from roleplay.distill.cast import discover_cast
from roleplay.distill.checks import verify_verbatim
from roleplay.distill.labelling import Book
from roleplay.distill.report import summarize, write_report
from roleplay.distill.rules import distil_rules
from roleplay.errors import ScriptError, WorldError
from roleplay.novel.banners import is_banner
from roleplay.novel.chapters import find_chapters
from roleplay.novel.chunking import chunk_chapters
from roleplay.novel.reading import Novel, read_novel
from roleplay.records import Chunk, Line
from roleplay.world import Character, World, WorldInfo
from scripts import _background, _common, _distilling

STAGE = "distill"
RULES_VERSION = 4
"""Raised when the rules change, so that old scripts are written anew."""

_OUTPUTS = ("chunks.jsonl", "script.jsonl")
_TOP = 10


@dataclass(frozen=True)
class _Job:
    """What a run works on; ``cast`` is name -> aliases, ``shown`` the part of it that world.json has."""

    output: Path
    novel: Novel
    cast: dict[str, tuple[str, ...]]
    shown: dict[str, tuple[str, ...]]
    answers: dict[tuple[tuple[int, int], str], str]
    settings: dict[str, Any]

    @property
    def inputs(self) -> str:
        """The digest of all that the script depends on beside the settings."""
        return files.digest(self.novel.text, repr(sorted(self.cast.items())), repr(sorted(self.answers.items())))


def main(argv: Sequence[str] | None = None) -> int:
    """Distil one world; 0 on success, 2 after an error, 130 when stopped."""
    args = _parser().parse_args(argv)
    return _common.run(lambda: _distil(args), debug=args.debug)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Distil a novel into a script of who says what.")
    parser.add_argument("--world", type=Path, required=True, help="folder of the novel; made where --novel is given")
    parser.add_argument("--novel", type=Path, help="txt or epub to copy into a new world")
    _distilling.add_arguments(parser)
    parser.add_argument("--max-chars", type=int, default=1200, help="longest chunk (default: %(default)s)")
    parser.add_argument("--output-dir", type=Path, help="folder for the results (default: the world)")
    parser.add_argument("--force", action="store_true", help="overwrite a script.jsonl that this stage did not write")
    _common.add_debug(parser)
    return parser


def _distil(args: argparse.Namespace) -> None:
    _distilling.check(args)
    if args.max_chars < 1:
        raise ScriptError(f"--max-chars is {args.max_chars}: give 1 or more")
    world = _open_world(args.world, args.novel)
    job = _job(world, args)
    if "script" in args.tasks:
        _refuse_foreign(job.output, force=args.force)
    if args.tasks == ["script"] and all(
        files.is_done(job.output / name, settings=job.settings, inputs=job.inputs) for name in _OUTPUTS
    ):
        print(f"done before, nothing changed: {job.output / 'script.jsonl'}")
        return
    _run(world, job, args)


def _open_world(path: Path, novel: Path | None) -> World:
    """The world, made from ``novel`` where it does not exist; a cast is discovered where it has none."""
    if novel is not None and not _has_novel(path, novel):
        read_novel(novel)  # a file that cannot be read makes no world
        kind = "novel.epub" if novel.read_bytes()[:4] == b"PK\x03\x04" else "novel.txt"
        World.create(path, novel.stem)
        files.write_bytes(path / kind, novel.read_bytes())
    return World.create(path, path.resolve().name) if _novels(path) else World.load(path)


def _has_novel(path: Path, novel: Path) -> bool:
    """Whether the world holds this very novel.

    Raises:
        WorldError: it holds another one.
    """
    present = _novels(path)
    if present and not (novel.is_file() and present[0].read_bytes() == novel.read_bytes()):
        raise WorldError(f"{present[0]} is there already: leave --novel out, or name another --world")
    return bool(present)


def _novels(path: Path) -> list[Path]:
    return [path / name for name in ("novel.txt", "novel.epub") if (path / name).exists()]


def _job(world: World, args: argparse.Namespace) -> _Job:
    novel = read_novel(world.novel())
    world = world if world.info.characters else _with_cast(world, novel.text)
    cast = {character.name: character.aliases for character in world.info.characters}
    genders = {character.name: character.gender for character in world.info.characters if character.gender}
    settings = {"backend": args.backend, "version": RULES_VERSION, "max_chars": args.max_chars, "genders": genders}
    settings |= (
        {}
        if args.backend == "rules"
        else {
            "model": args.model,
            "with_summaries": args.with_summaries,
            "complete": True,
        }
    )
    output = args.output_dir or world.path
    merged = cast if args.backend == "rules" else _distilling.with_aliases(cast, output)
    return _Job(output, novel, merged, cast, read_answers(world.path / FILE), settings)


def _with_cast(world: World, text: str) -> World:
    """The world with the names that the novel's cues give away, written to world.json."""
    people = merge_aliases(text, dict(discover_cast(text).most_common()))
    found = [Character(name=person.name, aliases=person.aliases, gender=person.gender) for person in people]
    if found:
        files.write_json(world.path / "report" / "aliases.json", [person.to_json() for person in people])
        info = WorldInfo(title=world.info.title, language=world.info.language, characters=tuple(found))
        files.write_json(world.path / "world.json", info.model_dump())
        print(f"cast     {len(found)} names found by their cues -> {world.path}/world.json: merge them there")
    return World.load(world.path)


def _refuse_foreign(output: Path, *, force: bool) -> None:
    script = output / "script.jsonl"
    meta = output / "script.jsonl.meta.json"
    ours = meta.exists() and files.read_json(meta).get("stage") == STAGE
    if script.exists() and not ours and not force:
        raise ScriptError(
            f"{script} was not written by this stage (a gold script?): "
            "give --output-dir DIR to keep it, or --force to overwrite it"
        )


def _run(world: World, job: _Job, args: argparse.Namespace) -> None:
    text = job.novel.text
    chapters = find_chapters(text)
    chunks = chunk_chapters(text, chapters, max_chars=job.settings["max_chars"])
    size = f"{len(text)} characters, {len(chapters)} chapters -> {len(chunks)} chunks"
    print(f"read     {job.novel.encoding}, {size}")
    lines: list[Line] | None = distil_rules(text, chapters, chunks, job.cast, genders=job.settings["genders"])
    if args.backend != "rules":
        book = Book(text, chunks, lines or [], job.cast, _background.world_lookup(world.path), shown=job.shown)
        lines, complete = _distilling.ask_model(book, chapters, job.output, args)
        job.settings["complete"] = complete
    if lines is None:
        return
    lines = apply_answers([line for line in lines if line.kind != "info" or not is_banner(line.text)], job.answers)
    verify_verbatim(text, lines)
    _write(job, chunks, lines, args)


def _write(job: _Job, chunks: Sequence[Chunk], lines: Sequence[Line], args: argparse.Namespace) -> None:
    rows = ([chunk.model_dump() for chunk in chunks], [line.to_json() for line in lines])
    for name, values in zip(_OUTPUTS, rows, strict=True):
        files.write_jsonl(job.output / name, values)
        files.write_meta(job.output / name, stage=STAGE, settings=job.settings, inputs=job.inputs)
    settled = [
        f"{line.span} {line.char}: {line.reason or 'two of three agree'}" for line in lines if line.source == "vote"
    ]
    cost = _distilling.paid(job.output, args) if args.backend != "rules" else None
    report = summarize(job.novel.text, chunks, lines, cost=cost, disagreements=settled)
    write_report(job.output / "report", report, extra={**job.settings, "encoding": job.novel.encoding})
    _print(report, job.output / "script.jsonl")


def _print(report: dict[str, Any], script: Path) -> None:
    speakers = list(report["speakers"].items())[:_TOP]
    share = f"{report['with_speaker']:.0%} with a speaker, {report['unknown']} unknown"
    print(f"script   {report['lines']} lines: {report['spoken']} spoken, {share} -> {script}")
    if not report["spoken"]:
        print('no quoted speech found: put it into “”, ‘’, 「」, 『』 or "", or there is nothing to train on')
        return
    print("speakers " + "  ".join(f"{name} {count}" for name, count in speakers))
    print(
        f"report   {script.parent / 'report' / 'distill.md'}: {report['quoted']['coverage']:.1%} of quoted speech is in the script"
    )


if __name__ == "__main__":
    sys.exit(main())
