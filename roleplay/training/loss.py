"""Cross entropy of a frozen head over chosen positions, in chunks: the logits of a whole scene never exist at once.

Letters: n positions, h hidden size, v vocabulary (262,144 for the embedded model: 1 MB of float32 a position).
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

_CACHED_ROWS = 8
"""Positions whose float32 probabilities exist at once: 8 MB with the embedded model, which stays in a processor's cache."""


class _FrozenHeadLoss(torch.autograd.Function):
    """Weighted sum of cross entropies; its gradient is computed chunk by chunk in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        labels: torch.Tensor,
        weights: torch.Tensor,
        chunk: int,
    ) -> torch.Tensor:
        total = hidden.new_zeros((), dtype=torch.float32)
        gradient = torch.empty_like(hidden)
        for start in range(0, len(labels), chunk):
            part = slice(start, start + chunk)
            logits = hidden[part] @ weight.T
            total += (_to_slopes(logits, labels[part]) * weights[part]).sum()
            gradient[part] = (logits @ weight).float() * weights[part, None]
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad_outputs[0], None, None, None, None


def _to_slopes(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Overwrite logits [n, v] with the slopes of their cross entropies, softmax minus one-hot; the losses, float32 [n]."""
    losses = torch.empty(len(labels), dtype=torch.float32, device=logits.device)
    for start in range(0, len(labels), _CACHED_ROWS):
        part = slice(start, start + _CACHED_ROWS)
        wanted = labels[part, None]
        highest, place = logits[part].max(dim=-1, keepdim=True)
        chances = logits[part].softmax(dim=-1, dtype=torch.float32)
        # The highest chance is at least 1/v, so its logarithm is safe where the wanted one's might not be.
        gap = highest.float() - logits[part].gather(1, wanted).float()
        losses[part] = (gap - chances.gather(1, place).log())[:, 0]
        logits[part] = chances.scatter_add_(1, wanted, torch.full_like(gap, -1.0))
    return losses


def frozen_head_loss(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor,
    *,
    chunk: int = 128,
) -> torch.Tensor:
    """The sum over positions of ``weights * cross entropy``, differentiable in ``hidden`` only.

    Args:
        hidden: [n, h], the states that predict ``labels``.
        weight: [v, h], the head, which is not trained.
        labels: int64 [n].
        weights: float32 [n].
        chunk: positions whose logits exist at once; 128 take 134 MB with the embedded model.

    Returns:
        float32 scalar.
    """
    loss: torch.Tensor = _FrozenHeadLoss.apply(hidden, weight, labels, weights, chunk)  # type: ignore[no-untyped-call]
    return loss


class _DriftLoss(torch.autograd.Function):
    """Sum of Kullback-Leibler divergences from a fixed distribution; the gradient is computed on the way forward."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, bare: torch.Tensor, weight: torch.Tensor, chunk: int) -> torch.Tensor:
        total = hidden.new_zeros((), dtype=torch.float32)
        gradient = torch.empty_like(hidden)
        for start in range(0, len(hidden), chunk):
            part = slice(start, start + chunk)
            now, before = hidden[part] @ weight.T, bare[part] @ weight.T
            for small in range(0, len(now), _CACHED_ROWS):
                rows = slice(small, small + _CACHED_ROWS)
                log_now = now[rows].log_softmax(dim=-1, dtype=torch.float32)
                log_before = before[rows].log_softmax(dim=-1, dtype=torch.float32)
                chances = log_before.exp()
                total += (chances * (log_before - log_now)).sum()
                now[rows] = log_now.exp_() - chances
            gradient[part] = (now @ weight).to(hidden.dtype)
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad_outputs[0], None, None, None


def drift_loss(hidden: torch.Tensor, bare: torch.Tensor, weight: torch.Tensor, *, chunk: int = 128) -> torch.Tensor:
    """How far an adapter has moved the next-token distributions, in nats: the sum over positions of KL(bare || adapted).

    Args:
        hidden: [n, h], the adapted states; differentiable in these only.
        bare: [n, h], the bare model's at the same positions.
        weight: [v, h], the head.
        chunk: positions whose logits exist at once, twice.

    Returns:
        float32 scalar.
    """
    loss: torch.Tensor = _DriftLoss.apply(hidden, bare, weight, chunk)  # type: ignore[no-untyped-call]
    return loss


def token_losses(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, *, chunk: int = 128) -> torch.Tensor:
    """Cross entropies float32 [n] without gradient, for evaluation; arguments as :func:`frozen_head_loss`."""
    parts = [
        functional.cross_entropy((states @ weight.T).float(), wanted, reduction="none")
        for states, wanted in zip(torch.split(hidden, chunk), torch.split(labels, chunk), strict=True)
    ]
    return torch.cat(parts)
