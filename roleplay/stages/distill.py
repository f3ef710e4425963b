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
from roleplay.distill import tables
from roleplay.distill.checks import verify_verbatim
from roleplay.distill.corrections import FILE, apply_corrections, read_corrections
from roleplay.distill.llm import tasks
from roleplay.distill.llm.client import CachedClient
from roleplay.distill.llm.costs import Meter
from roleplay.distill.llm.labelling import Book, Progress, label_book
from roleplay.distill.llm.ledger import Ledger
from roleplay.distill.report import cast_doubt, summarize, write_report
from roleplay.distill.rules.cast import find_people, language_of
from roleplay.distill.rules.script import distil_rules
from roleplay.errors import ModelError, ScriptError, WorldError
from roleplay.messages import Message, message
from roleplay.novel.chapters import find_chapters
from roleplay.novel.chunking import chunk_chapters
from roleplay.novel.reading import Novel, is_banner, read_novel
from roleplay.options import WorldOptions, group, option
from roleplay.records import Chapter, Chunk, Line
from roleplay.stages.backend import Backend, give_batch, take_batch, tell_answers, tell_estimate
from roleplay.stages.background import world_retriever
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.world import Character, World, WorldInfo

STAGE = "distill"
LEDGER = "ledger.jsonl"
RULES_VERSION = 5
"""Raised when the rules change, so that old scripts are written anew."""

_TOP = 10

Task = Literal["script", "interviews", "summaries", "expressions", "aliases"]


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
    deleted: frozenset[str]
    made_by: dict[str, Any]

    @property
    def inputs(self) -> str:
        """The digest of all that the script depends on beside the settings."""
        parts = [repr(sorted(self.cast.items())), repr(sorted(self.corrections.items()))]
        parts += sorted(self.deleted)
        return files.digest(self.novel.text, repr(self.novel.titles), *parts)


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
    world = world if world.info.characters else _with_cast(world, novel, say)
    shown = {person.name: person.aliases for person in world.info.characters}
    genders = {person.name: person.gender for person in world.info.characters if person.gender}
    backend = settings.backend
    made_by: dict[str, Any] = {"backend": backend.backend, "version": RULES_VERSION}
    made_by |= {"max_chars": settings.max_chars, "genders": genders}
    if backend.asks:
        made_by |= {"model": backend.model, "with_summaries": settings.with_summaries}
        made_by["complete"] = True
    cast = _with_aliases(shown, output) if backend.asks else shown
    own = {form: name for name, aliases in shown.items() for form in (name, *aliases)}
    told = read_corrections(world.path / FILE)
    corrections = {line: own.get(name, name) for line, name in told.items()}
    deleted = deleted_names(world)
    return _Job(output, novel, cast, shown, corrections, deleted, made_by)


def deleted_names(world: World) -> frozenset[str]:
    """The names that were found for world.json once, and that a person took out of it."""
    offered = world.path / "report" / "aliases.json"
    if not offered.exists():
        return frozenset()
    found = {form for row in files.read_json(offered) for form in (row["name"], *row["aliases"])}
    kept = {form for one in world.info.characters for form in (one.name, *one.aliases)}
    return frozenset(found - kept)


def _with_cast(world: World, novel: Novel, say: Teller) -> World:
    """The world with the names that the novel's cues give away, written to world.json."""
    people = find_people(novel.text, novel.language)
    if people:
        found = tuple(
            Character(name=one.name, aliases=one.aliases, gender=one.gender) for one in people
        )
        files.write_json(world.path / "report" / "aliases.json", [one.to_json() for one in people])
        info = WorldInfo(
            title=world.info.title, language=novel.language.split("-")[0], characters=found
        )
        files.write_json(world.path / "world.json", info.model_dump())
        say.say("distill-stage.cast", count=len(found), path=f"{world.path}/world.json")
    return World.load(world.path)


def _with_aliases(cast: dict[str, tuple[str, ...]], folder: Path) -> dict[str, tuple[str, ...]]:
    """The cast with the aliases of ``aliases.json``; a name that is somebody's own stays theirs."""
    taken = {form for name, aliases in cast.items() for form in (name, *aliases)}
    joined = {name: list(aliases) for name, aliases in cast.items()}
    for name, alias in tables.read_aliases(folder / tables.ALIASES):
        if name in joined and alias not in taken:
            joined[name].append(alias)
            taken.add(alias)
    return {name: tuple(aliases) for name, aliases in joined.items()}


