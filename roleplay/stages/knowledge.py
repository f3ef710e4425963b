"""Build the knowledge base of a world, <world>/kb, from its wiki pages and its plot.

    run(Settings(world=Path("worlds/mine"), query="闻筝最爱吃什么"), show)

Sources are <world>/wiki, summaries.jsonl (what happens and what people are after), the plot as
rules tell it from script.jsonl (who was there with whom, first and last words) and its lines (what
was said); unless they are named, the wiki and the summaries, or the plot where there are none, as
far as they are there. Only what changed is embedded.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from kb.embedding import DEFAULT_EMBEDDER, get_embedder, known_embedders
from kb.index import BuildReport, build_index
from kb.retrieval import Hit, KnowledgeBase
from kb.snippets import PlotNote, entries_to_snippets
from kb.wiki import iter_wiki
from roleplay.errors import WorldError
from roleplay.messages import message
from roleplay.options import WorldOptions, option
from roleplay.stages import plot
from roleplay.stages.background import told
from roleplay.stages.progress import Listener, Teller, silent

SOURCES = {
    "wiki": "wiki",
    "summaries": "summaries.jsonl",
    "plot": "script.jsonl",
    "lines": "script.jsonl",
}
"""What a knowledge base is made of, and where it lies in a world."""

T = TypeVar("T")


@dataclass(frozen=True)
class Settings(WorldOptions):
    """The options of the stage."""

    embedder: str = option(
        DEFAULT_EMBEDDER,
        f"{', '.join(known_embedders())}, a folder or a hub id",
        f"{'、'.join(known_embedders())}，一个文件夹，或 hub 上的 id",
    )
    sources: tuple[Literal["wiki", "summaries", "plot", "lines"], ...] = option(
        (),
        "what to read (default: wiki and summaries, those that exist; without summaries the "
        "plot as "
        "rules tell it from the script; lines only when asked for)",
        "读什么（默认：有的话就读维基和摘要，没有摘要就按规则从剧本里整理情节；台词要点名才读）",
    )
    query: str = option("", "show what is found for this", "顺便搜这个，看看找到什么")
    k: int = option(5, "number of hits to show", "显示几条", least=1)


def run(settings: Settings, listener: Listener = silent) -> BuildReport:
    """Build, and search where there is a query.

    Raises:
        BackgroundError: no wiki, an unknown embedder, or another build of this folder under way.
        WorldError: a file of the world cannot be read, or there is no text in the sources.
    """
    say = Teller("knowledge", listener)
    with told(say):
        return _build(settings, say)


def _build(settings: Settings, say: Teller) -> BuildReport:
    embedder = get_embedder(settings.embedder)
    sources = settings.sources or _present(settings.world)
    counts: dict[str, int] = {}
    pages = iter_wiki(settings.world / "wiki") if "wiki" in sources else ()
    notes = _counted("notes", _notes(settings.world, sources), counts)
    snippets = entries_to_snippets(_counted("pages", pages, counts), notes)
    if not snippets:
        raise WorldError("knowledge.no-text", sources=", ".join(sources), world=settings.world)
    folder = settings.world / "kb"
    report = build_index(folder, snippets, embedder, on_progress=say.step("knowledge.embedding"))
    first, *second = [message(f"knowledge.{name}", count=count) for name, count in counts.items()]
    read = message("knowledge.both", first=first, second=second[0]) if second else first
    numbers = {"total": report.total, "new": report.embedded, "reused": report.reused}
    say.say("knowledge.built", read=read, embedder=embedder.name, folder=folder, **numbers)
    if settings.query:
        for hit in KnowledgeBase.load(folder, embedder=embedder).search(settings.query, settings.k):
            say.say("plain", text=_line(hit))
    else:
        say.say("knowledge.look", world=settings.world)
    following = (settings.world / plot.CHUNKS).exists()
    script = "prepare_seq2seq_training" if following else "distill_dialogues"
    say.next(script, "--world", settings.world)
    return report


def _counted(name: str, items: Iterable[T], counts: dict[str, int]) -> Iterator[T]:
    """The items themselves; how many there were stands in ``counts``."""
    for item in items:
        counts[name] = counts.get(name, 0) + 1
        yield item


def _present(world: Path) -> list[str]:
    """The default sources that the world has; the wiki where it has none, so that its absence is
    the error.
    """
    found = [name for name in ("wiki", "summaries", "plot") if (world / SOURCES[name]).exists()]
    if "summaries" in found or not (world / plot.CHUNKS).exists():
        found = [name for name in found if name != "plot"]
    return found or ["wiki"]


def _notes(folder: Path, sources: Sequence[str]) -> list[PlotNote]:
    told = {"summaries": plot.summary_notes, "plot": plot.script_notes, "lines": plot.line_notes}
    if not (wanted := [name for name in told if name in sources]):
        return []
    known = plot.read_plot(folder)
    return [note for name in wanted for note in told[name](known)]


def _line(hit: Hit) -> str:
    place = " / ".join(filter(None, (hit.snippet.title, hit.snippet.heading)))
    return f"{hit.score:.2f}  {hit.snippet.display}  [{place}, {hit.snippet.source}]"
