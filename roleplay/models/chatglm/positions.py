"""Who sees whom, and where everybody stands: attention mask and two-dimensional positions of GLM.

    positions = token_positions(ids, config)                  # [b, 2, s]
    blocked = blocked_mask(positions[:, 1])                   # [b, 1, s, s], True = blocked
    cos, sin = rotary_tables(positions, head_dim=128, dtype=torch.float32)

A row is ``context [gMASK] sop answer``. The context sees all of itself, what follows sees what
stands before it. Position row 0 counts the context and then stays at the mask token; row 1 is 0 in
the context and counts from 1 at sop.

Letters: b batch, s tokens, q new tokens, k keys (past and new), d head size, r = d / 2.
Source: SPEC 2.3 and 2.4.
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from roleplay.errors import FormError


def token_positions(ids: Tensor, config: Any, *, real: Tensor | None = None) -> Tensor:
    """The position ids int64 [b, 2, s] that the model builds from ids int64 [b, s] alone.

    Args:
        real: bool [b, s], False at padding; positions then start at the first real token, and
            leading padding gets 0.

    Raises:
        FormError: a row without sop, or without the mask token that the batch uses.
    """
    # One kind of mask token counts for a whole batch, as in the original.
    has_gmask = bool((ids == config.gmask_token_id).any())
    wanted = config.gmask_token_id if has_gmask else config.mask_token_id
    context = _first(ids, config.bos_token_id, "sop")
    mask = _first(ids, wanted, "[gMASK]" if has_gmask else "[MASK]")
    start = torch.zeros_like(mask) if real is None else real.int().argmax(dim=1, keepdim=True)
    return position_rows(ids.shape[1], context=context, mask=mask, start=start)


def position_rows(length: int, *, context: Tensor, mask: Tensor, start: Tensor) -> Tensor:
    """Position ids [b, 2, length] from int64 [b, 1]: index of sop, mask token, first real token."""
    index = torch.arange(length, device=context.device)[None]
    first = torch.where(index < context, index - start, mask - start)
    second = (index - context + 1).clamp(min=0)
    return torch.stack([first, second], dim=1) * (index >= start)[:, None]


def _first(ids: Tensor, wanted: int, name: str) -> Tensor:
    """Index of the first ``wanted`` of each row, int64 [b, 1]."""
    found = ids == wanted
    if lacking := (~found.any(dim=1)).nonzero().flatten().tolist():
        raise FormError("chatglm.no-special", rows=str(lacking), name=name, id=wanted)
    return found.int().argmax(dim=1, keepdim=True)


def next_positions(positions: Tensor, count: int = 1) -> Tensor:
    """``positions`` [b, 2, s] with ``count`` more of the answer: only row 1 goes on counting."""
    steps = torch.arange(1, count + 1, device=positions.device)
    more = positions[:, :, -1:] + torch.stack([torch.zeros_like(steps), steps])
    return torch.cat([positions, more], dim=2)


def blocked_mask(block: Tensor, *, past: int = 0, real: Tensor | None = None) -> Tensor | None:
    """What the new tokens may not see.

    Args:
        block: int64 [b, q], position row 1 of the new tokens; 0 means context.
        past: keys before the new tokens, all of them visible unless ``real`` says otherwise.
        real: bool [b, at most k] of the last keys, False at padding, which sees nothing either.

    Returns:
        bool [b, 1, q, past + q], True = blocked; None where one token sees everything.
    """
    count = block.shape[1]
    if count == 1 and real is None:
        return None
    index = torch.arange(count, device=block.device)
    answer = block > 0
    # A row without an answer is context to its end; argmax alone would say 0.
    context = torch.where(answer.any(dim=1), answer.int().argmax(dim=1), count)
    causal = index[None, None] <= index[None, :, None]
    visible = (index[None, None] < context[:, None, None]) | causal
    visible = functional.pad(visible, (past, 0), value=True)
    if real is not None:
        keys = functional.pad(real, (past + count - real.shape[1], 0), value=True)
        visible = visible & keys[:, None, :] & real[:, -count:, None]
    return ~visible[:, None]


def rotary_tables(positions: Tensor, *, head_dim: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines [b, 1, s, d]: row 0 turns the first half of a head, row 1 the second.

    The frequencies are rounded to float16 in every dtype, as the original does; with ``dtype``
    float16 the positions, angles, cosines and sines are float16 as well.
    """
    rounded = inverse_frequencies(head_dim // 2, positions.device).to(dtype)
    angles = positions.transpose(1, 2)[..., None].to(dtype) * rounded
    angles = torch.cat([angles, angles], dim=-1).flatten(2)[:, None]
    return angles.cos(), angles.sin()


@lru_cache(maxsize=16)
def inverse_frequencies(size: int, device: torch.device) -> Tensor:
    """float16 [size / 2]: 10000 ** (-2 j / size)."""
    # On the CPU for every device: another power's last bit may round to another float16.
    exponents = torch.arange(0, size, 2, dtype=torch.float32, device="cpu") / size
    return (1.0 / 10000**exponents).half().to(device)


def rotate(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn queries or keys [b, n, s, d]; in each half of a head, element t pairs with t + r / 2."""
    low, high = states.view(*states.shape[:-1], 2, 2, -1).unbind(dim=-2)
    turned = torch.stack([-high, low], dim=-2).flatten(-3)
    return states * cos + turned * sin
