"""Replies to a fixed set of prompts at each evaluation, so that a person sees a character change.

    prompts = held_out_prompts(test_rows, 4)
    replies = [greedy(model, tokenizer, ids) for ids in prompts]

``samples.jsonl`` has one object a reply, ``{"step": 32, "prompt": "…闻筝：", "reply": "…"}``;
``samples.md`` is the same to read. Replies are greedy: a run goes on as if none had been made.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import torch

from roleplay.backends.local import LocalBackend
from roleplay.models import causal
from roleplay.sampling import SamplingParams
from roleplay.training.data import TokenRow


def held_out_prompts(rows: Sequence[TokenRow], number: int) -> list[tuple[int, ...]]:
    """The ids before the middle answer of ``number`` rows, evenly spread; at most 256 each."""
    number, prompts = min(number, len(rows)), []
    for row in (rows[place * len(rows) // number] for place in range(number)):
        target = [weight > 0 for weight in row.weights]
        starts = [i for i in range(1, len(target)) if target[i] and not target[i - 1]]
        if starts:
            middle = starts[len(starts) // 2]
            prompts.append(row.ids[max(0, middle - 256) : middle])  # a few lines, quick to run
    return prompts


def greedy(model: Any, tokenizer: Any, ids: Sequence[int], *, limit: int = 32) -> str:
    """The first line of the likeliest continuation of at most ``limit`` tokens."""
    params = SamplingParams.checked(temperature=0, repetition_penalty=1, max_new_tokens=limit)
    backend, prompt = LocalBackend(model, tokenizer), torch.tensor([list(ids)], device=model.device)
    with torch.inference_mode():
        *_, (new,) = backend.decode(prompt, n=1, params=params)
    return causal.reply_text(tokenizer, new)


def as_markdown(rows: Iterable[dict[str, Any]]) -> str:
    """``samples.md``: each prompt's last lines, and under it the reply at each step."""
    blocks = ["# Replies to fixed prompts of the held-out chapters (greedy)\n"]
    ordered = sorted(rows, key=lambda row: (row["number"], row["step"]))
    for number, group in groupby(ordered, key=lambda row: row["number"]):
        found = list(group)
        shown = found[0]["prompt"][-160:].replace("\n", "\n> ")  # enough to know the scene
        lines = [f"- step {row['step']}: {row['reply'] or '(empty)'}" for row in found]
        blocks.append("\n".join([f"## {number + 1}\n", f"> …{shown}\n", *lines, ""]))
    return "\n".join(blocks)
