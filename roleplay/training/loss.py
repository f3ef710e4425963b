"""Cross entropy of a frozen head over chosen positions, in chunks: the logits of a whole scene never exist at once.

Letters: n positions, h hidden size, v vocabulary (262,144 for the embedded model: 1 MB of float32 a position).
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional


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
            logits = logits.float()
            rows = torch.arange(len(logits), device=logits.device)
            scale = logits.logsumexp(dim=-1, keepdim=True)
            picked = logits[rows, labels[part]] - scale[:, 0]
            total -= (picked * weights[part]).sum()
            slope = logits.sub_(scale).exp_()
            slope[rows, labels[part]] -= 1
            slope *= weights[part, None]
            gradient[part] = (slope.to(weight.dtype) @ weight).to(hidden.dtype)
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad_outputs[0], None, None, None, None


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


def token_losses(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, *, chunk: int = 128) -> torch.Tensor:
    """Cross entropies float32 [n] without gradient, for evaluation; arguments as :func:`frozen_head_loss`."""
    parts = [
        functional.cross_entropy((states @ weight.T).float(), wanted, reduction="none")
        for states, wanted in zip(torch.split(hidden, chunk), torch.split(labels, chunk), strict=True)
    ]
    return torch.cat(parts)
