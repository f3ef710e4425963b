"""Sampling: the ids drawn from tiny hand-made logits, and the loop in which candidates share."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from roleplay.errors import SamplingError
from roleplay.sampling import SamplingParams, _nucleus, check_samples, decode, draw

VOCABULARY = 5_000
END = 0


class Countdown:
    """A model whose next token is the last one minus 1, or any if ``random``; ``rows`` it ran."""

    def __init__(self, *, random: bool = False) -> None:
        self.random = random
        self.rows: list[int] = []

    def step(self, ids: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        assert len(ids) == len(kept)
        self.rows.append(len(ids))
        if self.random:
            return torch.zeros(len(ids), 50)
        return torch.nn.functional.one_hot(ids - 1, 50) * 100.0


def ended(ids: list[int]) -> bool:
    return ids[-1] == END


def run(model: Countdown, first: list[float], n: int = 1, **params: float) -> list[list[int]]:
    logits = torch.tensor([first + [-100.0] * (50 - len(first))])
    *_, rows = decode(model.step, logits, n=n, params=SamplingParams(**params), is_done=ended)
    return rows


def drawn(
    logits: torch.Tensor, times: int = 300, seen: list[int] | None = None, **params: float
) -> set[int]:
    """The ids that come up when the same logits are drawn from many times."""
    generator = torch.Generator().manual_seed(0)
    history = torch.tensor([seen or []], dtype=torch.long).expand(times, -1)
    return set(
        draw(logits.expand(times, -1), history, SamplingParams(**params), generator).tolist()
    )


def test_temperature_zero_takes_the_likeliest() -> None:
    assert drawn(torch.tensor([[0.1, 0.3, 0.2]]), temperature=0) == {1}


def test_a_reply_ends_with_its_ending_token() -> None:
    assert run(Countdown(), [0, 0, 0, 9], temperature=0) == [[3, 2, 1, 0]]


def test_a_reply_ends_at_max_new_tokens() -> None:
    assert run(Countdown(), [0] * 30 + [9], temperature=0, max_new_tokens=4) == [[30, 29, 28, 27]]


def test_the_same_seed_gives_the_same_ids() -> None:
    first, second, other = (
        run(Countdown(random=True), [0.0] * 50, n=3, max_new_tokens=8, seed=seed)
        for seed in (7, 7, 8)
    )
    assert first == second != other


def test_candidates_of_one_prefill_differ() -> None:
    rows = run(Countdown(random=True), [0.0] * 50, n=5, max_new_tokens=8, seed=1)
    assert len({tuple(row) for row in rows}) == 5


def test_finished_rows_leave_the_batch() -> None:
    model = Countdown()
    rows = run(model, [1.0] * 6, n=5, temperature=1, top_p=1, seed=3)
    lengths = [row[0] + 1 for row in rows]
    assert [len(row) for row in rows] == lengths and len(set(lengths)) > 1
    assert model.rows == [
        sum(length > step for length in lengths) for step in range(1, max(lengths))
    ]


def test_snapshots_grow_by_one_token_a_live_row() -> None:
    logits = torch.tensor([[-100.0] * 2 + [9.0] + [-100.0] * 47])
    params = SamplingParams(temperature=0)
    sizes = [
        len(rows[0]) for rows in decode(Countdown().step, logits, n=1, params=params, is_done=ended)
    ]
    assert sizes == [1, 2, 3]


def test_top_k_keeps_the_k_best() -> None:
    assert drawn(torch.tensor([[1.0, 1.2, 0.9, 1.1]]), top_k=2, top_p=1) == {1, 3}


def test_top_k_above_the_vocabulary_is_all() -> None:
    assert drawn(torch.tensor([[1.0, 1.2, 0.9]]), top_k=99, top_p=1) == {0, 1, 2}


def test_top_p_keeps_the_word_that_crosses_it() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    assert drawn(logits, temperature=1, top_p=0.6) == {0, 1}
    assert drawn(logits, temperature=1, top_p=0.45) == {0}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 12), st.floats(0.05, 0.99))
def test_the_nucleus_is_that_of_a_full_sort(seed: int, spread: float, top_p: float) -> None:
    logits = torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(seed)) * spread
    mass, ids = _nucleus(logits, SamplingParams(temperature=1, top_p=top_p))
    kept = set(ids[0, mass[0] > 0].tolist())
    # At the very edge the order of summing decides: a few words of at most 1e-5 of the mass.
    assert nucleus(logits, top_p - 1e-5) <= kept <= nucleus(logits, top_p + 1e-5)
    assert torch.allclose(
        mass[0, : len(kept)].double(),
        logits.double().softmax(-1)[0, ids[0, : len(kept)]],
        atol=1e-6,
    )


def nucleus(logits: torch.Tensor, top_p: float) -> set[int]:
    """The words of the nucleus by a full sort in double precision, words of equal logits all in."""
    probabilities, order = logits.double().softmax(dim=-1)[0].sort(descending=True)
    before = probabilities.cumsum(0) - probabilities
    smallest = probabilities[before < top_p][-1]
    return set(order[probabilities >= smallest].tolist())


def test_repetition_is_punished_on_both_sides_of_zero() -> None:
    assert drawn(torch.tensor([[1.0, 0.9]]), seen=[0], temperature=0, repetition_penalty=1.2) == {1}
    assert drawn(torch.tensor([[-1.0, -1.1]]), seen=[0], temperature=0, repetition_penalty=1.2) == {
        1
    }
    assert drawn(torch.tensor([[1.0, 0.9]]), seen=[0], temperature=0) == {0}


def test_temperature_divides_the_logits() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.tensor([[math.log(9.0), 0.0]]).expand(20_000, -1)
    seen = torch.zeros(20_000, 0, dtype=torch.long)
    ids = draw(logits, seen, SamplingParams(temperature=2, top_p=1), generator)
    assert ids.float().mean().item() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("n", [0, -1, 21, 1000])
def test_the_number_of_samples_has_limits(n: int) -> None:
    with pytest.raises(SamplingError, match=f"the number of samples must be 1 to 20, not {n}$"):
        check_samples(n)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": -1}, "temperature: -1 must be at least 0"),
        ({"top_p": 0}, "top_p: 0 must be above 0"),
        ({"top_p": 1.5}, "top_p: 1.5 must be at most 1"),
        ({"max_new_tokens": 5000}, "max_new_tokens: 5000 must be at most 1024"),
        ({"seed": "七"}, "seed: '七' is no number"),
        ({"top_q": 1}, "top_q: is no known field"),
        ({"temperature": math.nan}, "temperature: nan must be"),
    ],
)
def test_a_setting_out_of_range_is_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(SamplingError) as caught:
        SamplingParams.checked(**values)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_settings_in_range_are_taken() -> None:
    assert SamplingParams.checked(temperature=0, seed="7") == SamplingParams(temperature=0, seed=7)
