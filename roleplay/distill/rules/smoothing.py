"""Who speaks in a row of turns: second-order smoothing of each turn's own evidence.

    links = [Link(), Link(same=-2.0), Link(same=-2.0, back=1.2)]
    smooth([{"闻筝": 5.0, "铜婆": 0.0}, {"闻筝": 0.0, "铜婆": 0.0}, {"闻筝": 0.0, "铜婆": 0.0}], links)
    # [{"闻筝": .99, ..}, {"铜婆": .9, ..}, {"闻筝": .95, ..}]: A, B, A

Second order, as a speaker answers the last one and comes back after one turn. Sums forwards and
backwards give the chances, so a cue late in a conversation also settles the turns before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = Mapping[str, float]
_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Link:
    """Log weights of a turn: the ``same`` speaker as the last, ``back`` to the one before that."""

    same: float = 0.0
    back: float = 0.0


def smooth(turns: Sequence[Scores], links: Sequence[Link]) -> list[dict[str, float]]:
    """Each turn's chances of its candidates by second-order smoothing; scores are log weights."""
    names = [list(turn) for turn in turns]
    own = [np.array(list(turn.values())) for turn in turns]
    # same[t] is (candidates of t-1, of t), back[t] (candidates of t-2, of t).
    before = [[""], [""], *names]
    same = [
        _equal(*pair) * link.same for *pair, link in zip(before[1:], names, links, strict=False)
    ]
    back = [_equal(*pair) * link.back for *pair, link in zip(before, names, links, strict=False)]
    result, ahead, state = [], _backward(own, same, back), np.zeros((1, 1))
    for t, scores in enumerate(own):
        if t:
            # (t-2, t-1) -> (t-1, t): the sum over who spoke at t-2.
            state = _log_sum(state[:, :, None] + back[t][:, None, :], axis=0) + same[t] + scores
            # Only differences count, and the numbers stay small over a whole book.
            state = state - state.max()
        else:
            state = scores[None, :]
        total = _log_sum(state + ahead[t], axis=0)
        weights = np.exp(total - total.max())
        result.append(dict(zip(names[t], (weights / weights.sum()).tolist(), strict=True)))
    return result


def _equal(one: list[str], two: list[str]) -> _Array:
    # The empty name is anybody else: two of them may be two persons.
    return np.array([[float(a == b != "") for b in two] for a in one])


def _backward(
    own: Sequence[_Array], same: Sequence[_Array], back: Sequence[_Array]
) -> list[_Array]:
    """For each turn t, (t-1, t): the weight of all turns after t."""
    ahead: list[_Array] = [np.zeros((1, len(scores))) for scores in own[-1:]]
    for t in range(len(own) - 1, 0, -1):
        weights = ahead[0] + same[t] + own[t]
        before = _log_sum(back[t][:, None, :] + weights[None, :, :], axis=2)
        ahead.insert(0, before - before.max())
    return ahead


def _log_sum(values: _Array, axis: int) -> _Array:
    top = values.max(axis=axis, keepdims=True)
    summed: _Array = np.log(np.exp(values - top).sum(axis=axis)) + top.squeeze(axis)
    return summed
