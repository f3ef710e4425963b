"""Who speaks in a row of turns: the turns' own evidence, joined with what follows what in a conversation.

    links = [Link(), Link(same=-2.0), Link(same=-2.0, back=1.2)]
    chances([{"闻筝": 5.0, "铜婆": 0.0}, {"闻筝": 0.0, "铜婆": 0.0}, {"闻筝": 0.0, "铜婆": 0.0}], links)
    # [{"闻筝": .99, ..}, {"铜婆": .9, ..}, {"闻筝": .95, ..}]: A, B, A

A chain of second order, as a speaker answers the last one and comes back after one turn. Forward and
backward sums give each turn the chance of each candidate, so a cue late in a conversation also settles the
turns before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = Mapping[str, float]
_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Link:
    """What joins a turn to those before it: ``same`` speaker as the last one, ``back`` to the one before that."""

    same: float = 0.0
    back: float = 0.0


def chances(turns: Sequence[Scores], links: Sequence[Link]) -> list[dict[str, float]]:
    """The chance of each candidate of each turn; scores are log weights."""
    if not turns:
        return []
    names = [list(turn) for turn in turns]
    own = [np.array(list(turn.values())) for turn in turns]
    same, back = _couplings(names, links)
    ahead = _backward(own, same, back)
    result, state = [], own[0][None, :]
    for t, scores in enumerate(own):
        if t:
            state = _step(state, back[t]) + same[t] + scores
            state = state - state.max()
        total = _log_sum(state + ahead[t], axis=0)
        weights = np.exp(total - total.max())
        result.append(dict(zip(names[t], (weights / weights.sum()).tolist(), strict=True)))
    return result


def _couplings(names: Sequence[list[str]], links: Sequence[Link]) -> tuple[list[_Array], list[_Array]]:
    """same[t] is (candidates of t-1, of t); back[t] is (candidates of t-2, of t)."""
    same, back = [np.zeros((1, 1))], [np.zeros((1, 1))]
    for t in range(1, len(names)):
        before = names[t - 2] if t > 1 else [""]
        same.append(_equal(names[t - 1], names[t]) * links[t].same)
        back.append(_equal(before, names[t]) * links[t].back)
    return same, back


def _equal(one: list[str], two: list[str]) -> _Array:
    return np.array([[float(a == b) for b in two] for a in one])


def _step(state: _Array, back: _Array) -> _Array:
    """(t-2, t-1) -> (t-1, t): the sum over who spoke at t-2."""
    return _log_sum(state[:, :, None] + back[:, None, :], axis=0)


def _backward(own: Sequence[_Array], same: Sequence[_Array], back: Sequence[_Array]) -> list[_Array]:
    """For each turn t, (t-1, t): the weight of all turns after t."""
    ahead: list[_Array] = [np.zeros((1, len(own[-1])))]
    for t in range(len(own) - 1, 0, -1):
        weights = ahead[0] + same[t] + own[t]
        before = _log_sum(back[t][:, None, :] + weights[None, :, :], axis=2)
        ahead.insert(0, before - before.max())
    return ahead


def _log_sum(values: _Array, axis: int) -> _Array:
    top = values.max(axis=axis, keepdims=True)
    summed: _Array = np.log(np.exp(values - top).sum(axis=axis)) + top.squeeze(axis)
    return summed
