"""ChatGLM-6B on a GPU: the fused int4 kernel beside the original's (cpm_kernels) and the plain one.

    python benchmarks/chatglm_gpu.py                           # with a GPU: everything, minutes
    python benchmarks/chatglm_gpu.py --part training-memory    # without: memory, counted on the CPU
    python benchmarks/chatglm_gpu.py --device cpu --toy --layers 2     # tries the program itself

The model is full-size and random, made on the device, so nothing has to be carried there. Token ids
are drawn beforehand: no reply ends early, and sampling is not timed. ``decode`` runs each kernel as
the original ran (a growing cache, a launch an operation) and, on a GPU, with the step replayed as a
CUDA graph.
"""

import argparse
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from transformers import DynamicCache

from benchmarks.chatglm_memory import prepare_training, step_peaks, train_step
from benchmarks.chatglm_random import (
    SIZES_6B,
    SIZES_TOY,
    int4_config,
    random_chatglm,
    random_prompt,
    training_batch,
)
from roleplay.errors import ModelError
from roleplay.models.chatglm import kernels
from roleplay.models.chatglm.kernels.base import Kernel
from roleplay.models.chatglm.positions import next_positions, token_positions
from roleplay.models.chatglm.quantization import packed_layers
from roleplay.models.chatglm.static_step import StaticStep

PARTS = ("decode", "training", "training-memory")
BASELINE, GOAL = "cpm-kernels", 5
CONTEXT = 64
"""Tokens before the decoded ones."""


