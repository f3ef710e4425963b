"""The figures of the main path, as Markdown tables with their goals.

    python benchmarks/main_path.py         # everything, alone on the machine: about fifteen minutes
    python benchmarks/main_path.py loss facts --checkpoint checkpoints/mine --other checkpoints/x

Parts: ``startup`` (page up, ready to answer, memory; ``--cold`` converts the model anew),
``candidates`` (five against one), ``form`` (200 sampled replies), ``loss`` (held-out chapters, base
model and adapters), ``facts`` (questions with and without background, and where retrieval finds
them). Each reads what the world and the checkpoint hold; nothing is written but the temporary cache
of ``--cold``.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil

from benchmarks.machine import describe
from roleplay import cli
from roleplay.adapters.checkpoint import load_adapter
from roleplay.backends.base import generate
from roleplay.backends.local import LocalBackend
from roleplay.dialogue import CharacterAgent, Session, last_reply
from roleplay.evaluation.form import check_form, holds_fact, share
from roleplay.models import bundled, loading
from roleplay.prompts import question_query
from roleplay.records import Line
from roleplay.sampling import SamplingParams
from roleplay.stages.character import ROOT, Choice, choose_checkpoint, load_agent
from roleplay.training.data import encode_passages, read_passages
from roleplay.training.steps import mean_loss
from roleplay.world import World

PARTS = ("startup", "candidates", "form", "loss", "facts")


def main(argv: list[str] | None = None) -> int:
    """Run the named parts."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "parts", nargs="*", default=list(PARTS), help=f"of {' '.join(PARTS)} (default: all)"
    )
    parser.add_argument("--world", type=Path, default=ROOT / "worlds" / "chuiyan")
    parser.add_argument("--checkpoint", default="", help="adapter folder (default: the world's)")
    parser.add_argument(
        "--other", type=Path, action="append", default=[], help="more adapters for `loss`"
    )
    parser.add_argument(
        "--cold",
        action="store_true",
        help="let `startup` convert the model anew, in an empty cache",
    )
    parser.add_argument("--port", type=int, default=7899)
    cli.add_common(parser)
    args = parser.parse_args(argv)
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"unknown parts {' '.join(sorted(unknown))}: known are {' '.join(PARTS)}")
    return cli.run(lambda: _measure(args), debug=args.debug)


def _measure(args: argparse.Namespace) -> None:
    print(describe(), flush=True)
    world = World.load(args.world)
    checkpoint = choose_checkpoint(args.checkpoint, world, bundled.NAME)
    if "startup" in args.parts:
        startup(world, args.port, cold=args.cold)
    if "loss" in args.parts:
        losses(world, [path for path in (checkpoint, *args.other) if path])
    if {"candidates", "form", "facts"} & set(args.parts):
        agent = load_agent(world, Choice(checkpoint=args.checkpoint), lambda text: None)
        for part, measure in (("candidates", candidates), ("form", form), ("facts", facts)):
            if part in args.parts:
                measure(world, agent)


def table(title: str, rows: list[tuple[str, str, str]]) -> None:
    """Print a Markdown table of (what, measured, goal)."""
    print(f"\n### {title}\n\n| | measured | goal |\n|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def startup(world: World, port: int, *, cold: bool) -> None:
    """Start the app as a user does: the page's first answer, the model's readiness, the memory."""
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        if cold:
            page, ready, _ = _start(world, port, {"ROLEPLAY_CACHE": cache})
            rows.append(
                (
                    "first start: ready to answer, model conversion included, s",
                    f"{ready:.0f}",
                    "<= 300",
                )
            )
        runs = [_start(world, port, {"ROLEPLAY_CACHE": cache} if cold else {}) for _ in range(3)]
    page, ready, memory = (statistics.median(values) for values in zip(*runs, strict=True))
    rows.append(("later start: page up, s (median of 3)", f"{page:.1f}", "<= 12"))
    rows.append(("later start: ready to answer, s", f"{ready:.1f}", "<= 25"))
    rows.append(("resident memory when ready, GB", f"{memory:.2f}", "<= 3"))
    table("Start", rows)


def _start(world: World, port: int, extra: dict[str, str]) -> tuple[float, float, float]:
    """(seconds to the page, seconds to ready, resident GB) of one run of the app."""
    command = [
        sys.executable,
        str(ROOT / "app.py"),
        "--world",
        str(world.path),
        "--port",
        str(port),
    ]
    begun = time.perf_counter()
    told = os.environ | {"ROLEPLAY_LANGUAGE": "en"} | extra
    app = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=told)
    try:
        page = _wait_for_page(port, begun)
        for line in app.stdout or ():
            if line.startswith(
                f"model: {bundled.NAME}"
            ):  # the last line of loading is the model's name
                return (
                    page,
                    time.perf_counter() - begun,
                    psutil.Process(app.pid).memory_info().rss / 1e9,
                )
        raise SystemExit("the app ended before it was ready")
    finally:
        app.terminate()
        app.wait()


def _wait_for_page(port: int, begun: float, timeout: float = 300) -> float:
    while time.perf_counter() - begun < timeout:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()
            return time.perf_counter() - begun
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise SystemExit(f"no page after {timeout:.0f} s")


class _Endless(LocalBackend):
    """Never ends a reply by itself, so that every candidate has the same length."""

    def ends(self, ids: list[int]) -> bool:
        """Never."""
        return False


