"""How well the search finds: recall@k over questions of your own, or over those of a world.

    run(Settings(world=Path("worlds/chuiyan")), show)
    run(Settings(passages=Path("P.jsonl"), questions=Path("Q.jsonl")), show)

P.jsonl has {"id", "text"} rows, Q.jsonl {"question", "answers", "gold"} rows; recall@k is the share
of questions with a right passage among the top k. Right are those in `gold`, or, where a question
has none, those that hold one of its answers. Vectors are kept in the cache, so that a second run
starts at once. For a world it also tells how `min_score` parts its questions from unrelated ones.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kb.embedding import DEFAULT_EMBEDDER, get_embedder, known_embedders
from kb.index import build_index
from kb.retrieval import MIN_SCORE, Hit, KnowledgeBase, Method
from kb.snippets import Snippet, make_snippet
from roleplay import files
from roleplay.errors import UsageError, WorldError, reason
from roleplay.evaluation.form import holds_fact
from roleplay.options import Options, option
from roleplay.prompts import question_query
from roleplay.records import Question
from roleplay.stages.background import told
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.world import World

_KS = (1, 3, 5, 10)
_UNRELATED = (
    "今天的股票行情怎么样", "怎么用Python写一个排序算法", "法国的首都是哪里", "感冒了应该吃什么药",
    "光速是每秒多少公里", "世界杯几年举办一次", "红烧肉怎么做才好吃", "如何申请护照",
    "电脑开机黑屏怎么办", "谁发明了电话", "太阳系有几颗行星", "怎样学好英语口语",
    "比特币现在值多少钱", "高铁票在哪里买", "孩子发烧三十九度怎么办", "请推荐一部科幻电影",
)  # fmt: skip


@dataclass(frozen=True)
class Settings(Options):
    """The options of the stage."""

    passages: Path | None = option(None, 'JSON Lines: {"id", "text"}', '每行一个 {"id", "text"}')
    questions: Path | None = option(
        None, '{"question", "answers", "gold"} a line', '每行一个 {"question", "answers", "gold"}'
    )
    world: Path | None = option(
        None, "or a world with kb/ and questions.jsonl", "或一个有 kb/ 和 questions.jsonl 的世界"
    )
    embedder: str = option(
        "",
        f"{', '.join(known_embedders())}, a folder or a hub id (default: bundled, or the world's)",
        f"{'、'.join(known_embedders())}，文件夹或 hub 上的 id（默认：bundled，或世界自己的）",
    )
    method: Method = option("fused", "what searches", "用什么搜")


class Passage(BaseModel):
    """A text that may answer a question."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str
    text: str = Field(min_length=1)


class Asking(BaseModel):
    """A question, its answers, and the ids of the passages that answer it, where they are known."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    question: str = Field(min_length=1)
    answers: tuple[str, ...] | None = None
    gold: tuple[str, ...] | None = None

    def right_among(self, passages: Sequence[Passage]) -> set[str]:
        """Ids of the passages that answer it."""
        answers = list(filter(None, self.answers or ()))
        found = {one.id for one in passages if any(answer in one.text for answer in answers)}
        return set(self.gold or found)


Row = TypeVar("Row", bound=BaseModel)


@dataclass(frozen=True)
class Asked:
    """A query, and whether a snippet answers it."""

    query: str
    is_right: Callable[[Snippet], bool]


def run(settings: Settings, listener: Listener = silent) -> dict[str, float]:
    """n, recall@k as fractions and queries a second, of the method that was asked for.

    Raises:
        UsageError: neither both files nor a world.
        BackgroundError: a bad row, or no index.
    """
    say = Teller("retrieval", listener)
    with told():
        return _evaluate(settings, say)


def _evaluate(settings: Settings, say: Teller) -> dict[str, float]:
    knowledge, asked = _set_of(settings, say)
    method = settings.method
    knowledge.search(asked[0].query, 1, method=method)  # loads the model before the clock starts
    known: dict[Method, None] = dict.fromkeys(("keyword", method))
    reports = {one: measure(knowledge, asked, one) for one in known}
    say.say("plain", text="method     recall@1  recall@3  recall@5  recall@10  queries/s")
    for one, report in reports.items():
        say.say("plain", text=_table_row(one, report))
    if settings.world:
        say.say("plain", text=calibration(knowledge, asked, method))
    say.say("plain", text=json.dumps(reports[method]))
    return reports[method]


def _set_of(settings: Settings, say: Teller) -> tuple[KnowledgeBase, list[Asked]]:
    if settings.world and not (settings.passages or settings.questions):
        return from_world(settings.world, settings.embedder)
    if settings.passages and settings.questions and not settings.world:
        return _from_files(settings.passages, settings.questions, settings.embedder, say)
    raise UsageError("retrieval.unclear")


def _from_files(
    passages_file: Path, questions_file: Path, embedder_name: str, say: Teller
) -> tuple[KnowledgeBase, list[Asked]]:
    """The passages as a knowledge base, its vectors in the project's cache."""
    passages = _rows(passages_file, Passage)
    counts = Counter(passage.id for passage in passages)
    if twice := [key for key, count in counts.items() if count > 1]:
        raise WorldError("retrieval.same-id", path=passages_file, id=twice[0])
    right: dict[str, set[str]] = {}
    for row in _rows(questions_file, Asking):
        right[row.question] = row.right_among(passages)
        if not right[row.question] <= counts.keys() or not (row.gold or any(row.answers or ())):
            raise WorldError("retrieval.no-answer", path=questions_file, question=row.question)
    # The id is the source: two passages may hold one text.
    snippets = [make_snippet("", passage.text, source=passage.id) for passage in passages]
    embedder = get_embedder(embedder_name or DEFAULT_EMBEDDER)
    made_of = "\0".join((embedder.name, *(snippet.id for snippet in snippets)))
    folder = files.cache_folder() / "retrieval" / hashlib.sha256(made_of.encode()).hexdigest()[:16]
    build_index(folder, snippets, embedder, on_progress=say.step("knowledge.embedding"))
    asked = [Asked(question, _stands_in(ids)) for question, ids in right.items()]
    return KnowledgeBase.load(folder, embedder=embedder), asked


