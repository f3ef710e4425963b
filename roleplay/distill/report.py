"""What came of a distillation, for a person to read: ``report/distill.json``, ``distill.md`` and its plots.

    report = summarize(text, chunks, lines, cost={"calls": 12, "usd": 0.04})
    write_report(folder / "report", report)

    report["quoted"]        # {"in_novel": 1830, "in_script": 1826, "coverage": 0.9978}

Plots have no Chinese in them but the names of the cast as numbers, since a machine may lack the fonts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.novel.paragraphs import paragraph_spans
from roleplay.novel.quotes import find_quotes
from roleplay.records import UNKNOWN, Chunk, Line

_SPOKEN = ("say", "think")
_SHOWN = 30


def summarize(
    text: str,
    chunks: Sequence[Chunk],
    lines: Sequence[Line],
    *,
    cost: Mapping[str, Any] | None = None,
    disagreements: Sequence[str] = (),
) -> dict[str, Any]:
    """The figures of a script.

    Args:
        text: the decoded novel.
        cost: of a paid run: calls, tokens, money; shown as it is.
        disagreements: one line for each place where rules and model differed.
    """
    spoken = [line for line in lines if line.kind in _SPOKEN]
    unknown = [line for line in spoken if line.char == UNKNOWN]
    chapter = {chunk.id: chunk.chapter for chunk in chunks}
    return {
        "characters": len(text),
        "chapters": len(set(chapter.values())),
        "chunks": len(chunks),
        "lines": len(lines),
        "spoken": len(spoken),
        "unknown": len(unknown),
        "with_speaker": round(1 - len(unknown) / max(len(spoken), 1), 4),
        "quoted": coverage(text, spoken),
        "kinds": dict(Counter(line.kind for line in lines).most_common()),
        "cues": dict(Counter(line.cue or "none" for line in spoken).most_common()),
        "sources": dict(Counter(line.source or "none" for line in spoken).most_common()),
        "unknown_reasons": dict(Counter(line.reason or "no reason given" for line in unknown).most_common(_SHOWN)),
        "speakers": dict(Counter(line.char for line in spoken if line.char != UNKNOWN).most_common()),
        "spoken_by_chapter": dict(sorted(Counter(chapter.get(line.src_id or 0, 0) for line in spoken).items())),
        "disagreements": list(disagreements),
        "cost": dict(cost or {}),
    }


def coverage(text: str, spoken: Sequence[Line]) -> dict[str, float]:
    """Characters of quoted speech in the novel, how many of them stand in the script, and their share."""
    inside = bytearray(len(text))
    for line in spoken:
        if line.span:
            inside[line.span[0] : line.span[1]] = b"\1" * (line.span[1] - line.span[0])
    quotes = [quote for quote in find_quotes(text, paragraph_spans(text)) if quote.kind != "term"]
    places = [at for quote in quotes for at in range(*quote.span) if not text[at].isspace()]
    found = sum(inside[at] for at in places)
    return {"in_novel": len(places), "in_script": found, "coverage": round(found / max(len(places), 1), 4)}


def write_report(folder: Path, report: Mapping[str, Any], *, extra: Mapping[str, Any] | None = None) -> None:
    """Write ``distill.json``, ``distill.md`` and ``distill.png``; ``extra`` are the settings of the run."""
    files.write_json(folder / "distill.json", {**(extra or {}), **report})
    files.write_text(folder / "distill.md", to_markdown(report))
    draw(report, folder / "distill.png")


def to_markdown(report: Mapping[str, Any]) -> str:
    """The report as a page."""
    quoted = report["quoted"]
    parts = [
        "# Distillation",
        f"{report['characters']:,} characters, {report['chapters']} chapters, {report['chunks']} chunks; "
        f"{report['lines']:,} lines, {report['spoken']:,} of them spoken or thought.",
        f"Quoted speech in the script: {quoted['coverage']:.2%} ({quoted['in_script']:,} of {quoted['in_novel']:,} "
        f"characters). With a speaker: {report['with_speaker']:.1%}.",
        "![cues, cast and chapters](distill.png)",
        _table("How the speaker is known", report["cues"]),
        _table("Who said so", report["sources"]),
        _table("Why nobody is named", report["unknown_reasons"]),
        _table("Cast", dict(list(report["speakers"].items())[:_SHOWN])),
        _table("Cost", report["cost"]),
    ]
    if report["disagreements"]:
        shown = report["disagreements"][:_SHOWN]
        title = f"## Rules and model disagreed {len(report['disagreements'])} times, the first {len(shown)}"
        parts += [title, "\n".join(f"* {text}" for text in shown)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(title: str, values: Mapping[str, Any]) -> str:
    if not values:
        return ""
    rows = [f"| {name} | {value} |" for name, value in values.items()]
    return "\n".join([f"## {title}\n", "| | |", "|---|---|", *rows])


def draw(report: Mapping[str, Any], target: Path) -> None:
    """A PNG: spoken lines by cue, by rank of the speaker, by chapter."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (cues, cast, chapters) = pyplot.subplots(1, 3, figsize=(13, 4), layout="constrained")
    cues.barh(list(report["cues"])[::-1], list(report["cues"].values())[::-1])
    cues.set(title="how the speaker is known", xlabel="lines")
    counts = list(report["speakers"].values())[:_SHOWN]
    cast.bar(range(1, len(counts) + 1), counts)
    cast.set(title="lines by speaker", xlabel="rank in the cast", ylabel="lines")
    by_chapter = report["spoken_by_chapter"]
    chapters.bar(list(by_chapter), list(by_chapter.values()))
    chapters.set(title="spoken lines by chapter", xlabel="chapter", ylabel="lines")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=110)
    pyplot.close(figure)
