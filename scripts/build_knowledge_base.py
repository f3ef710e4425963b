"""Wiki pages and what the novel itself tells to a searchable knowledge base: reads a world, writes <world>/kb.

    python scripts/build_knowledge_base.py --world worlds/chuiyan
    python scripts/build_knowledge_base.py --world worlds/chuiyan --query "闻筝最爱吃什么"
    python scripts/build_knowledge_base.py --world worlds/mine --sources wiki summaries lines

    26 pages -> 92 snippets: 4 embedded with 'bundled', 88 as before -> worlds/chuiyan/kb
    1.00  闻筝最爱吃椒盐豆糕。闻筝最讨厌铁锈雨。…  [闻筝 / 喜好, 闻筝.wiki]

Sources are <world>/wiki, summaries.jsonl (what happens and what people are after) and the lines of script.jsonl (what
was said); without --sources, the wiki and the summaries, as far as they are there. Run it again after changing a page:
only what changed is embedded. It reads no novel and calls no API.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kb.embedding import DEFAULT_EMBEDDER, get_embedder, known_embedders
from kb.errors import WikiError
from kb.index import build_index
from kb.plot import PlotNote
from kb.retrieval import Hit, KnowledgeBase
from kb.snippets import entries_to_snippets
from kb.wiki import Entry, iter_wiki
from scripts import _common, _plot

SOURCES = {"wiki": "wiki", "summaries": "summaries.jsonl", "lines": "script.jsonl"}
"""What a knowledge base is made of, and where it lies in a world."""


T = TypeVar("T")


def main(argv: Sequence[str] | None = None) -> int:
    """Builds, prints counts, answers --query; 0 on success, 2 after an error, 130 when stopped."""
    args = _parser().parse_args(argv)
    return _common.run(lambda: _build(args), debug=args.debug)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Build the knowledge base of a world from its wiki pages and its plot."
    )
    parser.add_argument("--world", type=Path, required=True, help="folder of the novel")
    parser.add_argument(
        "--embedder",
        default=DEFAULT_EMBEDDER,
        help=f"{', '.join(known_embedders())}, a folder or a Hugging Face name (default: %(default)s)",
    )
    parser.add_argument(
        "--sources",
        nargs="+",
        choices=SOURCES,
        help="what to read (default: wiki and summaries, those that exist; lines only when asked for)",
    )
    parser.add_argument("--query", help="also search for this and show what is found")
    parser.add_argument("--k", type=int, default=5, help="number of hits to show (default: %(default)s)")
    _common.add_debug(parser)
    return parser


def _build(args: argparse.Namespace) -> None:
    embedder = get_embedder(args.embedder)
    sources = args.sources or _present(args.world)
    read = _Counted()
    entries = read.pages(iter_wiki(args.world / "wiki")) if "wiki" in sources else []
    notes = read.notes(_notes(args.world, sources))
    snippets = entries_to_snippets(entries, notes)
    if not snippets:
        raise WikiError(f"there is no text in {', '.join(sources)} of {str(args.world)!r}: write some pages first")
    folder = args.world / "kb"
    report = build_index(folder, snippets, embedder, on_progress=_show_progress)
    print(
        f"{read} -> {report.total} snippets: {report.embedded} embedded with "
        f"{embedder.name!r}, {report.reused} as before -> {folder}"
    )
    if args.query:
        for hit in KnowledgeBase.load(folder, embedder=embedder).search(args.query, args.k):
            print(_line(hit))


class _Counted:
    """Counts what passes through, for the report."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def pages(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The entries themselves."""
        return self._count("pages", entries)

    def notes(self, notes: Iterable[PlotNote]) -> Iterator[PlotNote]:
        """The notes themselves."""
        return self._count("notes of the plot", notes)

    def __str__(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in self._counts.items())

    def _count(self, name: str, items: Iterable[T]) -> Iterator[T]:
        for item in items:
            self._counts[name] = self._counts.get(name, 0) + 1
            yield item


def _present(world: Path) -> list[str]:
    """The default sources that the world has; the wiki where it has none, so that its absence is the error."""
    return [name for name in ("wiki", "summaries") if (world / SOURCES[name]).exists()] or ["wiki"]


def _notes(world: Path, sources: Sequence[str]) -> list[PlotNote]:
    plot = _plot.read_plot(world) if {"summaries", "lines"} & set(sources) else None
    summaries = _plot.summary_notes(plot) if plot and "summaries" in sources else []
    lines = _plot.line_notes(plot) if plot and "lines" in sources else []
    return [*summaries, *lines]


def _line(hit: Hit) -> str:
    place = " / ".join(filter(None, (hit.snippet.title, hit.snippet.heading)))
    return f"{hit.score:.2f}  {hit.snippet.display}  [{place}, {hit.snippet.source}]"


def _show_progress(done: int, total: int) -> None:
    end = "\n" if done == total else ""
    print(f"\rembedding {done}/{total}", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
