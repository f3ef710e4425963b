"""Cross entropy over the label positions only; the logits of a long row never exist at once.

    total = label_loss(hidden, labels, model.lm_head)

Of each chunk of the head's rows only the log-sum-exp is kept and the chunk is computed again in the
backward pass, so that the most that exists is [n, 8192] logits.

Letters: b batch, s tokens, h hidden size, v vocabulary, n label positions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from roleplay.models.chatglm.quantization import PackedLinear, chunks

IGNORED = -100
"""The label of a position that is no target."""


def label_loss(
    hidden: Tensor, labels: Tensor, head: nn.Linear, *, count: Tensor | int | None = None
) -> Tensor:
    """The mean cross entropy of the labels, each predicted from the token before it (SPEC 2.6).

    Args:
        hidden: [b, s, h].
        labels: int64 [b, s]; -100 is no target.
        head: [v, h] without bias, packed or plain.
        count: what the sum is divided by; None takes the number of labels.

    Returns:
        float32 scalar, in every dtype of the model.
    """
    wanted = labels[:, 1:]
    target = wanted != IGNORED
    total = summed_loss(hidden[:, :-1][target], wanted[target], head)
    return total / (target.sum() if count is None else count)


def summed_loss(
    hidden: Tensor, labels: Tensor, head: nn.Linear, *, weights: Tensor | None = None
) -> Tensor:
    """The summed cross entropy, a float32 scalar, of states [n, h] and labels int64 [n].

    Args:
        weights: float [n], what each position counts; None counts all alike.
    """
    losses = position_losses(hidden, labels, head)
    return losses.sum() if weights is None else (losses * weights).sum()


def position_losses(hidden: Tensor, labels: Tensor, head: nn.Linear) -> Tensor:
    """The cross entropy of each position, float32 [n], of states [n, h] and labels int64 [n]."""
    # Nothing in a chunk is random: the generator's state need not be kept for the replay.
    parts = [
        checkpoint(_log_sum, head, hidden, rows, use_reentrant=False, preserve_rng_state=False)
        for rows in chunks(head.out_features)
    ]
    scale = torch.stack(parts).logsumexp(dim=0)
    rows = head.picked(labels) if isinstance(head, PackedLinear) else head.weight[labels]
    return scale - (hidden.float() * rows.float()).sum(dim=-1)


def _log_sum(head: nn.Linear, hidden: Tensor, rows: slice) -> Tensor:
    """float32 [n] of the logits of some rows of the head."""
    if isinstance(head, PackedLinear):
        return head.rows(hidden, rows).float().logsumexp(dim=-1)
    return functional.linear(hidden, head.weight[rows]).float().logsumexp(dim=-1)
