"""The layers of the house (DESIGN, section 1): who may import whom, and that nobody imports in a circle.

A module is looked up by its longest prefix; imports inside functions and under TYPE_CHECKING count as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP = ("app", "scripts")
"""Joins the two packages; nothing imports it."""

LAYERS = {
    "roleplay": (
        ("roleplay.ui", "roleplay.serving"),
        ("roleplay.evaluation",),
        ("roleplay.distill", "roleplay.dialogue"),
        ("roleplay.dataset", "roleplay.training", "roleplay.backends"),
        ("roleplay.prompts", "roleplay.adapters"),
        ("roleplay.script", "roleplay.novel", "roleplay.sampling", "roleplay.models", "roleplay.cards"),
        ("roleplay.records", "roleplay.files", "roleplay.world", "roleplay.errors"),
    ),
    "kb": (
        ("kb.retrieval",),
        ("kb.index", "kb.keyword"),
        ("kb.building", "kb.names", "kb.choice", "kb.questions"),
        ("kb.embedding", "kb.snippets"),
        ("kb.duplicates", "kb.plot"),
        ("kb.wiki",),
        ("kb.wikitext", "kb.webpage", "kb.export", "kb.aliases"),
        ("kb.markup", "kb.sections", "kb.tables"),
        ("kb.errors",),
    ),
}
"""Top to bottom; a module imports from its own row or from one further down."""

Imports = dict[str, set[str]]


def sources() -> dict[str, str]:
    """Module name -> source, of both packages, the scripts and the app."""
    paths = [ROOT / "app.py", *(path for top in ("roleplay", "kb", "scripts") for path in (ROOT / top).rglob("*.py"))]
    return {module_name(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(texts: dict[str, str]) -> Imports:
    """Module name -> our modules that it imports."""
    return {
        name: {found for node in ast.walk(ast.parse(text)) for found in imported(node, texts) if found != name}
        for name, text in texts.items()
    }


def imported(node: ast.AST, known: dict[str, str]) -> Iterator[str]:
    """Our modules that an import statement names; ``from a import b`` is a.b where that is a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if is_ours(alias.name))
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: a relative import, write the whole name"
        for alias in node.names if is_ours(node.module or "") else ():
            longer = f"{node.module}.{alias.name}"
            yield longer if longer in known else str(node.module)


def is_ours(module: str) -> bool:
    return module.split(".")[0] in (*TOP, *LAYERS)


def violations(imports: Imports) -> list[str]:
    """One line for every import that goes up or across."""
    return sorted(
        f"{name} may not import {target}"
        for name, targets in imports.items()
        for target in targets
        if name.split(".")[0] not in TOP and not allowed(name, target)
    )


def allowed(name: str, target: str) -> bool:
    same_package = name.split(".")[0] == target.split(".")[0]
    return same_package and depth(name) <= depth(target)


def depth(module: str) -> int:
    """How far below the top a module stands; a package's own ``__init__`` stands below all others."""
    rows = LAYERS[module.split(".")[0]]
    if module in LAYERS:
        return len(rows)
    return next(i for i, row in enumerate(rows) if any(f"{module}.".startswith(f"{name}.") for name in row))


def circle(imports: Imports) -> list[str]:
    """The modules of one import cycle, or nothing."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.fixture(scope="module")
def imports() -> Imports:
    return imports_of(sources())


def test_every_module_has_a_layer(imports: Imports) -> None:
    lower = [name for name in imports if name.split(".")[0] in LAYERS]
    homeless = [name for name in lower if name not in LAYERS and not any(has_row(name))]
    assert len(lower) > 40 and homeless == []


def has_row(module: str) -> Iterator[bool]:
    for row in LAYERS[module.split(".")[0]]:
        yield any(f"{module}.".startswith(f"{name}.") for name in row)


def test_nothing_is_imported_from_above(imports: Imports) -> None:
    assert violations(imports) == []


def test_no_modules_import_each_other_in_a_circle(imports: Imports) -> None:
    assert circle(imports) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("roleplay.prompts", "from roleplay.dialogue import Session"),
        ("roleplay.world", "def f():\n    from roleplay import script"),
        ("roleplay.dialogue", "import kb.retrieval"),
        ("kb.retrieval", "from roleplay.prompts import Snippet"),
        ("kb.index", "if TYPE_CHECKING:\n    from kb.retrieval import Hit"),
        ("roleplay.ui.engine", "from app import load_player"),
        ("kb.wiki", "from scripts import _common"),
    ],
)
def test_an_import_from_above_is_seen(name: str, text: str) -> None:
    found = violations(imports_of({name: text, "roleplay.script": ""}))
    assert len(found) == 1 and found[0].startswith(f"{name} may not import ")


def test_a_circle_is_seen() -> None:
    texts = {"kb.snippets": "from kb import embedding", "kb.embedding": "def f():\n    import kb.snippets"}
    assert set(circle(imports_of(texts))) == {"kb.snippets", "kb.embedding"}


def test_imports_from_below_and_beside_are_allowed() -> None:
    texts = {
        "roleplay.dialogue": "from roleplay.errors import DialogueError\nimport roleplay.distill.cues\nimport torch"
    }
    assert violations(imports_of(texts)) == []