def _distil(world: World, job: _Job, settings: Settings, say: Teller) -> Distilled:
    text = job.novel.text
    chapters = find_chapters(text, job.novel.titles)
    chunks = chunk_chapters(text, chapters, max_chars=settings.max_chars)
    size = {"characters": len(text), "chapters": len(chapters), "chunks": len(chunks)}
    say.say("distill-stage.read", encoding=job.novel.encoding, **size)
    for note in job.novel.notes:
        say.say("distill-stage.note", note=note)
    if chapters[0].title.startswith("1/"):
        say.say("distill-stage.cut-by-length", count=len(chapters))
    if language_of(text, job.novel.language) is None:
        say.say("distill.no-rules")
    more: dict[str, Any] = {"genders": job.made_by["genders"], "deleted": job.deleted}
    more["language"] = job.novel.language
    ruled = distil_rules(text, chapters, chunks, job.cast, **more)
    asked = _Asked(ruled, complete=True)
    if settings.backend.asks:
        retriever = world_retriever(world.path)
        book = Book(text, chunks, ruled, job.cast, retriever, shown=job.shown)
        asked = _Asking(settings, book, chapters, job.output, say).run()
        job.made_by["complete"] = asked.complete
    if asked.lines is None:
        asked.check(settings.backend.model)
        return Distilled(job.output / "script.jsonl", {}, asked.complete)
    lines = [line for line in asked.lines if line.kind != "info" or not is_banner(line.text)]
    lines = apply_corrections(lines, job.corrections)
    verify_verbatim(text, lines)
    report = _write(job, chunks, lines, asked.cost)
    _tell(report, job.output / "script.jsonl", say)
    asked.check(settings.backend.model)
    if report["spoken"] and job.output.resolve() == world.path.resolve():
        say.say("distill-stage.look", world=world.path)
        say.next("build_knowledge_base", "--world", world.path)
    return Distilled(job.output / "script.jsonl", report, asked.complete)


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
    speakers = list(report["speakers"].items())[:_TOP]
    say.say(
        "distill-stage.speakers", speakers="  ".join(f"{name} {count}" for name, count in speakers)
    )
    if doubt := cast_doubt(report):
        say.say(doubt.key, **doubt.values)
    covered = f"{report['quoted']['coverage']:.1%}"
    say.say("distill-stage.report", path=script.parent / "report" / "distill.md", share=covered)


@dataclass(frozen=True)
class _Asked:
    """What a model said: the script's lines, if wanted, whether nothing is open, what was paid.

    ``useless`` are the tasks whose answers held nothing that could be read.
    """

    lines: list[Line] | None = None
    complete: bool = False
    cost: dict[str, Any] | None = None
    useless: tuple[str, ...] = ()

    def check(self, model: str) -> None:
        """Refuse to call that a success: raises ModelError after all that there is was written."""
        if self.useless:
            named = {"tasks": " ".join(self.useless), "model": model}
            raise ModelError("distill-stage.no-label", **named)


@dataclass(frozen=True)
class _Asking:
    """The part of a run that asks a model."""

    settings: Settings
    book: Book
    chapters: Sequence[Chapter]
    folder: Path
    say: Teller

    def run(self) -> _Asked:
        """Tell what it will cost, ask, and tell what came of it."""
        ledger, backend = Ledger(self.folder / LEDGER), self.settings.backend
        take_batch(backend, ledger, self.say)
        meter, asking = backend.meter(ledger), self
        if self.settings.with_summaries:
            told = tables.summaries_before(self.folder / "summaries.jsonl", self.book.chunks)
            asking = replace(self, book=replace(self.book, summaries=told))
        # By the ledger alone: whatever a killed run left open is found, doubtful lines as well.
        known = CachedClient(ledger, meter)
        asyncio.run(asking.look(known))
        requests, answered = list(known.pending.values()), known.tally.total()
        tell_estimate(requests, ledger, meter, self.say, settings=backend, answered=answered)
        return _Asked() if backend.dry_run else asyncio.run(asking.ask(ledger, meter))

    async def look(self, known: CachedClient) -> None:
        """Fill a client without an endpoint with what is open."""
        for task in self.settings.tasks:
            await self.answers(task, known, None)

    async def ask(self, ledger: Ledger, meter: Meter) -> _Asked:
        """Every task, one after the other; what tasks beside the script make is written."""
        backend, say = self.settings.backend, self.say
        lines, useless = None, []
        async with backend.client(ledger, meter) as client:
            if client.endpoint:
                client.endpoint.on_wait = say.tell
            for task in self.settings.tasks:
                progress = say.step("distill-stage.task", task=task, paid=meter)
                made = await self.answers(task, client, progress)
                if not tell_answers(client, task, say):
                    useless.append(task)
                if task == "script":
                    lines = made
                elif not backend.batch_out and task not in useless:
                    told = tables.write(task, made, self.folder)
                    say.say("distill-stage.made", task=f"{task:<8}", result=told)
        say.say("distill-stage.paid", paid=meter)
        if give_batch(backend, client.pending.values(), say):
            return _Asked()
        if client.pending:
            say.say("distill-stage.open", count=len(client.pending))
        if client.failed:
            first = next(iter(client.failed.values()))
            say.say("backend.failed", count=len(client.failed), error=first)
        complete = not (client.pending or client.failed or useless)
        return _Asked(lines, complete, _paid(ledger, meter), tuple(useless))

    async def answers(self, task: str, client: CachedClient, progress: Progress | None) -> Any:
        """The lines of the script, or the rows of another task."""
        model = self.settings.backend.model
        if task == "script":
            return await label_book(self.book, client, model, progress=progress)
        return await tasks.run(task, self.book, self.chapters, client, model, progress=progress)


def _paid(ledger: Ledger, meter: Meter) -> dict[str, Any]:
    """What all runs of this folder have paid, for the report."""
    entries = list(ledger)
    return {
        "calls": len(entries),
        "tokens read": sum(entry.prompt_tokens for entry in entries),
        "tokens written": sum(entry.completion_tokens for entry in entries),
        "USD": round(meter.spent, 4),
    }
