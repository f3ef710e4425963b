"""Sampling: settings, and one decoding loop in which n candidates share one prefill.

    params = SamplingParams(temperature=0.8, top_p=0.9, seed=7)
    for rows in decode(step, first_logits, n=5, params=params, is_done=ends_line):
        ...                         # rows[i]: the ids of candidate i so far

``decode`` knows no model: ``step`` runs one token for each live row and gives the next logits.
Finished rows leave the batch, so a short candidate costs nothing while a long one goes on. The same
seed gives the same candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from roleplay.errors import SamplingError, reason

if TYPE_CHECKING:
    import torch

MAX_SAMPLES = 20
"""The most candidates of one prompt."""
MAX_NEW_TOKENS = 1024
"""The longest reply in tokens; a script line is far shorter."""
_SHORT_LISTS, _BLOCK = (256, 4096), 32  # see _nucleus, _largest


class SamplingParams(BaseModel):
    """How the next token is drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(0.8, ge=0, le=5)
    """The logits are divided by it: higher is more varied, 0 takes the likeliest token always."""
    top_p: float = Field(0.9, gt=0, le=1)
    """Only the likeliest tokens that hold this share of the probability together; 1 is off."""
    top_k: int = Field(0, ge=0)
    """Only this many of the likeliest tokens; 0 is off."""
    repetition_penalty: float = Field(1.1, gt=0, le=5)
    """Makes what the reply (never the prompt) has less likely, or a small model loops; 1 is off."""
    max_new_tokens: int = Field(96, ge=1, le=MAX_NEW_TOKENS)
    """The longest reply in tokens; a longer one is cut."""
    seed: int | None = None
    """The same seed gives the same replies; None draws a new one."""

    @classmethod
    def checked(cls, **values: object) -> Self:
        """The same, with a one-line :class:`SamplingError` instead of pydantic's report."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SamplingError("sampling.wrong", reason=reason(error)) from error


def check_samples(n: int) -> int:
    """``n`` itself. Raises SamplingError: not between 1 and ``MAX_SAMPLES``."""
    if not 1 <= n <= MAX_SAMPLES:
        raise SamplingError("sampling.samples", most=MAX_SAMPLES, value=n)
    return n


Step = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]
"""(ids [alive] of the newest tokens, kept [alive]: indices into the batch before)
-> logits [alive, vocabulary]."""


def decode(
    step: Step,
    logits: torch.Tensor,
    *,
    n: int,
    params: SamplingParams,
    is_done: Callable[[list[int]], bool],
) -> Iterator[list[list[int]]]:
    """Grow ``n`` candidates from the logits of one prefill.

    Args:
        step: runs one token a live row; see :data:`Step`.
        logits: float [1, vocabulary], of the prompt's last token.
        is_done: whether a candidate's new ids end it (the ending token is kept in the ids).

    Yields:
        After every step, the new ids of all ``n`` candidates; the same lists grow in place.
    """
    import torch  # not at the top: the page and the terminal need the settings alone, at once

    candidates = Candidates(n, params, is_done, logits.device)
    logits = logits.expand(n, -1)
    while True:
        tokens, kept = candidates.grow(logits)
        yield candidates.rows
        if not tokens:
            return
        newest, places = (torch.tensor(part, device=logits.device) for part in (tokens, kept))
        logits = step(newest, places)


class Candidates:
    """``count`` replies that grow together, each until it ends."""

    def __init__(
        self,
        count: int,
        params: SamplingParams,
        is_done: Callable[[list[int]], bool],
        device: torch.device,
    ) -> None:
        """``is_done``: as for :func:`decode`."""
        import torch

        self.count, self._params, self._is_done = count, params, is_done
        self._generator = torch.Generator(device)
        if params.seed is None:
            self._generator.seed()  # else a new generator starts from the same seed each time
        else:
            self._generator.manual_seed(params.seed)
        self.rows: list[list[int]] = [[] for _ in range(count)]
        """The new ids of each; they grow in place."""
        self._alive = self.rows

    def grow(self, logits: torch.Tensor) -> tuple[list[int], list[int]]:
        """Draw a token for each that is not finished, float [unfinished, vocabulary].

        Returns:
            the new tokens of those that go on, and their places among the rows of ``logits``.
        """
        import torch

        seen = torch.tensor(self._alive, dtype=torch.long, device=logits.device)
        ids = draw(logits, seen, self._params, self._generator).tolist()
        for row, token in zip(self._alive, ids, strict=True):
            row.append(token)
        kept = [place for place, row in enumerate(self._alive) if not self._is_done(row)]
        if len(self._alive[0]) >= self._params.max_new_tokens:
            kept = []
        self._alive = [self._alive[place] for place in kept]
        return [row[-1] for row in self._alive], kept


def draw(
    logits: torch.Tensor, seen: torch.Tensor, params: SamplingParams, generator: torch.Generator
) -> torch.Tensor:
    """The next token of each row.

    Args:
        logits: float [rows, vocabulary].
        seen: int64 [rows, tokens], what each row has written, for the repetition penalty.

    Returns:
        int64 [rows].
    """
    scores = logits.float()
    penalty = params.repetition_penalty
    if penalty != 1 and seen.shape[1]:
        # CTRL, section 4.1; below zero it multiplies, for dividing would raise the score.
        picked = scores.gather(1, seen)
        scores = scores.scatter(1, seen, (picked * penalty).where(picked < 0, picked / penalty))
    if params.temperature == 0:
        return scores.argmax(dim=-1)
    probabilities, ids = _nucleus(scores / params.temperature, params)
    choice = probabilities.multinomial(1, generator=generator)
    return ids.gather(1, choice)[:, 0]


def _nucleus(scores: torch.Tensor, params: SamplingParams) -> tuple[torch.Tensor, torch.Tensor]:
    """The kept probabilities (not normalised) and their ids, [rows, kept] both, largest first.

    A full sort of 262,144 words costs more than a decoding step on two cores, so the nucleus is
    looked for among a few hundred of the best; all are sorted only where some thousands hold less
    than ``top_p``.
    """
    width = scores.shape[1]
    if params.top_k:
        best, ids = _largest(scores, min(params.top_k, width))
        probabilities = best.softmax(dim=-1)
    else:
        whole = scores.logsumexp(dim=-1, keepdim=True)
        for count in (*(size for size in _SHORT_LISTS if size < width), width):
            best, ids = _largest(scores, count)
            probabilities = (best - whole).exp()
            if count == width or (probabilities.sum(dim=-1) >= params.top_p).all():
                break
    before = probabilities.cumsum(dim=-1) - probabilities
    return probabilities.where(before < params.top_p, 0.0), ids


def _largest(scores: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The ``count`` largest of each row and their places, [rows, count] both, largest first.

    Each of them lies in one of the ``count`` blocks with the largest maxima.
    """
    import torch

    rows, width = scores.shape
    if width % _BLOCK or count * _BLOCK * 4 > width:
        return scores.topk(count)
    maxima = scores.reshape(rows, -1, _BLOCK).amax(dim=-1)
    blocks = maxima.topk(count, sorted=False).indices
    offsets = torch.arange(_BLOCK, device=scores.device)
    ids = (blocks[..., None] * _BLOCK + offsets).flatten(1)
    best, places = scores.gather(1, ids).topk(count)
    return best, ids.gather(1, places)
