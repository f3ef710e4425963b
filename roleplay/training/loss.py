"""Cross entropy of a frozen head, in chunks: a whole scene's logits never exist at once.

    frozen_head_loss(hidden, head.weight, labels, weights).backward()

Letters: n positions, h hidden size, v vocabulary (262,144 for the bundled model: 1 MB a position).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_CACHED_ROWS = 8
"""Positions whose float32 probabilities exist at once: 8 MB stay in a processor's cache."""


class _KnownSlope(torch.autograd.Function):
    """A loss whose gradient was computed along with it, so that no logits wait for the way back."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, loss: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad_outputs[0], None, None


def frozen_head_loss(
    hidden: Tensor, weight: Tensor, labels: Tensor, weights: Tensor, *, chunk: int = 128
) -> Tensor:
    """The sum over positions of ``weights * cross entropy``, a float32 scalar.

    Args:
        hidden: [n, h], the states that predict ``labels``; differentiable in these only.
        weight: [v, h], the head, which is not trained.
        labels: int64 [n].
        weights: float32 [n].
        chunk: positions whose logits exist at once; 128 take 134 MB with the bundled model.
    """
    with torch.no_grad():
        total = hidden.new_zeros((), dtype=torch.float32)
        gradient = torch.empty_like(hidden)
        for start in range(0, len(labels), chunk):
            part = slice(start, start + chunk)
            logits = hidden[part] @ weight.T
            total += (_to_slopes(logits, labels[part]) * weights[part]).sum()
            gradient[part] = (logits @ weight).float() * weights[part, None]
    return _KnownSlope.apply(hidden, total, gradient)  # type: ignore[no-any-return,no-untyped-call]


def _to_slopes(logits: Tensor, labels: Tensor) -> Tensor:
    """Overwrite logits [n, v] with their slopes, softmax minus one-hot; the losses float32 [n]."""
    losses = torch.empty(len(labels), dtype=torch.float32, device=logits.device)
    for start in range(0, len(labels), _CACHED_ROWS):
        part = slice(start, start + _CACHED_ROWS)
        wanted = labels[part, None]
        highest, place = logits[part].max(dim=-1, keepdim=True)
        chances = logits[part].softmax(dim=-1, dtype=torch.float32)
        # The highest chance is at least 1/v, so its logarithm is safe; the wanted one's may not be.
        gap = highest.float() - logits[part].gather(1, wanted).float()
        losses[part] = (gap - chances.gather(1, place).log())[:, 0]
        logits[part] = chances.scatter_add_(1, wanted, torch.full_like(gap, -1.0))
    return losses


def drift_loss(hidden: Tensor, base: Tensor, weight: Tensor, *, chunk: int = 128) -> Tensor:
    """How far an adapter has moved the next-token distributions: summed KL(base || adapted), nats.

    Args:
        hidden: [n, h], the adapted states; differentiable in these only.
        base: [n, h], the base model's at the same positions.
        weight: [v, h], the head.
        chunk: positions whose logits exist at once, twice.
    """
    with torch.no_grad():
        total = hidden.new_zeros((), dtype=torch.float32)
        gradient = torch.empty_like(hidden)
        for start in range(0, len(hidden), chunk):
            part = slice(start, start + chunk)
            now, before = hidden[part] @ weight.T, base[part] @ weight.T
            for small in range(0, len(now), _CACHED_ROWS):
                rows = slice(small, small + _CACHED_ROWS)
                log_now = now[rows].log_softmax(dim=-1, dtype=torch.float32)
                log_before = before[rows].log_softmax(dim=-1, dtype=torch.float32)
                chances = log_before.exp()
                total += (chances * (log_before - log_now)).sum()
                now[rows] = log_now.exp_() - chances  # the slope of KL in the logits
            gradient[part] = (now @ weight).to(hidden.dtype)
    return _KnownSlope.apply(hidden, total, gradient)  # type: ignore[no-any-return,no-untyped-call]


def token_losses(hidden: Tensor, weight: Tensor, labels: Tensor, *, chunk: int = 128) -> Tensor:
    """Cross entropies float32 [n] without gradient; arguments as :func:`frozen_head_loss`."""
    pairs = zip(torch.split(hidden, chunk), torch.split(labels, chunk), strict=True)
    scores = (((states @ weight.T).float(), wanted) for states, wanted in pairs)
    return torch.cat([functional.cross_entropy(*pair, reduction="none") for pair in scores])
