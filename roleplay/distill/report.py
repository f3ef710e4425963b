"""What came of a distillation, for a person to read: ``report/distill.json``, ``.md`` and ``.png``.

    report = summarize(text, chunks, lines, cost={"calls": 12, "usd": 0.04})
    write_report(folder / "report", report)

    report["quoted"]        # {"in_novel": 1830, "in_script": 1826, "coverage": 0.9978}

Plots have no Chinese in them: a machine may lack the fonts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.distill.rules.turns import spoken_quotes
from roleplay.messages import Message, message
from roleplay.records import UNKNOWN, Chunk, Line
from roleplay.world import chapter_finder

_SPOKEN = ("say", "think")
_SHOWN = 30
# Fewer lines than this are a sample; a novel has three speakers, and none of them says most of it.
_ENOUGH, _FEW, _MOST_SHARE = 20, 2, 0.6


def summarize(
    text: str,
    chunks: Sequence[Chunk],
    lines: Sequence[Line],
    *,
    cost: Mapping[str, Any] | None = None,
    disagreements: Sequence[str] = (),
) -> dict[str, Any]:
    """The figures of a script of the novel ``text``.

    ``cost`` is that of a paid run (calls, tokens, money); ``disagreements`` are lines to read, one
    for each place where rules and model differed. Both are shown as they are.
    """
    spoken = [line for line in lines if line.kind in _SPOKEN]
    unknown = [line for line in spoken if line.char == UNKNOWN]
    chapters = map(chapter_finder(chunks), spoken)
    return {
        "characters": len(text),
        "chapters": len({chunk.chapter for chunk in chunks}),
        "chunks": len(chunks),
        "lines": len(lines),
        "spoken": len(spoken),
        "unknown": len(unknown),
        "with_speaker": round(1 - len(unknown) / max(len(spoken), 1), 4),
        "quoted": coverage(text, spoken),
        "kinds": _counts(line.kind for line in lines),
        "cues": _counts(line.cue or "none" for line in spoken),
        "sources": _counts(line.source or "none" for line in spoken),
        "unknown_reasons": _counts((line.reason or "no reason given" for line in unknown), _SHOWN),
        "speakers": _counts(line.char for line in spoken if line.char != UNKNOWN),
        # A line whose chunk nobody knows counts to no chapter.
        "spoken_by_chapter": dict(sorted(Counter(at for at in chapters if at is not None).items())),
        "disagreements": list(disagreements),
        "cost": dict(cost or {}),
    }


def cast_doubt(report: Mapping[str, Any]) -> Message | None:
    """What looks wrong about who speaks, in one line; ``None`` if nothing does."""
    speakers, named = report["speakers"], report["spoken"] - report["unknown"]
    if report["spoken"] < _ENOUGH:
        return None
    if not speakers:
        return message("distill.cast-none")
    if len(speakers) <= _FEW:
        return message("distill.cast-few", names=" ".join(speakers))
    name, most = next(iter(speakers.items()))
    if most > _MOST_SHARE * named:
        return message("distill.cast-one", name=name, share=f"{most / named:.0%}")
    return None if report["unknown"] else message("distill.cast-all")


def _counts(values: Iterable[Any], most: int | None = None) -> dict[Any, int]:
    return dict(Counter(values).most_common(most))


def coverage(text: str, spoken: Sequence[Line]) -> dict[str, float]:
    """Characters of quoted speech in the novel, how many stand in the script, and their share."""
    inside = bytearray(len(text))
    for line in spoken:
        if line.span:
            inside[line.span[0] : line.span[1]] = b"\1" * (line.span[1] - line.span[0])
    quoted = (at for quote in spoken_quotes(text) for at in range(*quote.span))
    places = [at for at in quoted if not text[at].isspace()]
    found = sum(inside[at] for at in places)
    share = round(found / max(len(places), 1), 4)
    return {"in_novel": len(places), "in_script": found, "coverage": share}


def write_report(
    folder: Path, report: Mapping[str, Any], *, extra: Mapping[str, Any] | None = None
) -> None:
    """Write ``distill.json``, ``distill.md`` and ``distill.png``; ``extra``: the run's settings."""
    files.write_json(folder / "distill.json", {**(extra or {}), **report})
    files.write_text(folder / "distill.md", to_markdown(report))
    draw(report, folder / "distill.png")


def to_markdown(report: Mapping[str, Any]) -> str:
    """The report as a page."""
    quoted, disagreements = report["quoted"], report["disagreements"]
    parts = [
        "# Distillation",
        f"{report['characters']:,} characters, {report['chapters']} chapters, "
        f"{report['chunks']} chunks; "
        f"{report['lines']:,} lines, {report['spoken']:,} of them spoken or thought.",
        f"Quoted speech in the script: {quoted['coverage']:.2%} ({quoted['in_script']:,} of "
        f"{quoted['in_novel']:,} "
        f"characters). With a speaker: {report['with_speaker']:.1%}.",
        "![cues, cast and chapters](distill.png)",
        _table("How the speaker is known", report["cues"]),
        _table("Who said so", report["sources"]),
        _table("Why nobody is named", report["unknown_reasons"]),
        _table("Cast", dict(list(report["speakers"].items())[:_SHOWN])),
        _table("Cost", report["cost"]),
    ]
    if shown := disagreements[:_SHOWN]:
        times = f"{len(disagreements)} times, the first {len(shown)}"
        rows = "\n".join(f"* {text}" for text in shown)
        parts.append(f"## Rules and model disagreed {times}\n\n{rows}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(title: str, values: Mapping[str, Any]) -> str:
    rows = [f"| {name} | {value} |" for name, value in values.items()]
    return "\n".join([f"## {title}\n", "| | |", "|---|---|", *rows]) if rows else ""


def draw(report: Mapping[str, Any], target: Path) -> None:
    """A PNG: spoken lines by cue, by rank of the speaker, by chapter."""
    import matplotlib

    # Without a screen: a stage may run in a server.
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (cues, cast, chapters) = pyplot.subplots(1, 3, figsize=(13, 4), layout="constrained")
    cues.barh(list(report["cues"])[::-1], list(report["cues"].values())[::-1])
    cues.set(title="how the speaker is known", xlabel="lines")
    counts = list(report["speakers"].values())[:_SHOWN]
    cast.bar(range(1, len(counts) + 1), counts)
    cast.set(title="lines by speaker", xlabel="rank in the cast", ylabel="lines")
    chapters.bar(list(report["spoken_by_chapter"]), list(report["spoken_by_chapter"].values()))
    chapters.set(title="spoken lines by chapter", xlabel="chapter", ylabel="lines")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=110)
    pyplot.close(figure)
