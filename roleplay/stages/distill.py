"""Distil a novel into a script of who says what: chunks.jsonl, script.jsonl and report/ of a world.

    run(Settings(world=Path("worlds/mine"), novel=Path("book.txt")), show)     # makes the world

The backend ``rules`` calls no API. With an endpoint a model labels numbered spans as well, and
nothing is paid for twice (ledger.jsonl). What is done is skipped when neither the novel nor a
setting changed; a script.jsonl that this stage did not write, or that was edited since, is kept
unless ``force`` is given.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from roleplay import files
from roleplay.distill.checks import verify_verbatim
from roleplay.distill.corrections import FILE, apply_corrections, read_corrections
from roleplay.distill.llm import tasks
from roleplay.distill.llm.costs import Meter
from roleplay.distill.llm.labelling import Book, first_requests, label_book
from roleplay.distill.llm.ledger import Ledger
from roleplay.distill.llm.requests import LLMRequest
from roleplay.distill.report import summarize, write_report
from roleplay.distill.rules.cast import find_people
from roleplay.distill.rules.script import distil_rules
from roleplay.errors import ScriptError, WorldError
from roleplay.messages import Message, message
from roleplay.novel.banners import is_banner
from roleplay.novel.chapters import find_chapters
from roleplay.novel.chunking import chunk_chapters
from roleplay.novel.reading import Novel, read_novel
from roleplay.options import WorldOptions, group, option
from roleplay.records import Chapter, Chunk, Line
from roleplay.stages.backend import Backend, give_batch, take_batch, tell_estimate
from roleplay.stages.background import world_retriever
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.world import Character, World, WorldInfo

STAGE = "distill"
LEDGER = "ledger.jsonl"
RULES_VERSION = 4
"""Raised when the rules change, so that old scripts are written anew."""

_TOP = 10

Task = Literal["script", "interviews", "summaries", "expressions", "aliases"]
Lines = list[Line] | None


@dataclass(frozen=True)
class Settings(WorldOptions):
    """The options of the stage."""

    novel: Path | None = option(None, "txt or epub for a new world", "放进新世界的 txt 或 epub")
    backend: Backend = group(Backend)
    tasks: tuple[Task, ...] = option(("script",), "what to make", "要做什么")
    with_summaries: bool = option(False, "tell the model the summaries", "把摘要也告诉模型")
    max_chars: int = option(1200, "longest chunk", "最长的片段", least=1)
    output_dir: Path | None = option(None, "for results (default: the world)", "结果（默认：世界）")
    force: bool = option(
        False, "overwrite an edited or foreign script.jsonl", "覆盖改过的或别处来的 script.jsonl"
    )

    def problems(self) -> Iterator[Message]:
        """Tasks that only a model can do."""
        others = [task for task in self.tasks if task != "script"]
        if others and not self.backend.asks:
            yield message("distill-stage.needs-model", tasks=" ".join(others))


@dataclass(frozen=True)
class Distilled:
    """What came of it; ``report`` is empty where no script was written in this run."""

    script: Path
    report: dict[str, Any]
    complete: bool = True


@dataclass(frozen=True)
class _Job:
    """What a run works on; ``cast`` is name -> aliases, ``shown`` the part that world.json has."""

    output: Path
    novel: Novel
    cast: dict[str, tuple[str, ...]]
    shown: dict[str, tuple[str, ...]]
    corrections: dict[tuple[tuple[int, int], str], str]
    made_by: dict[str, Any]

    @property
    def inputs(self) -> str:
        """The digest of all that the script depends on beside the settings."""
        parts = repr(sorted(self.cast.items())), repr(sorted(self.corrections.items()))
        return files.digest(self.novel.text, *parts)


def run(settings: Settings, listener: Listener = silent) -> Distilled:
    """Distil one world.

    Raises:
        NovelError, WorldError, ScriptError: what cannot be read, or must not be overwritten.
        ModelError: the endpoint failed, or a limit was reached; what was paid for is kept.
        BusyError: another run is at work on this world or output folder.
    """
    say = Teller(STAGE, listener)
    _check_source(settings)
    output = settings.output_dir or settings.world
    with ExitStack() as held:
        # The world itself is written only where it is made or has no cast yet.
        described = settings.novel is None and (settings.world / "world.json").exists()
        made = not described or not World.load(settings.world).names
        written = {output.resolve(), *([settings.world.resolve()] if made else [])}
        for folder in sorted(written):
            held.enter_context(files.claim(folder, STAGE))
        world = _open_world(settings.world, settings.novel)
        job = _job(world, output, settings, say)
        script = output / "script.jsonl"
        if "script" in settings.tasks and script.exists() and not settings.force:
            if not files.is_ours(output, STAGE, script.name):
                raise ScriptError("distill-stage.foreign", path=script)
            if settings.tasks == ("script",) and files.is_done(
                output, STAGE, settings=job.made_by, inputs=job.inputs
            ):
                say.say("distill-stage.done-before", path=script)
                return Distilled(script, files.read_json(output / "report" / "distill.json"))
        return _distil(world, job, settings, say)


def _check_source(settings: Settings) -> None:
    """Refuse what can be read nowhere before anything is made: a bad novel makes no world."""
    if settings.novel is not None and not _novels(settings.world):
        read_novel(settings.novel)
    elif not _novels(settings.world):
        World.load(settings.world)


def _open_world(path: Path, novel: Path | None) -> World:
    """The world, made from ``novel`` where it does not exist.

    Raises:
        WorldError: it holds another novel.
    """
    present = _novels(path)
    if novel is not None and present:
        if not (novel.is_file() and present[0].read_bytes() == novel.read_bytes()):
            raise WorldError("distill-stage.other-novel", path=present[0])
    elif novel is not None:
        data = novel.read_bytes()
        World.create(path, novel.stem)
        files.write_bytes(path / ("novel.epub" if data[:4] == b"PK\x03\x04" else "novel.txt"), data)
    return World.create(path, path.resolve().name) if _novels(path) else World.load(path)


def _novels(path: Path) -> list[Path]:
    return [path / name for name in ("novel.txt", "novel.epub") if (path / name).exists()]


def _job(world: World, output: Path, settings: Settings, say: Teller) -> _Job:
    novel = read_novel(world.novel())
    world = world if world.info.characters else _with_cast(world, novel.text, say)
    shown = {person.name: person.aliases for person in world.info.characters}
    genders = {person.name: person.gender for person in world.info.characters if person.gender}
    backend = settings.backend
    made_by: dict[str, Any] = {"backend": backend.backend, "version": RULES_VERSION}
    made_by |= {"max_chars": settings.max_chars, "genders": genders}
    if backend.asks:
        made_by |= {"model": backend.model, "with_summaries": settings.with_summaries}
        made_by["complete"] = True
    cast = _with_aliases(shown, output) if backend.asks else shown
    return _Job(output, novel, cast, shown, read_corrections(world.path / FILE), made_by)


def _with_cast(world: World, text: str, say: Teller) -> World:
    """The world with the names that the novel's cues give away, written to world.json."""
    if people := find_people(text):
        found = tuple(
            Character(name=one.name, aliases=one.aliases, gender=one.gender) for one in people
        )
        files.write_json(world.path / "report" / "aliases.json", [one.to_json() for one in people])
        info = WorldInfo(title=world.info.title, language=world.info.language, characters=found)
        files.write_json(world.path / "world.json", info.model_dump())
        say.say("distill-stage.cast", count=len(found), path=f"{world.path}/world.json")
    return World.load(world.path)


