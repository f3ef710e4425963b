"""A reading sheet: replies for people to mark, without telling which model wrote them.

    add_to_sheet(Path("sheet.jsonl"), rows, source="chuiyan-gemma3-270m-lora")
    # a reader fills in "mark": "good", "passable" or "bad" in each line
    read_marks([Path("sheet.jsonl")])       # {"chuiyan-gemma3-270m-lora": Marks(good=31, ...)}

A second model's replies go into the same sheet, and all lines are shuffled. Which line is whose
stands in ``sheet.key.json``; whoever reads does not open that.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.errors import DatasetError

RUBRIC = """Mark every line of the sheet: put good, passable or bad between the quotes of "mark".
good      answers what was said, fits the character, is sound language: one would like to go on
passable  fits what was said in part, or is flat, or odd in a word
bad       beside the point, nonsense, a formula nobody asked for, somebody else's words, broken
把每一行 "mark" 的引号里填上 good（切题、像 TA、通顺，愿意聊下去）、passable（部分切题，或平淡，或有一处别扭）
或 bad（答非所问、胡话、没人问却套话、说了别人的口头禅、句子不通）。
"""
MARKS = ("good", "passable", "bad")


@dataclass(frozen=True)
class Marks:
    """How many replies got which mark; ``unread`` got none."""

    good: int = 0
    passable: int = 0
    bad: int = 0
    unread: int = 0

    @property
    def total(self) -> int:
        """Replies with a mark."""
        return self.good + self.passable + self.bad


def add_to_sheet(path: Path, rows: Sequence[Mapping[str, Any]], *, source: str) -> int:
    """Add the ``rows`` of a model to a sheet, and shuffle it; gives how many lines it has.

    Args:
        rows: what a reader is shown, each with ``character``, ``said`` and ``reply``.
        source: kept in the key alone.

    Raises:
        WorldError: the sheet that is there cannot be read.
    """
    known = files.read_jsonl(path) if path.exists() else []
    key = files.read_json(_key(path)) if _key(path).exists() else {}
    lines = {row["id"]: row for row in known}
    for row in rows:
        text = f"{source}\n{row['character']}\n{row['said']}\n{row['reply']}"
        # Sorting by a hash shuffles, and puts the same reply at the same place again.
        number = hashlib.sha256(text.encode()).hexdigest()[:12]
        lines.setdefault(number, {"id": number, **row, "mark": ""})
        key[number] = source
    files.write_text(path.with_suffix(".rubric.txt"), RUBRIC)
    files.write_json(_key(path), key)
    files.write_jsonl(path, [lines[number] for number in sorted(lines)])
    return len(lines)


def read_marks(paths: Sequence[Path]) -> dict[str, Marks]:
    """The marks of one or several readers' copies of a sheet, by source.

    Raises:
        WorldError: a sheet or its key cannot be read.
        DatasetError: a mark is none of the three.
    """
    counts: dict[str, dict[str, int]] = {}
    for path in paths:
        key = files.read_json(_key(path))
        for number, row in enumerate(files.read_jsonl(path), 1):
            mark = str(row.get("mark", "")).strip().lower()
            if mark and mark not in MARKS:
                raise DatasetError("evaluation.mark", path=path, number=number, mark=mark)
            own = counts.setdefault(key[row["id"]], {})
            own[mark or "unread"] = own.get(mark or "unread", 0) + 1
    return {source: Marks(**own) for source, own in sorted(counts.items())}


def marks_table(found: Mapping[str, Marks]) -> str:
    """A Markdown table: counts, and shares with their 95 % intervals (Wilson 1927)."""
    lines = ["| | read | good | passable | bad |", "|---|---|---|---|---|"]
    for source, marks in found.items():
        cells = [_share(getattr(marks, name), marks.total) for name in MARKS]
        lines.append(f"| {source} | {marks.total} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _share(count: int, total: int) -> str:
    if not total:
        return "-"
    low, high = wilson(count, total)
    return f"{count} ({count / total:.0%}, {low:.0%}-{high:.0%})"


def wilson(count: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share of ``count`` in ``total``."""
    share, square = count / total, z * z
    middle = (share + square / (2 * total)) / (1 + square / total)
    spread = z * math.sqrt(share * (1 - share) / total + square / (4 * total**2))
    half = spread / (1 + square / total)
    return max(0.0, middle - half), min(1.0, middle + half)


def _key(path: Path) -> Path:
    return path.with_suffix(".key.json")
