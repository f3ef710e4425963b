"""The layers of the house (docs/architecture.md): who may import whom, and no circles.

A module is looked up by its longest prefix; imports inside functions and under TYPE_CHECKING count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

LAYERS = (
    ("app", "scripts"),
    ("roleplay.ui", "roleplay.serving", "roleplay.cli"),
    ("roleplay.stages",),
    ("roleplay.evaluation",),
    ("roleplay.distill", "roleplay.dialogue", "roleplay.ranking"),
    ("roleplay.chat",),
    ("roleplay.conversation",),
    ("roleplay.dataset", "roleplay.training", "roleplay.backends"),
    ("roleplay.prompts", "roleplay.adapters", "roleplay.cards", "roleplay.recall"),
    ("roleplay.script", "roleplay.novel", "roleplay.sampling", "roleplay.models", "roleplay.sense"),
    ("roleplay.world", "roleplay.native"),
    ("roleplay.files",),
    ("roleplay.background", "roleplay.records", "roleplay.options"),
    ("roleplay.errors",),
    ("roleplay.messages", "roleplay.proxies"),
    ("kb.retrieval",),
    ("kb.index", "kb.keyword", "kb.asking"),
    ("kb.embedding", "kb.snippets"),
    ("kb.duplicates", "kb.wiki"),
    ("kb.wikitext", "kb.export", "kb.topics"),
    ("kb.markdown", "kb.aliases"),
    ("kb.webpage",),
    ("kb.sections",),
    ("kb.names",),
    ("kb.errors",),
)
"""Top to bottom; a module imports from its own row or from one further down."""

Imports = dict[str, set[str]]


def sources() -> dict[str, str]:
    """Module name -> source, of both packages, the scripts and the app."""
    tops = ("roleplay", "kb", "scripts")
    paths = [ROOT / "app.py", *(path for top in tops for path in (ROOT / top).rglob("*.py"))]
    return {module_name(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(texts: dict[str, str]) -> Imports:
    """Module name -> our modules that it imports."""
    return {
        name: {found for node in ast.walk(ast.parse(text)) for found in imported(node, texts)}
        - {name}
        for name, text in texts.items()
    }


def imported(node: ast.AST, known: dict[str, str]) -> Iterator[str]:
    """Our modules that an import names; ``from a import b`` is a.b where that is a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if is_ours(alias.name))
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: a relative import, write the whole name"
        for alias in node.names if is_ours(node.module or "") else ():
            longer = f"{node.module}.{alias.name}"
            yield longer if longer in known else str(node.module)


def is_ours(module: str) -> bool:
    return module.split(".")[0] in ("app", "scripts", "roleplay", "kb")


def violations(imports: Imports) -> list[str]:
    """One line for every import that goes up or across."""
    pairs = [(name, target) for name, targets in imports.items() for target in targets]
    return sorted(
        f"{name} may not import {target}" for name, target in pairs if not allowed(name, target)
    )


def allowed(name: str, target: str) -> bool:
    """Down or beside; nothing imports the top row, and the knowledge base stands apart.

    Only the stages reach into ``kb``, and the page, the API and the terminal reach no deeper than
    what they need to show: nothing that loads, trains or searches.
    """
    package, other = name.split(".")[0], target.split(".")[0]
    if row(target) == 0:
        return package == "scripts" == other
    if other == "kb":
        return (package == "kb" and row(name) <= row(target)) or name.startswith("roleplay.stages")
    if package == "kb":
        return False
    return row(name) <= row(target) or name == "roleplay"


def row(module: str) -> int:
    """The row of a module, 0 at the top; a package's own ``__init__`` stands below all others."""
    if module in ("roleplay", "kb"):
        return len(LAYERS)
    return next(
        i
        for i, names in enumerate(LAYERS)
        if any(f"{module}.".startswith(f"{name}.") for name in names)
    )


def circle(imports: Imports) -> list[str]:
    """The nodes of one import cycle, or nothing."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def folders(imports: Imports) -> Imports:
    """The same between folders: ``roleplay.distill.rules.cues`` is in ``roleplay.distill.rules``.

    What stands in a folder of its own is that folder, and a parent imports its children.
    """
    packages = {name for name in imports if any(other.startswith(f"{name}.") for other in imports)}

    def folder(module: str) -> str:
        return module if module in packages else module.rpartition(".")[0] or module

    found: Imports = {}
    for name, targets in imports.items():
        own = folder(name)
        found.setdefault(own, set()).update(folder(target) for target in targets)
    return {own: {target for target in targets if target != own} for own, targets in found.items()}


@pytest.fixture(scope="module")
def imports() -> Imports:
    return imports_of(sources())


def test_every_module_has_a_layer(imports: Imports) -> None:
    assert len(imports) > 60
    assert all(row(name) >= 0 for name in imports)


def test_nothing_is_imported_from_above(imports: Imports) -> None:
    assert violations(imports) == []


def test_no_modules_import_each_other_in_a_circle(imports: Imports) -> None:
    assert circle(imports) == []


def test_no_folders_import_each_other_in_a_circle(imports: Imports) -> None:
    flat = {
        name: targets
        for name, targets in folders(imports).items()
        if name not in ("roleplay", "kb")
    }
    assert circle({name: targets - {"roleplay", "kb"} for name, targets in flat.items()}) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("roleplay.prompts", "from roleplay import dialogue as d\nimport roleplay.dialogue"),
        ("roleplay.world", "def f():\n    import roleplay.script"),
        ("roleplay.dialogue", "import kb.retrieval"),
        ("roleplay.ui.layout", "import kb.index"),
        ("kb.retrieval", "import roleplay.background"),
        ("kb.index", "if TYPE_CHECKING:\n    import kb.retrieval"),
        ("roleplay.ui.server", "import app"),
        ("roleplay.stages.jobs", "import scripts.evaluate"),
        ("app", "import scripts.evaluate"),
        ("kb.wiki", "import scripts._common"),
    ],
)
def test_an_import_from_above_is_seen(name: str, text: str) -> None:
    found = violations(imports_of({name: text, "roleplay.script": ""}))
    assert len(found) == 1 and found[0].startswith(f"{name} may not import ")


def test_a_circle_is_seen() -> None:
    texts = {
        "kb.snippets": "import kb.embedding",
        "kb.embedding": "def f():\n    import kb.snippets",
    }
    assert set(circle(imports_of(texts))) == {"kb.snippets", "kb.embedding"}


def test_a_circle_of_folders_is_seen() -> None:
    texts = {
        "roleplay.a.one": "import roleplay.b.two",
        "roleplay.b.two": "",
        "roleplay.b.three": "import roleplay.a.four",
        "roleplay.a.four": "",
        "roleplay.a": "",
        "roleplay.b": "",
    }
    assert set(circle(folders(imports_of(texts)))) == {"roleplay.a", "roleplay.b"}


def test_imports_from_below_and_beside_are_allowed() -> None:
    texts = {
        "roleplay.dialogue": "import roleplay.errors\nimport roleplay.distill.rules\nimport torch"
    }
    assert violations(imports_of(texts)) == []
