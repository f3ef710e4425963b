"""Read the seed's published distillation into a world: script, chapters, interviews, a first cast.

    run(Settings(world=Path("worlds/mine"), content=Path("all_content.json")), show)
    run(Settings(world=Path("worlds/mine"), log=Path("merged_log.txt")), show)      # the later form

Written: ``script.jsonl``, ``chunks.jsonl`` (numbers only), ``interviews.jsonl``,
``summaries.jsonl`` where the files tell what happens, ``world.json`` where it has no cast,
``report/import.json`` and ``report/import.md``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.distill import legacy_data as data
from roleplay.distill.legacy_data import Cleaned
from roleplay.distill.legacy_log import add_chapters, clean_log
from roleplay.distill.legacy_names import likely_aliases
from roleplay.errors import ScriptError
from roleplay.messages import Message, message
from roleplay.options import Options, option, required
from roleplay.records import Chunk
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.world import Character, World, WorldInfo

STAGE = "distill"
"""A script is written here or by distilling; each may replace its own."""

_SHOWN = 3


@dataclass(frozen=True)
class Settings(Options):
    """The options of the stage."""

    world: Path = required("folder; made where it is not there", "文件夹；没有就新建")
    content: Path | None = option(None, "the seed's all_content.json", "原项目的 all_content.json")
    log: Path | None = option(
        None,
        "its merged_log.txt or all_history.txt, not --content",
        "merged_log.txt 或 all_history.txt",
    )
    chapters: Path | None = option(
        None, "its all_chapters.json: chapters and summaries", "它的 all_chapters.json：章节和摘要"
    )
    interview: Path | None = option(None, "its all_interview.json", "它的 all_interview.json")
    expression_map: Path | None = option(
        None,
        "its expression_map.json: an expression to one of the thirteen, or null",
        "它的 expression_map.json：把表情对应到十三种之一，或 null",
    )
    at_least: int = option(10, "lines that make a character", "多少句台词才算一个角色", least=1)
    force: bool = option(False, "overwrite a script.jsonl that is there", "覆盖已有的 script.jsonl")

    def problems(self) -> Iterator[Message]:
        """There is one script, and it must come from somewhere."""
        if (self.content is None) == (self.log is None):
            yield message("legacy.one-script")

    @property
    def source(self) -> Path:
        """The file that holds the script."""
        found = self.content or self.log
        assert found is not None, "problems() refuses it"
        return found


def run(settings: Settings, listener: Listener = silent) -> dict[str, Any]:
    """The report: counts of what was read and cleaned.

    Raises:
        ScriptError: a script is there already, or nothing can be read.
        BusyError: another run is at work on this world.
    """
    say = Teller("legacy", listener)
    content = _read(settings)
    interview, asked = settings.interview, Cleaned()
    if interview:
        asked = data.clean_interviews(data.read_old(interview))
    report = _report(content, asked)
    script = settings.world / "script.jsonl"
    with files.claim(settings.world, STAGE):
        if script.exists() and not settings.force:
            raise ScriptError("legacy.script-there", path=script)
        world = World.create(settings.world, settings.world.resolve().name)
        _write(world, content, asked, settings, report)
    shown = {name: report[name] for name in ("lines", "interviews", "unreadable")}
    say.say("legacy.script", names=report["speakers"], **shown)
    if content.summaries:
        chapters = len({row.chapter for row in content.summaries})
        say.say("legacy.summaries", chapters=chapters, rows=len(content.summaries))
    if alike := report["likely_aliases"][:_SHOWN]:
        pairs = "  ".join(f"{row['name']}/{row['alias']}" for row in alike)
        say.say("legacy.aliases", count=len(report["likely_aliases"]), shown=pairs)
    if dropped := content.counts[data.DROPPED]:
        say.say("legacy.expressions", count=dropped)
    say.say("legacy.report", path=settings.world / "report" / "import.md")
    script_of = "build_knowledge_base" if content.summaries else "prepare_seq2seq_training"
    say.next(script_of, "--world", settings.world)
    given = [(settings.source, content), *([(interview, asked)] if interview else [])]
    for path, cleaned in given:
        if cleaned.kept * 2 < cleaned.given:
            kept = {"kept": cleaned.kept, "given": cleaned.given, "path": path}
            say.say("legacy.half", **kept, why=_why(cleaned))
    return report


def _read(settings: Settings) -> Cleaned:
    """The script, with the chapters and summaries that there are."""
    told = settings.expression_map
    expressions = data.read_expressions(told) if told else {}
    if settings.log:
        content = clean_log(data.read_text(settings.log), expressions)
    else:
        content = data.clean_content(data.read_old(settings.source), expressions)
    if not content.lines:
        shown = content.problems[:2]
        raise ScriptError("legacy.unreadable", path=settings.source, problems=shown)
    if settings.chapters:
        add_chapters(content, data.read_old(settings.chapters))
    return content


def _why(cleaned: Cleaned) -> str:
    """The commonest fault, in the words of the report."""
    faults = [(count, what) for what, count in cleaned.counts.items() if "without" in what]
    return max([*faults, (len(cleaned.problems), next(iter(cleaned.problems), ""))])[1]


def _write(
    world: World, content: Cleaned, asked: Cleaned, settings: Settings, report: dict[str, Any]
) -> None:
    ids = sorted({line.src_id or 0 for line in content.lines} | content.chapters.keys())
    chapters = {number: data.chapter_of(number, content.chapters) for number in ids}
    chunks = [Chunk(id=n, chapter=chapters[n], text="", span=(0, 0)) for n in ids]
    info = world.info
    if not info.characters:
        names = [name for name, count in content.names.most_common() if count >= settings.at_least]
        cast = tuple(Character(name=name) for name in names)
        info = WorldInfo(title=info.title, language=info.language, characters=cast)
    inputs = files.digest(settings.source.read_bytes())
    made_by = {"at_least": settings.at_least}
    with files.commit(world.path, STAGE, settings=made_by, inputs=inputs) as staged:
        files.write_jsonl(staged / "chunks.jsonl", (chunk.model_dump() for chunk in chunks))
        files.write_jsonl(staged / "script.jsonl", (line.to_json() for line in content.lines))
        rows = (row.model_dump() for row in asked.interviews)
        files.write_jsonl(staged / "interviews.jsonl", rows)
        if content.summaries:
            told = (row.model_dump(exclude_none=True) for row in content.summaries)
            files.write_jsonl(staged / "summaries.jsonl", told)
        files.write_json(staged / "report" / "import.json", report)
        files.write_text(staged / "report" / "import.md", _markdown(report))
        files.write_json(staged / "world.json", info.model_dump())


def _report(content: Cleaned, asked: Cleaned) -> dict[str, Any]:
    return {
        "lines": len(content.lines),
        "interviews": len(asked.interviews),
        "given": {"script": content.given, "interviews": asked.given},
        "summaries": len(content.summaries),
        "chapters": content.titles,
        "speakers": len(content.names),
        "unreadable": len(content.problems) + len(asked.problems),
        "cleaned": dict((content.counts + asked.counts).most_common()),
        "names": dict(content.names.most_common()),
        "likely_aliases": [alike.to_json() for alike in likely_aliases(content.lines)],
        "problems": [*content.problems, *asked.problems],
    }


def _markdown(report: dict[str, Any]) -> str:
    rows = [f"| {what} | {count} |" for what, count in report["cleaned"].items()]
    return "\n".join(
        [
            "# Imported from the seed's data",
            f"\n{report['lines']} lines, {report['interviews']} interviews, "
            f"{report['speakers']} names.",
            "\n| cleaned | times |\n|---|---|",
            *rows,
            "\n## Names that may be one person\n",
            "Nothing was merged; write aliases into world.json.\n",
            *_aliases(report["likely_aliases"]),
            "\n## What could not be read\n",
            *(f"* {problem}" for problem in report["problems"]),
            "",
        ]
    )


def _aliases(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        (first, second), places = row["lines"], row["chunks"]
        names = f"{row['name']} ({first} lines) / {row['alias']} ({second})"
        yield f"* {names}: {row['why']}, together in {places} chunks"
