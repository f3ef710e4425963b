"""Read the seed's published distillation into a world: script, interviews and a first cast.

    run(Settings(world=Path("worlds/mine"), content=Path("all_content.json")), show)

Written: ``script.jsonl``, ``chunks.jsonl`` (numbers only; 20 chunks count as a chapter),
``interviews.jsonl``, ``world.json`` where it has no cast, ``report/import.json`` and
``report/import.md``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.distill.legacy_data import (
    Cleaned,
    chapter_of,
    clean_content,
    clean_interviews,
    likely_aliases,
    read_old,
)
from roleplay.errors import ScriptError
from roleplay.options import Options, option, required
from roleplay.records import Chunk
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.world import Character, World, WorldInfo

STAGE = "distill"
"""A script is written here or by distilling; each may replace its own."""


@dataclass(frozen=True)
class Settings(Options):
    """The options of the stage."""

    world: Path = required("folder; made where it is not there", "文件夹；没有就新建")
    content: Path = required("the seed's all_content.json", "原项目的 all_content.json")
    interview: Path | None = option(None, "its all_interview.json", "它的 all_interview.json")
    at_least: int = option(10, "lines that make a character", "多少句台词才算一个角色", least=1)
    force: bool = option(False, "overwrite a script.jsonl that is there", "覆盖已有的 script.jsonl")


def run(settings: Settings, listener: Listener = silent) -> dict[str, Any]:
    """The report: counts of what was read and cleaned.

    Raises:
        ScriptError: a script is there already, or nothing can be read.
        BusyError: another run is at work on this world.
    """
    say = Teller("legacy", listener)
    content = clean_content(read_old(settings.content))
    if not content.lines:
        raise ScriptError("legacy.unreadable", path=settings.content, problems=content.problems[:2])
    asked = clean_interviews(read_old(settings.interview)) if settings.interview else Cleaned()
    report = _report(content, asked)
    script = settings.world / "script.jsonl"
    with files.claim(settings.world, STAGE):
        if script.exists() and not settings.force:
            raise ScriptError("legacy.script-there", path=script)
        world = World.create(settings.world, settings.world.resolve().name)
        _write(world, content, asked, settings, report)
    say.say(
        "legacy.script",
        lines=report["lines"],
        names=report["speakers"],
        unreadable=report["unreadable"],
    )
    say.say("legacy.report", path=settings.world / "report" / "import.md")
    say.say(
        "legacy.next",
        command=f"python scripts/prepare_seq2seq_training.py --world {settings.world}",
    )
    return report


def _write(
    world: World, content: Cleaned, asked: Cleaned, settings: Settings, report: dict[str, Any]
) -> None:
    ids = sorted({line.src_id or 0 for line in content.lines})
    chunks = [Chunk(id=number, chapter=chapter_of(number), text="", span=(0, 0)) for number in ids]
    info = world.info
    if not info.characters:
        names = [name for name, count in content.names.most_common() if count >= settings.at_least]
        cast = tuple(Character(name=name) for name in names)
        info = WorldInfo(title=info.title, language=info.language, characters=cast)
    inputs = files.digest(settings.content.read_bytes())
    with files.commit(
        world.path, STAGE, settings={"at_least": settings.at_least}, inputs=inputs
    ) as staged:
        files.write_jsonl(staged / "chunks.jsonl", (chunk.model_dump() for chunk in chunks))
        files.write_jsonl(staged / "script.jsonl", (line.to_json() for line in content.lines))
        files.write_jsonl(
            staged / "interviews.jsonl", (row.model_dump() for row in asked.interviews)
        )
        files.write_json(staged / "report" / "import.json", report)
        files.write_text(staged / "report" / "import.md", _markdown(report))
        files.write_json(staged / "world.json", info.model_dump())


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
            f"\n{report['lines']} lines, {report['interviews']} interviews, "
            f"{report['speakers']} names.",
            "\n| cleaned | times |\n|---|---|",
            *rows,
            "\n## Names that may be one person\n",
            "Nothing was merged; write aliases into world.json.\n",
            *aliases,
            "\n## What could not be read\n",
            *(f"* {problem}" for problem in report["problems"]),
            "",
        ]
    )
