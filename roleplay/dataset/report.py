"""What a data set holds, for a person to read: ``dataset.json``, ``dataset.md``, ``dataset.png``.

    report = summarize(made, context, made_by={"mode": "many", ...}, isms=learn(...), answers=[...])
    write_report(folder / "report", report)
    report["train"]["target_tokens_by_task"]      # {"scene": 19400, "fact": 6100, ...}

Target tokens are those of passages. The plot has no Chinese: a machine may lack the fonts.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.dataset.assistant_isms import AssistantIsms
from roleplay.dataset.build import Part
from roleplay.dataset.settings import BuildContext
from roleplay.script import format_cue

_EXAMPLES = 3
_NGRAMS = 20
_BARS = 12  # Of a histogram; what is longer than the last bar shares it.


def summarize(
    made: Mapping[str, Part],
    context: BuildContext,
    *,
    made_by: Mapping[str, Any],
    isms: AssistantIsms,
    answers: Sequence[str],
) -> dict[str, Any]:
    """The figures of both parts; ``made_by`` are all settings, ``answers`` all interviews' own."""
    texts: dict[str, list[str]] = {}
    for passage in made["train"].passages:
        text = "".join(segment.text for segment in passage.segments)
        texts.setdefault(passage.task, []).append(text)
    chance, most = random.Random(context.settings.seed), _EXAMPLES
    signs = [{"answer": text, "signs": found} for text in answers if (found := isms.signs(text))]
    return {
        "settings": dict(made_by),
        "test_chapters": list(made["test"].chapters),
        **{name: _part(part, context) for name, part in made.items()},
        "assistant_isms": {
            "interviews": len(answers),
            "rate": round(len(signs) / max(len(answers), 1), 4),
            "ngrams": [row.__dict__ for row in isms.ngrams[:_NGRAMS]],
            "examples": signs[:_EXAMPLES],
        },
        "examples": {task: chance.sample(own, min(most, len(own))) for task, own in texts.items()},
    }


def _part(part: Part, context: BuildContext) -> dict[str, Any]:
    """Counts, lengths, target tokens by task and character, and what was dropped."""
    count, names = context.count, context.characters
    rows_by = Counter(row.character for row in part.rows)
    speakers = {format_cue(name): name for name in names}
    tokens, tokens_by = Counter[str](), Counter[str]()
    for passage in part.passages:
        # Who speaks is told by the cue before.
        for before, segment in zip(passage.segments, passage.segments[1:], strict=False):
            if segment.weight:
                tokens[passage.task] += count(segment.text)
                tokens_by[speakers.get(before.text, "")] += count(segment.text)
    lengths = [sum(count(segment.text) for segment in row.segments) for row in part.passages]
    return {
        "chapters": len(part.chapters),
        "passages": len(part.passages),
        "passages_by_task": dict(Counter(passage.task for passage in part.passages).most_common()),
        "rows": len(part.rows),
        "rows_by_task": dict(Counter(row.task for row in part.rows).most_common()),
        "rows_by_character": {name: rows_by[name] for name in names},
        "down_weighted": sum(row.weight < 1 for row in part.rows),
        "target_tokens": tokens.total(),
        "target_tokens_by_task": dict(tokens.most_common()),
        "target_tokens_by_character": {name: tokens_by[name] for name in names},
        "prompt_tokens_longest": max((count(row.prompt) for row in part.rows), default=0),
        "answer_tokens": _histogram([count(row.response) for row in part.rows], step=8),
        "passage_tokens": _histogram(lengths, step=64),
        "dropped": part.dropped,
    }


def _histogram(values: Sequence[int], *, step: int) -> dict[str, int]:
    """How many values lie in [n, n + step), by n; the last bar holds all above it."""
    last = step * _BARS
    counts = Counter(min(value // step * step, last) for value in values)
    return {f"{start}{'+' if start == last else ''}": counts[start] for start in sorted(counts)}


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Write ``dataset.json``, ``dataset.md`` and ``dataset.png``."""
    files.write_json(folder / "dataset.json", report)
    files.write_text(folder / "dataset.md", to_markdown(report))
    draw(report["train"], folder / "dataset.png")


def to_markdown(report: Mapping[str, Any]) -> str:
    """The report as a page."""
    train, test, isms = report["train"], report["test"], report["assistant_isms"]
    page = [
        "# Data set",
        f"Mode {report['settings']['mode']}; {train['passages']:,} passages and {train['rows']:,} "
        f"rows to learn from ({train['target_tokens']:,} target tokens); {test['passages']:,} "
        f"passages of chapters {' '.join(map(str, report['test_chapters']))} held out "
        f"({test['target_tokens']:,}).",
        "![target tokens by task, lengths of answers and passages](dataset.png)",
        _table("Target tokens by task", train["target_tokens_by_task"], share=True),
        _table("Target tokens by character", train["target_tokens_by_character"], share=True),
        _table("Left out, or counted less", train["dropped"]),
        _table("Tokens of an answer", train["answer_tokens"]),
        _table("Tokens of a passage", train["passage_tokens"]),
    ]
    if isms["interviews"]:
        ngrams = "、".join(f"{row['text']} (z {row['z']})" for row in isms["ngrams"]) or "none"
        rate = f"{isms['rate']:.1%} of {isms['interviews']} interviews sound generated."
        found = [f"* {row['answer']} ({'、'.join(row['signs'])})" for row in isms["examples"]]
        page.append(
            "\n".join(["## assistant-isms\n", f"{rate} Overused n-grams: {ngrams}.", *found])
        )
    for task, texts in report["examples"].items():
        page += [f"## Examples: {task}", *(f"```\n{text.rstrip()}\n```" for text in texts)]
    page.append(_table("Settings", report["settings"]))
    return "\n\n".join(filter(None, page)) + "\n"


def _table(title: str, values: Mapping[str, Any], *, share: bool = False) -> str:
    if not values:
        return ""
    head = [f"## {title}\n", f"|{' |' * (2 + share)}", f"|{'---|' * (2 + share)}"]
    total = max(sum(values.values()), 1) if share else 1
    for name, value in values.items():
        shown = " ".join(map(str, value)) if isinstance(value, list) else value
        head.append(
            f"| {name} | {value:,} | {value / total:.1%} |" if share else f"| {name} | {shown} |"
        )
    return "\n".join(head)


def draw(train: Mapping[str, Any], target: Path) -> None:
    """A PNG: target tokens by task, lengths of answers, lengths of passages."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    tasks, answers, passages = figure.subplots(1, 3)
    tokens = train["target_tokens_by_task"]
    tasks.barh(list(tokens)[::-1], list(tokens.values())[::-1])
    tasks.set(title="target tokens by task", xlabel="tokens")
    answers.set(title="answers", xlabel="tokens", ylabel="rows")
    passages.set(title="passages", xlabel="tokens", ylabel="passages")
    for axes, bars in ((answers, train["answer_tokens"]), (passages, train["passage_tokens"])):
        axes.bar(list(bars), list(bars.values()))
        axes.tick_params(axis="x", rotation=45)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=110)
