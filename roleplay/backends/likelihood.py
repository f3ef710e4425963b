"""How likely a model finds texts after a prompt: what ordering and measuring stand on.

    found = losses(backend, context, [("闻筝：", "没得商量。\\n"), ("陆迟：", "没得商量。\\n")])

Summed cross entropies in nats, lower is likelier. The context runs once; the endings are one batch.
Causal models in this process only.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from roleplay.models import causal

_CHUNK = 128  # Positions whose logits exist at once: 134 MB with the bundled model.

Ending = tuple[str, str]
"""(what is only read, what is scored), both after the context."""


def losses(backend: Any, context: Sequence[str], endings: Sequence[Ending]) -> list[float]:
    """The summed cross entropy of the second text of each ending, nats.

    Args:
        backend: a :class:`roleplay.backends.local.LocalBackend` of a causal model.
        context: segments of a prompt, read once.
    """
    if not endings:
        return []
    return list(backend.between(lambda: _losses(backend, context, endings)))


def _losses(backend: Any, context: Sequence[str], endings: Sequence[Ending]) -> list[float]:
    model, length, device = backend.model, backend.prefix_length, backend.model.device
    encoded = [(_encode(backend, cue), _encode(backend, body)) for cue, body in endings]
    width = max(len(cue) + len(body) for cue, body in encoded)
    padded = [(cue + body + [0] * width)[:width] for cue, body in encoded]
    before = torch.tensor([causal.encode_prompt(backend.tokenizer, context)], device=device)
    with torch.inference_mode():
        cache, last = backend.read(before)
        cache.batch_repeat_interleave(len(endings))
        rows = torch.tensor(padded, device=device)
        hidden = causal.hidden_states(model, rows, cache=cache, prefix_length=length)
        states = []
        for row, (cue, body) in enumerate(encoded):
            # The state before a token predicts it: the first by the last of what is only read.
            known = torch.cat([last[0], hidden[row, : len(cue) + len(body) - 1]])
            states.append(known[len(cue) :])
        labels = torch.tensor([token for _, body in encoded for token in body], device=device)
        head, chunks = causal.head(model), torch.split(torch.cat(states), _CHUNK)
        parts = zip(chunks, torch.split(labels, _CHUNK), strict=True)
        each = torch.cat(
            [
                functional.cross_entropy(head(one).float(), two, reduction="none")
                for one, two in parts
            ]
        )
    sizes = [len(body) for _, body in encoded]
    return [float(part.sum()) for part in torch.split(each, sizes)]


def count(backend: Any, text: str) -> int:
    """Tokens of a text, one at least."""
    return max(len(_encode(backend, text)), 1)


def _encode(backend: Any, text: str) -> list[int]:
    """The ids of a text that follows another: without those that stand before every prompt."""
    if not text:
        return []
    start = len(causal.encode_prompt(backend.tokenizer, ()))
    return causal.encode_prompt(backend.tokenizer, (text,))[start:]
