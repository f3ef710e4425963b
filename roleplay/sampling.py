"""Sampling: settings, and one decoding loop in which n candidates share one prefill.

    params = SamplingParams(temperature=0.8, top_p=0.9, seed=7)
    for rows in decode(step, first_logits, n=5, params=params, is_done=ends_line):
        ...                         # rows[i]: the ids of candidate i so far

``decode`` knows no model: ``step`` runs one token for each live row and gives the next logits. Finished rows leave the
batch, so a short candidate costs nothing while a long one goes on. The same seed gives the same candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from roleplay.errors import SamplingError

if TYPE_CHECKING:
    import torch

MAX_SAMPLES = 20
"""The most candidates of one prompt."""

MAX_NEW_TOKENS = 1024
"""The longest reply in tokens; a script line is far shorter."""

_SHORT_LIST = 1024


class SamplingParams(BaseModel):
    """How the next token is drawn. ``temperature`` 0 is greedy; ``top_k`` 0, ``top_p`` 1 and penalty 1 are off.

    The repetition penalty looks at the reply alone, never at the prompt: a small model loops without it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(0.8, ge=0, le=5)
    top_p: float = Field(0.9, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    repetition_penalty: float = Field(1.1, gt=0, le=5)
    max_new_tokens: int = Field(96, ge=1, le=MAX_NEW_TOKENS)
    seed: int | None = None

    @classmethod
    def checked(cls, **values: object) -> SamplingParams:
        """The same, with a one-line :class:`SamplingError` instead of pydantic's report."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            raise SamplingError(f"{name}: {first['msg']}, not {first['input']!r}") from error


def check_samples(n: int) -> int:
    """``n`` itself.

    Raises:
        SamplingError: not between 1 and ``MAX_SAMPLES``.
    """
    if not 1 <= n <= MAX_SAMPLES:
        raise SamplingError(f"the number of samples must be 1 to {MAX_SAMPLES}, not {n}")
    return n


Step = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]
"""(ids [alive] of the newest tokens, kept [alive]: indices into the batch before) -> logits [alive, vocabulary]."""


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
    import torch

    generator = _generator(params.seed, logits.device)
    rows: list[list[int]] = [[] for _ in range(n)]
    alive = list(range(n))
    logits = logits.expand(n, -1)
    for count in range(1, params.max_new_tokens + 1):
        seen = torch.tensor([rows[i] for i in alive], dtype=torch.long, device=logits.device)
        ids = draw(logits, seen, params, generator)
        for i, token in zip(alive, ids.tolist(), strict=True):
            rows[i].append(token)
        yield rows
        kept = [place for place, i in enumerate(alive) if not is_done(rows[i])]
        alive = [alive[place] for place in kept]
        if not alive or count == params.max_new_tokens:
            return
        index = torch.tensor(kept, device=ids.device)
        logits = step(ids[index], index)


def draw(logits: torch.Tensor, seen: torch.Tensor, params: SamplingParams, generator: torch.Generator) -> torch.Tensor:
    """The next token of each row.

    Args:
        logits: float [rows, vocabulary].
        seen: int64 [rows, tokens], what each row has written; only the repetition penalty looks at it.

    Returns:
        int64 [rows].
    """
    import torch

    scores = _penalised(logits.float(), seen, params.repetition_penalty)
    if params.temperature == 0:
        return scores.argmax(dim=-1)
    scores = scores / params.temperature
    probabilities, ids = _nucleus(scores, params)
    choice = torch.multinomial(probabilities, 1, generator=generator)
    return ids.gather(1, choice)[:, 0]


def _penalised(scores: torch.Tensor, seen: torch.Tensor, penalty: float) -> torch.Tensor:
    """Scores with those of seen ids divided (or, below zero, multiplied) by the penalty: CTRL, section 4.1."""
    import torch

    if penalty == 1 or not seen.shape[1]:
        return scores
    picked = scores.gather(1, seen)
    return scores.scatter(1, seen, torch.where(picked < 0, picked * penalty, picked / penalty))


def _nucleus(scores: torch.Tensor, params: SamplingParams) -> tuple[torch.Tensor, torch.Tensor]:
    """The kept probabilities (not normalised) and their ids, both [rows, kept], largest first.

    A full sort of 262,144 words costs more than a decoding step on two cores, so the nucleus is looked for among the
    best 1,024; only where they hold less than ``top_p`` of the mass is everything sorted. The result is the same.
    """
    import torch

    width = scores.shape[1]
    if params.top_k:
        best, ids = scores.topk(min(params.top_k, width))
        probabilities = best.softmax(dim=-1)
    else:
        best, ids = scores.topk(min(_SHORT_LIST, width))
        probabilities = (best - scores.logsumexp(dim=-1, keepdim=True)).exp()
        if bool((probabilities.sum(dim=-1) < params.top_p).any()):
            best, ids = scores.sort(dim=-1, descending=True)
            probabilities = best.softmax(dim=-1)
    before = probabilities.cumsum(dim=-1) - probabilities
    return torch.where(before < params.top_p, probabilities, 0.0), ids


def _generator(seed: int | None, device: torch.device) -> torch.Generator:
    import torch

    generator = torch.Generator(device=device)
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator
