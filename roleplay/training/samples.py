"""Replies to a fixed set of prompts at each evaluation, so that a person sees a character change.

    prompts = held_out_prompts(test_rows, 4)
    replies = [greedy(model, tokenizer, ids) for ids in prompts]

``samples.jsonl`` has one object a reply, ``{"step": 32, "prompt": "…闻筝：", "reply": "…"}``; ``samples.md`` is the same to read.
Replies are greedy, so no random number is drawn and a run goes on as if none had been made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import torch

from roleplay.adapters import prefix
from roleplay.models import causal
from roleplay.training.data import TokenRow

REPLY_TOKENS = 32
"""The longest reply."""

_PROMPT_TOKENS = 256
_SHOWN = 160


def held_out_prompts(rows: Sequence[TokenRow], number: int) -> list[tuple[int, ...]]:
    """The ids before a learnt answer in the middle of each of ``number`` rows, evenly spread; at most 256 ids each."""
    number = min(number, len(rows))
    chosen = [rows[place * len(rows) // number] for place in range(number)]
    return [row.ids[max(0, start - _PROMPT_TOKENS) : start] for row in chosen if (start := _middle_answer(row))]


def _middle_answer(row: TokenRow) -> int:
    """Where the middle one of the row's learnt runs begins."""
    learnt = [weight > 0 for weight in row.weights]
    starts = [place for place in range(1, len(learnt)) if learnt[place] and not learnt[place - 1]]
    return starts[len(starts) // 2] if starts else 0


def greedy(model: Any, tokenizer: Any, ids: Sequence[int], *, limit: int = REPLY_TOKENS) -> str:
    """The first line of the likeliest continuation; ``model`` as it is trained, in evaluation mode."""
    length = prefix.length_of(model)
    vocabulary = causal.vocabulary_size(tokenizer)
    new: list[int] = []
    with torch.inference_mode():
        cache = prefix.prefix_cache(model) if length else causal.new_cache(model)
        step = torch.tensor([list(ids)], device=model.device)
        while len(new) < limit and not _ends(tokenizer, new):
            hidden = causal.hidden_states(model, step, cache=cache, prefix_length=length)
            step = causal.head(model)(hidden[:, -1])[:, :vocabulary].argmax(dim=-1, keepdim=True)
            new.append(int(step))
    return causal.reply_text(tokenizer, new)


def _ends(tokenizer: Any, new: list[int]) -> bool:
    return bool(new) and (new[-1] == tokenizer.eos_token_id or "\n" in tokenizer.decode(new[-1:]))


def as_markdown(rows: Iterable[dict[str, Any]]) -> str:
    """``samples.md``: each prompt's last lines, and under it the reply at each step."""
    blocks = ["# Replies to fixed prompts of the held-out chapters (greedy)\n"]
    ordered = sorted(rows, key=lambda row: (row["number"], row["step"]))
    for number, group in groupby(ordered, key=lambda row: row["number"]):
        found = list(group)
        shown = found[0]["prompt"][-_SHOWN:].replace("\n", "\n> ")
        lines = [f"- step {row['step']}: {row['reply'] or '(empty)'}" for row in found]
        blocks.append("\n".join([f"## {number + 1}\n", f"> …{shown}\n", *lines, ""]))
    return "\n".join(blocks)
