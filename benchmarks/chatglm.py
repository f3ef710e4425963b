"""ChatGLM-6B-int4-qe on this machine's CPU, beside its limits and its peers, all in one run.

    python benchmarks/chatglm_checkpoint.py /tmp/glm6b     # once: random numbers, full size
    python benchmarks/chatglm.py /tmp/glm6b                # alone on the machine, about 12 minutes
    python benchmarks/chatglm.py /tmp/glm6b --chatglm-cpp PYTHON MODEL.bin    # beside chatglm.cpp

Parts: ``limits`` (memory bandwidth, matrix rate), ``products`` (all int4 products of one token by
torch's op and by our kernel, weights from memory), ``model`` (load, prefill, decoding, memory),
``plain`` (every matrix expanded in every call, as the original does on a CPU), ``train`` (one step
through a prefix), ``peer`` (chatglm.cpp, in its own environment). Every part is a process of its
own; the repacked weights go to a folder that is removed at the end (``--cache`` keeps them).
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil
import torch

from benchmarks.machine import describe

HERE = Path(__file__).resolve()
PARTS = ("limits", "products", "model", "plain", "train")
SHORT, LONG = 64, 512


def main(argv: list[str] | None = None) -> int:
    """Run the parts and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="a checkpoint of int4-qe weights")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--chatglm-cpp", nargs=2, metavar=("PYTHON", "MODEL"), help="its interpreter and model file"
    )
    parser.add_argument(
        "--cache", type=Path, help="folder for the repacked weights (default: a temporary one)"
    )
    parser.add_argument("--steps", type=int, default=32, help="decoded tokens a figure")
    parser.add_argument("--child", choices=CHILDREN, help=argparse.SUPPRESS)
    parser.add_argument("--context", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.child:
        print(json.dumps(CHILDREN[args.child](args)))
        return 0
    print(describe(), flush=True)
    with tempfile.TemporaryDirectory(dir=args.folder) as kept:
        args.cache = args.cache or Path(kept)
        found = {part: _run(part, args) for part in args.parts}
    if args.chatglm_cpp:
        found["peer"] = _peer(*args.chatglm_cpp, steps=args.steps)
    for part, values in found.items():
        print(f"\n{part}: {json.dumps(values)}", flush=True)
    print("\n" + "\n".join(table(found)))
    return 0


def _run(part: str, args: argparse.Namespace, *more: str) -> dict[str, Any]:
    """The figures of one part, from a process of its own."""
    command = [
        sys.executable,
        str(HERE),
        str(args.folder),
        "--child",
        part,
        "--steps",
        str(args.steps),
    ]
    command += ["--cache", str(args.cache), *more]
    print(f"... {part}", file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _peer(python: str, model: str, *, steps: int) -> dict[str, Any]:
    print("... chatglm.cpp", file=sys.stderr, flush=True)
    script = HERE.with_name("peer_chatglm_cpp.py")
    done = subprocess.run(
        [python, str(script), model, str(SHORT), str(LONG), str(steps)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def median_seconds(work: Callable[[], Any], times: int) -> float:
    """The median of some runs after one that is not counted."""
    work()
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent)


def limits(args: argparse.Namespace) -> dict[str, float]:
    """What the machine can do: bytes read from memory, fp32 matrix products."""
    numbers = torch.ones(400_000_000)
    read = numbers.nbytes / median_seconds(numbers.sum, 7)
    x, weight = torch.randn(LONG, 4096), torch.randn(16384, 4096)
    rate = 2 * LONG * weight.numel() / median_seconds(lambda: x @ weight.T, 5)
    *layers, (rows, columns, _) = _matrices(args.folder)
    in_layers = sum(count * o * i for o, i, count in layers)
    packed = (in_layers + rows * columns) / 2
    work = 2 * in_layers * LONG  # the head sees one position
    return {
        "read_GB_s": read / 1e9,
        "sgemm_GFLOP_s": rate / 1e9,
        "weights_GB": packed / 1e9,
        "token_ms": packed / read * 1e3,
        "prefill_s": work / rate,
    }


def _matrices(folder: Path) -> list[tuple[int, int, int]]:
    """(o, i, how many) of the packed matrices that a token meets, the head last."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    h, layers = config["hidden_size"], config["num_layers"]
    shapes = [(3 * h, h), (h, h), (4 * h, h), (h, 4 * h)]
    return [*((o, i, layers) for o, i in shapes), (config["vocab_size"], h, 1)]


def products(args: argparse.Namespace) -> dict[str, Any]:
    """All int4 products of one token and of five, by our kernel and by torch's op."""
    from roleplay.models.chatglm import kernels

    found: dict[str, Any] = {"kernel": kernels.choose(torch.device("cpu"), bits=4).name}
    for name in dict.fromkeys((found["kernel"], "torch-int4pack")):
        kernel = kernels.choose(torch.device("cpu"), bits=4, wanted=name)
        totals = dict.fromkeys((1, 5), 0.0)
        for o, i, count in _matrices(args.folder):
            for rows, seconds in _product_seconds(kernel, o, i, copies=min(count, 30)).items():
                totals[rows] += count * seconds
        found[name] = {f"rows_{rows}_ms": seconds * 1e3 for rows, seconds in totals.items()}
    return found


def _product_seconds(kernel: Any, o: int, i: int, *, copies: int) -> dict[int, float]:
    """Seconds of one product with one and with five rows.

    Copies of the matrix, larger together than the caches, take turns.
    """
    fitting = max(1, min(copies, round(480e6 / (o * i))))
    forms = [
        kernel.form(torch.randint(-128, 128, (o, i // 2), dtype=torch.int8)) for _ in range(fitting)
    ]
    scale, turn = torch.rand(o), itertools.cycle(forms)
    inputs = {rows: torch.randn(rows, i) for rows in (1, 5)}

    def product(x: torch.Tensor) -> torch.Tensor:
        return kernel.product(x, next(turn), scale, None)  # type: ignore[no-any-return]

    return {rows: median_seconds(partial(product, x), 15) for rows, x in inputs.items()}


def model(args: argparse.Namespace) -> dict[str, Any]:
    """Model with the best kernel: its first load, and in a process for each context the rest."""
    begun = time.perf_counter()
    kernel = _load(args).kernel
    found: dict[str, Any] = {
        "kernel": kernel,
        "first_load_s": time.perf_counter() - begun,
        "first_load": _memory(),
    }
    return found | {
        f"context_{context}": _run("context", args, "--context", str(context))
        for context in (SHORT, LONG)
    }


def context(args: argparse.Namespace) -> dict[str, Any]:
    """A later load, and prefill, decoding and memory for one length of prompt."""
    before = _memory()
    begun = time.perf_counter()
    loaded = _load(args)
    spent = time.perf_counter() - begun
    return {"load_s": spent, "before": before, **_chat_figures(loaded, args.context, args.steps)}


def _load(args: argparse.Namespace, **settings: Any) -> Any:
    """The model, its repacked weights from the benchmark's cache."""
    from roleplay.models.chatglm import ChatGLMForConditionalGeneration

    return ChatGLMForConditionalGeneration.from_pretrained(
        args.folder, kernel_cache=args.cache, **settings
    )


def _chat_figures(
    loaded: Any, context: int, steps: int, candidates: tuple[int, ...] = (1, 5)
) -> dict[str, Any]:
    """Prefill of ``context`` tokens, then milliseconds a step for 1 and for more candidates.

    Tokens are random and forced, so that no reply ends early.
    """
    from roleplay.models import causal

    found: dict[str, Any] = {}
    with torch.inference_mode():
        for rows in candidates:
            cache, prompt = causal.new_cache(loaded), _ids(loaded, 1, context)
            prompt[0, -2:] = torch.tensor(
                [loaded.config.gmask_token_id, loaded.config.bos_token_id]
            )
            begun = time.perf_counter()
            _logits(loaded, prompt, cache)
            found.setdefault("prefill_s", []).append(time.perf_counter() - begun)
            cache.batch_repeat_interleave(rows)
            spent = []
            for _ in range(steps):
                begun = time.perf_counter()
                _logits(loaded, _ids(loaded, rows, 1), cache)
                spent.append(time.perf_counter() - begun)
            found[f"rows_{rows}_ms"] = statistics.median(spent[2:]) * 1e3
            found[f"rows_{rows}"] = _memory()
    return found | {"prefill_s": min(found["prefill_s"])}


def _ids(loaded: Any, rows: int, count: int) -> torch.Tensor:
    return torch.randint(100, loaded.config.vocab_size - 600, (rows, count))


def _logits(loaded: Any, ids: torch.Tensor, cache: Any) -> torch.Tensor:
    from roleplay.models import causal

    return torch.as_tensor(
        causal.head(loaded)(causal.hidden_states(loaded, ids, cache=cache)[:, -1])
    )


def _memory() -> dict[str, float]:
    """Gigabytes resident now and at the peak of this process."""
    lines = (
        Path("/proc/self/status").read_text().splitlines()
        if Path("/proc/self/status").exists()
        else []
    )
    peak = next(
        (int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("VmHWM")), 0.0
    )
    return {"resident_GB": psutil.Process().memory_info().rss / 1e9, "peak_GB": peak}


def plain(args: argparse.Namespace) -> dict[str, Any]:
    """Decoding with every matrix expanded in every call; a few steps only, they take seconds."""
    loaded = _load(args, kernel="plain")
    figures = _chat_figures(loaded, SHORT, 5, candidates=(1,))
    return {name: figures[name] for name in ("prefill_s", "rows_1_ms", "rows_1")}


def train(args: argparse.Namespace) -> dict[str, Any]:
    """One step of P-Tuning: prefix of 128, 384 + 96 tokens like the seed, checkpointed blocks."""
    loaded = _load(args, pre_seq_len=128)
    loaded.train().activation_checkpointing_enable()
    before = _memory()
    ids = _ids(loaded, 1, 480)
    ids[0, 382:384] = torch.tensor([loaded.config.gmask_token_id, loaded.config.bos_token_id])
    labels = ids.masked_fill(torch.arange(480) < 384, -100)
    begun = time.perf_counter()
    loaded(input_ids=ids, labels=labels).loss.backward()
    return {
        "step_s": time.perf_counter() - begun,
        "tokens": 480,
        "before": before,
        "after": _memory(),
    }


CHILDREN = {
    "limits": limits,
    "products": products,
    "model": model,
    "context": context,
    "plain": plain,
    "train": train,
}


def table(found: dict[str, Any]) -> list[str]:
    """The Markdown table of what was measured; "-" where a part did not run."""

    def get(path: str) -> float | None:
        value: Any = found
        for key in path.split("/"):
            value = value.get(key, {}) if isinstance(value, dict) else {}
        return value if isinstance(value, (int, float)) else None

    def cell(value: float | None, form: str = "{:.0f}") -> str:
        return "-" if value is None else form.format(value)

    def ratio(path: str) -> float | None:
        one, five = get(f"{path}/rows_1_ms"), get(f"{path}/rows_5_ms")
        return five / one if one and five else None

    short, long = f"context_{SHORT}", f"context_{LONG}"
    op = "products/torch-int4pack"
    ours = f"ours ({found.get('model', {}).get('kernel', '-')})"
    rows: list[list[str]] = [
        ["", "limit", "torch's op, products only", "chatglm.cpp", "as the original", ours]
    ]
    for context in (short, long):
        line = [
            cell(get("limits/token_ms")),
            cell(get(f"{op}/rows_1_ms")),
            cell(get(f"peer/{context}/rows_1_ms")),
        ]
        line += [
            cell(get("plain/rows_1_ms")) if context == short else "-",
            cell(get(f"model/{context}/rows_1_ms")),
        ]
        rows.append([f"decode after {context.split('_')[1]} tokens, ms a token", *line])
    for context in (short, long):
        line = ["1", cell(ratio(op), "{:.2f}"), "-", "-", cell(ratio(f"model/{context}"), "{:.2f}")]
        rows.append([f"five candidates / one, after {context.split('_')[1]}", *line])
    line = [cell(get("limits/prefill_s"), "{:.1f}"), "-", cell(get(f"peer/{long}/prefill_s")), "-"]
    rows.append([f"prefill of {LONG}, s", *line, cell(get(f"model/{long}/prefill_s"), "{:.1f}")])
    line = [
        cell(get("limits/weights_GB"), "{:.2f}"),
        "-",
        cell(get(f"peer/{long}/resident_GB"), "{:.2f}"),
        "-",
    ]
    rows.append(
        [
            f"resident at {LONG} tokens, GB",
            *line,
            cell(get(f"model/{long}/rows_1/resident_GB"), "{:.2f}"),
        ]
    )
    line = [
        "-",
        "-",
        cell(get(f"peer/{long}/peak_GB"), "{:.2f}"),
        cell(get("plain/rows_1/peak_GB"), "{:.2f}"),
    ]
    rows.append(["peak, GB", *line, cell(get(f"model/{long}/rows_1/peak_GB"), "{:.2f}")])
    line = [
        "-",
        "-",
        cell(get("peer/load_s"), "{:.1f}"),
        "-",
        cell(get(f"model/{short}/load_s"), "{:.2f}"),
    ]
    rows.append(["load (repacked weights mapped), s", *line])
    rows.append(
        ["first load, repacking, s", "-", "-", "-", "-", cell(get("model/first_load_s"), "{:.1f}")]
    )
    rows.append(
        ["training step, 384 + 96 tokens, s", "-", "-", "-", "-", cell(get("train/step_s"))]
    )
    rows.append(
        ["training peak, GB", "-", "-", "-", "-", cell(get("train/after/peak_GB"), "{:.2f}")]
    )
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return [head, "|---" * len(rows[0]) + "|", *body]


if __name__ == "__main__":
    raise SystemExit(main())