def main(argv: list[str] | None = None) -> int:
    """Run the named parts; without any, what the device can do."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--part", choices=PARTS, action="append", help="default: decode and training"
    )
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=["cuda", "cpu"]
    )
    parser.add_argument("--layers", type=int, default=28)
    parser.add_argument(
        "--toy",
        action="store_true",
        help="hidden size 64 and 520 tokens: to try the program itself",
    )
    parser.add_argument("--tokens", type=int, default=64, help="decoded tokens a run")
    parser.add_argument("--prompt", type=int, default=512, help="tokens of the prefill")
    parser.add_argument("--prefix", type=int, default=128, help="virtual tokens that are trained")
    parser.add_argument(
        "--lengths",
        type=int,
        nargs="+",
        default=[512, 1024, 2048],
        help="tokens of a training step",
    )
    args = parser.parse_args(argv)
    parts = args.part or ["decode", "training"]
    if args.device == "cpu" and not args.toy and parts != ["training-memory"]:
        parser.error("without a GPU: --part training-memory, or --device cpu --toy")
    print(machine(), flush=True)
    for part in PARTS:
        if part in parts:
            {"decode": decode, "training": training, "training-memory": training_memory}[part](args)
    return 0


def machine() -> str:
    """One line: the GPU, its driver, and the versions that matter."""
    names = ("torch", "triton", "transformers", "cpm_kernels")
    versions = ", ".join(f"{name} {_version(name)}" for name in names)
    told = f"Python {platform.python_version()}, {versions}"
    if not torch.cuda.is_available():
        return f"no GPU; {told}"
    major, minor = torch.cuda.get_device_capability()
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    card = f"{torch.cuda.get_device_name()} (sm_{major}{minor}, {memory:.0f} GB)"
    return f"{card}, driver {_driver()}; {told}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _driver() -> str:
    if not shutil.which("nvidia-smi"):
        return "unknown"
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return (
        subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0].strip()
        or "unknown"
    )


def table(title: str, heads: list[str], rows: Iterator[list[str]]) -> None:
    """Print a Markdown table, row by row as they are measured."""
    print(f"\n### {title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def decode(args: argparse.Namespace) -> None:
    """Tokens a second for 1 and 5 candidates, the prefill, and the peak memory of each kernel."""
    model = _model(args)
    heads = [
        "kernel, step",
        "1 candidate, tokens/s",
        "5 candidates, tokens/s each",
        f"prefill of {args.prompt}, s",
        "peak GB",
    ]
    ratio = f"1 candidate / {BASELINE}, one by one (goal of the fused: {GOAL})"
    bandwidth = _copy_rate(torch.device(args.device))
    held = sum(layer.weight.nbytes for layer in packed_layers(model))
    print(
        f"\nThe weights are {held / 1e9:.2f} GB; a copy moves {bandwidth / 1e9:.0f} GB/s: at most ",
        end="",
    )
    print(f"{bandwidth / held:.0f} tokens/s", flush=True)
    table(
        f"Decoding after {CONTEXT} tokens, {args.layers} layers",
        [*heads, ratio],
        _decode_rows(args, model),
    )


def _model(args: argparse.Namespace, *, prefix: int | None = None) -> Any:
    config = int4_config(SIZES_TOY if args.toy else SIZES_6B, layers=args.layers, prefix=prefix)
    dtype = torch.float16 if args.device == "cuda" else torch.float32
    return random_chatglm(config, device=torch.device(args.device), dtype=dtype)


def _copy_rate(device: torch.device) -> float:
    """Bytes read and written a second by a copy."""
    source = torch.empty(
        2**30 if device.type == "cuda" else 2**24, dtype=torch.uint8, device=device
    )
    target = torch.empty_like(source)
    return 2 * len(source) / _seconds(lambda: target.copy_(source), device)


def _seconds(run: Callable[[], object], device: torch.device, *, times: int = 3) -> float:
    """The median of some runs after one that is not counted."""
    found = []
    for _ in range(times + 1):
        _wait(device)
        begun = time.perf_counter()
        run()
        _wait(device)
        found.append(time.perf_counter() - begun)
    return statistics.median(found[1:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _decode_rows(args: argparse.Namespace, model: Any) -> Iterator[list[str]]:
    """A row for each kernel and way of stepping; the baseline first, so that the others know it."""
    device, baseline = torch.device(args.device), 0.0
    names = sorted(kernels.known(device), key=lambda name: name != BASELINE)
    for name in names:
        kernel, reason = _kernel(name, device)
        if kernel is None:
            yield [name, reason, "", "", "", ""]
            continue
        for layer in packed_layers(model):
            layer.use(kernel)
        _reset_peak(device)
        prefill = _seconds(lambda: _prefill(model, args.prompt), device)
        for way, step in _ways(args).items():
            one, five = (step(model, rows, args.tokens) for rows in (1, 5))
            baseline = baseline or (one if name == BASELINE else 0.0)
            ratio = f"{one / baseline:.1f}" if baseline else "-"
            yield [
                f"{name}, {way}",
                f"{one:.1f}",
                f"{five:.1f}",
                f"{prefill:.3f}",
                _peak(device),
                ratio,
            ]


def _kernel(name: str, device: torch.device) -> tuple[Kernel | None, str]:
    try:
        return kernels.choose(device, bits=4, wanted=name), ""
    except ModelError as error:
        return None, str(error)


def _ways(args: argparse.Namespace) -> dict[str, Callable[[Any, int, int], float]]:
    ways: dict[str, Callable[[Any, int, int], float]] = {"one by one": _growing, "static": _static}
    if args.device == "cuda":
        ways["CUDA graph"] = _replayed
    return ways


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()


def _peak(device: torch.device) -> str:
    """The most memory that was allocated since the reset, in GB."""
    return f"{torch.cuda.max_memory_allocated() / 1e9:.2f}" if device.type == "cuda" else "-"


@torch.no_grad()
def _prefill(model: Any, length: int, rows: int = 1) -> tuple[DynamicCache, torch.Tensor]:
    """Cache and positions int64 [rows, 2, length] after a random prompt, the same in all rows."""
    ids = random_prompt(model.config, length, device=model.device)
    positions, cache = token_positions(ids, model.config), DynamicCache()
    model(input_ids=ids, position_ids=positions, past_key_values=cache, logits_to_keep=1)
    if rows > 1:
        cache.batch_repeat_interleave(rows)
    return cache, positions.expand(rows, -1, -1)


def _tokens(model: Any, rows: int, count: int) -> torch.Tensor:
    """Random ids int64 [count, rows]."""
    generator = torch.Generator().manual_seed(rows)
    return torch.randint(6, model.config.mask_token_id, (count, rows), generator=generator).to(
        model.device
    )


@torch.no_grad()
def _growing(model: Any, rows: int, count: int) -> float:
    """Tokens a second for each row with a cache that grows, after a few that are not counted."""
    cache, positions = _prefill(model, CONTEXT, rows)

    def step(ids: torch.Tensor) -> None:
        nonlocal positions
        positions = next_positions(positions)[:, :, -1:]
        model(input_ids=ids[:, None], position_ids=positions, past_key_values=cache)

    return _rate(step, _tokens(model, rows, count + 4), model.device)


def _static(model: Any, rows: int, count: int) -> float:
    """The same with keys and values in place."""
    cache, positions = _prefill(model, CONTEXT, rows)
    step = StaticStep(model, cache, positions=positions, room=count + 4)
    return _rate(step, _tokens(model, rows, count + 4), model.device)


def _replayed(model: Any, rows: int, count: int) -> float:
    """The same, replayed as a CUDA graph."""
    cache, positions = _prefill(model, CONTEXT, rows)
    step = StaticStep(model, cache, positions=positions, room=count + 4)
    step.capture()
    return _rate(step, _tokens(model, rows, count + 4), model.device)


def _rate(step: Callable[[torch.Tensor], object], ids: torch.Tensor, device: torch.device) -> float:
    """Steps a second over ``ids`` int64 [count, rows] but the first four."""
    for row in ids[:4]:
        step(row)
    _wait(device)
    begun = time.perf_counter()
    for row in ids[4:]:
        step(row)
    _wait(device)
    return (len(ids) - 4) / (time.perf_counter() - begun)


def training(args: argparse.Namespace) -> None:
    """Peak memory and seconds of a training step of the prefix, every block checkpointed."""
    model = _model(args, prefix=args.prefix)
    kernel = kernels.choose(torch.device(args.device), bits=4)
    for layer in packed_layers(model):
        layer.use(kernel)
    how = f"prefix {args.prefix}, batch 1, {args.layers} layers, all but 15 tokens learnt"
    title = f"Training step, {how}, {kernel.name}"
    table(title, ["tokens", "peak GB (goal <= 8)", "s a step"], _training_rows(args, model))


def _training_rows(args: argparse.Namespace, model: Any) -> Iterator[list[str]]:
    device = torch.device(args.device)
    optimizer = prepare_training(model)
    for length in args.lengths:
        batch = training_batch(model.config, length, device=device)
        _reset_peak(device)
        try:
            seconds = _seconds(partial(train_step, model, optimizer, *batch), device, times=2)
        except torch.OutOfMemoryError:
            yield [f"{length}", "more than there is", "-"]
            return
        yield [f"{length}", _peak(device), f"{seconds:.2f}"]


def training_memory(args: argparse.Namespace) -> None:
    """The same memory without a GPU: counted for few layers, and for ``--layers`` to compare."""
    sizes = SIZES_TOY if args.toy else SIZES_6B
    few = [count for count in (1, 2, 4) if count < args.layers]
    counted = {layers: _counted(args, sizes, layers) for layers in (*few, args.layers)}
    print(
        f"\nCounted on the CPU for float16 activations, prefix {args.prefix} (float32, with "
        "gradient and AdamW's two moments), batch 1,\n"
        "all but 15 tokens learnt, blocks checkpointed, weights expanded 4096 rows at a time. "
        "Not in it: CUDA's context\n"
        "(0.3 to 0.6 GB), the allocator's rounding, cuBLAS's workspace, the insides of the "
        "attention."
    )
    heads = [
        "tokens",
        *(f"{count} layers, MB above the weights" for count in few),
        "MB a layer + constant",
    ]
    heads += [
        f"{args.layers} layers by that",
        f"{args.layers} layers, counted",
        "with the weights, GB (goal <= 8)",
    ]
    table("Peak memory of a training step", heads, _memory_rows(args, few, counted))


def _counted(
    args: argparse.Namespace, sizes: dict[str, Any], layers: int
) -> dict[int, tuple[int, int]]:
    """Length -> bytes of the model, and the peak above it."""
    found = step_peaks(sizes, layers=layers, lengths=args.lengths, prefix=args.prefix)
    return {length: (held, peak) for length, held, peak in found}


def _memory_rows(
    args: argparse.Namespace, few: list[int], counted: dict[int, dict[int, tuple[int, int]]]
) -> Iterator[list[str]]:
    for length in args.lengths:
        peaks = [counted[layers][length][1] / 1e6 for layers in few]
        slope = (peaks[-1] - peaks[-2]) / (few[-1] - few[-2]) if len(few) > 1 else 0.0
        constant = peaks[-1] - slope * few[-1]
        held, peak = counted[args.layers][length]
        by_fit = f"{constant + slope * args.layers:.0f}"
        row = [
            f"{length}",
            *(f"{value:.0f}" for value in peaks),
            f"{slope:.1f} + {constant:.0f}",
            by_fit,
        ]
        yield [*row, f"{peak / 1e6:.0f}", f"{(held + peak) / 1e9:.2f}"]


if __name__ == "__main__":
    raise SystemExit(main())
