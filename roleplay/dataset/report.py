"""What a data set holds, for a person to read: ``report/dataset.json``, ``dataset.md`` and ``dataset.png``.

    report = summarize(made, materials, made_by={"mode": "many", ...}, flavour=learn(...), answers=[...])
    write_report(folder / "report", report)

    report["train"]["learnt_tokens_by_task"]      # {"scene": 19400, "fact": 6100, "identity": 720, ...}

Learnt tokens are those of passages. The plot has no Chinese in it, since a machine may lack the fonts.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.dataset.build import Part
from roleplay.dataset.flavour import Flavour, flavour_rate
from roleplay.dataset.settings import Materials
from roleplay.prompts import Count
from roleplay.records import Passage
from roleplay.script import format_cue

_EXAMPLES = 3
_SHOWN = 20
_STEP = 8
_LONGEST = 96
"""Answers this long and longer share the last bar of the histogram."""


def summarize(
    made: Mapping[str, Part],
    materials: Materials,
    *,
    made_by: Mapping[str, Any],
    flavour: Flavour,
    answers: Sequence[str],
) -> dict[str, Any]:
    """The figures of both parts.

    Args:
        made_by: all settings.
        answers: of the interviews as they were given, whose flavour is reported.
    """
    parts = {name: summarize_part(part, materials) for name, part in made.items()}
    return {
        "settings": dict(made_by),
        "test_chapters": list(made["test"].chapters),
        **parts,
        "flavour": summarize_flavour(flavour, answers),
        "examples": examples(made["train"].passages, materials.settings.seed),
    }


def summarize_part(part: Part, materials: Materials) -> dict[str, Any]:
    """Counts, lengths, learnt tokens by task and character, and what was dropped."""
    count, names = materials.count, materials.characters
    by_task, by_character = learnt_tokens(part.passages, names, count)
    return {
        "chapters": len(part.chapters),
        "passages": len(part.passages),
        "passages_by_task": dict(Counter(passage.task for passage in part.passages).most_common()),
        "rows": len(part.rows),
        "rows_by_task": dict(Counter(row.task for row in part.rows).most_common()),
        "rows_by_character": {name: sum(row.character == name for row in part.rows) for name in names},
        "down_weighted": sum(row.weight < 1 for row in part.rows),
        "learnt_tokens": sum(by_task.values()),
        "learnt_tokens_by_task": dict(by_task.most_common()),
        "learnt_tokens_by_character": {name: by_character[name] for name in names},
        "prompt_tokens_longest": max((count(row.prompt) for row in part.rows), default=0),
        "answer_tokens": histogram([count(row.response) for row in part.rows]),
        "passage_tokens": histogram(
            [sum(count(segment.text) for segment in passage.segments) for passage in part.passages], step=64
        ),
        "dropped": part.dropped,
    }


def learnt_tokens(passages: Sequence[Passage], names: Sequence[str], count: Count) -> tuple[Counter[str], Counter[str]]:
    """Tokens that are learnt, by task and by the character whose cue stands before them."""
    speakers = {format_cue(name): name for name in names}
    by_task: Counter[str] = Counter()
    by_character: Counter[str] = Counter()
    for passage in passages:
        for before, segment in zip(passage.segments, passage.segments[1:], strict=False):
            if segment.weight:
                by_task[passage.task] += count(segment.text)
                by_character[speakers.get(before.text, "")] += count(segment.text)
    return by_task, by_character


def histogram(values: Sequence[int], *, step: int = _STEP) -> dict[str, int]:
    """How many values lie in [n, n + step), by n; the last of twelve holds all above it."""
    last = step * (_LONGEST // _STEP)
    counts = Counter(min(value // step * step, last) for value in values)
    return {f"{start}{'+' if start == last else ''}": counts[start] for start in sorted(counts)}


def summarize_flavour(flavour: Flavour, answers: Sequence[str]) -> dict[str, Any]:
    """The share of flavoured interviews, the n-grams that gave it, and a few of them."""
    found = [(text, signs) for text in answers if (signs := flavour.signs(text))]
    return {
        "interviews": len(answers),
        "rate": round(flavour_rate(answers, flavour), 4),
        "ngrams": [row.__dict__ for row in flavour.ngrams[:_SHOWN]],
        "examples": [{"answer": text, "signs": signs} for text, signs in found[:_EXAMPLES]],
    }


def examples(passages: Sequence[Passage], seed: int) -> dict[str, list[str]]:
    """Three passages of each task."""
    by_task: dict[str, list[str]] = {}
    for passage in passages:
        by_task.setdefault(passage.task, []).append("".join(segment.text for segment in passage.segments))
    chance = random.Random(seed)
    return {task: chance.sample(texts, min(_EXAMPLES, len(texts))) for task, texts in by_task.items()}


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Write ``dataset.json``, ``dataset.md`` and ``dataset.png``."""
    files.write_json(folder / "dataset.json", report)
    files.write_text(folder / "dataset.md", to_markdown(report))
    draw(report, folder / "dataset.png")


