"""The part of evaluate_attribution.py that asks a model who speaks in a window, beside the rules.

judge = model_judge([row.window() for row in rows], args)     # None: a batch file was written instead

The model's choice and the rules' chances are multiplied: a sure cue stands against an unsure model, and the other way
round. Answers stand in DATA.ledger.jsonl, so that nothing is paid for twice.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from roleplay.distill.asking import Asker, PendingError
from roleplay.distill.batches import read_batch, write_batch
from roleplay.distill.costs import Meter, estimate, load_prices
from roleplay.distill.endpoint import Endpoint, settings_from
from roleplay.distill.ledger import Entry, Ledger
from roleplay.distill.questions import Question, ask_for
from roleplay.distill.replies import read_objects
from roleplay.distill.windows import Window, tell_window
from roleplay.errors import ScriptError

_SCHEMA = {
    "type": "object",
    "properties": {"speaker": {"type": "string"}, "confidence": {"type": "number"}},
    "required": ["speaker", "confidence"],
    "additionalProperties": False,
}
_UNSURE = 0.6
"""Taken where a model gives no confidence that can be read."""

Judge = Callable[[Window], dict[str, float]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a model."""
    parser.add_argument("--backend", default="rules", help="rules, openai, or the address of an endpoint")
    parser.add_argument("--model", help="the endpoint's model")
    parser.add_argument("--max-cost", type=float, help="USD: stop before passing it")
    parser.add_argument("--concurrency", type=int, default=8, help="questions at a time (default: %(default)s)")
    parser.add_argument("--batch-out", type=Path, help="write the questions in OpenAI's Batch format and stop")
    parser.add_argument("--batch-in", type=Path, help="take the answers of a batch first")


def check(args: argparse.Namespace) -> None:
    """Refuse options that do not fit together.

    Raises:
        ScriptError: an unknown backend, or an endpoint without a model.
    """
    if args.backend not in ("rules", "openai") and not args.backend.startswith(("http://", "https://")):
        raise ScriptError(
            f"unknown backend {args.backend!r}: known are rules, openai, or an address like http://host/v1"
        )
    if args.backend != "rules" and not args.model:
        raise ScriptError(f"--backend {args.backend} needs --model: name a model of the endpoint")


def model_judge(windows: Sequence[Window], args: argparse.Namespace) -> Judge | None:
    """A judge that knows the model's answers; None where they were written to a batch file to be answered."""
    ledger = Ledger(args.data.with_suffix(".ledger.jsonl"))
    if args.batch_in:
        took = read_batch(args.batch_in, ledger, model=args.model)
        print(f"batch    {took.taken} answers taken, {len(took.failed)} failed and stay open")
    meter = Meter(args.model, load_prices(), args.max_cost)
    meter.remember(ledger)
    questions = [question_of(window, args.model) for window in windows]
    print(f"asks     {estimate([q for q in questions if ledger.get(q.key) is None], meter)}")
    pending = asyncio.run(_ask(questions, ledger, meter, args))
    if args.batch_out:
        count = write_batch(args.batch_out, pending)
        print(f"batch    {count} questions -> {args.batch_out}: send it, then give the answers with --batch-in")
        return None
    return lambda window: combined(window, ledger.get(question_of(window, args.model).key))


async def _ask(questions: Sequence[Question], ledger: Ledger, meter: Meter, args: argparse.Namespace) -> list[Question]:
    """Ask what the ledger lacks; the questions that stay open."""
    alone = args.batch_out or args.batch_in
    url = None if args.backend == "openai" else args.backend
    endpoint = None if alone else Endpoint(settings_from(args.model, base_url=url, concurrency=args.concurrency))
    async with Asker(ledger, meter, endpoint) as asker:
        found = await asyncio.gather(*map(asker.ask, questions), return_exceptions=True)
        for error in found:
            if isinstance(error, BaseException) and not isinstance(error, PendingError):
                raise error
        return list(asker.pending.values())


def question_of(window: Window, model: str) -> Question:
    """The question of a window; empty sentences at its edges are left out."""
    forms = window.people.names.canonical.items()
    aliases = {name: [form for form, of in forms if of == name != form] for name in window.people.all}
    names = "\n".join(f"{name}：{' '.join(others) or '无'}" for name, others in aliases.items())
    marked = [f"{'>> ' if at == window.target else ''}{text}" for at, text in enumerate(window.sentences) if text]
    slots = {"candidates": names, "sentences": "\n".join(marked)}
    return ask_for("attribute", model, slots, schema=_SCHEMA, expected_tokens=40)


def combined(window: Window, entry: Entry | None) -> dict[str, float]:
    """The chances of the candidates by rules and model; by rules alone where the answer names none of them."""
    chances = tell_window(window)
    items = read_objects(entry.text)[0] if entry and entry.finish != "length" else []
    named = window.people.names.canonical.get(str(items[0].get("speaker")).strip()) if items else None
    if named not in chances:
        return chances
    value = items[0].get("confidence")
    sure = min(max(float(value), 0.05), 0.95) if isinstance(value, int | float) else _UNSURE
    other = (1 - sure) / max(len(chances) - 1, 1)
    weighed = {name: chance * (sure if name == named else other) for name, chance in chances.items()}
    total = sum(weighed.values()) or 1.0
    return {name: chance / total for name, chance in weighed.items()}
