"""The background of a world as a person sees it: pages dropped in or written, searched, tried out.

    add_pages(world, [Path("闻筝.wiki"), Path("export.xml")])
    write_page(world, "椒盐豆糕", "街角的铺子每天只做两笼。")
    found = search(world, "闻筝 最爱吃什么")                  # snippets with their scores
    trial(world, agent, "闻筝", "你最爱吃什么？").tokens       # what a prompt would get

The pages lie in ``wiki/`` of the world; searching reads the knowledge base, which is built of them.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kb.wiki import iter_wiki
from roleplay import files
from roleplay.background import Snippet
from roleplay.dialogue import CharacterAgent
from roleplay.distill.llm.costs import count_tokens
from roleplay.errors import WorldError, reason
from roleplay.prompts import Budget, background_segment, fit_background, question_query
from roleplay.stages.background import told, world_retriever

FOLDER = "wiki"
KINDS = (".wiki", ".wikitext", ".md", ".txt", ".html", ".htm", ".mhtml", ".mht", ".xml", ".bz2")
"""What ``kb.wiki`` reads, by the end of the name."""

_LARGEST, _MOST_PAGES, _LONGEST_TITLE, _LONGEST_PAGE = 64_000_000, 5000, 80, 200_000
_SHOWN, _LEAST_SCORE = 8, 0.2


@dataclass(frozen=True)
class Trial:
    """What a prompt would get of the background.

    ``used`` are the snippets that fit it, ``found`` all that the search gave; ``exact`` tells
    whether ``tokens`` are the loaded model's own or estimated.
    """

    used: tuple[Snippet, ...]
    found: tuple[Snippet, ...]
    tokens: int
    budget: int
    exact: bool


def pages(world: Path) -> list[str]:
    """The names of the files of the wiki."""
    folder = world / FOLDER
    found = (path for path in folder.rglob("*") if path.is_file())
    names = (path.relative_to(folder).as_posix() for path in found)
    return sorted(name for name in names if not name.startswith("."))


def is_stale(world: Path) -> bool:
    """Whether a page was changed after the knowledge base was built."""
    built = world / "kb" / "meta.json"
    if not built.exists():
        return bool(pages(world))
    folder = world / FOLDER
    changed = [folder.stat().st_mtime] if folder.exists() else []
    changed += [(folder / name).stat().st_mtime for name in pages(world)]
    return max(changed, default=0.0) > built.stat().st_mtime


def add_pages(world: Path, paths: Sequence[Path]) -> int:
    """Copy files into the wiki, each read once to see that it can be; how many pages they hold.

    Raises:
        WorldError: too many, too large, or of a kind that is not read.
        BackgroundError: one cannot be read; none is kept then.
    """
    if len(paths) + len(pages(world)) > _MOST_PAGES:
        raise WorldError("wiki.many", most=_MOST_PAGES)
    for path in paths:
        if path.suffix.lower() not in KINDS:
            raise WorldError("wiki.kind", file=path.name, known=" ".join(KINDS))
        if path.stat().st_size > _LARGEST:
            raise WorldError("wiki.large", file=path.name, most=_LARGEST // 1_000_000)
    count = 0
    for path in paths:
        with told():
            count += sum(1 for _ in iter_wiki(path))
    for path in paths:
        files.write_bytes(world / FOLDER / _plain(path.name), path.read_bytes())
    return count


def read_page(world: Path, name: str) -> str:
    """The text of a page. Raises WorldError: there is none, or it is no text."""
    return files.read_text(_path(world, name))


def write_page(world: Path, title: str, text: str) -> str:
    """Write a page, new or in place of one of that name; the name of its file.

    Raises:
        WorldError: no title, no text, or too long; the disk is full.
    """
    title, text = " ".join(title.split()), text.strip()
    if not title or len(title) > _LONGEST_TITLE:
        raise WorldError("wiki.title", most=_LONGEST_TITLE)
    if not text or len(text) > _LONGEST_PAGE:
        raise WorldError("wiki.text", most=_LONGEST_PAGE)
    if title in pages(world):
        files.write_text(_path(world, title), f"{text}\n")
        return title
    name = f"{_plain(title)}.md"
    head = "" if text.startswith("#") else f"# {title}\n\n"
    files.write_text(world / FOLDER / name, f"{head}{text}\n")
    return name


def delete_page(world: Path, name: str) -> None:
    """Take a page out of the wiki; it stays beside it in ``wiki.deleted``."""
    path, kept = _path(world, name), world / f"{FOLDER}.deleted"
    try:
        kept.mkdir(exist_ok=True)
        shutil.move(path, kept / path.name)
    except OSError as error:
        raise WorldError("files.unwritable", path=path, reason=reason(error)) from error


def search(world: Path, query: str, k: int = _SHOWN) -> tuple[Snippet, ...]:
    """What the knowledge base finds for a question, best first.

    Raises:
        WorldError: nothing is asked, or there is no knowledge base yet.
        BackgroundError: it is damaged.
    """
    if not query.strip():
        raise WorldError("wiki.no-question")
    retriever = world_retriever(world)
    if retriever is None:
        raise WorldError("wiki.not-built")
    return tuple(retriever(query.strip(), k))


def trial(world: Path, agent: CharacterAgent | None, character: str, question: str) -> Trial:
    """What the prompt of a question would get, by the loaded model's tokens where it has one.

    Raises as :func:`search`.
    """
    found = search(world, question_query(question, character) if character else question)
    budget = (agent.budget if agent else None) or Budget()
    count = agent.backend.count if agent else count_tokens
    most = agent.snippets if agent else CharacterAgent.snippets
    fitting = [one for one in found if one.score >= _LEAST_SCORE][:most]
    used = fit_background(fitting, count, budget.background)
    tokens = sum(count(background_segment(one)) for one in used)
    return Trial(tuple(used), found, tokens, budget.background, agent is not None)


def _path(world: Path, name: str) -> Path:
    """The file of a page that is there; nothing outside of the wiki has a name in it."""
    if name not in pages(world):
        raise WorldError("wiki.no-page", name=name)
    return world / FOLDER / name


def _plain(name: str) -> str:
    """A name that is a file's in any system."""
    return re.sub(r'[\\/:*?"<>|\x00-\x1f]', "-", name).lstrip(".")[:_LONGEST_TITLE] or "page"
