"""The bundled model on this machine's CPU: int8 beside float32 and llama.cpp, all in one run.

    pip install xllamacpp                     # llama.cpp's own engine, prebuilt
    python benchmarks/bundled.py              # alone on the machine, about four minutes

Every part is a process of its own on the same GGUF's weights, with the shipped adapter merged in
where it is ours: the first token after a prompt of 350, a step of one and of five candidates (drawn
at temperature 0.8, top_p 0.9), resident memory, and the loss on the held-out chapter's first 900
tokens. ``--parts int8 whole`` leaves llama.cpp out.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil
import torch

from benchmarks.machine import describe
from roleplay.backends.local import LocalBackend
from roleplay.models import bundled, causal
from roleplay.sampling import SamplingParams

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("int8", "whole", "llama.cpp")
PROMPT, STEPS, COUNTS, REPEATS, SCORED = 350, 40, (1, 5), 3, 900

Figures = dict[str, float]


def main(argv: list[str] | None = None) -> int:
    """Run the parts and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--child", choices=PARTS, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.child:
        print(json.dumps(_llama() if args.child == "llama.cpp" else _ours(args.child == "whole")))
        return 0
    print(describe(), flush=True)
    found = {part: _run(part) for part in args.parts}
    print(table(found))
    return 0


def table(found: dict[str, Figures]) -> str:
    """Markdown: a row a figure, a column a part, and each part's ratio to the first."""
    parts = list(found)
    lines = ["| | " + " | ".join(parts) + " |", "|---" * (len(parts) + 1) + "|"]
    for name, first in found[parts[0]].items():
        cells = [f"{first:.2f}"]
        for part in parts[1:]:
            value = found[part].get(name, math.nan)
            cells.append("-" if math.isnan(value) else f"{value:.2f} ({value / first:.2f} x)")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _run(part: str) -> Figures:
    command = [sys.executable, __file__, "--child", part]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{part}: {ran.stderr.strip().splitlines()[-1]}")
    figures: Figures = json.loads(ran.stdout.splitlines()[-1])
    print(part, figures, flush=True)
    return figures


def _named(firsts: list[float], steps: dict[int, list[float]]) -> Figures:
    found = {f"first token after {PROMPT}, s": statistics.median(firsts)}
    for count, times in steps.items():
        found[f"step of {count}, ms"] = 1e3 * statistics.median(times)
    return found


def _rss() -> float:
    return float(psutil.Process().memory_info().rss) / 1e9


def _ours(whole: bool) -> Figures:
    begun = time.perf_counter()
    adapter = ROOT / "checkpoints" / "chuiyan-gemma3-270m-lora"
    backend = LocalBackend.load(bundled.NAME, adapter, whole=whole)
    loaded = time.perf_counter() - begun
    words = backend.tokenizer(_text()).input_ids
    backend.ends = lambda ids: False  # type: ignore[method-assign]  # all as long
    firsts, steps = [], {}
    for count in COUNTS:
        runs = [_answered(backend, words[at : at + PROMPT], count) for at in range(REPEATS)]
        firsts += [first for first, _ in runs]
        steps[count] = [step for _, step in runs]
    found = _named(firsts, steps) | {"resident, GB": _rss(), "load, s": loaded}
    return found | {f"loss on {SCORED} tokens": _loss(backend, words[-SCORED:])}


def _answered(backend: LocalBackend, words: list[int], count: int) -> tuple[float, float]:
    """Seconds to the first token, and of a step after it."""
    params = SamplingParams.checked(seed=1, max_new_tokens=STEPS)
    begun = time.perf_counter()
    with torch.inference_mode():
        drawn = backend.decode(torch.tensor([words]), n=count, params=params)
        next(drawn)
        first = time.perf_counter() - begun
        for _ in drawn:
            pass
    return first, (time.perf_counter() - begun - first) / (STEPS - 1)


def _loss(backend: LocalBackend, words: list[int]) -> float:
    ids = torch.tensor([words])
    with torch.inference_mode():
        states = causal.hidden_states(backend.model, ids, cache=backend.new_cache())
        logits = causal.head(backend.model)(states[0, :-1])
        return float(torch.nn.functional.cross_entropy(logits.float(), ids[0, 1:]))


def _llama() -> Figures:
    import xllamacpp

    from roleplay.models.loading import load_tokenizer

    tokenizer = load_tokenizer(bundled.NAME)
    prompt = tokenizer.decode(tokenizer(_text()).input_ids[:PROMPT], skip_special_tokens=True)
    firsts, steps = [], {}
    with bundled.gguf_file() as path:
        for count in COUNTS:
            params = xllamacpp.CommonParams()
            params.model.path, params.n_ctx, params.warmup = str(path), 8192, True
            params.n_parallel = count
            threads = torch.get_num_threads()
            params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
            server = xllamacpp.Server(params)
            runs = [_asked(server, prompt, count) for _ in range(REPEATS)]
            if count == 1:  # several prompts are read together here, ours once
                firsts = [run["prompt_ms"] / 1e3 for run in runs]
            steps[count] = [run["predicted_per_token_ms"] / 1e3 for run in runs]
    return _named(firsts, steps) | {"resident, GB": _rss()}


def _asked(server: Any, prompt: str, count: int) -> dict[str, float]:
    """The engine's own timings of the slowest of several requests at once."""
    made: list[dict[str, float]] = []

    def ask(slot: int) -> None:
        options: dict[str, Any] = {"temperature": 0.8, "top_p": 0.9, "ignore_eos": True}
        options["cache_prompt"] = False
        options |= {"prompt": prompt, "n_predict": STEPS, "seed": slot + 1, "id_slot": slot}
        reply = server.handle_completions(options)
        made.append((json.loads(reply) if isinstance(reply, str | bytes) else reply)["timings"])

    asking = [threading.Thread(target=ask, args=(slot,)) for slot in range(count)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    return max(made, key=lambda timings: timings["predicted_per_token_ms"])


def _text() -> str:
    return (ROOT / "worlds" / "chuiyan" / "novel.txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
