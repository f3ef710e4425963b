"""chatglm.cpp's figures for ``chatglm.py``; runs in the environment that has its package.

    PYTHON benchmarks/peer_chatglm_cpp.py MODEL.bin 64 512 32

Tokens are forced, so that a reply of random weights cannot end early. Prints one JSON object.
"""

import json
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import chatglm_cpp  # type: ignore[import-not-found]
from chatglm_cpp import _C


def main(path: str, *numbers: str) -> None:
    """Load, prefill and decode."""
    short, long, steps = map(int, numbers)
    begun = time.perf_counter()
    pipeline = chatglm_cpp.Pipeline(path)
    found: dict[str, Any] = {"load_s": time.perf_counter() - begun}
    for context in (short, long):
        found[f"context_{context}"] = figures(pipeline.model, context, steps)
    print(json.dumps(found))


def figures(model: Any, context: int, steps: int) -> dict[str, float]:
    """Seconds of the prefill, milliseconds a token, gigabytes."""
    settings = _C.GenerationConfig(do_sample=False)
    chance = random.Random(0)
    ids = [chance.randrange(20000, 130000) for _ in range(context - 2)] + [130001, 130004]
    begun = time.perf_counter()
    model.generate_next_token(ids, None, settings, 0, context)
    prefill, spent = time.perf_counter() - begun, []
    for _ in range(steps):
        past = len(ids)
        ids.append(chance.randrange(20000, 130000))
        begun = time.perf_counter()
        model.generate_next_token(ids, None, settings, past, context)
        spent.append(time.perf_counter() - begun)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    memory = {
        name: int(status[key].split()[0]) * 1024 / 1e9
        for name, key in (("resident_GB", "VmRSS"), ("peak_GB", "VmHWM"))
    }
    return {"prefill_s": prefill, "rows_1_ms": statistics.median(spent[2:]) * 1e3, **memory}


if __name__ == "__main__":
    main(*sys.argv[1:])
