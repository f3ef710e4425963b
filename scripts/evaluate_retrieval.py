"""How well the search finds: recall@k over a question set of your own, or over a world's wiki questions.

    python scripts/evaluate_retrieval.py --passages P.jsonl --questions Q.jsonl [--embedder bundled] [--method fused]
    python scripts/evaluate_retrieval.py --world worlds/chuiyan

    method     recall@1  recall@3  recall@5  recall@10  queries/s
    keyword       88.1%     95.0%     96.1%      97.8%          7
    fused         88.6%     96.0%     97.1%      98.6%         17
    {"n": 800, "recall@1": 0.88625, "recall@3": 0.96, "recall@5": 0.97125, "recall@10": 0.98625, "queries_per_s": 16.85}

P.jsonl has {"id", "text"} rows, Q.jsonl {"question", "answers", "gold"} rows (`kb.questions`); recall@k is the share of
questions with a right passage among the top k. Vectors are kept in the cache, so that a second run starts at once.
For a world it also prints how `min_score` parts its questions from unrelated ones.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kb.embedding import known_embedders
from kb.errors import QueryError
from kb.retrieval import MIN_SCORE, Hit, KnowledgeBase, Method
from scripts import _common
from scripts._retrieval_sets import Asked, default_embedder, from_files, from_world

_KS = (1, 3, 5, 10)
_UNRELATED = (
    "今天的股票行情怎么样",
    "怎么用Python写一个排序算法",
    "法国的首都是哪里",
    "感冒了应该吃什么药",
    "光速是每秒多少公里",
    "世界杯几年举办一次",
    "红烧肉怎么做才好吃",
    "如何申请护照",
    "电脑开机黑屏怎么办",
    "谁发明了电话",
    "太阳系有几颗行星",
    "怎样学好英语口语",
    "比特币现在值多少钱",
    "高铁票在哪里买",
    "孩子发烧三十九度怎么办",
    "请推荐一部科幻电影",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table and, last, one JSON object; 0 on success, 2 after an error, 130 when stopped."""
    args = _parser().parse_args(argv)
    return _common.run(lambda: _evaluate(args), debug=args.debug)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure how well background is found.")
    parser.add_argument("--passages", type=Path, help='JSON Lines: {"id", "text"}')
    parser.add_argument("--questions", type=Path, help='JSON Lines: {"question", "answers", "gold"}')
    parser.add_argument("--world", type=Path, help="instead of files: a world with kb/ and questions.jsonl")
    parser.add_argument(
        "--embedder",
        help=f"{', '.join(known_embedders())}, a folder or a Hugging Face name (default: bundled, or the world's own)",
    )
    parser.add_argument("--method", choices=get_args(Method), default="fused", help="default: %(default)s")
    _common.add_debug(parser)
    return parser


def _evaluate(args: argparse.Namespace) -> None:
    knowledge, asked = _set_of(args)
    knowledge.search(asked[0].query, 1, method=args.method)  # loads the model before the clock starts
    methods = dict.fromkeys(("keyword", args.method))
    reports = {method: measure(knowledge, asked, method) for method in methods}
    print("method     recall@1  recall@3  recall@5  recall@10  queries/s")
    for method, report in reports.items():
        print(_table_row(method, report))
    if args.world:
        print(calibration(knowledge, asked, args.method))
    print(json.dumps(reports[args.method]))


def _set_of(args: argparse.Namespace) -> tuple[KnowledgeBase, list[Asked]]:
    if args.world and not (args.passages or args.questions):
        return from_world(args.world, args.embedder)
    if args.passages and args.questions and not args.world:
        return from_files(args.passages, args.questions, default_embedder(args.embedder))
    raise QueryError("what to measure on is not clear: give --passages with --questions, or --world alone")


def measure(knowledge: KnowledgeBase, asked: Sequence[Asked], method: Method) -> dict[str, float]:
    """n, recall@k as fractions, and queries a second."""
    start = time.perf_counter()
    ranks = [first_right(knowledge.search(item.query, max(_KS), method=method), item) for item in asked]
    seconds = time.perf_counter() - start
    recalls = {f"recall@{k}": round(sum(rank < k for rank in ranks) / len(ranks), 6) for k in _KS}
    return {"n": len(asked), **recalls, "queries_per_s": round(len(asked) / max(seconds, 1e-9), 2)}


def first_right(hits: Sequence[Hit], asked: Asked) -> int:
    """The place of the first hit that answers, from 0; beyond every k where none does."""
    return next((place for place, hit in enumerate(hits) if asked.is_right(hit.snippet)), max(_KS))


def calibration(knowledge: KnowledgeBase, asked: Sequence[Asked], method: Method) -> str:
    """What share of own and of unrelated questions finds something at several thresholds."""
    right = [
        max(
            (hit.score for hit in knowledge.search(item.query, 3, method=method) if item.is_right(hit.snippet)),
            default=0,
        )
        for item in asked
    ]
    names = [item.query.split()[0] for item in asked[:: max(len(asked) // len(_UNRELATED), 1)]]
    unrelated = [
        max((hit.score for hit in knowledge.search(f"{name} {text}", 1, method=method)), default=0)
        for name, text in zip(names, _UNRELATED, strict=False)
    ]
    lines = [f"min_score  right snippet kept  unrelated question finds something   (the app's: {MIN_SCORE})"]
    for least in (0.1, 0.15, 0.2, 0.25, 0.3):
        kept, found = (sum(score >= least for score in scores) / len(scores) for scores in (right, unrelated))
        lines.append(f"{least:9.2f}  {kept:18.1%}  {found:35.1%}")
    return "\n".join(lines)


def _table_row(method: str, report: dict[str, float]) -> str:
    shares = "".join(f"{report[f'recall@{k}']:>{width}.1%}" for k, width in zip(_KS, (8, 10, 10, 11), strict=True))
    return f"{method:10} {shares}{report['queries_per_s']:>11.0f}"


if __name__ == "__main__":
    sys.exit(main())
