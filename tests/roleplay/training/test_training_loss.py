"""The loss of the frozen head: plain cross entropy, in value and gradient."""

import pytest
import torch
from torch.nn import functional

from roleplay.training.loss import drift_loss, frozen_head_loss, token_losses

N, H, V = 11, 6, 17


@pytest.fixture
def rows() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(hidden [N, H], head [V, H], labels [N], weights [N])."""
    torch.manual_seed(0)
    weights = torch.rand(N, dtype=torch.float64)
    weights[3] = 0
    hidden = torch.randn(N, H, dtype=torch.float64, requires_grad=True)
    return hidden, torch.randn(V, H, dtype=torch.float64), torch.randint(V, (N,)), weights


Rows = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.mark.parametrize("chunk", [1, 4, 11, 128])
def test_the_loss_is_weighted_cross_entropy(rows: Rows, chunk: int) -> None:
    hidden, head, labels, weights = rows
    expected = (functional.cross_entropy(hidden @ head.T, labels, reduction="none") * weights).sum()
    loss = frozen_head_loss(hidden, head, labels, weights, chunk=chunk)
    torch.testing.assert_close(loss.double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("chunk", [1, 4, 11, 128])
def test_the_gradient_is_that_of_cross_entropy(rows: Rows, chunk: int) -> None:
    hidden, head, labels, weights = rows
    losses = functional.cross_entropy(hidden @ head.T, labels, reduction="none") * weights
    (expected,) = torch.autograd.grad(losses.sum() / 3, hidden)
    (slope,) = torch.autograd.grad(
        frozen_head_loss(hidden, head, labels, weights, chunk=chunk) / 3, hidden
    )
    torch.testing.assert_close(slope, expected, atol=1e-5, rtol=0)
    assert slope[3].abs().max() == 0 < slope[4].abs().max()


def test_bfloat16_states_keep_a_float32_loss(rows: Rows) -> None:
    hidden, head, labels, weights = rows
    half = hidden.detach().bfloat16().requires_grad_()
    loss = frozen_head_loss(half, head.bfloat16(), labels, weights.float())
    loss.backward()
    assert (loss.dtype, half.grad.dtype) == (torch.float32, torch.bfloat16)
    expected = (
        functional.cross_entropy(half.double() @ head.T, labels, reduction="none") * weights
    ).sum()
    torch.testing.assert_close(loss.double(), expected, atol=0, rtol=0.02)


@pytest.mark.parametrize("chunk", [1, 4, 128])
def test_losses_of_tokens(rows: Rows, chunk: int) -> None:
    hidden, head, labels, _ = rows
    expected = functional.cross_entropy(hidden @ head.T, labels, reduction="none")
    torch.testing.assert_close(
        token_losses(hidden, head, labels, chunk=chunk).double(), expected, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("chunk", [1, 4, 128])
def test_the_drift_is_the_divergence_from_the_base_model(rows: Rows, chunk: int) -> None:
    hidden, head, _, _ = rows
    base = torch.randn(N, H, dtype=torch.float64)
    logs = [(states @ head.T).log_softmax(dim=-1) for states in (hidden, base)]
    expected = functional.kl_div(*logs, reduction="sum", log_target=True)
    drift = drift_loss(hidden, base, head, chunk=chunk)
    torch.testing.assert_close(drift.double(), expected, atol=1e-4, rtol=1e-5)
    (slope,) = torch.autograd.grad(drift * 2, hidden)
    torch.testing.assert_close(
        slope, torch.autograd.grad(expected * 2, hidden)[0], atol=1e-5, rtol=0
    )


def test_no_drift_from_oneself(rows: Rows) -> None:
    hidden, head, _, _ = rows
    drift = drift_loss(hidden, hidden.detach(), head)
    assert float(drift) == pytest.approx(0, abs=1e-5)
    assert torch.autograd.grad(drift, hidden)[0].abs().max() < 1e-6
