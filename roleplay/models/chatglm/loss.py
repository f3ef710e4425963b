"""Cross entropy over the label positions only; the logits of a long row never exist at once.

    total = label_loss(hidden, labels, model.lm_head)

Of each chunk of the head's rows only the log-sum-exp is kept and the chunk is computed again in the backward pass, so that
the most that exists is [n, 8192] logits. Letters: b batch, s tokens, h hidden size, v vocabulary, n label positions.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from roleplay.models.chatglm.quantization import chunks, head_rows, head_weights

IGNORED = -100
"""The label of a position that is not learnt."""


def label_loss(
    hidden: torch.Tensor, labels: torch.Tensor, head: nn.Linear, *, count: torch.Tensor | int | None = None
) -> torch.Tensor:
    """The mean cross entropy of the labels, each predicted from the token before it (SPEC 2.6).

    Args:
        hidden: [b, s, h].
        labels: int64 [b, s]; -100 is not learnt.
        head: [v, h] without bias, packed or plain.
        count: what the sum is divided by; None takes the number of labels.

    Returns:
        float32 scalar, in every dtype of the model.
    """
    wanted = labels[:, 1:]
    learnt = wanted != IGNORED
    total = summed_loss(hidden[:, :-1][learnt], wanted[learnt], head)
    return total / (learnt.sum() if count is None else count)


def summed_loss(
    hidden: torch.Tensor, labels: torch.Tensor, head: nn.Linear, *, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """The summed cross entropy, a float32 scalar, of states [n, h] and labels int64 [n].

    Args:
        weights: float [n], what each position counts; None counts all alike.
    """
    losses = position_losses(hidden, labels, head)
    return losses.sum() if weights is None else (losses * weights).sum()


def position_losses(hidden: torch.Tensor, labels: torch.Tensor, head: nn.Linear) -> torch.Tensor:
    """The cross entropy of each position, float32 [n], of states [n, h] and labels int64 [n]."""
    parts = [
        checkpoint(_log_sum, head, hidden, rows, use_reentrant=False, preserve_rng_state=False)
        for rows in chunks(head.out_features)
    ]
    scale = torch.stack(parts).logsumexp(dim=0)
    picked = (hidden.float() * head_weights(head, labels).float()).sum(dim=-1)
    return scale - picked


def _log_sum(head: nn.Linear, hidden: torch.Tensor, rows: slice) -> torch.Tensor:
    return head_rows(head, hidden, rows).float().logsumexp(dim=-1)