def _with_aliases(cast: dict[str, tuple[str, ...]], folder: Path) -> dict[str, tuple[str, ...]]:
    """The cast with the aliases of ``aliases.json``; a name that is somebody's own stays theirs."""
    taken = {form for name, aliases in cast.items() for form in (name, *aliases)}
    joined = {name: list(aliases) for name, aliases in cast.items()}
    for name, alias in tasks.read_aliases(folder / tasks.ALIASES):
        if name in joined and alias not in taken:
            joined[name].append(alias)
            taken.add(alias)
    return {name: tuple(aliases) for name, aliases in joined.items()}


def _distil(world: World, job: _Job, settings: Settings, say: Teller) -> Distilled:
    text = job.novel.text
    chapters = find_chapters(text)
    chunks = chunk_chapters(text, chapters, max_chars=settings.max_chars)
    size = {"characters": len(text), "chapters": len(chapters), "chunks": len(chunks)}
    say.say("distill-stage.read", encoding=job.novel.encoding, **size)
    ruled = distil_rules(text, chapters, chunks, job.cast, genders=job.made_by["genders"])
    lines: Lines = ruled
    cost, complete = None, True
    if settings.backend.asks:
        retriever = world_retriever(world.path)
        book = Book(text, chunks, ruled, job.cast, retriever, shown=job.shown)
        lines, complete, cost = _Asking(settings, book, chapters, job.output, say).run()
        job.made_by["complete"] = complete
    if lines is None:
        return Distilled(job.output / "script.jsonl", {}, complete)
    lines = [line for line in lines if line.kind != "info" or not is_banner(line.text)]
    lines = apply_corrections(lines, job.corrections)
    verify_verbatim(text, lines)
    report = _write(job, chunks, lines, cost)
    _tell(report, job.output / "script.jsonl", say)
    return Distilled(job.output / "script.jsonl", report, complete)


