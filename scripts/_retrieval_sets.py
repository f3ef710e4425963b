"""What `evaluate_retrieval.py` asks of which knowledge base: files of a user, or a world with its own questions.

knowledge, asked = from_files(Path("P.jsonl"), Path("Q.jsonl"), "bundled")
knowledge, asked = from_world(Path("worlds/chuiyan"), None)
asked[0]     # Asked(query="闻筝 你哪天过生日？", is_right=<function>)
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kb.embedding import DEFAULT_EMBEDDER, get_embedder
from kb.errors import QuestionSetError
from kb.index import build_index
from kb.questions import read_passages, read_questions, right_passages
from kb.retrieval import KnowledgeBase
from kb.snippets import Snippet, make_snippet
from roleplay.evaluation import holds_fact
from roleplay.models.embedded import cache_folder
from roleplay.prompts import question_query
from roleplay.records import Question
from roleplay.world import World


@dataclass(frozen=True)
class Asked:
    """A query, and whether a snippet answers it."""

    query: str
    is_right: Callable[[Snippet], bool]


def from_files(passages_file: Path, questions_file: Path, embedder_name: str) -> tuple[KnowledgeBase, list[Asked]]:
    """The passages as a knowledge base, its vectors in the project's cache; raises QuestionSetError for a bad row."""
    passages = read_passages(passages_file)
    questions = read_questions(questions_file, passages)
    # The id is the source: two passages may hold one text.
    snippets = [make_snippet("", passage.text, source=passage.id) for passage in passages]
    embedder = get_embedder(embedder_name)
    digest = hashlib.sha256("\0".join((embedder.name, *(snippet.id for snippet in snippets))).encode()).hexdigest()
    folder = cache_folder() / "retrieval" / digest[:16]
    build_index(folder, snippets, embedder, on_progress=show_progress)
    asked = [Asked(item.question, _stands_in(right_passages(item, passages))) for item in questions]
    return KnowledgeBase.load(folder, embedder=embedder), asked


def from_world(world_folder: Path, embedder_name: str | None) -> tuple[KnowledgeBase, list[Asked]]:
    """A world's knowledge base and those of its questions that its wiki answers."""
    world = World.load(world_folder)
    embedder = get_embedder(embedder_name) if embedder_name else None
    knowledge = KnowledgeBase.load(world.path / "kb", embedder=embedder)
    rows = [row for row in world.read_questions() if row.source == "wiki"]
    if not rows:
        raise QuestionSetError(f"{str(world.path / 'questions.jsonl')!r} holds no question with source 'wiki'")
    return knowledge, [Asked(question_query(row.question, row.character), _holds(row)) for row in rows]


def default_embedder(name: str | None) -> str:
    """The embedder for passages."""
    return name or DEFAULT_EMBEDDER


def show_progress(done: int, total: int) -> None:
    """A line of progress that overwrites itself."""
    print(f"\rembedding {done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _stands_in(ids: set[str]) -> Callable[[Snippet], bool]:
    return lambda snippet: snippet.source in ids


def _holds(row: Question) -> Callable[[Snippet], bool]:
    return lambda snippet: holds_fact(snippet.display, row)