def candidates(world: World, agent: CharacterAgent) -> None:
    """Seconds for one and for five candidates of 40 tokens each, alternating."""
    backend = agent.backend
    backend.__class__ = _Endless
    params = SamplingParams.checked(seed=1, max_new_tokens=40)
    prompt = next(
        agent.act(world.names[0], Session.of(_held_out(world)[:12]), n=1, params=params)
    ).prompt
    seconds: dict[int, list[float]] = {1: [], 5: []}
    for _ in range(4):
        for n, times in seconds.items():
            begun = time.perf_counter()
            generate(backend, prompt, n=n, params=params)
            times.append(time.perf_counter() - begun)
    backend.__class__ = LocalBackend
    one, five = (min(seconds[n][1:]) for n in (1, 5))
    table(
        f"Candidates of 40 tokens after a prompt of {backend.count(prompt.text)} tokens",
        [
            ("one, s", f"{one:.2f}", ""),
            ("five, s", f"{five:.2f}", ""),
            ("five / one", f"{five / one:.2f}", "<= 1.6"),
        ],
    )


def form(world: World, agent: CharacterAgent) -> None:
    """200 sampled replies: five each at 20 places of the held-out chapters and to 20 questions."""
    params = SamplingParams.checked(seed=11)
    outcomes = [
        (check_form(text, name, world.names), text)
        for name, reply in _sampled(world, agent, params)
        for text in reply
    ]
    wrong = [(reason, text) for reason, text in outcomes if reason]
    other = sum(reason.startswith("speaks as") for reason, _ in wrong)
    good = 1 - len(wrong) / len(outcomes)
    table(
        f"Form of {len(outcomes)} sampled replies",
        [
            ("one well-formed, non-empty line", f"{good:.1%}", ">= 97 %"),
            ("speaks as another character", f"{other}", "0"),
        ],
    )
    for reason, text in wrong:
        print(f"- {reason}: {text!r}")


def _sampled(
    world: World, agent: CharacterAgent, params: SamplingParams
) -> Iterator[tuple[str, tuple[str, ...]]]:
    lines = _held_out(world)
    main = world.names[:6]
    for number in range(20):
        end = 12 + number * (len(lines) - 12) // 20
        stream = agent.act(main[number % 6], Session.of(lines[end - 12 : end]), n=5, params=params)
        yield main[number % 6], last_reply(stream).candidates
    for question in world.read_questions()[:: len(world.read_questions()) // 20][:20]:
        stream = agent.ask(question.character, question.question, n=5, params=params)
        yield question.character, last_reply(stream).candidates


def _held_out(world: World) -> list[Line]:
    """The lines of the chapters that the dataset stage held out."""
    held = {passage.chapter for passage in read_passages(world.file("test.passages.jsonl"))}
    return [
        line
        for chapter, lines in world.lines_by_chapter().items()
        if chapter in held
        for line in lines
    ]


def losses(world: World, folders: list[Path]) -> None:
    """Held-out loss of the base model and of each adapter, in float32, with the same prompts."""
    tokenizer = loading.load_tokenizer(bundled.NAME)
    rows = encode_passages(
        tokenizer, read_passages(world.file("test.passages.jsonl")), max_tokens=1024
    )
    base = mean_loss(loading.load_causal(bundled.NAME), rows)
    result = [("base model, nats a token", f"{base:.3f}", "")]
    for folder in folders:
        model, info = load_adapter(loading.load_causal(bundled.NAME), folder, name=bundled.NAME)
        loss = mean_loss(model, rows)
        size = (folder / "adapter_model.safetensors").stat().st_size / 1e6
        name = f"{info.kind} {folder.name} ({size:.1f} MB)"
        result.append((name, f"{loss:.3f} ({1 - loss / base:.1%} less)", ">= 15 % less"))
    targets = sum(row.targets for row in rows)
    table(f"Held-out loss: {len(rows)} passages of unseen chapters, {targets:,} tokens", result)


def facts(world: World, agent: CharacterAgent) -> None:
    """Greedy answers that hold the fact, with and without background; whether it is found."""
    questions = [row for row in world.read_questions() if row.source == "wiki"]
    params = SamplingParams.checked(temperature=0, max_new_tokens=64)
    right: dict[bool, list[bool]] = {True: [], False: []}
    for row in questions:
        for background, outcomes in right.items():
            stream = agent.ask(
                row.character, row.question, n=1, params=params, background=background
            )
            outcomes.append(holds_fact(last_reply(stream).candidates[0], row))
    found = []
    for row in questions if agent.retriever else []:
        hits = (
            agent.retriever(question_query(row.question, row.character), 3)
            if agent.retriever
            else ()
        )
        found.append(any(holds_fact(hit.text, row) for hit in hits))
    with_, without = share(right[True]), share(right[False])
    ratio = f"{with_ / without:.1f}" if without else "no right answer without"
    table(
        f"{len(questions)} questions answerable from the wiki, greedy answers",
        [
            ("with background, hold the fact", f"{with_:.1%}", ">= 60 %"),
            ("without background", f"{without:.1%}", ""),
            ("with / without", ratio, ">= 3"),
            ("a snippet with the fact among the top 3", f"{share(found):.1%}", ">= 90 %"),
        ],
    )


if __name__ == "__main__":
    raise SystemExit(main())