def from_world(folder: Path, embedder_name: str) -> tuple[KnowledgeBase, list[Asked]]:
    """A world's knowledge base and those of its questions that its wiki answers."""
    world = World.load(folder)
    embedder = get_embedder(embedder_name) if embedder_name else None
    knowledge = KnowledgeBase.load(world.path / "kb", embedder=embedder)
    rows = [row for row in world.read_questions() if row.source == "wiki"]
    if not rows:
        raise WorldError("retrieval.no-question", path=world.path / "questions.jsonl")
    queries = [question_query(row.question, row.character) for row in rows]
    return knowledge, list(map(Asked, queries, map(_holds, rows)))


def _rows(path: Path, kind: type[Row]) -> list[Row]:
    found: list[Row] = []
    for number, row in enumerate(files.read_jsonl(path), 1):
        try:
            found.append(kind.model_validate(row))
        except ValidationError as error:
            values = {"path": path, "number": number, "reason": reason(error)}
            raise WorldError("world.row", **values) from error
    if not found:
        raise WorldError("retrieval.no-row", path=path)
    return found


def _stands_in(ids: set[str]) -> Callable[[Snippet], bool]:
    return lambda snippet: snippet.source in ids


def _holds(row: Question) -> Callable[[Snippet], bool]:
    return lambda snippet: holds_fact(snippet.display, row)


def measure(knowledge: KnowledgeBase, asked: Sequence[Asked], method: Method) -> dict[str, float]:
    """n, recall@k as fractions, and queries a second."""
    start = time.perf_counter()
    found = [knowledge.search(item.query, max(_KS), method=method) for item in asked]
    ranks = list(map(first_right, found, asked))
    seconds = time.perf_counter() - start
    recalls = {f"recall@{k}": round(sum(rank < k for rank in ranks) / len(ranks), 6) for k in _KS}
    return {"n": len(asked), **recalls, "queries_per_s": round(len(asked) / max(seconds, 1e-9), 2)}


def first_right(hits: Sequence[Hit], asked: Asked) -> int:
    """The place of the first hit that answers, from 0; beyond every k where none does."""
    return next((place for place, hit in enumerate(hits) if asked.is_right(hit.snippet)), max(_KS))


def calibration(knowledge: KnowledgeBase, asked: Sequence[Asked], method: Method) -> str:
    """What share of own and of unrelated questions finds something at several thresholds."""
    own = [(item, knowledge.search(item.query, 3, method=method)) for item in asked]
    right = [_best(hit for hit in hits if item.is_right(hit.snippet)) for item, hits in own]
    names = [item.query.split()[0] for item in asked[:: max(len(asked) // len(_UNRELATED), 1)]]
    queries = [f"{name} {text}" for name, text in zip(names, _UNRELATED, strict=False)]
    unrelated = [_best(knowledge.search(query, 1, method=method)) for query in queries]
    heads = "min_score  right snippet kept  unrelated question finds something"
    lines = [f"{heads}   (the app's: {MIN_SCORE})"]
    for least in (0.1, 0.15, 0.2, 0.25, 0.3):
        kept, found = (sum(one >= least for one in part) / len(part) for part in (right, unrelated))
        lines.append(f"{least:9.2f}  {kept:18.1%}  {found:35.1%}")
    return "\n".join(lines)


def _best(hits: Iterable[Hit]) -> float:
    return max((hit.score for hit in hits), default=0.0)


def _table_row(method: str, report: Mapping[str, float]) -> str:
    columns = zip(_KS, (8, 10, 10, 11), strict=True)  # as wide as their heads
    shares = "".join(f"{report[f'recall@{k}']:>{width}.1%}" for k, width in columns)
    return f"{method:10} {shares}{report['queries_per_s']:>11.0f}"