def _write(
    job: _Job, chunks: Sequence[Chunk], lines: Sequence[Line], cost: dict[str, Any] | None
) -> dict[str, Any]:
    voted = [line for line in lines if line.source == "vote"]
    settled = [f"{one.span} {one.char}: {one.reason or 'two of three agree'}" for one in voted]
    report = summarize(job.novel.text, chunks, lines, cost=cost, disagreements=settled)
    extra = {**job.made_by, "encoding": job.novel.encoding}
    with files.commit(job.output, STAGE, settings=job.made_by, inputs=job.inputs) as staged:
        files.write_jsonl(staged / "chunks.jsonl", (chunk.model_dump() for chunk in chunks))
        files.write_jsonl(staged / "script.jsonl", (line.to_json() for line in lines))
        write_report(staged / "report", report, extra=extra)
    return {**extra, **report}


def _tell(report: dict[str, Any], script: Path, say: Teller) -> None:
    share = f"{report['with_speaker']:.0%}"
    counts = {name: report[name] for name in ("lines", "spoken", "unknown")}
    say.say("distill-stage.script", share=share, path=script, **counts)
    if not report["spoken"]:
        say.say("distill-stage.no-quotes")
        return
    speakers = [f"{name} {count}" for name, count in report["speakers"].items()]
    say.say("distill-stage.speakers", speakers="  ".join(speakers[:_TOP]))
    covered = f"{report['quoted']['coverage']:.1%}"
    say.say("distill-stage.report", path=script.parent / "report" / "distill.md", share=covered)


@dataclass(frozen=True)
class _Asking:
    """The part of a run that asks a model."""

    settings: Settings
    book: Book
    chapters: Sequence[Chapter]
    folder: Path
    say: Teller

    def run(self) -> tuple[Lines, bool, dict[str, Any]]:
        """The script's lines, if wanted; whether every request has its answer; what was paid."""
        ledger = Ledger(self.folder / LEDGER)
        take_batch(self.settings.backend, ledger, self.say)
        meter = self.settings.backend.meter(ledger)
        book = self.book
        if self.settings.with_summaries:
            told = tasks.summaries_before(self.folder / "summaries.jsonl", book.chunks)
            book = replace(book, summaries=told)
        todo = tell_estimate(self._requests(book), ledger, meter, self.say)
        if "script" in self.settings.tasks and todo:
            self.say.say("distill-stage.cross-check")
        if self.settings.backend.dry_run:
            return None, False, {}
        lines, complete = asyncio.run(self._ask(book, ledger, meter))
        return lines, complete, _paid(ledger, meter)

    def _requests(self, book: Book) -> list[LLMRequest]:
        model, wanted = self.settings.backend.model, self.settings.tasks
        found = first_requests(book, model) if "script" in wanted else []
        for task in wanted:
            if task != "script":
                found += tasks.requests(task, book, self.chapters, model)
        return found

    async def _ask(self, book: Book, ledger: Ledger, meter: Meter) -> tuple[Lines, bool]:
        backend, lines = self.settings.backend, None
        async with backend.client(ledger, meter) as client:
            for task in self.settings.tasks:
                progress = self.say.step("distill-stage.task", task=task, paid=meter)
                if task == "script":
                    lines = await label_book(book, client, backend.model, progress=progress)
                    continue
                asked = task, book, self.chapters, client, backend.model
                made = await tasks.run(*asked, progress=progress)
                if not backend.batch_out:
                    told = tasks.write(task, made, self.folder)
                    self.say.say("distill-stage.made", task=f"{task:<8}", result=told)
        self.say.say("distill-stage.paid", paid=meter)
        if give_batch(backend, client.pending.values(), self.say):
            return None, False
        if client.pending:
            self.say.say("distill-stage.open", count=len(client.pending))
        return lines, not client.pending


def _paid(ledger: Ledger, meter: Meter) -> dict[str, Any]:
    """What all runs of this folder have paid, for the report."""
    entries = list(ledger)
    return {
        "calls": len(entries),
        "tokens read": sum(entry.prompt_tokens for entry in entries),
        "tokens written": sum(entry.completion_tokens for entry in entries),
        "USD": round(meter.spent, 4),
    }
