"""Wiki pages to a searchable knowledge base: reads <world>/wiki, writes <world>/kb.

    python scripts/build_knowledge_base.py --world worlds/chuiyan
    python scripts/build_knowledge_base.py --world worlds/chuiyan --query "闻筝最爱吃什么"

    25 pages -> 117 snippets: 4 embedded with 'bundled', 113 as before -> worlds/chuiyan/kb
    1.00  闻筝最爱吃椒盐豆糕。闻筝最讨厌铁锈雨。…  [闻筝 / 喜好, 闻筝.wiki]

Run it again after changing a page: only what changed is embedded. It reads no novel and calls no API.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kb.embedding import DEFAULT_EMBEDDER, get_embedder, known_embedders
from kb.index import build_index
from kb.retrieval import Hit, KnowledgeBase
from kb.snippets import entries_to_snippets
from kb.wiki import read_wiki
from scripts import _common


def main(argv: Sequence[str] | None = None) -> int:
    """Builds, prints counts, answers --query; 0 on success, 2 after an error, 130 when stopped."""
    args = _parser().parse_args(argv)
    return _common.run(lambda: _build(args), debug=args.debug)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Build the knowledge base of a world from its wiki pages.")
    parser.add_argument("--world", type=Path, required=True, help="folder of the novel, with wiki/ in it")
    parser.add_argument(
        "--embedder",
        default=DEFAULT_EMBEDDER,
        help=f"{', '.join(known_embedders())}, a folder or a Hugging Face name (default: %(default)s)",
    )
    parser.add_argument("--query", help="also search for this and show what is found")
    parser.add_argument("--k", type=int, default=5, help="number of hits to show (default: %(default)s)")
    _common.add_debug(parser)
    return parser


def _build(args: argparse.Namespace) -> None:
    embedder = get_embedder(args.embedder)
    entries = read_wiki(args.world / "wiki")
    snippets = entries_to_snippets(entries)
    folder = args.world / "kb"
    report = build_index(folder, snippets, embedder, on_progress=_show_progress)
    print(
        f"{len(entries)} pages -> {report.total} snippets: {report.embedded} embedded with "
        f"{embedder.name!r}, {report.reused} as before -> {folder}"
    )
    if args.query:
        for hit in KnowledgeBase.load(folder, embedder=embedder).search(args.query, args.k):
            print(_line(hit))


def _line(hit: Hit) -> str:
    place = " / ".join(filter(None, (hit.snippet.title, hit.snippet.heading)))
    return f"{hit.score:.2f}  {hit.snippet.display}  [{place}, {hit.snippet.source}]"


def _show_progress(done: int, total: int) -> None:
    end = "\n" if done == total else ""
    print(f"\rembedding {done}/{total}", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
