"""Prepare training data from a world's script, interviews and knowledge base.

    run(Settings(world=Path("worlds/chuiyan")), show)

Written into ``data_dir``: ``train.json`` and ``test.json`` (prompt/response rows, JSON Lines, for
ChatGLM), ``train.passages.jsonl`` and ``test.passages.jsonl`` (whole scenes, for causal models),
``report/dataset.{json,md,png}``. Chapters are held out whole. Lengths are counted by the tokenizer
of ``model``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.dataset import texts
from roleplay.dataset.assistant_isms import learn
from roleplay.dataset.build import Part, Source, build, check_mode, profiles_of
from roleplay.dataset.report import summarize, write_report
from roleplay.dataset.settings import BuildContext, DatasetSettings
from roleplay.models import bundled, causal, loading
from roleplay.options import DataOptions, group, option
from roleplay.prompts import Budget
from roleplay.stages.background import WorldRetriever, world_retriever
from roleplay.stages.character import model_option
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.world import World

STAGE = "dataset"
_WORLD = ("world.json", "script.jsonl", "chunks.jsonl", "interviews.jsonl", "conversations.jsonl")
START = Path(__file__).resolve().parents[2] / "worlds" / "start"
"""What the starting adapter was trained on."""
_INPUTS = (*_WORLD, "kb/snippets.jsonl", "kb/meta.json")


@dataclass(frozen=True)
class Settings(DataOptions):
    """The options of the stage."""

    characters: tuple[str, ...] = option((), "whose lines (default: all)", "学谁的（默认：所有人）")
    model: str = model_option()
    max_source_tokens: int = option(512, "prompt budget of a row", "一行里提示的长度上限", least=16)
    interviews: bool = option(True, "use interviews", "使用访谈")
    rows: DatasetSettings = group(DatasetSettings)


@dataclass(frozen=True)
class Prepared:
    """Where the data is, and the figures of its report."""

    folder: Path
    report: Mapping[str, Any]


def run(settings: Settings, listener: Listener = silent) -> Prepared:
    """Prepare the data of one world.

    Raises:
        WorldError, BackgroundError: what the data is made from is missing or broken.
        DatasetError: nothing to learn, too few chapters, or settings that do not fit the world.
        BusyError: another run is at work in this folder.
    """
    say = Teller(STAGE, listener)
    world = World.load(settings.world)
    wanted = dict.fromkeys(settings.characters or world.names)
    names = [world.character(name).name for name in wanted]
    if settings.rows.mode == "profile" and not profiles_of(names, world.info.characters):
        settings = replace(settings, rows=replace(settings.rows, mode="many"))
    check_mode(settings.rows.mode, names)
    made_by = settings.rows.effective() | {"characters": names, "model": settings.model}
    made_by |= {"prompt_tokens": settings.max_source_tokens, "interviews": settings.interviews}
    folder = settings.data_dir or world.path
    with files.claim(folder, STAGE):
        inputs = _inputs(world)
        if files.is_done(folder, STAGE, settings=made_by, inputs=inputs):
            say.say("dataset-stage.done-before")
            report = files.read_json(folder / "report" / "dataset.json")
        else:
            made, report = _prepare(world, names, settings, made_by, say)
            with files.commit(folder, STAGE, settings=made_by, inputs=inputs) as staged:
                _write(staged, made, report)
            _tell(report, folder, say)
    more = [] if settings.model == bundled.NAME else ["--model", settings.model]
    more += ["--data-dir", str(settings.data_dir)] if settings.data_dir else []
    say.next("train_roleplaying", "--world", world.path, *more)
    return Prepared(folder, report)


def _prepare(
    world: World, names: list[str], settings: Settings, made_by: dict[str, Any], say: Teller
) -> tuple[dict[str, Part], dict[str, Any]]:
    tokenizer = loading.load_tokenizer(settings.model)
    rows, people = settings.rows, world.info.characters
    context = BuildContext(
        characters=tuple(names),
        count=lru_cache(maxsize=100_000)(lambda text: causal.count_tokens(tokenizer, text)),
        settings=rows,
        retriever=_retriever(world.path, say) if rows.has_background else None,
        profiles=profiles_of(names, people) if rows.mode == "profile" else {},
    )
    source = _source(world, interviews=settings.interviews)
    budget = Budget(settings.max_source_tokens, rows.background_tokens)
    made = build(source, context, budget=budget)
    answers = [row.answer for row in source.interviews or () if row.character in names]
    return made, summarize(made, context, made_by=made_by, isms=source.isms, answers=answers)


def _source(world: World, *, interviews: bool) -> Source:
    """What the world gives, with what sounds generated in it."""
    chapters = world.lines_by_chapter()
    asked = world.read_interviews() if interviews else None
    said = [line.text for lines in chapters.values() for line in lines if line.kind == "say"]
    talks = world.read_conversations()
    isms = learn(asked or (), said)
    replay: Any = ((), ())
    if START.is_dir() and world.path.resolve() != START:
        start = World.load(START)
        replay = start.info.characters, start.read_conversations()
    texts = [row["text"] for row in _snippets(world)]
    return Source(world.info.characters, chapters, asked, talks, replay, texts, isms)


def _snippets(world: World) -> list[dict[str, Any]]:
    """The rows of the knowledge base that are told of no chapter: those of the wiki."""
    path = world.path / "kb" / "snippets.jsonl"
    rows = files.read_jsonl(path) if path.exists() else []
    return [row for row in rows if row.get("text") and row.get("chapter") is None]


def _retriever(world: Path, say: Teller) -> WorldRetriever | None:
    found = world_retriever(world)
    key = "dataset-stage.background" if found else "dataset-stage.no-background"
    say.say(key, folder=world / "kb")
    return found


def _inputs(world: World) -> str:
    """The digest of all that the data is made from."""
    shared = sorted(Path(texts.__file__).parent.glob("*.jsonl"))
    paths = [*(world.path / name for name in _INPUTS), *shared, START / "conversations.jsonl"]
    return files.digest(*(path.read_bytes() if path.exists() else b"" for path in paths))


def _write(folder: Path, made: dict[str, Part], report: dict[str, Any]) -> None:
    """Write the rows and passages of both parts, and the report."""
    for name, part in made.items():
        passages = (row.model_dump() for row in part.passages)
        files.write_jsonl(folder / f"{name}.passages.jsonl", passages)
        files.write_jsonl(folder / f"{name}.json", (row.model_dump() for row in part.rows))
    write_report(folder / "report", report)


def _tell(report: Mapping[str, Any], folder: Path, say: Teller) -> None:
    told = ("chapters", "passages", "rows", "target_tokens")
    for name in ("train", "test"):
        say.say("dataset-stage.part", part=name, **{key: report[name][key] for key in told})
    say.say("dataset-stage.report", path=folder / "report" / "dataset.md")