def to_markdown(report: Mapping[str, Any]) -> str:
    """The report as a page."""
    settings, train, test = report["settings"], report["train"], report["test"]
    parts = [
        "# Data set",
        f"Mode {settings['mode']}; {train['passages']:,} passages and {train['rows']:,} rows to learn from "
        f"({train['learnt_tokens']:,} learnt tokens); {test['passages']:,} passages of chapters "
        f"{' '.join(map(str, report['test_chapters']))} held out ({test['learnt_tokens']:,}).",
        "![learnt tokens by task, lengths of answers and passages](dataset.png)",
        _table("Learnt tokens by task", train["learnt_tokens_by_task"], share=True),
        _table("Learnt tokens by character", train["learnt_tokens_by_character"], share=True),
        _table("Left out, or counted less", train["dropped"]),
        _table("Tokens of an answer", train["answer_tokens"]),
        _table("Tokens of a passage", train["passage_tokens"]),
        _flavour(report["flavour"]),
        *_examples(report["examples"]),
        _table("Settings", settings),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(title: str, values: Mapping[str, Any], *, share: bool = False) -> str:
    if not values:
        return ""
    total = max(sum(values.values()), 1) if share else 1
    rows = [
        f"| {name} | {value:,} | {value / total:.1%} |" if share else f"| {name} | {_cell(value)} |"
        for name, value in values.items()
    ]
    head = ["| | | |", "|---|---|---|"] if share else ["| | |", "|---|---|"]
    return "\n".join([f"## {title}\n", *head, *rows])


def _cell(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _flavour(found: Mapping[str, Any]) -> str:
    if not found["interviews"]:
        return ""
    grams = "、".join(f"{row['text']} (z {row['z']})" for row in found["ngrams"]) or "none"
    shown = [f"* {row['answer']} ({'、'.join(row['signs'])})" for row in found["examples"]]
    text = f"{found['rate']:.1%} of {found['interviews']} interviews sound generated. Overused n-grams: {grams}."
    return "\n".join(["## GPT flavour\n", text, *shown])


def _examples(found: Mapping[str, Sequence[str]]) -> list[str]:
    return [
        f"## Examples: {task}\n\n" + "\n\n".join(f"```\n{text.rstrip()}\n```" for text in texts)
        for task, texts in found.items()
    ]


def draw(report: Mapping[str, Any], target: Path) -> None:
    """A PNG: learnt tokens by task, lengths of answers, lengths of passages."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    train = report["train"]
    figure, (tasks, answers, passages) = pyplot.subplots(1, 3, figsize=(13, 4), layout="constrained")
    tokens = train["learnt_tokens_by_task"]
    tasks.barh(list(tokens)[::-1], list(tokens.values())[::-1])
    tasks.set(title="learnt tokens by task", xlabel="tokens")
    answers.bar(list(train["answer_tokens"]), list(train["answer_tokens"].values()))
    answers.set(title="answers", xlabel="tokens", ylabel="rows")
    passages.bar(list(train["passage_tokens"]), list(train["passage_tokens"].values()))
    passages.set(title="passages", xlabel="tokens", ylabel="passages")
    for axes in (answers, passages):
        axes.tick_params(axis="x", rotation=45)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=110)
    pyplot.close(figure)
