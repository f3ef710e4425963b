"""The part of distill_dialogues.py that asks a model: its options, the estimate, the tasks, and the batch files.

lines, complete = ask_model(book, chapters, folder, args)      # lines None: there is no script to write in this run
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from roleplay.distill import tasks
from roleplay.distill.asking import Asker
from roleplay.distill.batches import read_batch, write_batch
from roleplay.distill.costs import PRICES, Meter, estimate, load_prices
from roleplay.distill.endpoint import Endpoint, settings_from
from roleplay.distill.labelling import Book, first_questions, label_book
from roleplay.distill.ledger import Ledger
from roleplay.distill.questions import Question
from roleplay.errors import ScriptError
from roleplay.records import Chapter, Line

TASKS = ("script", *tasks.TASKS)
LEDGER = "ledger.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the backends."""
    add = parser.add_argument
    add("--backend", default="rules", help="rules, openai, or the address of an endpoint (default: %(default)s)")
    add("--model", help="the endpoint's model, for example gpt-4o-mini")
    add("--tasks", nargs="+", choices=TASKS, default=["script"], help="what to make (default: script)")
    add("--with-summaries", action="store_true", help="tell the model summaries.jsonl; other questions, paid anew")
    add("--max-cost", type=float, help="USD for this world, all runs together: stop before passing it")
    add("--prices", type=Path, default=PRICES, help="prices to count with (default: %(default)s)")
    add("--dry-run", action="store_true", help="tell what it would cost and stop")
    add("--limit", type=int, help="ask at most so many questions in this run")
    add("--concurrency", type=int, default=8, help="questions at a time (default: %(default)s)")
    add("--batch-out", type=Path, help="write the open questions in OpenAI's Batch format and stop")
    add("--batch-in", type=Path, help="take the answers of a batch first")


def check(args: argparse.Namespace) -> None:
    """Refuse options that do not fit together.

    Raises:
        ScriptError: an unknown backend, a task without a model, or no model.
    """
    backend, others = args.backend, [task for task in args.tasks if task != "script"]
    if backend not in ("rules", "openai") and not backend.startswith(("http://", "https://")):
        raise ScriptError(f"unknown backend {backend!r}: known are rules, openai, or an address like http://host/v1")
    if backend == "rules" and others:
        raise ScriptError(f"the rules cannot make {' '.join(others)}: name an endpoint with --backend and --model")
    if backend != "rules" and not args.model:
        raise ScriptError(f"--backend {backend} needs --model: name a model of the endpoint")
    if args.limit is not None and args.limit < 0:
        raise ScriptError(f"--limit is {args.limit}: give 0 or more")


def with_aliases(cast: dict[str, tuple[str, ...]], folder: Path) -> dict[str, tuple[str, ...]]:
    """The cast with the aliases of ``aliases.json``; a name that is somebody's own stays theirs."""
    taken = {form for name, aliases in cast.items() for form in (name, *aliases)}
    merged = {name: list(aliases) for name, aliases in cast.items()}
    for name, alias in tasks.read_aliases(folder / tasks.ALIASES):
        if name in merged and alias not in taken:
            merged[name].append(alias)
            taken.add(alias)
    return {name: tuple(aliases) for name, aliases in merged.items()}


def ask_model(
    book: Book, chapters: Sequence[Chapter], folder: Path, args: argparse.Namespace
) -> tuple[list[Line] | None, bool]:
    """The script's lines (None where none is wanted) and whether every question has its answer."""
    if args.with_summaries:
        book = replace(book, summaries=tasks.summaries_before(folder / "summaries.jsonl", book.chunks))
    ledger = Ledger(folder / LEDGER)
    if args.batch_in:
        _take_batch(args, ledger)
    meter = Meter(args.model, load_prices(args.prices), args.max_cost)
    meter.remember(ledger)
    questions = _questions(book, chapters, args)
    todo = [question for question in questions if ledger.get(question.key) is None]
    print(f"asks     {estimate(todo, meter)}; {len(questions) - len(todo)} of {len(questions)} are answered already")
    if "script" in args.tasks and todo:
        print(
            "         the cross-check asks about doubtful lines once more: count on up to twice as much for the script"
        )
    if args.dry_run:
        return None, False
    return asyncio.run(_ask(book, chapters, folder, args, ledger, meter))


def paid(folder: Path, args: argparse.Namespace) -> dict[str, object]:
    """What all runs of this folder have paid, for the report."""
    entries, meter = list(Ledger(folder / LEDGER)), Meter(args.model, load_prices(args.prices))
    meter.remember(entries)
    return {
        "calls": len(entries),
        "tokens read": sum(entry.prompt_tokens for entry in entries),
        "tokens written": sum(entry.completion_tokens for entry in entries),
        "USD": round(meter.spent, 4),
    }


def _questions(book: Book, chapters: Sequence[Chapter], args: argparse.Namespace) -> list[Question]:
    found = first_questions(book, args.model) if "script" in args.tasks else []
    return found + [
        q for task in args.tasks if task != "script" for q in tasks.questions(task, book, chapters, args.model)
    ]


async def _ask(
    book: Book, chapters: Sequence[Chapter], folder: Path, args: argparse.Namespace, ledger: Ledger, meter: Meter
) -> tuple[list[Line] | None, bool]:
    endpoint = None if args.batch_out else _endpoint(args)
    lines: list[Line] | None = None
    async with Asker(ledger, meter, endpoint, limit=args.limit) as asker:
        with tqdm(unit=" pieces", disable=None) as bar:
            for task in args.tasks:
                bar.set_description(task)
                progress = _progress(bar, meter)
                if task == "script":
                    lines = await label_book(book, asker, args.model, progress=progress)
                else:
                    made = await tasks.run(task, book, chapters, asker, args.model, progress=progress)
                    if not args.batch_out:
                        print(f"{task:<8} {tasks.write(task, made, folder)}")
    print(f"paid     {meter}")
    return _outcome(lines, asker, args)


def _outcome(lines: list[Line] | None, asker: Asker, args: argparse.Namespace) -> tuple[list[Line] | None, bool]:
    if args.batch_out and asker.pending:
        count = write_batch(args.batch_out, asker.pending.values())
        print(f"batch    {count} questions -> {args.batch_out}: send it, then give the answers with --batch-in")
        return None, False
    if asker.pending:
        print(f"open     {len(asker.pending)} questions were not asked: run again without --limit")
    return lines, not asker.pending


def _endpoint(args: argparse.Namespace) -> Endpoint:
    url = None if args.backend == "openai" else args.backend
    return Endpoint(settings_from(args.model, base_url=url, concurrency=args.concurrency))


def _progress(bar: tqdm, meter: Meter):  # type: ignore[no-untyped-def, type-arg]
    def show(done: int, total: int) -> None:
        bar.total, bar.n = total, done
        bar.set_postfix_str(str(meter))

    return show


def _take_batch(args: argparse.Namespace, ledger: Ledger) -> None:
    took = read_batch(args.batch_in, ledger, model=args.model)
    print(f"batch    {took.taken} answers taken, {len(took.failed)} failed and stay open")
    for line in took.failed[:20]:
        print(f"         {' '.join(line.split())}")
